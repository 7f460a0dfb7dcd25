"""X2, N11: who sees which pages of subjects, what these say, and what their forms answer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.projects import projects
from db.projects.projects import UpdateRow
from domain.projects.project import ProjectStage
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, CLERK, HOLDER, NOW, OTHER, VP, row
from tests.integration.projects.test_project_reading import SEES

EVERY = ("p1", "p2", "p3", "p4", "p5", "p6")
BODIES: dict[str, tuple[str, dict[str, object], dict[str, str]]] = {
    "update": ("updates", {"progress": "a", "next_steps": "b"}, {"progress": "a", "next_steps": "b"}),
    "loss": ("loss", {"reason": "a"}, {"reason": "a"}),
    "object": ("objection", {"reason": "a"}, {"reason": "a"}),
    "resume": ("resume", {"why_silent": "a", "why_resume": "b"}, {"why_silent": "a", "why_resume": "b"}),
    "withdraw": ("withdraw", {"reason": "a"}, {"reason": "a"}),
    "contract": ("contract-review", {"amount": "1.00"}, {"amount": "1.00"}),
    "correction": ("contract-correction", {"amount": "1.00", "reason": "a"}, {"amount": "1.00", "reason": "a"}),
    "meeting": ("meeting", {"reason": "a"}, {"reason": "a"}),
    "call-off-meeting": ("meeting/call-off", {"reason": "a"}, {"reason": "a"}),
}
"""By act: the last part of the address of the API, the body, and the same as fields of a form."""


@pytest.mark.parametrize("viewer", SEES)
async def test_x2_pages_show_exactly_what_the_api_shows(viewer: str, pages: Pages) -> None:
    """X2: single projects, their dossiers and the list, as the API answers."""
    seen = []
    for project in EVERY:
        by_api = await pages.ask(viewer, "GET", f"/api/v1/projects/{project}")
        for page in (f"/projects/{project}", f"/projects/{project}/dossier"):
            assert (await pages.get(viewer, page)).status_code == by_api.status_code, page
        seen += [project] if by_api.status_code == 200 else []
    assert " ".join(seen) == SEES[viewer]
    listed = await pages.get(viewer, "/projects")
    assert sorted(set(re.findall(r'href="/projects/(p\d)"', listed.text))) == seen
    on_board = await pages.get(viewer, "/projects?view=board")
    ended = {"p4", "p5"}
    assert set(re.findall(r'href="/projects/(p\d)"', on_board.text)) == set(seen) - ended


@pytest.mark.parametrize("act", BODIES)
async def test_x2_whoever_may_act_by_the_api_may_act_on_the_page_and_nobody_else(act: str, pages: Pages) -> None:
    """Statuses agree for everybody: 404 unseen, 403 not theirs, 409 not now, 503 because no engine is there."""
    end, body, fields = BODIES[act]
    answers = {}
    for viewer in SEES:
        for project in EVERY:
            by_api = await pages.ask(viewer, "POST", f"/api/v1/projects/{project}/{end}", body)
            by_page = await pages.post(viewer, f"/projects/{project}/{act}", fields, form_on="/projects")
            answers[viewer, project] = (by_api.status_code, by_page.status_code)
    different = {who: both for who, both in answers.items() if both[0] != both[1]}
    assert different == {}
    assert {both[0] for both in answers.values()} >= {404}


async def test_x2_the_record_says_who_opened_a_page(pages: Pages, connection: AsyncConnection) -> None:
    await pages.get(VP, "/projects/p1")
    read = await connection.execute(
        text("SELECT through FROM reading WHERE person = :person AND subject_id = 'p1'"), {"person": VP}
    )
    assert [through for (through,) in read] == ["page"]


async def test_x2_evidence_is_on_the_page_of_whoever_decides_and_of_nobody_else(pages: Pages) -> None:
    assert "别人的项目" in (await pages.get(CLERK, "/projects/p1")).text
    assert "别人的项目" not in (await pages.get(APPLICANT, "/projects/p1")).text
    assert "别人的项目" not in (await pages.get(APPLICANT, "/projects/p1/dossier")).text


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_page_says_where_it_stands_who_has_it_and_what_cannot_be_done_now(language: str, pages: Pages) -> None:
    shown = await pages.get(APPLICANT, "/projects/p1", language=language)  # type: ignore[arg-type]
    assert shown.status_code == 200
    said = words(shown)
    assert "高媛" in said
    assert ("只有进行中的项目才能这样做" if language == "zh" else "only while the project is active") in said
    assert re.search(r'class="button[^"]*" href="/projects/p1/withdraw"', shown.text)
    assert not re.search(r'class="button[^"]*" href="/projects/p1/update"', shown.text)


async def test_u1_an_act_that_cannot_be_done_now_has_a_page_that_says_why(pages: Pages) -> None:
    shown = await pages.get(APPLICANT, "/projects/p1/update")
    assert shown.status_code == 200
    assert "只有进行中的项目才能这样做" in words(shown)
    assert "<textarea" not in shown.text
    assert (await pages.get(CLERK, "/projects/p1/update")).status_code == 403


async def test_bad_input_keeps_everything_that_was_typed_and_names_each_field(
    pages: Pages, connection: AsyncConnection
) -> None:
    await projects.add(connection, row("p7", stage=ProjectStage.ACTIVE, updated_at=NOW))
    await connection.commit()
    sent = {"progress": "  ", "problems": "<b>缺人</b>", "next_steps": "", "amount": "很多", "expected_signing": "2026"}
    shown = await pages.post(APPLICANT, "/projects/p7/update", sent)
    assert shown.status_code == 422
    for kept in ("&lt;b&gt;缺人&lt;/b&gt;", 'value="很多"', 'value="2026"'):
        assert kept in shown.text
    links = re.findall(r'<li><a href="#(f-[a-z_]+)">', shown.text)
    assert sorted(links) == ["f-amount", "f-expected_signing", "f-next_steps", "f-progress"]
    assert all(f'id="{link}"' in shown.text for link in links)


async def test_u1_updates_of_all_projects_stand_on_one_page_with_last_weeks_words(
    pages: Pages, connection: AsyncConnection
) -> None:
    for number, project in enumerate(("p7", "p8")):
        await projects.add(connection, row(project, stage=ProjectStage.ACTIVE, updated_at=NOW - timedelta(days=6)))
        said = UpdateRow(
            project_id=project,
            number=1,
            message_id=f"m{number}",
            person=APPLICANT,
            said_at=NOW - timedelta(days=6),
            recorded_at=NOW - timedelta(days=6),
            progress=f"上周拜访 {project}",
            next_steps="报价",
        )
        await projects.add_update(connection, said)
    await connection.commit()
    shown = await pages.get(APPLICANT, "/updates")
    assert shown.status_code == 200
    assert all(f"上周拜访 {project}" in shown.text for project in ("p7", "p8"))
    ids = re.findall(r'\bid="([^"]+)"', shown.text)
    assert len(ids) == len(set(ids))
    assert "8 天后提醒" in words(shown)
    bad = await pages.post(
        APPLICANT, "/updates/p8", {"p8.progress": "见了总工", "p8.next_steps": ""}, form_on="/updates"
    )
    assert bad.status_code == 422
    assert "见了总工" in bad.text
    row_only = await pages.post(
        APPLICANT,
        "/updates/p8",
        {"p8.progress": "见了总工", "p8.next_steps": ""},
        form_on="/updates",
        **{"hx-request": "true"},
    )
    assert row_only.status_code == 422
    assert row_only.text.strip().startswith("<section")
    assert "见了总工" in row_only.text
    assert "<html" not in row_only.text
    assert (await pages.post(OTHER, "/updates/p8", {"no_change": "yes"}, form_on="/updates")).status_code == 404
    assert (await pages.post(HOLDER, "/updates/p2", {"no_change": "yes"}, form_on="/updates")).status_code == 403


@pytest.mark.parametrize(
    "address", ["/projects?status=nothing", "/projects?person=nobody", "/projects?cursor=x", "/applications?stage=x"]
)
async def test_a_filter_that_does_not_exist_is_not_ignored(address: str, pages: Pages) -> None:
    assert (await pages.get(VP, address)).status_code in (404, 422)


async def test_lists_filter_and_page_by_their_address(pages: Pages, connection: AsyncConnection) -> None:
    for number in range(35):
        at = NOW + timedelta(minutes=number)
        await projects.add(connection, row(f"q{number}", stage=ProjectStage.ACTIVE, registered_at=at))
    await connection.commit()
    first = await pages.get(VP, "/projects?status=active")
    shown = set(re.findall(r'href="/projects/(q\d+)"', first.text))
    following = re.search(r'href="(/projects\?[^"]*cursor=[^"]*)" rel="next"', first.text)
    assert len(shown) == 30
    assert following
    second = await pages.get(VP, following.group(1).replace("&amp;", "&"))
    rest = set(re.findall(r'href="/projects/(q\d+)"', second.text))
    assert len(rest) == 5
    assert not rest & shown
    assert 'rel="next"' not in second.text
    others = await pages.get(VP, f"/projects?person={OTHER}")
    assert set(re.findall(r'href="/projects/([pq]\d+)"', others.text)) == {"p6"}
    fragment = await pages.get(VP, "/projects?status=active", headers={"hx-request": "true"})
    assert fragment.text.strip().startswith("<section")


async def test_a_stored_form_has_a_page_that_looks_again_without_script(pages: Pages) -> None:
    shown = await pages.get(APPLICANT, "/receipts/0123456789abcdef")
    assert 'hx-trigger="every 2s"' in shown.text
    assert 'href="/receipts/0123456789abcdef"' in shown.text


async def test_n1_p1_whoever_filed_it_begins_another_with_it_as_a_draft(pages: Pages) -> None:
    own = await pages.get(APPLICANT, "/projects/p1")
    assert 'href="/register?from=p1"' in own.text
    form = await pages.get(APPLICANT, "/register?from=p1")
    assert form.status_code == 200
    assert "码头生产调度系统存储扩容" in form.text
    assert "/register?from=" not in (await pages.get(CLERK, "/projects/p1")).text
    assert (await pages.get(OTHER, "/register?from=p1")).status_code == 404

"""Who sees which projects, how much of them, and what comes next by itself (P9, U2–U6, X2, X4)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.conflicts.collisions import keyed_parties
from activities.steps import Moved
from api.projects.views import project_view
from api.state import Viewer
from api.views import Composer
from db import messages
from db.accounts import applications
from db.messages import MailRow
from db.projects import projects
from db.projects.projects import UpdateRow
from db.tasks import tasks
from db.tasks.tasks import DecisionRow
from domain.projects.project import PROJECT_ENDED, ProjectStage
from domain.tasks.task import TaskKind
from tests.integration.projects.project_door import (
    APPLICANT,
    CLERK,
    GENERAL_MANAGER,
    HOLDER,
    NOW,
    ORGANISATION,
    OTHER,
    OTHER_VP,
    VP,
    Call,
    asked,
    door,
    fill,
    filled,
    row,
    task,
)
from tests.integration.projects.test_projects_record import RULES
from tests.samples import PROJECT_FORM
from texts.catalogue import LANGUAGES, Texts


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        yield connection


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with door(engine, database_url) as asking:
        yield asking


SEES = {
    APPLICANT: "p1 p2 p3 p4 p5",
    HOLDER: "p2 p3",
    OTHER: "p6",
    "huang.lei": "",
    "zhao.lei": "p1 p2 p3 p4 p5",
    "david.brown": "p6",
    "chen.jing": "p2 p3",
    VP: "p1 p2 p3 p4 p5 p6",
    OTHER_VP: "p2 p3",
    CLERK: "p1 p2 p3 p4 p5 p6",
    "lin.xia": "p1 p2 p3 p4 p5 p6",
    GENERAL_MANAGER: "p1 p2 p3 p4 p5 p6",
    "liu.yang": "p3",
    "tang.bo": "p4",
    "peter.wong": "",
    "song.jie": "",
}
"""Own; one's departments; a side of the dispute (D1); whoever leads a side (D4); invited to the meeting (D2); told of
the loss (U8)."""


async def test_a5_whoever_decides_reads_both_sides_beside_each_other_as_they_stand(
    connection: AsyncConnection, call: Call
) -> None:
    """A5: kept before the vendor's position was, it is shown all the same, with whose it is and its state by now."""
    theirs = PROJECT_FORM.model_copy(
        update={"name": "别人的项目", "vendor_position": "支持徐静团队", "relationship": "驻场三年"}
    )
    since = datetime(2026, 9, 2, 2, tzinfo=UTC)
    other = row("theirs", applicant=HOLDER, salesperson=HOLDER, registered_at=since, stage=ProjectStage.SHELVED)
    await projects.add(connection, other.model_copy(update={"form": theirs}))
    await fill(connection)
    found = (await call(CLERK, "GET", "/tasks/t1")).json()["project"]
    told = [(row["order"], row["own"], row["subject_id"], row["vendor_position"]) for row in found["weighed"]]
    assert told == [(1, False, "theirs", "支持徐静团队"), (2, True, "p1", PROJECT_FORM.vendor_position)]
    assert [row["relationship"] for row in found["weighed"]] == ["驻场三年", PROJECT_FORM.relationship]
    assert [(match["status"], match["live"]) for match in found["matches"]] == [("shelved", False)]
    assert (await call(APPLICANT, "GET", "/projects/p1")).json()["weighed"] == [], "X2"


@pytest.mark.parametrize("path", ["/tasks/t7", "/projects/p7"])
async def test_p2_p4_a_vp_reads_what_was_registered_since_they_were_asked(
    connection: AsyncConnection, call: Call, path: str
) -> None:
    """P2, P4, A5: of the moment of reading; and it is not for the applicant (X2)."""
    await projects.add(connection, row("p7", stage=ProjectStage.APPROVAL))
    await tasks.open_task(
        connection, task("t7", TaskKind.PROJECT_APPROVAL, subject="p7", slot=APPLICANT), [asked("t7", VP)]
    )
    await applications.set_parties(
        connection, "project", "p7", keyed_parties(PROJECT_FORM), since=NOW - timedelta(days=1), live=True
    )
    await connection.commit()

    async def found() -> list[tuple[str, bool]]:
        read = (await call(VP, "GET", path)).json()
        matches = read.get("project", read)["matches"] or []
        return [(match["subject_id"], match["earlier"]) for match in matches if match["subject_type"] == "project"]

    assert await found() == []
    later = row("p8", applicant=HOLDER, salesperson=HOLDER, department="east", registered_at=NOW)
    await projects.add(connection, later)
    await applications.set_parties(connection, "project", "p8", keyed_parties(PROJECT_FORM), since=NOW, live=True)
    await connection.commit()
    assert await found() == [("p8", False)]
    assert (await call(APPLICANT, "GET", "/projects/p7")).json()["matches"] == []
    await projects.change(connection, "p7", stage=ProjectStage.ACTIVE)
    await connection.commit()
    assert await found() == [], "what was decided was decided on what there was"


async def test_p5_a_wrong_name_is_told_beside_its_field_before_anything_is_sent(
    connection: AsyncConnection, call: Call
) -> None:
    await projects.add(connection, row("over", applicant=HOLDER, salesperson=HOLDER, stage=ProjectStage.SHELVED))
    await fill(connection)
    said = {"choice": "suspect", "reason": "同一项目", "fields": {"suspects": ["P2026-99999", "over", "p1"]}}
    answer = await call(CLERK, "POST", "/tasks/t1/answer", said)
    assert answer.status_code == 422
    told = [(error["field"], error["rule"]) for error in answer.json()["errors"]]
    assert told == [(f"fields.suspects.{place}", "P5") for place in range(3)]
    assert "P2026-99999" in answer.json()["errors"][0]["message"]
    for odd in ("a\0b", "\u202e", "\n", "x" * 201, ""):
        answer = await call(CLERK, "POST", "/tasks/t1/answer", {**said, "fields": {"suspects": [odd]}})
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]][:1]) == (
            422,
            ["fields.suspects.0"],
        )


async def test_x2_everybody_sees_exactly_the_projects_that_are_theirs_to_see(
    connection: AsyncConnection, call: Call
) -> None:
    await fill(connection)
    everything = SEES[CLERK].split()
    for person, theirs in SEES.items():
        listed = (await call(person, "GET", "/projects")).json()["items"]
        assert sorted(row["id"] for row in listed) == theirs.split(), person
        answers = {
            project_id: (await call(person, "GET", f"/projects/{project_id}")).status_code for project_id in everything
        }
        assert answers == {project_id: 200 if project_id in theirs.split() else 404 for project_id in everything}, (
            person
        )
        read = await connection.execute(
            text("SELECT subject_id, through FROM subject_read WHERE person = :p"), {"p": person}
        )
        assert {tuple(row) for row in read} == {
            (project_id, how) for project_id in theirs.split() for how in ("list", "api")
        }


async def test_d4_a_vp_who_was_told_sees_it_a_moment_before_the_dispute_is_on_record(
    connection: AsyncConnection, call: Call
) -> None:
    """P3, D4: the mail goes out with the registration; its dispute is a process of its own and opens after that."""
    await projects.add(connection, row("p7", stage=ProjectStage.DISPUTED))
    told = MailRow(
        key="k7", subject_id="p7", person=OTHER_VP, facts={"kind": "registered_under_account"}, link_id=None,
        created_at=NOW,
    )  # fmt: skip
    await messages.keep_step(connection, "project-p7", "told", Moved(), [told])
    await connection.commit()
    assert (await call(OTHER_VP, "GET", "/projects/p7")).status_code == 200
    assert (await call("chen.jing", "GET", "/projects/p7")).status_code == 404
    await projects.change(connection, "p7", stage=ProjectStage.APPROVAL)
    await connection.commit()
    assert (await call(OTHER_VP, "GET", "/projects/p7")).status_code == 404


async def test_p4_what_was_not_compared_is_said_to_those_who_decide(connection: AsyncConnection, call: Call) -> None:
    """P4, X2: the clerk can ask for it; the salesperson is told nothing of how many registrations are alike."""
    await fill(connection)
    await projects.keep_matches(connection, "p1", 1, [], not_compared=["云岭北京", "云岭上海"])
    await connection.commit()
    assert (await call(CLERK, "GET", "/projects/p1")).json()["not_compared"] == ["云岭北京", "云岭上海"]
    assert (await call(APPLICANT, "GET", "/projects/p1")).json()["not_compared"] == []


async def test_x2_evidence_is_for_those_who_decide(connection: AsyncConnection, call: Call) -> None:
    """A5, P4: the clerk sees what was found, the salesperson neither that nor why somebody suspects."""
    await fill(connection)
    suspicion = DecisionRow(
        task_id="t1",
        kind=TaskKind.CONFLICT_CHECK,
        choice="suspect",
        reason="与徐静的项目同一招标",
        person=CLERK,
        message_id="m",
        fields={"suspects": ["theirs"]},
        said_at=NOW,
        decided_at=NOW,
    )
    assert await tasks.decide(connection, suspicion)
    refusal = {"by": OTHER_VP, "reason": "同一项目", "at": NOW.isoformat(), "suspects": ["theirs"],
               "objection_until": "2027-01-01T10:00:00+08:00"}  # fmt: skip
    await projects.change(connection, "p1", stage=ProjectStage.REFUSED, refusal=refusal)
    await connection.commit()
    for path in ("/projects/p1", "/projects/p1/dossier"):
        theirs = (await call(APPLICANT, "GET", path)).text
        assert "别人的项目" not in theirs
        assert "theirs" not in theirs
        assert "同一招标" not in theirs
        assert "同一项目" in theirs  # P7: why it was refused
        full = (await call(CLERK, "GET", path)).text
        assert "别人的项目" in full
        assert "同一招标" in full
    seen = (await call(APPLICANT, "GET", "/projects/p1")).json()
    (lapses,) = [event for event in seen["next_events"] if event["what"] == "objection_lapses"]
    assert lapses["at"] == "2027-01-01T10:00:00+08:00"  # P8
    assert "异议" in seen["what_prevents"]


async def test_u2_to_u5_the_salesperson_sees_what_comes_next_by_itself_and_what_prevents_it(
    connection: AsyncConnection, call: Call
) -> None:
    updated = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai
    numbered = {"number": "P2026-0001", "number_issued_at": updated}
    await projects.add(connection, row("p", stage=ProjectStage.ACTIVE, updated_at=updated, silences=1, **numbered))
    for number in (1, 2):
        said = {"person": APPLICANT, "said_at": NOW, "recorded_at": NOW, "next_steps": "评审"}
        weekly = {"project_id": "p", "number": number, "message_id": f"m{number}", "progress": f"第{number}次", **said}
        await projects.add_update(connection, UpdateRow.model_validate(weekly))
    await connection.commit()
    seen = (await call(APPLICANT, "GET", "/projects/p")).json()
    ahead = [(event["what"], event["rule"], event["at"][:10]) for event in seen["next_events"]]
    assert ahead == [("one_month", "U3", "2026-12-30"), ("three_months", "U4", "2027-02-28")]
    assert seen["what_prevents"] == "更新项目即可重新计时"
    assert "2027年2月28日" in seen["what_next"]
    assert [update["progress"] for update in seen["updates"]] == ["第2次", "第1次"]


async def test_x4_every_stage_says_where_it_stands_and_what_is_next(connection: AsyncConnection) -> None:
    person = ORGANISATION.person(APPLICANT)
    assert person is not None
    for language in LANGUAGES:
        texts = Texts(language)
        composer = Composer(connection, RULES, Viewer(person, ORGANISATION), texts)
        for stage in ProjectStage:
            shown = await project_view(composer, row("p", stage=stage, updated_at=NOW), shown=False)
            assert shown.stage_label == texts.text(f"project_stage.{stage}")
            assert (shown.status, shown.name) == (stage.status, PROJECT_FORM.name)
            assert shown.what_next
            assert bool(shown.next_events) is (stage is ProjectStage.ACTIVE)


async def test_a2_an_account_lists_the_projects_under_it(connection: AsyncConnection, call: Call) -> None:
    await fill(connection)
    (one,) = (await call(CLERK, "GET", "/accounts/account-1")).json()["projects"]
    assert (one["id"], one["status"]) == ("p2", "disputed")


async def test_p9_a_number_counts_while_its_project_is_active_and_tells_no_more_than_it_must(
    connection: AsyncConnection, call: Call
) -> None:
    """P9: also to whoever may see the project; that they have read it is recorded (X2)."""
    await with_numbers(connection)
    for stage in ProjectStage:
        said = (await call(CLERK, "GET", f"/project-numbers/{number_of(stage)}?purpose=early_order")).json()
        assert said["allowed"] is (stage is ProjectStage.ACTIVE)
        assert said["project"] == {
            "id": stage,
            "name": PROJECT_FORM.name,
            "number": number_of(stage),
            "status": stage.status,
        }
        assert ("P9" in said["reason"]) or stage in PROJECT_ENDED
        assert PROJECT_FORM.customer.name not in json.dumps(said, ensure_ascii=False)
    read = await connection.execute(
        text("SELECT DISTINCT subject_id FROM reading WHERE person = :clerk"), {"clerk": CLERK}
    )
    assert {project_id for (project_id,) in read} == set(ProjectStage)


async def test_p9_x2_a_number_tells_whoever_may_not_see_its_project_yes_or_no_and_nothing_else(
    connection: AsyncConnection, call: Call
) -> None:
    """P9, X2: numbers can be counted up. Neither name nor state."""
    await with_numbers(connection)
    reasons = set()
    for stage in ProjectStage:
        answer = await call("peter.wong", "GET", f"/project-numbers/{number_of(stage)}?purpose=contract_review")
        said = answer.json()
        assert said["allowed"] is (stage is ProjectStage.ACTIVE)
        assert said["project"] is None
        assert "P9" in said["reason"]
        if stage is not ProjectStage.ACTIVE:
            reasons.add(said["reason"])
    assert len(reasons) == 1
    read = await connection.execute(text("SELECT count(*) FROM reading WHERE person = 'peter.wong'"))
    assert read.scalar_one() == 0


def number_of(stage: ProjectStage) -> str:
    return f"P-{stage}".replace("_", "-")


async def with_numbers(connection: AsyncConnection) -> None:
    """A project at every stage, each with a number."""
    for stage in ProjectStage:
        await projects.add(connection, row(stage, stage=stage, number=number_of(stage), number_issued_at=NOW))
    await connection.commit()


async def test_p9_an_unknown_number_is_a_no_with_its_reason(call: Call) -> None:
    for number in ("P2026-9999", "%00", "x" * 200, "P2026-0001%20", "项目"):
        answer = await call(APPLICANT, "GET", f"/project-numbers/{number}?purpose=contract_review")
        assert answer.status_code == 200
        assert answer.json()["allowed"] is False
        assert answer.json()["project"] is None
        assert "P9" in answer.json()["reason"]


async def test_x2_coo_and_management_read_what_their_reports_speak_of_and_nothing_else(
    connection: AsyncConnection, call: Call
) -> None:
    """U9, R3: accounts and approved projects stand in reports to them; a registration under way does not."""
    await fill(connection)
    approved = {"number": "P2026-0007", "number_issued_at": NOW, "updated_at": NOW}
    await projects.add(connection, row("p7", stage=ProjectStage.ACTIVE, **approved))
    await connection.commit()
    for person in ("liu.yang", "sun.li"):
        assert (await call(person, "GET", "/projects/p7")).status_code == 200
        assert "p7" in [item["id"] for item in (await call(person, "GET", "/projects")).json()["items"]]
        assert not (await call(person, "GET", "/projects/p7")).json()["matches"]
        assert (await call(person, "GET", "/projects/p1")).status_code == 404
        listed = (await call(person, "GET", "/accounts")).json()["items"]
        assert [row["id"] for row in listed] == ["account-1"]
        assert (await call(person, "GET", "/accounts/account-1")).status_code == 200
    for person in ("song.jie", "tang.bo"):
        assert (await call(person, "GET", "/projects/p7")).status_code == 404
        assert (await call(person, "GET", "/accounts/account-1")).status_code == 404

"""X2: applications, Named Accounts and reviews in the console: the same answers as by the API, for everybody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db import messages
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.messages import Receipt
from db.reviews import reviews
from db.reviews.reviews import PeriodRow
from db.tasks import tasks
from domain.accounts.application import Stage
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.named_account import Rejection
from domain.tasks.task import TaskKind
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, CLERK, HOLDER, NOW, ORGANISATION, VP, asked, filled
from tests.integration.projects.test_projects_record import RULES
from tests.integration.reviews.test_review_reading import MANAGER, review, review_task
from tests.samples import APPLICATION_FORM, application_form

EVERY = ("account-1", "checked", "rejected", "theirs")
BODIES = {"withdraw": {"reason": "a"}, "appeal": {"reason": "a"}, "evidence": {}}


def application(application_id: str, applicant: str, stage: Stage, **more: object) -> ApplicationRow:
    values = {
        "id": application_id,
        "workflow_id": f"application-{application_id}",
        "applicant": applicant,
        "department": ORGANISATION.by_id[applicant].department,
        "stage": stage,
        "round": 1,
        "form": application_form(f"{application_id}客户"),
        "policy_digest": RULES.digest,
        "submitted_at": NOW,
        "stage_since": NOW,
    }
    return ApplicationRow.model_validate(values | more)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Of yang.fan an account, an application with commerce and a rejected one; an application of xu.jing; a year that
    asks the general manager."""
    async with filled(engine) as connection:
        await applications.add(connection, application("checked", APPLICANT, Stage.COMMERCE_CHECK))
        rejection = Rejection(
            task_id="t",
            kind=TaskKind.VP_REVIEW,
            person=VP,
            reason="毛利过低",
            at=NOW,
            appeal_until=NOW + timedelta(days=30),
        )
        await applications.add(connection, application("rejected", APPLICANT, Stage.REJECTED, rejection=rejection))
        await applications.add(connection, application("theirs", HOLDER, Stage.VP_REVIEW))
        found = Evidence(
            kind=EvidenceKind.ACCOUNTS,
            source="account_register",
            gathered_at=NOW,
            available=True,
            findings=(Finding(subject_type="account", subject_id="A-9", name="别人的客户", detail={}),),
        )
        await applications.keep_evidence(connection, "checked", 1, [found])
        whose = review(TaskKind.ANNUAL_REVIEW)
        shared = whose.model_dump(include={"rhythm", "period", "closes_at", "policy_digest"})
        await reviews.begin_period(connection, PeriodRow(**shared, workflow_id="period-year", opens_at=NOW))
        await reviews.add(connection, whose)
        await tasks.open_task(connection, review_task("year", TaskKind.ANNUAL_REVIEW), [asked("year", MANAGER)])
        await connection.commit()
        yield connection


@pytest.mark.parametrize("viewer", [person.id for person in ORGANISATION.people if person.active])
async def test_x2_applications_and_accounts_show_exactly_what_the_api_shows(viewer: str, pages: Pages) -> None:
    for kind, subjects in (("applications", EVERY), ("accounts", ("account-1",))):
        seen = []
        for subject in subjects:
            by_api = await pages.ask(viewer, "GET", f"/api/v1/{kind}/{subject}")
            assert (await pages.get(viewer, f"/{kind}/{subject}")).status_code == by_api.status_code, subject
            seen += [subject] if by_api.status_code == 200 else []
        listed = await pages.get(viewer, f"/{kind}")
        assert sorted(set(re.findall(rf'href="/{kind}/([a-z0-9-]+)"', listed.text))) == sorted(seen)
    for subject in EVERY:
        by_api = await pages.ask(viewer, "GET", f"/api/v1/applications/{subject}/dossier")
        assert (await pages.get(viewer, f"/applications/{subject}/dossier")).status_code == by_api.status_code


@pytest.mark.parametrize("act", BODIES)
async def test_x2_whoever_may_act_by_the_api_may_act_on_the_page_and_nobody_else(act: str, pages: Pages) -> None:
    """404 unseen, 403 not theirs, 503 because no engine is there."""
    answers = {}
    for viewer in (APPLICANT, HOLDER, VP, CLERK, "lin.xia", MANAGER, "peter.wong", "zhao.lei"):
        for subject in EVERY:
            by_api = await pages.ask(viewer, "POST", f"/api/v1/applications/{subject}/{act}", BODIES[act] or None)
            path = f"/applications/{subject}/{act}"
            by_page = await pages.post(viewer, path, BODIES[act], form_on="/applications")
            answers[viewer, subject] = (by_api.status_code, by_page.status_code)
    assert {who: both for who, both in answers.items() if both[0] != both[1]} == {}
    assert {both[0] for both in answers.values()} == {403, 404, 503}


async def test_x2_evidence_is_for_those_who_decide_and_the_applicant_is_told_so(pages: Pages) -> None:
    assert "别人的客户" in (await pages.get(CLERK, "/applications/checked")).text
    mine = await pages.get(APPLICANT, "/applications/checked")
    assert "别人的客户" not in mine.text
    assert "只供审批人查阅" in words(mine)


async def test_n10_the_page_of_an_appeal_begins_with_the_reason_of_the_rejection(pages: Pages) -> None:
    shown = await pages.get(APPLICANT, "/applications/rejected/appeal")
    assert "李明驳回的理由 毛利过低" in words(shown)
    assert "<textarea" in shown.text
    empty = await pages.post(APPLICANT, "/applications/rejected/appeal", {"reason": " "})
    assert empty.status_code == 422
    assert 'aria-invalid="true"' in empty.text


async def test_a_form_that_is_sent_while_the_engine_is_away_keeps_what_was_typed(pages: Pages) -> None:
    shown = await pages.post(APPLICANT, "/applications/rejected/appeal", {"reason": "已签框架协议"})
    assert shown.status_code == 503
    assert "已签框架协议" in shown.text


async def test_x2_a_review_is_shown_to_whoever_is_asked_in_it(pages: Pages) -> None:
    year = review(TaskKind.ANNUAL_REVIEW).id
    theirs = await pages.get(MANAGER, f"/reviews/{year}")
    assert theirs.status_code == 200
    assert "年度回顾" in words(theirs)
    assert 'href="/inbox/year"' in theirs.text
    assert (await pages.get(APPLICANT, f"/reviews/{year}")).status_code == 404


async def test_a_receipt_says_what_became_of_a_form_and_only_to_whoever_sent_it(
    pages: Pages, connection: AsyncConnection
) -> None:
    for message, accepted, result in (
        ("aaaaaaaaaaaaaaaa", True, {}),
        ("bbbbbbbbbbbbbbbb", False, {"code": "appeal_used"}),
    ):
        receipt = Receipt(
            message_id=message,
            workflow_id="application-rejected",
            person=APPLICANT,
            body_hash="h",
            accepted=accepted,
            result=result,
            recorded_at=NOW,
            settled=True,
        )
        await messages.give_receipt(connection, receipt)
    await connection.commit()
    accepted_page = await pages.get(APPLICANT, "/receipts/aaaaaaaaaaaaaaaa")
    assert "已记录" in words(accepted_page)
    assert 'href="/applications/rejected"' in accepted_page.text
    assert "hx-trigger" not in accepted_page.text
    refused = await pages.get(APPLICANT, "/receipts/bbbbbbbbbbbbbbbb")
    assert "二次审核只能申请一次" in words(refused)
    assert (await pages.get(CLERK, "/receipts/aaaaaaaaaaaaaaaa")).status_code == 404


async def test_p1_a_project_is_registered_under_an_account_from_its_page(pages: Pages) -> None:
    assert 'href="/register?account=account-1"' in (await pages.get(APPLICANT, "/accounts/account-1")).text
    form = await pages.get(APPLICANT, "/register?account=account-1")
    assert f'value="{APPLICATION_FORM.customer.name}"' in form.text
    assert (await pages.get(HOLDER, "/register?account=account-1")).status_code == 404

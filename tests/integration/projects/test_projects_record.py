"""Rows of projects and disputes: what is kept comes back, numbers have no gap, a shelved project is resumed once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow, KeyedParty
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import AlreadyResumed, ProjectRow, UpdateRow
from db.reference_data import ReferenceData
from domain.accounts.application import Stage
from domain.conflicts.project_match import Match
from domain.disputes.dispute import Claimant, DisputeStage, MeetingCall, Origin
from domain.policy import load_policy
from domain.projects.project import (
    PROJECT_ENDED,
    Company,
    Loss,
    ProjectStage,
    Resumption,
    SalesStage,
    Track,
)
from tests.samples import APPLICATION_FORM, PROJECT_FORM
from tests.verdicts import verdict

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
RULES = ReferenceData(load_policy())
FORM = PROJECT_FORM.model_copy(
    update={
        "customer": APPLICATION_FORM.customer,
        "end_user": Company(name="昆山云岭模具有限公司"),
        "channel": Company(name="上海汇川信息技术有限公司", uscc="91310000132200821H"),
        "name": "苏州工厂机房改造",
        "amount": Decimal("1860000.00"),
        "note": "",
    }
)


@pytest.fixture
async def tx(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that is never committed, in a record that knows the policy and one Named Account."""
    async with engine.connect() as connection, connection.begin() as transaction:
        await RULES.pin_policy(connection)
        await add_account(connection)
        yield connection
        await transaction.rollback()


async def add_account(tx: AsyncConnection) -> None:
    await applications.add(
        tx,
        ApplicationRow(
            id="account-1",
            workflow_id="application-account-1",
            applicant="yang.fan",
            department="north",
            stage=Stage.ACTIVE,
            round=1,
            form=APPLICATION_FORM,
            policy_digest=RULES.digest,
            submitted_at=NOW,
            stage_since=NOW,
        ),
    )
    row = AccountRow(
        id="account-1",
        application_id="account-1",
        salesperson="yang.fan",
        department="north",
        form=APPLICATION_FORM,
        slot=1,
        account_limit=5,
        gm_decision=None,
        activated_at=NOW,
    )
    await accounts.activate(tx, row, [KeyedParty(role="customer", name="云岭", name_key="云岭")])


def project(project_id: str, **said: Any) -> ProjectRow:
    values = {
        "id": project_id,
        "workflow_id": f"project-{project_id}",
        "applicant": "yang.fan",
        "salesperson": "yang.fan",
        "department": "north",
        "stage": ProjectStage.ROUTING,
        "round": 1,
        "form": FORM,
        "policy_digest": RULES.digest,
        "registered_at": NOW,
        "stage_since": NOW,
    }
    return ProjectRow.model_validate(values | said)


def weekly(number: int, **said: Any) -> UpdateRow:
    values = {
        "project_id": "p",
        "number": number,
        "message_id": f"m{number}",
        "person": "yang.fan",
        "said_at": NOW + timedelta(weeks=number),
        "recorded_at": NOW + timedelta(weeks=number, seconds=1),
        "progress": "方案已提交",
        "next_steps": "等待评审",
    }
    return UpdateRow.model_validate(values | said)


async def test_a_registration_comes_back_as_it_was_kept(tx: AsyncConnection) -> None:
    """P1: every column, with the form to the fen."""
    assert await projects.find(tx, "p") is None
    plain, full = (
        project("old"),
        project(
            "p",
            salesperson="xu.jing",
            stage=ProjectStage.ACTIVE,
            track=Track.OTHER_ACCOUNT,
            account_id="account-1",
            number="XM-2026-0001",
            number_issued_at=NOW,
            resumes="old",
            resumption={"why_silent": "客户重组", "why_resume": "预算已批"},
            agreement={"cooperation": "联合投标", "split": [{"person": "xu.jing", "percent": "100"}]},
            refusal={"by": "gao.yuan", "reason": "冲突", "suspects": []},
            objection={"reason": "不同机房"},
            loss={"reason": "价格"},
            contract={"amount": "1800000.00"},
            end_reason={"reason": "价格"},
            updated_at=NOW + timedelta(days=7),
            silences=2,
        ),
    )
    await projects.add(tx, plain)
    await projects.add(tx, full)
    assert await projects.find(tx, "old") == plain
    assert await projects.find(tx, "p") == await projects.by_number(tx, "XM-2026-0001") == full
    assert await projects.by_number(tx, "XM-2026-0002") is None
    assert full.customer_name == "苏州云岭精密制造股份有限公司"


async def test_what_a_column_does_not_hold_is_null_for_every_reader(tx: AsyncConnection) -> None:
    """An operator's query finds the projects without a refusal by `IS NULL`."""
    await projects.add(tx, project("p", refusal={"reason": "冲突"}))
    await projects.change(tx, "p", refusal=None)
    nulls = "SELECT count(*) FROM project WHERE num_nulls(refusal, agreement, loss, contract, track, number) = 6"
    assert await tx.scalar(text(nulls)) == 1


async def test_models_become_json_when_a_registration_changes(tx: AsyncConnection) -> None:
    """U6, U8."""
    await projects.add(tx, project("p"))
    completed = FORM.model_copy(update={"amount": Decimal("99.90")})
    loss = Loss(reason="价格", competitor="某公司")
    resumption = Resumption(why_silent="客户重组", why_resume="预算已批")
    await projects.change(
        tx, "p", stage=ProjectStage.ENDED, form=completed, loss=loss, resumption=resumption, silences=1
    )
    found = await projects.find(tx, "p")
    assert found is not None
    assert (found.stage, found.form, found.silences) == (ProjectStage.ENDED, completed, 1)
    assert (found.loss, found.resumption) == (loss.model_dump(), resumption.model_dump())


async def test_only_what_is_live_takes_part_in_conflict_detection(tx: AsyncConnection) -> None:
    """P10, and U6: a resumption does from the moment it is accepted."""
    for stage in ProjectStage:
        await projects.add(tx, project(stage.value, stage=stage))
    found = await projects.by_ids(tx, [stage.value for stage in ProjectStage])
    not_live = {row.stage for row in found if not row.live}
    waiting = {ProjectStage.REFUSED, ProjectStage.OBJECTION, ProjectStage.RESUME_REVIEW}
    assert len(found) == len(ProjectStage)
    assert not_live == PROJECT_ENDED | waiting


async def test_rounds_keep_what_was_submitted_and_what_was_found_apart(tx: AsyncConnection) -> None:
    """P2, P5: a completed form is a new round with matches of its own; A5: all three things to judge by come back."""
    await projects.add(tx, project("p"))
    completed = FORM.model_copy(update={"note": "补充"})
    await projects.add_round(tx, "p", 2, completed, NOW + timedelta(days=1))
    rival = Match(
        subject_type="project",
        subject_id="q",
        name="云岭",
        salesperson="xu.jing",
        status="active",
        since=NOW - timedelta(days=30),
        verdict=verdict("same_uscc", "end_user"),
        amount=Decimal("780000.10"),
        vendor_registered=False,
        relationship="合作两年",
    )
    account = Match(
        subject_type="account",
        subject_id="account-1",
        name="云岭",
        salesperson="yang.fan",
        status="active",
        since=NOW,
        verdict=verdict("same_name"),
    )
    await projects.keep_matches(tx, "p", 1, [rival])
    await projects.keep_matches(tx, "p", 2, [account], weaker=7)
    await projects.keep_matches(tx, "p", 2, [rival, account])
    assert await projects.matches_of(tx, "p", 1) == (rival,)
    assert await projects.matches_of(tx, "p", 2) == (rival, account)
    assert await projects.matches_of(tx, "p", 3) == ()
    assert [await projects.weaker_matches(tx, "p", number) for number in (1, 2, 3)] == [0, 7, 0]
    kept = await projects.rounds(tx, "p")
    assert kept == (
        {"round": 1, "submitted_at": NOW, "form": FORM.model_dump(mode="json")},
        {"round": 2, "submitted_at": NOW + timedelta(days=1), "form": completed.model_dump(mode="json")},
    )


async def test_updates_come_newest_first_and_each_message_counts_once(tx: AsyncConnection) -> None:
    """U1, X3."""
    await projects.add(tx, project("p"))
    said = [
        weekly(1),
        weekly(2, problems="预算未定", stage=SalesStage.TENDER, amount="1750000.25", expected_signing=date(2027, 5, 1)),
        weekly(10),
    ]
    for row in said:
        await projects.add_update(tx, row)
    assert await projects.updates_of(tx, "p") == tuple(reversed(said))
    assert await projects.updates_of(tx, "p", limit=1) == (said[-1],)
    assert await projects.updates_of(tx, "q") == ()
    assert [await projects.last_update_number(tx, project_id) for project_id in ("p", "q")] == [10, 0]
    for again in (weekly(11, message_id="m2"), weekly(10, message_id="m11")):
        with pytest.raises(IntegrityError):
            async with tx.begin_nested():
                await projects.add_update(tx, again)
    assert len(await projects.updates_of(tx, "p")) == 3


async def test_what_a_salesperson_has_open_is_found_in_the_order_of_registration(tx: AsyncConnection) -> None:
    """A5: the order of registration, and whoever is responsible now, not who applied."""
    await projects.add(tx, project("late", registered_at=NOW + timedelta(days=1)))
    await projects.add(tx, project("early", stage=ProjectStage.REFUSED))
    await projects.add(tx, project("given", applicant="xu.jing", stage=ProjectStage.ACTIVE))
    await projects.add(tx, project("away", salesperson="xu.jing"))
    for stage in PROJECT_ENDED:
        await projects.add(tx, project(f"over-{stage.value}", stage=stage))
    assert [row.id for row in await projects.open_of(tx, "yang.fan")] == ["early", "given", "late"]
    assert [row.id for row in await projects.by_ids(tx, ["late", "away", "early"])] == ["away", "early", "late"]
    assert await projects.by_ids(tx, []) == ()


async def test_a_dispute_comes_back_as_it_was_kept(tx: AsyncConnection) -> None:
    """D1, D2."""
    await projects.add(tx, project("p"))
    claimant = Claimant(person="xu.jing", subject_type="account", subject_id="account-1", since=NOW)
    first, second = (
        DisputeRow(
            id=f"p-{number}",
            project_id="p",
            workflow_id=f"dispute-p-{number}",
            origin=origin,
            stage=DisputeStage.NEGOTIATION,
            round=1,
            opened_at=NOW + timedelta(days=number),
            stage_since=NOW + timedelta(days=number),
            claimants=(claimant,),
        )
        for number, origin in ((1, Origin.OTHER_ACCOUNT), (2, Origin.OBJECTION))
    )
    await disputes.add(tx, second)
    await disputes.add(tx, first)
    assert await disputes.find(tx, "p-1", lock=True) == first
    assert await disputes.find(tx, "p-3") is None
    assert await disputes.of_project(tx, "p") == (first, second)

    call = MeetingCall(starts_at=NOW, place="三楼会议室", participants=("xu.jing", "yang.fan"))
    other = claimant.model_copy(update={"person": "yang.fan"})
    await disputes.change(
        tx, "p-1", stage=DisputeStage.MEETING, meeting=call, claimants=(claimant, other), proposal={"round": 1}
    )
    changed = await disputes.find(tx, "p-1")
    assert changed is not None
    assert (changed.stage, changed.proposal, changed.outcome) == (DisputeStage.MEETING, {"round": 1}, None)
    assert changed.meeting == call.model_dump(mode="json")
    assert changed.claimants == (claimant, other)


async def test_a_shelved_project_is_resumed_once(tx: AsyncConnection) -> None:
    """U6: and again only when the first attempt came to nothing."""
    await projects.add(tx, project("old", stage=ProjectStage.SHELVED))
    await projects.add(tx, project("first", resumes="old", stage=ProjectStage.RESUME_REVIEW))
    attempts = [("first", ProjectStage.REJECTED), ("second", ProjectStage.WITHDRAWN), ("third", ProjectStage.SHELVED)]
    for (before, ended), (after, _) in itertools.pairwise(attempts):
        with pytest.raises(AlreadyResumed):
            await projects.add(tx, project(after, resumes="old"))
        assert await projects.find(tx, after) is None
        assert await projects.rounds(tx, after) == ()
        await projects.change(tx, before, stage=ended)
        await projects.add(tx, project(after, resumes="old"))
    await projects.change(tx, "third", stage=ProjectStage.SHELVED)
    with pytest.raises(AlreadyResumed):
        await projects.add(tx, project("fourth", resumes="old"))
    await projects.add(tx, project("fourth", resumes="third"))
    with pytest.raises(IntegrityError, match="fk_project_resumes_project"):
        await projects.add(tx, project("stranger", resumes="nobody"))


async def prepared(engine: AsyncEngine, *rows: ProjectRow) -> None:
    async with engine.begin() as tx:
        await RULES.pin_policy(tx)
        for row in rows:
            await projects.add(tx, row)


async def test_of_several_that_resume_one_project_at_once_one_succeeds(engine: AsyncEngine) -> None:
    """U6."""
    await prepared(engine, project("old", stage=ProjectStage.SHELVED))

    async def resume(number: int) -> bool:
        async with engine.begin() as tx:
            try:
                await projects.add(tx, project(f"new-{number}", resumes="old"))
            except AlreadyResumed:
                return False
            return True

    assert sorted(await asyncio.gather(*(resume(number) for number in range(10)))) == [False] * 9 + [True]
    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM project_round WHERE project_id LIKE 'new-%'")) == 1


async def test_a_locked_project_makes_others_wait_and_see_what_came_of_it(engine: AsyncEngine) -> None:
    """X3: two steps on one project follow each other."""
    await prepared(engine, project("p"))

    async def find_locked(within: str) -> ProjectRow | None:
        async with engine.begin() as tx:
            await tx.execute(text(f"SET LOCAL lock_timeout = '{within}'"))
            return await projects.find(tx, "p", lock=True)

    async with engine.begin() as first:
        assert await projects.find(first, "p", lock=True)
        with pytest.raises(DBAPIError, match="lock timeout"):
            await find_locked("50ms")
        async with engine.connect() as reading:
            seen = await projects.find(reading, "p")
        assert seen is not None
        assert seen.stage is ProjectStage.ROUTING
        waiting = asyncio.create_task(find_locked("30s"))
        await projects.change(first, "p", stage=ProjectStage.APPROVAL)
    after = await waiting
    assert after is not None
    assert after.stage is ProjectStage.APPROVAL

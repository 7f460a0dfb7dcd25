"""Projects that many decide on at the same moment: numbers without a gap, one legal outcome each (P2, P5, P9, U4–U8).

Steps are run as the engine runs them: one that loses to a lock or a constraint is tried again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.steps import ApprovedProject, ApproveProjectStep, Recorded, RegisterStep
from activities.tasks.context import IllegalTransition
from db import messages
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.statements import (
    AnswerTask,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    Statement,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import (
    CLERK,
    COMMERCE,
    EAST_VP,
    EAST_VPS_DELEGATE,
    FAN,
    NORTH_VP,
    OTHER_CLERK,
    WHY,
)
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import KEYS, NOW, race
from tests.samples import project_form

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(300)]
"""Hundreds of steps at once, in code that other files cover."""

APPROVALS = 520
NEVER = 40
ROUNDS = 100
"""Approvals whose every transaction is rolled back at its last statement."""
ENDINGS = 200
HANDED_IN = {"amount": "1.00", "contract_number": "", "signed_on": None, "received_on": None, "by": FAN}
MIDNIGHT = datetime(2026, 12, 31, 16, tzinfo=UTC)
"""The new year in Shanghai."""
THREE_MONTHS = datetime(2027, 3, 1, 2, tzinfo=UTC)
WEEKLY = {"progress": "方案已提交", "next_steps": "等待评审"}


class LostTransaction(Exception):
    """The transaction is rolled back after everything but its end."""


@pytest.fixture
async def ground(worker_engine: AsyncEngine, superuser: asyncpg.Connection) -> AsyncIterator[ProjectGround]:
    name = await superuser.fetchval("SELECT current_database()")
    # Two that wait for each other are found at once instead of after a second; what then happens is the same.
    await superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    made = ProjectGround(worker_engine, KEYS)
    await made.prepare(sellers=0)
    yield made
    assert all(issubclass(error, DBAPIError | LostTransaction) for error in made.retried), made.retried
    await made.record_holds()


async def tried(step: Any) -> Any:
    """What a step gives, or that it was none of this process's."""
    try:
        return await step
    except IllegalTransition as error:
        return error


def ids(what: str, count: int = ROUNDS) -> list[str]:
    return [f"{what}{number:03}" for number in range(count)]


async def test_p9_numbers_have_no_gap_and_no_double_whatever_is_lost_or_done_twice(
    ground: ProjectGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9: over the new year in Shanghai, with transactions lost at their last statement and steps done twice."""
    chance = random.Random(9)
    contenders = await ground.stand(ProjectStage.APPROVAL, ids("n", APPROVALS + NEVER), approved=True)
    doomed = {contender.id for contender in chance.sample(contenders, NEVER)}
    for number, contender in enumerate(contenders):
        contender.now = MIDNIGHT - timedelta(microseconds=1) if number % 2 else MIDNIGHT
    lost: Counter[str] = Counter()
    settle = messages.settle

    async def may_be_lost(connection: AsyncConnection, settles: Sequence[str]) -> None:
        await settle(connection, settles)
        (project_id,) = settles
        if project_id in doomed or (chance.random() < 0.3 and lost[project_id] < 3):
            lost[project_id] += 1
            raise LostTransaction

    monkeypatch.setattr(messages, "settle", may_be_lost)

    async def approve(registration: Registration) -> list[Any]:
        step = ApproveProjectStep(
            key="approve:7", now=registration.now, subject=registration.subject, settles=(registration.id,)
        )
        attempts = (
            ground.run(ground.project_steps.approve_project, step, registration.workflow_id, final=(IllegalTransition,))
            if registration.id not in doomed
            else _lost(ground, registration, step)
            for _ in range(1 + chance.randrange(2))
        )
        return await race(*attempts)

    order = list(contenders)
    chance.shuffle(order)
    outcomes = dict(zip((contender.id for contender in order), await asyncio.gather(*map(approve, order)), strict=True))

    approved = [contender for contender in contenders if contender.id not in doomed]
    numbers: dict[str, str] = {}
    for contender in approved:
        (same,) = {outcome.number for outcome in outcomes[contender.id]}  # done twice gives the first result
        numbers[contender.id] = same
    for year, when in ((2026, 1), (2027, 0)):
        of_year = [
            numbers[contender.id] for n, contender in enumerate(contenders) if n % 2 == when and contender.id in numbers
        ]
        assert sorted(of_year) == [f"P{year}-{number:05}" for number in range(1, len(of_year) + 1)]
        assert await ground.rows("SELECT last FROM project_number WHERE year = :year", year=year) == [(len(of_year),)]
    assert len(numbers) == APPROVALS
    kept = await ground.rows("SELECT id, number FROM project WHERE stage = 'active'")
    assert dict(kept) == numbers
    left = await ground.rows("SELECT id FROM project WHERE stage = 'approval' AND number IS NULL")
    assert {project_id for (project_id,) in left} == doomed
    assert sum(lost.values()) > APPROVALS // 10
    assert sum(len(twice) > 1 for twice in outcomes.values()) > APPROVALS // 3
    mails = await ground.rows("SELECT subject_id, count(*) FROM mail WHERE person = :fan GROUP BY 1", fan=FAN)
    assert dict(mails) == dict.fromkeys(numbers, 1)
    events = await ground.rows("SELECT body->>'number' FROM audit WHERE event = 'project_approved'")
    assert sorted(number for (number,) in events) == sorted(numbers.values())
    # Those lost so far get the numbers that follow, as if they had never tried.
    monkeypatch.setattr(messages, "settle", settle)
    late = [contender for contender in contenders if contender.id in doomed]
    more = await race(*(contender.approves() for contender in late))
    assert len({outcome.number for outcome in more} | set(numbers.values())) == APPROVALS + NEVER
    totals = await ground.rows("SELECT sum(last) FROM project_number")
    assert totals == [(APPROVALS + NEVER,)]


async def _lost(ground: ProjectGround, registration: Registration, step: ApproveProjectStep) -> ApprovedProject | None:
    with pytest.raises(LostTransaction):
        await ground.run(ground.project_steps.approve_project, step, registration.workflow_id, final=(LostTransaction,))
    return None


async def test_u4_u5_an_update_against_the_shelf(ground: ProjectGround) -> None:
    """U4, U5: updated and not shelved, or shelved and the update refused with a reason; never both, never neither."""
    contenders = await ground.stand(ProjectStage.ACTIVE, ids("u"), updated_at=NOW)
    chance = random.Random(4)

    async def one_round(registration: Registration) -> str:
        registration.now = THREE_MONTHS
        said = registration.says(UpdateProject, FAN, update=WEEKLY)
        steps = [
            tried(registration.once(ground.records.record_statement, registration.record_step(said))),
            tried(
                registration.once(
                    ground.records.move, registration.move_step(ProjectStage.SHELVED, notices=[Notice.SHELVED])
                )
            ),
        ]
        heard, moved = await race(*steps) if chance.random() < 0.5 else (await race(*reversed(steps)))[::-1]
        row, receipt = await registration.row(), await registration.receipt(said)
        updates = await ground.rows("SELECT count(*) FROM project_update WHERE project_id = :id", id=registration.id)
        if isinstance(moved, IllegalTransition):
            assert heard.accepted
            assert (row.stage, row.updated_at, updates, await registration.live()) == (
                ProjectStage.ACTIVE,
                THREE_MONTHS,
                [(1,)],
                True,
            )
            assert await registration.told("shelved") == []
            return "updated"
        assert (heard.accepted, heard.code, receipt["code"]) == (False, "project_not_active", "project_not_active")
        assert (row.stage, row.updated_at, updates, await registration.live()) == (
            ProjectStage.SHELVED,
            NOW,
            [(0,)],
            False,
        )
        assert receipt["stage"] == "shelved"
        return "shelved"

    outcomes = Counter(await asyncio.gather(*map(one_round, contenders)))
    assert sum(outcomes.values()) == ROUNDS
    assert set(outcomes) == {"updated", "shelved"}


async def test_p2_an_approval_against_a_withdrawal(ground: ProjectGround) -> None:
    """P2, P9: active with a number and the withdrawal refused, or withdrawn without a number."""
    contenders = await ground.stand(ProjectStage.APPROVAL, ids("w"))

    async def approve(registration: Registration) -> Any:
        task_id = registration.task_id(TaskKind.PROJECT_APPROVAL)
        said = registration.says(AnswerTask, NORTH_VP, task_id=task_id, choice=AnswerChoice.APPROVE)
        heard = await registration.once(ground.records.record_statement, registration.record_step(said))
        return (
            await tried(registration.once(ground.project_steps.approve_project, registration.approve_step()))
            if heard.accepted
            else 0
        )

    async def withdraw(registration: Registration) -> Recorded:
        said = registration.says(Withdraw, FAN, reason="客户取消")
        heard = await registration.once(ground.records.record_statement, registration.record_step(said))
        if heard.accepted:
            moved = registration.move_step(ProjectStage.WITHDRAWN, notices=[Notice.PROJECT_WITHDRAWN])
            await registration.once(ground.records.move, moved)
        return heard

    async def one_round(number: int, registration: Registration) -> str:
        if number % 2:
            approved, withdrawn = await race(approve(registration), withdraw(registration))
        else:
            withdrawn, approved = await race(withdraw(registration), approve(registration))
        row = await registration.row()
        if isinstance(approved, ApprovedProject):
            assert (withdrawn.accepted, withdrawn.code) == (False, "project_stage_does_not_allow")
            assert (row.stage, row.number, row.end_reason) == (ProjectStage.ACTIVE, approved.number, None)
            assert await registration.told("project_withdrawn") == []
            return "active"
        assert withdrawn.accepted
        assert (row.stage, row.number) == (ProjectStage.WITHDRAWN, None)
        assert await registration.told("project_approved") == []
        assert (
            await ground.rows("SELECT 1 FROM task WHERE subject_id = :id AND status = 'open'", id=registration.id) == []
        )
        return "withdrawn"

    outcomes = Counter(await asyncio.gather(*itertools.starmap(one_round, enumerate(contenders))))
    assert sum(outcomes.values()) == ROUNDS
    active = outcomes["active"]
    assert await ground.rows("SELECT coalesce(sum(last), 0) FROM project_number") == [(active,)]


async def test_p5_two_who_confirm_at_once(ground: ProjectGround) -> None:
    """P5–P7: a VP sees a conflict and her delegate none; the first stands, and only that way leads on."""
    contenders = await ground.stand(ProjectStage.CONFLICT_CONFIRMATION, ids("c"))

    async def one_round(number: int, registration: Registration) -> str:
        task_id = registration.task_id(TaskKind.CONFLICT_CONFIRMATION)
        said = [
            registration.says(AnswerTask, EAST_VP, task_id=task_id, choice=AnswerChoice.CONFLICT, reason="同一项目"),
            registration.says(AnswerTask, EAST_VPS_DELEGATE, task_id=task_id, choice=AnswerChoice.NO_CONFLICT),
        ]
        if number % 2:
            said.reverse()
        heard = await race(
            *(
                registration.once(ground.records.record_statement, registration.record_step(statement))
                for statement in said
            )
        )
        ((first, statement),) = [pair for pair in zip(heard, said, strict=True) if pair[0].accepted]
        ((late, other),) = [pair for pair in zip(heard, said, strict=True) if not pair[0].accepted]
        assert first.decision.choice == statement.choice
        assert late.code == "already_answered"
        told = (await registration.receipt(other))["decided"]
        by = "王芳" if statement.person == EAST_VP else "孙丽"
        assert (told["choice"], told["by"]) == (statement.choice, by)
        ends = await race(
            tried(registration.once(ground.records.move, registration.move_step(ProjectStage.REFUSED))),
            tried(
                registration.once(
                    ground.records.move, registration.move_step(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, FAN))
                )
            ),
        )
        refused, on = (not isinstance(end, IllegalTransition) for end in ends)
        assert (refused, on) == (
            statement.choice == AnswerChoice.CONFLICT,
            statement.choice == AnswerChoice.NO_CONFLICT,
        )
        assert await registration.live() == on
        return statement.choice

    outcomes = Counter(await asyncio.gather(*itertools.starmap(one_round, enumerate(contenders))))
    assert sum(outcomes.values()) == ROUNDS
    assert await ground.rows(
        "SELECT choice, count(*) FROM decision WHERE choice <> 'suspect' GROUP BY 1 ORDER BY 1"
    ) == sorted(outcomes.items())


async def ends(ground: ProjectGround, registration: Registration, said: Statement) -> Recorded:
    """What somebody says, and the move that follows from it, as the process takes them."""
    heard = await registration.once(ground.records.record_statement, registration.record_step(said))
    if heard.accepted:
        stage = ProjectStage.ENDED if isinstance(said, ReportLoss) else ProjectStage.CONTRACT_SIGNED
        await registration.once(ground.records.move, registration.move_step(stage))
    return heard


def received_by(registration: Registration, clerk: str, amount: str) -> AnswerTask:
    fields = {"number": f"HT-{clerk}", "amount": amount}
    return registration.says(
        AnswerTask,
        clerk,
        task_id=registration.task_id(TaskKind.CONTRACT_REVIEW),
        choice=AnswerChoice.RECEIVED,
        fields=fields,
    )


async def test_u7_u8_a_loss_against_a_contract(ground: ProjectGround) -> None:
    """U7, U8: commerce receives what was handed in, or one on paper, while the salesperson reports the loss: one of
    them ends the project, and whoever is later is told that it is over."""
    contenders = await ground.stand(
        ProjectStage.ACTIVE, ids("e", ENDINGS), updated_at=NOW, contract_application=HANDED_IN
    )

    async def one_round(number: int, registration: Registration) -> ProjectStage:
        lost = registration.says(ReportLoss, FAN, loss={"reason": "价格过高"})
        on_paper = registration.says(ReceiveContract, COMMERCE, contract={"amount": "1.00", "contract_number": "HT"})
        said: list[Statement] = [lost, received_by(registration, CLERK, "100.00")]
        if number % 3 == 0:
            said.append(on_paper)
        if number % 2:
            said.reverse()
        heard = await race(*(ends(ground, registration, statement) for statement in said))
        ((_, first),) = [pair for pair in zip(heard, said, strict=True) if pair[0].accepted]
        codes = {recorded.code for recorded in heard} - {""}
        assert codes <= {"project_not_active", "already_answered", "task_withdrawn"}
        stage = ProjectStage.ENDED if first is lost else ProjectStage.CONTRACT_SIGNED
        row = await registration.row()
        assert row.stage is stage
        assert (row.loss is None, row.contract is None) == (first is not lost, first is lost)
        if row.contract:
            assert row.contract["by"] == first.person
        assert (
            await ground.rows("SELECT 1 FROM task WHERE subject_id = :id AND status = 'open'", id=registration.id) == []
        )
        return stage

    outcomes = Counter(await asyncio.gather(*itertools.starmap(one_round, enumerate(contenders))))
    assert sum(outcomes.values()) == ENDINGS
    assert set(outcomes) == {ProjectStage.ENDED, ProjectStage.CONTRACT_SIGNED}


async def test_u7_two_clerks_who_receive_one_contract(ground: ProjectGround) -> None:
    """U7: by two answers, or by an answer and one on paper: one amount is on record, and the other clerk is told."""
    contenders = await ground.stand(
        ProjectStage.ACTIVE, ids("t", ENDINGS), updated_at=NOW, contract_application=HANDED_IN
    )

    async def one_round(number: int, registration: Registration) -> str:
        other: Statement = received_by(registration, OTHER_CLERK, "200.00")
        if number % 2:
            contract = {"amount": "200.00", "contract_number": "HT"}
            other = registration.says(ReceiveContract, OTHER_CLERK, contract=contract)
        said = [received_by(registration, CLERK, "100.00"), other]
        if number % 4 < 2:
            said.reverse()
        heard = await race(*(ends(ground, registration, statement) for statement in said))
        ((_, first),) = [pair for pair in zip(heard, said, strict=True) if pair[0].accepted]
        ((late, _),) = [pair for pair in zip(heard, said, strict=True) if not pair[0].accepted]
        assert late.code in ("project_not_active", "already_answered", "task_withdrawn")
        row = await registration.row()
        assert row.stage is ProjectStage.CONTRACT_SIGNED
        assert row.contract is not None
        amount = "100.00" if first.person == CLERK else "200.00"
        assert (row.contract["by"], row.contract["amount"]) == (first.person, amount)
        return first.person

    outcomes = Counter(await asyncio.gather(*itertools.starmap(one_round, enumerate(contenders))))
    assert sum(outcomes.values()) == ENDINGS
    assert set(outcomes) == {CLERK, OTHER_CLERK}


async def test_u6_two_resumptions_of_one_project(ground: ProjectGround) -> None:
    """U6: one at a time; the other is refused with a reason and does not exist."""
    old = await ground.stand(ProjectStage.SHELVED, ids("s"))

    async def resume(registration: Registration, which: str) -> bool:
        new = ground.registration(f"{registration.id}-{which}")
        said = new.says(
            RegisterProject,
            FAN,
            project_id=new.id,
            form=project_form(f"{registration.id}客户"),
            resumes=registration.id,
            resumption=WHY,
        )
        step = RegisterStep(key="register", now=NOW, statement=said)
        registered = await new.once(ground.project_steps.register_project, step)
        if not registered.accepted:
            assert (await new.receipt(said))["code"] == "resume_running"
        return registered.accepted

    async def one_round(registration: Registration) -> None:
        assert sorted(await race(*(resume(registration, which) for which in "abc"))) == [False, False, True]

    await asyncio.gather(*map(one_round, old))
    kept = await ground.rows("SELECT count(*), count(DISTINCT resumes) FROM project WHERE resumes IS NOT NULL")
    assert kept == [(ROUNDS, ROUNDS)]

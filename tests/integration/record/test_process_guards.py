"""What a process may do is read from the record, whatever the engine believes (X1, A2, N4, N5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.accounts.evidence import EvidenceGathering
from activities.steps import ActivateStep, GatherStep, MoveStep
from activities.tasks.context import IllegalTransition
from activities.unit_of_work import Recorder
from db.accounts import applications
from db.reference_data import import_organisation
from domain.accounts.application import Customer, Stage
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.accounts.named_account import Obstacle
from domain.tasks.task import Ask, TaskKind
from embedded.welcome import sample_organisation
from tests.integration.tasks.race_ground import (
    KEYS,
    NOW,
    Ground,
    Racer,
    salesperson,
)
from tests.samples import application_form


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[Ground]:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=2)
    yield made
    await made.record_holds()


def racer(stage: Stage, *, approved: bool = False) -> Racer:
    return Racer(id="a", applicant=salesperson(0), form=application_form("某客户"), approved=approved, stage=stage)


@pytest.mark.parametrize(
    ("stage", "target"),
    [
        (Stage.COMMERCE_CHECK, Stage.VP_REVIEW),
        (Stage.COMMERCE_CHECK, Stage.RETURNED),
        (Stage.VP_REVIEW, Stage.GM_APPROVAL),
        (Stage.VP_REVIEW, Stage.REJECTED),
        (Stage.REJECTED, Stage.GM_APPEAL),
        (Stage.VP_REVIEW, Stage.CLOSED_REJECTED),
        (Stage.VP_REVIEW, Stage.WITHDRAWN),
    ],
)
async def test_x1_a_forged_state_cannot_move_an_undecided_application(
    ground: Ground, stage: Stage, target: Stage
) -> None:
    one = racer(stage)
    await ground.register([one])
    step = MoveStep(key="move", now=NOW, subject=one.subject, stage=target, asks=(Ask(kind=TaskKind.GM_APPROVAL),))
    with pytest.raises(IllegalTransition):
        await ground.run(ground.records.move, step, one.workflow_id, final=(IllegalTransition,))
    assert await ground.rows("SELECT stage FROM application") == [(stage.value,)]
    assert await ground.rows("SELECT count(*) FROM task WHERE status = 'open'") == [(0,)]


@pytest.mark.parametrize("stage", [Stage.ACTIVE, Stage.WITHDRAWN, Stage.CLOSED_REJECTED, Stage.REFUSED])
async def test_x1_a_process_started_again_by_hand_cannot_move_what_is_over(ground: Ground, stage: Stage) -> None:
    one = racer(stage)
    await ground.register([one])
    step = MoveStep(key="move", now=NOW, subject=one.subject, stage=Stage.EVIDENCE)
    with pytest.raises(IllegalTransition):
        await ground.run(ground.records.move, step, one.workflow_id, final=(IllegalTransition,))


async def test_x1_a_process_cannot_touch_the_application_of_another(ground: Ground) -> None:
    one = racer(Stage.VP_REVIEW, approved=True)
    await ground.register([one])
    step = ActivateStep(key="activate", now=NOW, application_id=one.id)
    with pytest.raises(IllegalTransition):
        await ground.run(ground.account_steps.activate_account, step, "application-other", final=(IllegalTransition,))
    assert await ground.rows("SELECT count(*) FROM account") == [(0,)]


async def test_a2_somebody_who_has_left_gets_no_account(ground: Ground, engine: AsyncEngine) -> None:
    one = racer(Stage.VP_REVIEW, approved=True)
    await ground.register([one])
    async with engine.begin() as connection:
        await import_organisation(connection, sample_organisation(), now=NOW, by="test")  # without the applicant
    step = ActivateStep(key="activate", now=NOW, application_id=one.id)
    activated = await ground.run(ground.account_steps.activate_account, step, one.workflow_id)
    assert activated.obstacle is Obstacle.APPLICANT_LEFT
    assert await ground.rows("SELECT count(*) FROM claim") == [(0,)]


class Bureau:
    """A credit bureau that answers when it is told to."""

    name = "bureau"

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def ask(self, customer: Customer, now: datetime) -> Sequence[Evidence]:
        self.asked.set()
        await self.may_answer.wait()
        return [Evidence(kind=EvidenceKind.CREDIT, source=customer.name, gathered_at=now)]


async def test_n4_n5_an_outside_answer_that_comes_after_the_clerk_has_begun_overwrites_nothing(
    ground: Ground, engine: AsyncEngine
) -> None:
    one = racer(Stage.EVIDENCE)
    await ground.register([one])
    bureau = Bureau()
    gathering = EvidenceGathering(Recorder(engine, ground.facts, KEYS), [bureau])
    step = GatherStep(key="outside", now=NOW, application_id=one.id, round=1)
    asking = asyncio.create_task(ground.run(gathering.ask_outside_sources, step, one.workflow_id))
    await asyncio.wait_for(bureau.asked.wait(), 10)
    # Nothing is held open while a source thinks.
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert await ground.rows(waiting) == [(0,)]
    noted = Evidence(kind=EvidenceKind.CREDIT, source="background_register", gathered_at=NOW, note="已核实")
    async with engine.begin() as connection:
        await applications.keep_evidence(connection, one.id, 1, [noted])
        await applications.change(connection, one.id, stage=Stage.COMMERCE_CHECK.value)
    bureau.may_answer.set()
    await asking
    async with engine.connect() as connection:
        assert await applications.evidence_of(connection, one.id, 1) == (noted,)

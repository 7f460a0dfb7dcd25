"""A dispute whose process was ended by hand: its project closes it and opens another (D1, D2, X3)."""

from __future__ import annotations

import pytest

from activities.steps import BrokenDispute, BrokenDisputeStep
from activities.tasks.context import IllegalTransition
from db.tasks import tasks
from domain.disputes.dispute import DisputeStage
from domain.notices import Notice
from domain.subject import Subject, SubjectType
from tests.integration.disputes.dispute_ground import APPLICANT, HOLDER, Dispute, DisputeGround, text


async def ends(dispute: Dispute, *, by: str = "", dispute_id: str = "") -> BrokenDispute:
    """The process of the project hears that its dispute was ended."""
    ground = dispute.ground
    step = BrokenDisputeStep(
        key=f"broken:{next(ground.numbers)}",
        now=dispute.now,
        subject=Subject(type=SubjectType.PROJECT, id=dispute.project_id),
        dispute_id=dispute_id or dispute.id,
    )
    run = ground.project_steps.end_broken_dispute
    return await ground.run(run, step, by or f"project-{dispute.project_id}", final=(IllegalTransition,))


async def test_d1_it_is_closed_with_its_tasks_and_another_takes_its_place(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1")
    assert (await ends(dispute)).outcome is None, "ended before it began"
    await dispute.negotiates()
    assert (await ends(dispute)).outcome is None
    assert (await dispute.row()).stage is DisputeStage.WITHDRAWN
    assert (await dispute.agrees(HOLDER, text())).code == "task_withdrawn"
    async with ground.engine.connect() as connection:
        assert await tasks.of_subject(connection, "p1", open_only=True) == ()
    second = Dispute(ground, "p1", dispute.claimants, dispute.origin, number=2)
    await second.negotiates()
    assert (await second.agrees(HOLDER, text())).accepted


async def test_d1_what_it_had_settled_stands(ground: DisputeGround) -> None:
    dispute = await ground.disputed("p1")
    await dispute.negotiates()
    await dispute.agrees(APPLICANT, text())
    await dispute.asks(HOLDER)
    await dispute.agrees(HOLDER)
    agreed = await dispute.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    assert agreed.outcome is not None
    assert (await ends(dispute)).outcome == agreed.outcome


async def test_x3_nobody_closes_the_dispute_of_another(ground: DisputeGround) -> None:
    dispute, other = await ground.disputed("p1"), await ground.disputed("p2")
    await dispute.negotiates()
    for stranger in (dispute.workflow_id, "project-p2"):
        with pytest.raises(IllegalTransition):
            await ends(dispute, by=stranger)
    with pytest.raises(IllegalTransition):
        await ends(other, dispute_id=dispute.id)
    assert (await dispute.row()).stage is DisputeStage.NEGOTIATION

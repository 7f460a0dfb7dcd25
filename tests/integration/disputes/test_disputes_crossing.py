"""Two disputes that meet in one project: its own, and one over another project that binds it too (D1, D2, P8)."""

from __future__ import annotations

import pytest

from activities.steps import Moved, MoveStep
from activities.tasks.context import IllegalTransition
from db.projects import projects
from domain.disputes.dispute import Claimant, DisputeStage, Origin
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from tests.integration.disputes.dispute_ground import (
    APPLICANT,
    APPLICANTS_VP,
    COMMERCE,
    HOLDER,
    THIRD,
    Dispute,
    DisputeGround,
    meeting,
    ruling,
    split,
    text,
)
from tests.integration.tasks.race_ground import NOW

THEIRS = "p2"


async def objected_to(ground: DisputeGround) -> Dispute:
    """P8: the meeting over a project refused for a conflict with `THEIRS` has spoken; the process has not moved on."""
    mine = await ground.disputed("p1", origin=Origin.OBJECTION, objection={"reason": "不同机房的项目"})
    async with ground.engine.begin() as connection:
        (found,) = await projects.matches_of(connection, "p1", 1)
        await projects.keep_matches(connection, "p1", 1, [found.model_copy(update={"subject_id": THEIRS})])
    mine.claimants = (Claimant(person=HOLDER, subject_type="project", subject_id=THEIRS, since=NOW),)
    await ground.objection_reviewed("p1")
    await mine.opens()
    await mine.wants_meeting()
    assert (await mine.answers("", AnswerChoice.CALLED, meeting(), person=COMMERCE)).accepted
    await mine.meets(APPLICANT)
    assert (await mine.answers(APPLICANT, AnswerChoice.RECORD, ruling(goes_on=THEIRS), person=APPLICANTS_VP)).accepted
    return mine


async def is_decided(dispute: Dispute) -> None:
    await dispute.moves(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])


async def goes_to_the_vp(ground: DisputeGround, project_id: str) -> Moved:
    step = MoveStep(
        key="move:approval",
        now=NOW,
        subject=Subject(type=SubjectType.PROJECT, id=project_id),
        stage=ProjectStage.APPROVAL.value,
        asks=(Ask(kind=TaskKind.PROJECT_APPROVAL, slot=THIRD),),
    )
    return await ground.run(ground.records.move, step, f"project-{project_id}", final=(IllegalTransition,))


async def test_d1_d2_p8_another_ruling_in_the_moment_a_dispute_is_settled_stops_nothing(ground: DisputeGround) -> None:
    """Theirs is agreed on and about to go to the VP, when the meeting over mine binds it too: the later one holds."""
    theirs = await ground.disputed(THEIRS, THIRD, applicant=HOLDER, salesperson=HOLDER)
    mine = await objected_to(ground)
    await theirs.negotiates()
    await theirs.agrees(HOLDER, text(responsible=HOLDER, jing="60", clark="40"))
    await theirs.asks(THIRD)
    await theirs.agrees(THIRD)
    await theirs.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    await is_decided(mine)
    assert len((await goes_to_the_vp(ground, THEIRS)).tasks) == 1
    after = await ground.project_now(THEIRS)
    assert after.stage is ProjectStage.APPROVAL
    assert after.agreement is not None
    assert (after.agreement["dispute"], after.agreement["split"]) == ("p1-1", split(fan="30", jing="70"))


async def test_d1_d2_a_ruling_on_another_project_settles_no_dispute_of_its_own(ground: DisputeGround) -> None:
    """Bound by the meeting over mine, theirs still waits for both sides of its own dispute, whose outcome is later."""
    theirs = await ground.disputed(THEIRS, THIRD, applicant=HOLDER, salesperson=HOLDER)
    mine = await objected_to(ground)
    await theirs.negotiates()
    await is_decided(mine)
    with pytest.raises(IllegalTransition):
        await goes_to_the_vp(ground, THEIRS)
    await theirs.agrees(HOLDER, text(responsible=HOLDER, jing="60", clark="40"))
    await theirs.asks(THIRD)
    await theirs.agrees(THIRD)
    await theirs.moves(DisputeStage.AGREED, notices=[Notice.AGREED])
    assert len((await goes_to_the_vp(ground, THEIRS)).tasks) == 1
    after = await ground.project_now(THEIRS)
    assert after.agreement is not None
    assert after.agreement["dispute"] == "p2-1"

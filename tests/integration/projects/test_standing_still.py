"""Held, disputed and returned matters on a real record: warned of, and ended when nobody takes them further (U10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import MoveStep, OpenTask, ReminderStep
from activities.tasks.context import IllegalTransition
from domain.accounts.application import Stage
from domain.disputes.dispute import DisputeStage
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, DueAction, DueStep, TaskKind
from tests.integration.disputes.dispute_ground import APPLICANT, HOLDER, HOLDERS_GM, HOLDERS_VP, DisputeGround
from tests.integration.projects.people import CLERK, COMMERCE, FAN, JING, NORTH_GM, NORTH_VP
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import KEYS, NOW, Ground, Racer
from tests.samples import application_form, project_form

WARNED_AT = datetime.fromisoformat("2027-02-01T10:00:00+08:00")
ENDS_AT = datetime.fromisoformat("2027-03-01T10:00:00+08:00")
"""Two and three months after `NOW`, 1 December 2026 at ten in Shanghai."""
A_MINUTE = timedelta(minutes=1)
STANDING = (DueAction.WARN, DueAction.LAPSE)


@pytest.fixture
async def disputes(engine: AsyncEngine) -> AsyncIterator[DisputeGround]:
    made = DisputeGround(engine, KEYS)
    await made.prepare(sellers=0)
    yield made
    await made.record_holds()


async def chase(
    ground: Ground, task: OpenTask, subject: Subject, workflow_id: str, *, at: datetime | None = None
) -> OpenTask:
    """The next thing that happens by itself to a task, as the desk of its process has it done."""
    due = task.next_step
    step = ReminderStep(
        key=f"chase:{task.id}:{task.chased}:{due.at.isoformat()}:{due.action}:{at}",
        now=at or due.at,
        subject=subject,
        task_id=task.id,
        action=due.action if due.action in STANDING else None,
    )
    first = await ground.run(ground.chasing.remind_or_escalate, step, workflow_id)
    assert await ground.run(ground.chasing.remind_or_escalate, step, workflow_id) == first
    return first


async def chased_until(
    ground: Ground, task: OpenTask, action: DueAction, subject: Subject, workflow_id: str
) -> OpenTask:
    """Reminded of as ever (N12), until `action` comes next."""
    while task.next_step.action is not action:
        assert task.next_step.at <= ENDS_AT
        task = await chase(ground, task, subject, workflow_id)
    return task


async def held(ground: ProjectGround, project_id: str = "p1") -> Registration:
    mine = await ground.in_approval(project_id, FAN, project_form("云岭精工"))
    await mine.answers(NORTH_VP, AnswerChoice.HOLD, "预算来源不清")
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    return mine


async def test_u10_a_held_project_is_warned_of_shelved_in_nobodys_way_and_can_be_resumed(ground: ProjectGround) -> None:
    """U10, U4, P10, U6: the salesperson reads from the first mail on when it ends; not a moment before it does it."""
    mine = await held(ground)
    assert (await mine.mail("task", FAN))["closes_at"] == ENDS_AT.isoformat()
    task = await chased_until(ground, mine.tasks[0], DueAction.WARN, mine.subject, mine.workflow_id)
    assert (task.next_step.at, task.chased) == (WARNED_AT, 5)
    early = await chase(ground, task, mine.subject, mine.workflow_id, at=WARNED_AT - A_MINUTE)
    assert (early.next_step, await mine.told("standing_still")) == (task.next_step, [])
    task = await chase(ground, task, mine.subject, mine.workflow_id)
    assert await mine.told("standing_still") == sorted([FAN, NORTH_GM, NORTH_VP])
    assert (await mine.mail("standing_still", FAN))["until"] == ENDS_AT.isoformat()
    task = await chased_until(ground, task, DueAction.LAPSE, mine.subject, mine.workflow_id)
    assert task.next_step.at == ENDS_AT
    early = await chase(ground, task, mine.subject, mine.workflow_id, at=ENDS_AT - A_MINUTE)
    assert not early.lapsed
    mine.now = ENDS_AT - A_MINUTE
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.SHELVED)
    assert (await chase(ground, task, mine.subject, mine.workflow_id)).lapsed
    mine.now = ENDS_AT
    await mine.moves(ProjectStage.SHELVED, notices=[Notice.SHELVED_STANDING])
    row = await mine.row()
    assert (row.stage.status, row.end_reason, await mine.live()) == (
        "shelved",
        {"reason": "", "rule": "U10"},
        False,
    )
    assert await mine.told("shelved_standing") == sorted([FAN, NORTH_GM, NORTH_VP])
    new = ground.registration("p2", ENDS_AT)
    assert (await new.resumes(mine)).accepted
    await new.moves(ProjectStage.RESUME_REVIEW, (TaskKind.RESUME_REVIEW, ""))
    assert (await new.answers(CLERK, AnswerChoice.ACCEPT)).accepted
    await new.moves(ProjectStage.ROUTING)


async def test_u10_u5_whoever_supplies_what_was_missing_has_stopped_the_clock(ground: ProjectGround) -> None:
    mine = await held(ground)
    task = await chased_until(ground, mine.tasks[0], DueAction.WARN, mine.subject, mine.workflow_id)
    task = await chase(ground, task, mine.subject, mine.workflow_id)
    mine.now = WARNED_AT + A_MINUTE
    better = project_form("云岭精工", note="预算已批复").model_dump(mode="json")
    assert (await mine.answers(FAN, AnswerChoice.SUPPLY, project=better)).accepted
    lapse = DueStep(at=ENDS_AT, action=DueAction.LAPSE)
    late = await chase(ground, task.model_copy(update={"next_step": lapse}), mine.subject, mine.workflow_id)
    assert (late.lapsed, late.next_step.at > ENDS_AT) == (False, True), "nothing that is over is done again at once"
    await mine.asks_vp()
    mine.now = ENDS_AT
    with pytest.raises(IllegalTransition):
        await mine.moves(ProjectStage.SHELVED)
    assert (await mine.answers(NORTH_VP, AnswerChoice.HOLD, "再写全")).accepted
    await mine.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, ""))
    again = await chased_until_later(ground, mine)
    assert again.next_step.at == datetime.fromisoformat("2027-05-01T10:00:00+08:00")


async def chased_until_later(ground: ProjectGround, mine: Registration) -> OpenTask:
    task = mine.tasks[0]
    while task.next_step.action not in STANDING:
        task = await chase(ground, task, mine.subject, mine.workflow_id)
    return task


async def test_u10_a_dispute_nobody_settles_ends_and_its_project_is_shelved(disputes: DisputeGround) -> None:
    """U10, D1, P10: both sides, their department GMs and VPs are warned once, and told when it is over."""
    dispute = await disputes.disputed("p1")
    await dispute.negotiates()
    subject = Subject(type=SubjectType.DISPUTE, id=dispute.id)
    mine = await chased_until(disputes, dispute.tasks[APPLICANT], DueAction.WARN, subject, dispute.workflow_id)
    mine = await chase(disputes, mine, subject, dispute.workflow_id)
    theirs = await chased_until(disputes, dispute.tasks[HOLDER], DueAction.LAPSE, subject, dispute.workflow_id)
    told = await disputes.told("standing_still", "p1")
    assert sorted(set(told)) == told, "once each"
    assert {APPLICANT, HOLDER, NORTH_GM, NORTH_VP, HOLDERS_GM, HOLDERS_VP} == set(told)
    dispute.now = ENDS_AT - A_MINUTE
    with pytest.raises(IllegalTransition):
        await dispute.moves(DisputeStage.SHELVED)
    assert theirs.next_step.at == ENDS_AT
    assert (await chase(disputes, theirs, subject, dispute.workflow_id)).lapsed
    dispute.now = ENDS_AT
    moved = await dispute.moves(DisputeStage.SHELVED)
    assert moved.outcome is not None
    assert (moved.outcome.stage, moved.outcome.responsible) == (DisputeStage.SHELVED, APPLICANT)
    project = Subject(type=SubjectType.PROJECT, id="p1")
    notices = (Notice.SHELVED_STANDING,)
    step = MoveStep(key="move:shelved:9", now=ENDS_AT, subject=project, stage="shelved", notices=notices)
    await disputes.run(disputes.records.move, step, "project-p1")
    row = await disputes.project_now("p1")
    assert (row.stage, row.end_reason) == (
        ProjectStage.SHELVED,
        {"reason": "", "rule": "U10"},
    )
    assert set(await disputes.told("shelved_standing", "p1")) == set(told)


async def test_u10_a_new_step_of_a_dispute_starts_its_time_anew_and_a_meeting_is_awaited(
    disputes: DisputeGround,
) -> None:
    dispute = await disputes.disputed("p1")
    await dispute.negotiates()
    dispute.now = WARNED_AT
    assert (await dispute.answers(APPLICANT, AnswerChoice.DISAGREE, reason="我方先报备")).accepted
    await dispute.wants_meeting()
    subject = Subject(type=SubjectType.DISPUTE, id=dispute.id)
    task = dispute.tasks[""]
    while task.next_step.action not in STANDING:
        task = await chase(disputes, task, subject, dispute.workflow_id)
    assert task.next_step.at == datetime.fromisoformat("2027-04-01T10:00:00+08:00")


async def test_u10_an_application_sent_back_and_never_completed_is_closed_and_stands_in_nobodys_way(
    ground: ProjectGround,
) -> None:
    """U10, N14: the applicant, their department GM and commerce are warned and told; then it is no earlier one."""
    asked = ((TaskKind.SUPPLY_INFORMATION, "", ({"person": FAN, "capacity": "holder"},)),)
    racer = Racer(
        id="r1",
        applicant=FAN,
        form=application_form("云岭精工"),
        approved=False,
        stage=Stage.RETURNED,
        open_tasks=asked,
    )
    await ground.register([racer])
    subject = Subject(type=SubjectType.APPLICATION, id="r1")
    ((task_id,),) = await ground.rows("SELECT id FROM task WHERE subject_id = 'r1' AND status = 'open'")
    step = ReminderStep(key="first", now=NOW, subject=subject, task_id=task_id)
    task = await ground.run(ground.chasing.remind_or_escalate, step, racer.workflow_id)
    task = await chased_until(ground, task, DueAction.WARN, subject, racer.workflow_id)
    task = await chase(ground, task, subject, racer.workflow_id)
    assert await _told(ground, "application_standing_still") == sorted([FAN, NORTH_GM, COMMERCE])
    task = await chased_until(ground, task, DueAction.LAPSE, subject, racer.workflow_id)
    lapse = MoveStep(key="move:lapsed:1", now=ENDS_AT, subject=subject, stage="lapsed", notices=(Notice.LAPSED,))
    early = lapse.model_copy(update={"now": ENDS_AT - A_MINUTE, "key": "early"})
    with pytest.raises(IllegalTransition):
        await ground.run(ground.records.move, early, racer.workflow_id, final=(IllegalTransition,))
    assert (await chase(ground, task, subject, racer.workflow_id)).lapsed
    await ground.run(ground.records.move, lapse, racer.workflow_id)
    ((stage, reason),) = await ground.rows("SELECT stage, end_reason FROM application WHERE id = 'r1'")
    assert (stage, reason) == ("lapsed", {"rule": "U10"})
    assert await _told(ground, "lapsed") == sorted([FAN, NORTH_GM, COMMERCE])
    live = await ground.rows("SELECT live FROM party WHERE subject_type = 'application' AND subject_id = 'r1'")
    assert set(live) <= {(False,)}
    theirs = await ground.registered("theirs", JING, project_form("云岭精工"), ENDS_AT)
    await theirs.routes()
    await theirs.is_checked()
    assert (await theirs.task()).choices[-1].fields[0].options == ()


async def _told(ground: Ground, kind: str) -> list[str]:
    rows = await ground.rows("SELECT person FROM mail WHERE facts->>'kind' = :kind ORDER BY person", kind=kind)
    return [person for (person,) in rows]

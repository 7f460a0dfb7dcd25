"""What becomes of a registration is the same in the record and in the double of the workflow tests (P1–P9, U1–U8)."""

from __future__ import annotations

from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from domain.projects.project import ProjectStage, Track
from domain.projects.silence import Silence
from domain.refusals import RefusalCode
from domain.statements import AnswerTask
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.project_story import CUSTOMER, RegistrationStory
from tests.samples import CLARA, MONA, OPERATOR, SAM, SUE, TESS, VERA, VIKTOR, project_form

Refusal = tuple[bool, str]
ACCEPTED: Refusal = (True, "")


def refused(code: RefusalCode) -> Refusal:
    return False, code


async def test_p1_a_sealed_registration_begins_and_a_forged_one_does_not(project: RegistrationStory) -> None:
    said = project.registration()
    for changed in ({"seal": ""}, {"person": TESS}, {"workflow_id": "project-B-2"}):
        assert not (await project.registers(said.model_copy(update=changed))).accepted
    registered = await project.registers(said)
    assert (registered.accepted, registered.salesperson, registered.resumes) == (True, SAM, False)
    assert await project.stage() == ProjectStage.ROUTING


@pytest.mark.parametrize(
    ("holder", "track", "claimants"),
    [(SAM, Track.OWN_ACCOUNT, []), (SUE, Track.OTHER_ACCOUNT, [SUE]), (None, Track.NON_NAMED, [])],
)
async def test_p1_p3_p4_it_goes_the_way_of_whose_account_it_touches(
    project: RegistrationStory, holder: str | None, track: Track, claimants: list[str]
) -> None:
    if holder:
        await project.side.holds_customer(holder, CUSTOMER)
    await project.to_routing()
    routed = await project.routes()
    assert (routed.track, [claimant.person for claimant in routed.claimants]) == (track, claimants)


async def test_p4_the_manager_assigns_a_clerk_and_the_process_learns_whom(project: RegistrationStory) -> None:
    await project.to_assignment()
    recorded = await project.answers(MONA, AnswerChoice.ASSIGN, clerk=CLARA)
    assert recorded.decision is not None
    assert (recorded.decision.names, recorded.decision.choice) == ((CLARA,), AnswerChoice.ASSIGN)


@pytest.mark.parametrize(
    ("person", "choice", "reason", "fields", "code"),
    [
        (MONA, AnswerChoice.ASSIGN, "", {"clerk": SAM}, "not_among_options"),
        (MONA, AnswerChoice.ASSIGN, "", {}, "missing"),
        (MONA, AnswerChoice.APPROVE, "", {}, "unknown_choice"),
        (CLARA, AnswerChoice.ASSIGN, "", {"clerk": CLARA}, RefusalCode.NOT_ASKED),
        (VERA, AnswerChoice.ASSIGN, "", {"clerk": CLARA}, RefusalCode.NOT_ASKED),
    ],
)
async def test_p4_an_answer_that_does_not_fit_is_refused_and_the_task_stays_open(
    project: RegistrationStory, person: str, choice: str, reason: str, fields: dict[str, Any], code: str
) -> None:
    await project.to_assignment()
    recorded = await project.answers(person, choice, reason, **fields)
    assert (recorded.accepted, recorded.code, recorded.decision) == (False, code, None)
    assert (await project.answers(MONA, AnswerChoice.ASSIGN, clerk=CLARA)).accepted


async def test_x3_an_answer_counts_once_and_the_first_one_stands(project: RegistrationStory) -> None:
    await project.to_approval()
    task = project.task().id
    said = project.sealed(AnswerTask, VERA, task_id=task, choice=AnswerChoice.APPROVE)
    assert (await project.sends(said)).accepted
    again = await project.sends(said)
    assert (again.accepted, again.code) == refused(RefusalCode.DUPLICATE)
    other = await project.says(AnswerTask, VERA, task_id=task, choice=AnswerChoice.REJECT, reason="no")
    assert (other.accepted, other.code) == refused(RefusalCode.ALREADY_ANSWERED)
    unknown = await project.says(AnswerTask, VERA, task_id="no such task", choice=AnswerChoice.APPROVE)
    assert (unknown.accepted, unknown.code) == refused(RefusalCode.UNKNOWN_TASK)


async def test_x2_only_what_the_gateway_has_sealed_for_this_process_is_heard(project: RegistrationStory) -> None:
    await project.to_approval()
    said = project.sealed(AnswerTask, VERA, task_id=project.task().id, choice=AnswerChoice.APPROVE)
    for number, changed in enumerate(({"seal": ""}, {"person": VIKTOR}, {"workflow_id": "project-B-2"})):
        recorded = await project.sends(said.model_copy(update={"message_id": f"forged-{number}", **changed}))
        assert (recorded.accepted, recorded.code) == refused(RefusalCode.UNSEALED)
    assert (await project.sends(said)).accepted


async def test_p9_approved_it_has_a_number_and_its_clocks_run(project: RegistrationStory) -> None:
    await project.to_approval()
    assert (await project.answers(VERA, AnswerChoice.APPROVE)).accepted
    approved = await project.is_approved()
    assert approved.number == "P2026-00001"
    assert [due.silence for due in approved.ahead] == list(Silence)
    assert approved.updated_at == project.now
    assert await project.stage() == ProjectStage.ACTIVE


@pytest.mark.parametrize("way", ["to_routing", "to_assignment", "to_approval", "to_held", "to_rejected", "to_active"])
async def test_p9_without_an_approval_there_is_no_number(project: RegistrationStory, way: str) -> None:
    await getattr(project, way)()
    with pytest.raises(IllegalTransition):
        await project.is_approved()


@pytest.mark.parametrize(
    ("name", "reroute"),
    [(CUSTOMER, False), ("另一家客户有限公司", True)],
)
async def test_p2_a_held_project_is_completed_and_routed_anew_for_other_companies(
    project: RegistrationStory, name: str, reroute: bool
) -> None:
    await project.to_held()
    form = project_form(name, note="vendor named").model_dump(mode="json")
    recorded = await project.answers(SAM, AnswerChoice.SUPPLY, project=form)
    assert (recorded.accepted, recorded.round) == (True, 2)
    assert recorded.decision is not None
    assert bool(recorded.decision.outcome) is reroute
    await project.moves(ProjectStage.ROUTING if reroute else ProjectStage.APPROVAL)


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        ("to_assignment", SAM, ACCEPTED),
        ("to_approval", SAM, ACCEPTED),
        ("to_held", SAM, ACCEPTED),
        ("to_approval", TESS, refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)),
        ("to_active", SAM, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
        ("to_rejected", SAM, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
        ("to_withdrawn", SAM, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_a_registration_is_withdrawn_by_its_salesperson_before_the_approval(
    project: RegistrationStory, way: str, person: str, result: Refusal
) -> None:
    await getattr(project, way)()
    recorded = await project.withdraws(person)
    assert (recorded.accepted, recorded.code) == result


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        ("to_active", SAM, ACCEPTED),
        ("to_active", TESS, refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)),
        ("to_approval", SAM, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
        ("to_lost", SAM, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
    ],
)
@pytest.mark.parametrize("statement", ["updates", "is_lost"])
async def test_u1_u8_its_salesperson_updates_an_active_project_or_reports_its_loss(
    project: RegistrationStory, way: str, person: str, result: Refusal, statement: str
) -> None:
    await getattr(project, way)()
    recorded = await getattr(project, statement)(person)
    assert (recorded.accepted, recorded.code) == result


async def test_u1_u5_an_update_restarts_the_clocks(project: RegistrationStory) -> None:
    await project.to_active()
    project.later(days=10)
    recorded = await project.updates()
    assert (recorded.settled, recorded.updated_at) == (True, project.now)
    assert recorded.ahead is not None
    assert [due.silence for due in recorded.ahead] == list(Silence)
    assert recorded.ahead[0].at > project.now


async def test_u2_u3_reminders_of_silence_come_at_their_time_and_once(project: RegistrationStory) -> None:
    await project.to_active()
    with pytest.raises(IllegalTransition):
        await project.is_reminded(Silence.TWO_WEEKS)
    project.later(days=15)
    left = (await project.is_reminded(Silence.TWO_WEEKS)).ahead
    assert left is not None
    assert [due.silence for due in left] == list(Silence)[1:]
    with pytest.raises(IllegalTransition):
        await project.is_reminded(Silence.TWO_WEEKS)


async def test_u4_a_project_is_shelved_after_three_months_and_not_before(project: RegistrationStory) -> None:
    await project.to_active()
    project.later(days=60)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.SHELVED)
    project.later(days=60)
    await project.moves(ProjectStage.SHELVED)
    assert await project.stage() == ProjectStage.SHELVED


@pytest.mark.parametrize(
    ("way", "person", "to", "result"),
    [
        ("to_approval", OPERATOR, TESS, ACCEPTED),
        ("to_active", OPERATOR, TESS, ACCEPTED),
        ("to_approval", SAM, TESS, refused(RefusalCode.NOT_OPERATOR)),
        ("to_approval", OPERATOR, VERA, refused(RefusalCode.REASSIGN_UNKNOWN)),
        ("to_approval", OPERATOR, "nobody", refused(RefusalCode.REASSIGN_UNKNOWN)),
        ("to_lost", OPERATOR, TESS, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_a6_an_operator_hands_a_project_on_to_a_salesperson(
    project: RegistrationStory, way: str, person: str, to: str, result: Refusal
) -> None:
    await getattr(project, way)()
    recorded = await project.is_handed_on(to, person)
    assert (recorded.accepted, recorded.code) == result


async def test_a6_open_tasks_are_handed_on_with_the_project(project: RegistrationStory) -> None:
    await project.to_approval()
    recorded = await project.is_handed_on(SUE)
    assert recorded.tasks is not None
    asked = [(task.kind, task.slot, [person.person for person in task.asked]) for task in recorded.tasks]
    assert asked == [(TaskKind.PROJECT_APPROVAL, SUE, [VIKTOR])]


@pytest.mark.parametrize(
    ("way", "stage"),
    [
        ("to_routing", ProjectStage.APPROVAL),
        ("to_routing", ProjectStage.ACTIVE),
        ("to_assignment", ProjectStage.CONFLICT_CHECK),
        ("to_check", ProjectStage.APPROVAL),
        ("to_check", ProjectStage.CONFLICT_CONFIRMATION),
        ("to_check", ProjectStage.REFUSED),
        ("to_approval", ProjectStage.HELD),
        ("to_approval", ProjectStage.REJECTED),
        ("to_approval", ProjectStage.WITHDRAWN),
        ("to_held", ProjectStage.APPROVAL),
        ("to_active", ProjectStage.ENDED),
        ("to_active", ProjectStage.CONTRACT_SIGNED),
        ("to_lost", ProjectStage.ACTIVE),
        ("to_withdrawn", ProjectStage.APPROVAL),
    ],
)
async def test_x1_a_stage_that_the_record_does_not_bear_out_is_not_entered(
    project: RegistrationStory, way: str, stage: ProjectStage
) -> None:
    await getattr(project, way)()
    before = await project.stage()
    with pytest.raises(IllegalTransition):
        await project.moves(stage)
    assert await project.stage() == before


@pytest.mark.parametrize(
    ("way", "stage"),
    [
        ("to_assignment", ProjectStage.ASSIGNMENT),
        ("to_check", ProjectStage.CONFLICT_CHECK),
        ("to_held", ProjectStage.HELD),
        ("to_rejected", ProjectStage.REJECTED),
        ("to_withdrawn", ProjectStage.WITHDRAWN),
        ("to_lost", ProjectStage.ENDED),
    ],
)
async def test_p2_to_u8_a_stage_that_the_record_bears_out_is_entered(
    project: RegistrationStory, way: str, stage: ProjectStage
) -> None:
    await getattr(project, way)()
    assert await project.stage() == stage

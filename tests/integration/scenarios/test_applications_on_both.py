"""What becomes of an application is the same in the record and in the double of the workflow tests (N1–N15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from domain.accounts.application import Stage
from domain.accounts.named_account import Obstacle
from domain.accounts.transitions import NotApproved
from domain.organisation import Delegation
from domain.policy import load_policy
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, SubmitApplication, Withdraw
from domain.tasks.task import AnswerChoice, AssigneeCapacity, DueAction, TaskKind
from tests.integration.scenarios.application_story import CUSTOMER, ApplicationStory
from tests.samples import APPLICATION_FORM, CLARA, DORA, GINA, MONA, SAM, VERA, VIKTOR, application_form, one_department

LIMIT = load_policy().accounts.limit
Refusal = tuple[bool, str]


def refused(code: RefusalCode) -> Refusal:
    return False, code


ACCEPTED: Refusal = (True, "")


# N1: handing in


async def test_n1_a_sealed_submission_is_accepted_and_the_process_told_its_title(application: ApplicationStory) -> None:
    submitted = await application.submits()
    assert (submitted.accepted, submitted.application_id) == (True, "A-1")
    assert await application.stage() == Stage.EVIDENCE


@pytest.mark.parametrize(
    "changed", [{"person": VERA}, {"workflow_id": "application-A-2"}, {"seal": ""}, {"form": APPLICATION_FORM}]
)
async def test_n1_a_submission_that_the_gateway_has_not_sealed_begins_nothing(
    application: ApplicationStory, changed: dict[str, Any]
) -> None:
    said = application.sealed(SubmitApplication, SAM, application_id="A-1", form=application_form(CUSTOMER))
    assert not (await application.submits(said.model_copy(update=changed))).accepted
    assert (await application.submits(said)).accepted, "the true one still may"


# Answers, accepted and refused with each code


async def test_n5_an_answer_says_who_decided_in_which_capacity(application: ApplicationStory) -> None:
    await application.to_check()
    recorded = await application.answers(CLARA, AnswerChoice.PASS)
    assert recorded.accepted
    decision = recorded.decision
    assert decision is not None
    assert (decision.kind, decision.choice, decision.person) == (TaskKind.COMMERCE_CHECK, AnswerChoice.PASS, CLARA)
    assert (decision.capacity, decision.on_behalf_of) == (AssigneeCapacity.HOLDER, None)
    assert (decision.special, decision.slot, decision.decided_at) == (False, "", application.now)


@pytest.mark.parametrize(
    ("person", "choice", "reason", "fields", "code"),
    [
        (CLARA, AnswerChoice.RETURN, "", {}, "reason_required"),
        (CLARA, AnswerChoice.APPROVE, "", {}, "unknown_choice"),
        (CLARA, AnswerChoice.PASS, "", {"surprise": 1}, "extra_forbidden"),
        (VERA, AnswerChoice.PASS, "", {}, RefusalCode.NOT_ASKED),
        (SAM, AnswerChoice.PASS, "", {}, RefusalCode.OWN_APPLICATION),
        ("nobody", AnswerChoice.PASS, "", {}, RefusalCode.NOT_ASKED),
    ],
)
async def test_n5_an_answer_that_does_not_fit_is_refused_and_the_task_stays_open(
    application: ApplicationStory, person: str, choice: str, reason: str, fields: dict[str, Any], code: str
) -> None:
    await application.to_check()
    recorded = await application.answers(person, choice, reason, **fields)
    assert (recorded.accepted, recorded.code, recorded.decision) == (False, code, None)
    assert (await application.answers(CLARA, AnswerChoice.PASS)).accepted


async def test_n6_the_first_answer_stands(application: ApplicationStory) -> None:
    await application.to_check()
    assert (await application.answers(CLARA, AnswerChoice.PASS)).accepted
    again = await application.answers(CLARA, AnswerChoice.RETURN, "no")
    assert (again.accepted, again.code) == refused(RefusalCode.ALREADY_ANSWERED)


async def test_n9_a_rejection_closes_the_other_review(application: ApplicationStory) -> None:
    await application.to_review()
    other = application.task(VIKTOR).id
    assert (await application.answers(VERA, AnswerChoice.REJECT, "thin", slot=VERA)).accepted
    await application.moves(Stage.REJECTED)
    late = await application.says(AnswerTask, VIKTOR, task_id=other, choice=AnswerChoice.APPROVE)
    assert (late.accepted, late.code) == refused(RefusalCode.TASK_WITHDRAWN)


async def test_x1_a_task_that_does_not_exist_takes_no_answer(application: ApplicationStory) -> None:
    await application.to_check()
    recorded = await application.says(AnswerTask, CLARA, task_id="no such task", choice=AnswerChoice.PASS)
    assert (recorded.accepted, recorded.code) == refused(RefusalCode.UNKNOWN_TASK)


async def test_x2_only_what_the_gateway_has_sealed_for_this_process_is_heard(application: ApplicationStory) -> None:
    await application.to_check()
    said = application.sealed(AnswerTask, CLARA, task_id=application.task().id, choice=AnswerChoice.PASS)
    for changed in ({"seal": ""}, {"person": MONA}, {"choice": AnswerChoice.RETURN}, {"workflow_id": "other"}):
        recorded = await application.sends(said.model_copy(update={"message_id": f"forged-{len(changed)}", **changed}))
        assert (recorded.accepted, recorded.code) == refused(RefusalCode.UNSEALED)
    assert (await application.sends(said)).accepted


@pytest.mark.parametrize("accepted", [True, False])
async def test_x3_a_message_counts_once(application: ApplicationStory, accepted: bool) -> None:
    await application.to_check()
    person = CLARA if accepted else VERA
    said = application.sealed(AnswerTask, person, task_id=application.task().id, choice=AnswerChoice.PASS)
    assert (await application.sends(said)).accepted is accepted
    again = await application.sends(said)
    assert (again.accepted, again.code) == refused(RefusalCode.DUPLICATE)


async def test_n5_a_completed_form_begins_a_new_round(application: ApplicationStory) -> None:
    await application.to_returned()
    form = application_form(CUSTOMER, related=[("测试控股", None)])
    recorded = await application.answers(SAM, AnswerChoice.SUPPLY, application=form.model_dump(mode="json"))
    assert (recorded.accepted, recorded.round) == (True, 2)
    await application.moves(Stage.COMMERCE_CHECK, TaskKind.COMMERCE_CHECK)
    with pytest.raises(IllegalTransition):
        await application.moves(Stage.RETURNED, TaskKind.SUPPLY_INFORMATION)  # sent back in the first round only


@pytest.mark.parametrize("change", [{"customer": None}, {"products": []}, None])
async def test_n5_a_form_that_is_not_whole_is_refused(
    application: ApplicationStory, change: dict[str, Any] | None
) -> None:
    await application.to_returned()
    form = application_form(CUSTOMER).model_dump(mode="json")
    fields: dict[str, Any] = {} if change is None else {"application": form | change}
    recorded = await application.answers(SAM, AnswerChoice.SUPPLY, **fields)
    assert not recorded.accepted
    assert recorded.code
    assert recorded.round is None


async def test_e3_a_completed_form_that_a_rule_refuses_is_refused(application: ApplicationStory) -> None:
    await application.to_returned()
    form = application_form(CUSTOMER).model_dump(mode="json")
    form["customer"]["legal_person"] = False
    recorded = await application.answers(SAM, AnswerChoice.SUPPLY, application=form)
    assert (recorded.accepted, recorded.round) == (False, None)


async def test_n8_above_the_limit_an_approval_needs_a_special_reason(application: ApplicationStory) -> None:
    await application.side.holds(LIMIT)
    await application.to_review()
    bare = await application.answers(VERA, AnswerChoice.APPROVE, slot=VERA)
    assert (bare.accepted, bare.code) == (False, "special_reason_required")
    special = await application.answers(VERA, AnswerChoice.APPROVE, "a key account of the region", slot=VERA)
    assert special.decision is not None
    assert special.decision.special


async def test_n12_a_delegate_answers_for_the_vp_and_nobody_reviews_twice(application: ApplicationStory) -> None:
    start, end = application.now.replace(hour=0), application.now.replace(month=8)
    away = Delegation(person=VERA, delegate=DORA, start=start, end=end)
    await application.side.employs(one_department(delegations=(away,)))
    await application.to_review()
    recorded = await application.answers(DORA, AnswerChoice.APPROVE, slot=VERA)
    assert recorded.decision is not None
    assert (recorded.decision.capacity, recorded.decision.on_behalf_of) == (AssigneeCapacity.DELEGATE, VERA)
    other = await application.answers(DORA, AnswerChoice.APPROVE, slot=VIKTOR)
    assert (other.accepted, other.code) == refused(RefusalCode.NOT_ASKED)


# Withdrawal, appeal, evidence


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        ("to_check", SAM, ACCEPTED),
        ("to_returned", SAM, ACCEPTED),
        ("to_review", SAM, ACCEPTED),
        ("to_appeal", SAM, ACCEPTED),
        ("to_review", VERA, refused(RefusalCode.NOT_APPLICANT)),
        ("to_rejected", SAM, ACCEPTED),
        ("to_active", SAM, refused(RefusalCode.STAGE_DOES_NOT_ALLOW)),
        ("to_withdrawn", SAM, refused(RefusalCode.STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_n13_its_applicant_withdraws_it_before_the_end(
    application: ApplicationStory, way: str, person: str, result: Refusal
) -> None:
    await getattr(application, way)()
    recorded = await application.withdraws(person)
    assert (recorded.accepted, recorded.code) == result


@pytest.mark.parametrize(
    ("way", "person", "days", "result"),
    [
        ("to_rejected", SAM, 0, ACCEPTED),
        ("to_rejected", SAM, 60, refused(RefusalCode.APPEAL_TOO_LATE)),
        ("to_rejected", VERA, 0, refused(RefusalCode.NOT_APPLICANT)),
        ("to_appeal", SAM, 0, refused(RefusalCode.APPEAL_USED)),
        ("to_review", SAM, 0, refused(RefusalCode.STAGE_DOES_NOT_ALLOW)),
        ("to_active", SAM, 0, refused(RefusalCode.STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_n10_its_applicant_appeals_once_and_in_time(
    application: ApplicationStory, way: str, person: str, days: int, result: Refusal
) -> None:
    await getattr(application, way)()
    application.later(days=days)
    recorded = await application.appeals(person)
    assert (recorded.accepted, recorded.code) == result


@pytest.mark.parametrize(
    ("way", "person", "result"),
    [
        ("to_check", CLARA, ACCEPTED),
        ("to_review", MONA, ACCEPTED),
        ("to_check", SAM, refused(RefusalCode.ONLY_COMMERCE_GATHERS)),
        ("to_check", VERA, refused(RefusalCode.ONLY_COMMERCE_GATHERS)),
        ("to_rejected", CLARA, refused(RefusalCode.STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_n15_commerce_has_evidence_gathered_while_it_is_weighed(
    application: ApplicationStory, way: str, person: str, result: Refusal
) -> None:
    await getattr(application, way)()
    recorded = await application.says(GatherEvidence, person)
    assert (recorded.accepted, recorded.code, recorded.settled) == (*result, result == ACCEPTED)


# Moves, legal and illegal


@pytest.mark.parametrize(
    ("way", "stage"),
    [
        ("to_check", Stage.RETURNED),
        ("to_check", Stage.VP_REVIEW),
        ("to_check", Stage.REJECTED),
        ("to_check", Stage.WITHDRAWN),
        ("to_review", Stage.GM_APPROVAL),
        ("to_review", Stage.REJECTED),
        ("to_approved", Stage.GM_APPROVAL),
        ("to_rejected", Stage.GM_APPEAL),
        ("to_review", Stage.CLOSED_REJECTED),
        ("to_returned", Stage.LAPSED),
        ("to_check", Stage.LAPSED),
    ],
)
async def test_x1_a_stage_that_the_record_does_not_bear_out_is_not_entered(
    application: ApplicationStory, way: str, stage: Stage
) -> None:
    await getattr(application, way)()
    before = await application.stage()
    with pytest.raises(IllegalTransition):
        await application.moves(stage)
    assert await application.stage() == before


@pytest.mark.parametrize(
    ("way", "stage"),
    [
        ("to_check", Stage.COMMERCE_CHECK),
        ("to_returned", Stage.RETURNED),
        ("to_review", Stage.VP_REVIEW),
        ("to_rejected", Stage.REJECTED),
        ("to_appeal", Stage.GM_APPEAL),
        ("to_active", Stage.ACTIVE),
        ("to_withdrawn", Stage.WITHDRAWN),
    ],
)
async def test_n2_to_n13_a_stage_that_the_record_bears_out_is_entered(
    application: ApplicationStory, way: str, stage: Stage
) -> None:
    await getattr(application, way)()
    assert await application.stage() == stage


@pytest.mark.parametrize("way", ["to_withdrawn", "to_active"])
async def test_x1_what_is_over_goes_nowhere(application: ApplicationStory, way: str) -> None:
    await getattr(application, way)()
    for stage in (Stage.COMMERCE_CHECK, Stage.WITHDRAWN):
        with pytest.raises(IllegalTransition):
            await application.moves(stage)
    with pytest.raises((IllegalTransition, NotApproved)):
        await application.activates()


async def test_n6_both_vps_are_asked_at_once_each_in_their_own_task(application: ApplicationStory) -> None:
    await application.to_review()
    asked = {task.slot: [person.person for person in task.asked] for task in application.tasks}
    assert asked == {VERA: [VERA], VIKTOR: [VIKTOR]}
    assert {task.opened_at for task in application.tasks} == {application.now}
    assert len({task.due_at for task in application.tasks}) == 1


async def test_n10_the_period_of_an_appeal_is_told_to_the_process(application: ApplicationStory) -> None:
    await application.to_review()
    assert (await application.answers(VERA, AnswerChoice.REJECT, "thin", slot=VERA)).accepted
    until = (await application.moves(Stage.REJECTED)).until
    assert until is not None
    application.now = until - timedelta(seconds=1)
    assert (await application.appeals()).accepted


async def test_u10_what_nobody_completes_lapses(application: ApplicationStory) -> None:
    await application.to_returned()
    task = application.task()
    while not task.lapsed:
        application.now = task.next_step.at
        task = await application.is_chased(task)
    await application.moves(Stage.LAPSED)
    assert await application.stage() == Stage.LAPSED


# N7, N8: accounts


async def test_n7_two_approvals_make_it_an_account(application: ApplicationStory) -> None:
    await application.to_approved()
    activated = await application.activates()
    assert (activated.account_id, activated.obstacle) == ("A-1", None)
    assert await application.stage() == Stage.ACTIVE


@pytest.mark.parametrize("way", ["to_check", "to_review", "to_rejected", "to_appeal"])
async def test_n7_without_both_approvals_it_is_none(application: ApplicationStory, way: str) -> None:
    await getattr(application, way)()
    with pytest.raises(NotApproved):
        await application.activates()


async def test_n13_what_was_withdrawn_meanwhile_is_none(application: ApplicationStory) -> None:
    await application.to_approved()
    assert (await application.withdraws()).accepted
    with pytest.raises(NotApproved):
        await application.activates()


async def test_n8_above_the_limit_the_general_manager_approves_as_well(application: ApplicationStory) -> None:
    await application.side.holds(LIMIT)
    await application.to_approved("a key account of the region")
    assert (await application.activates()).obstacle is Obstacle.ABOVE_LIMIT
    await application.moves(Stage.GM_APPROVAL, TaskKind.GM_APPROVAL)
    task = application.task().id
    with pytest.raises(NotApproved):
        await application.activates(task)
    assert (await application.answers(GINA, AnswerChoice.APPROVE)).accepted
    assert (await application.activates(task)).account_id == "A-1"


async def test_n10_after_an_appeal_the_general_manager_alone_decides(application: ApplicationStory) -> None:
    await application.to_appeal()
    task = application.task().id
    assert (await application.answers(GINA, AnswerChoice.APPROVE)).accepted
    assert (await application.activates(task)).account_id == "A-1"


# N12: who is asked when nobody answers, or the company changes


async def test_n12_two_reminders_then_the_general_manager_stands_in(application: ApplicationStory) -> None:
    await application.to_review()
    task, seen = application.task(VERA), list[tuple[DueAction, int, list[str]]]()
    for _ in range(3):
        action = task.next_step.action
        application.now = task.next_step.at
        task = await application.is_chased(task)
        seen.append((action, task.chased, sorted(person.person for person in task.asked)))
    assert [(action, chased) for action, chased, _ in seen][:2] == [(DueAction.REMIND, 1), (DueAction.REMIND, 2)]
    assert [people for *_, people in seen] == [[VERA], [VERA], [GINA, VERA]]


async def test_n12_a_reminder_before_its_time_changes_nothing(application: ApplicationStory) -> None:
    await application.to_review()
    task = application.task(VERA)
    assert (await application.is_chased(task)).chased == 0


async def test_n12_when_a_vp_leaves_the_one_who_follows_is_asked(application: ApplicationStory) -> None:
    await application.to_review()
    await application.side.employs(one_department(gone=(VIKTOR,)))
    application.later(hours=1)
    asked = {task.slot: [person.person for person in task.asked] for task in await application.is_refreshed()}
    assert asked == {VERA: [VERA], "victor": ["victor"]}


@pytest.mark.parametrize("kind", [Withdraw, AppealRejection, GatherEvidence])
async def test_x1_what_is_said_after_the_end_changes_nothing(application: ApplicationStory, kind: type[Any]) -> None:
    await application.to_withdrawn()
    said = {} if kind is GatherEvidence else {"reason": "too late"}
    recorded = await application.says(kind, CLARA if kind is GatherEvidence else SAM, **said)
    assert (recorded.accepted, recorded.code) == refused(RefusalCode.STAGE_DOES_NOT_ALLOW)

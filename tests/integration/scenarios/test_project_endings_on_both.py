"""How a registration ends, or goes on after all, is the same in the record and in the double of the workflow tests:
contracts (U7), objections (P7, P8) and resumptions (U6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.tasks.context import IllegalTransition
from domain.projects.project import ProjectStage
from domain.projects.silence import Silence
from domain.refusals import RefusalCode
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.project_story import RegistrationStory
from tests.samples import CLARA, GINA, MONA, SAM, SUE, TESS, VERA, VIKTOR

Refusal = tuple[bool, str]
ACCEPTED: Refusal = (True, "")
RECEIVED = {"number": "C-1", "amount": "1150000.00"}
TODAY, TOMORROW = "2026-07-06", "2026-07-07"


def refused(code: RefusalCode) -> Refusal:
    return False, code


# U7: the contract review application


@pytest.mark.parametrize(
    ("way", "person", "given", "result"),
    [
        ("to_active", SAM, {}, ACCEPTED),
        ("to_active", SAM, {"signed_on": TODAY}, ACCEPTED),
        ("to_active", SAM, {"signed_on": TOMORROW}, (False, "signed_later_than_today")),
        ("to_active", SAM, {"amount": "0.00"}, (False, "greater_than")),
        ("to_active", CLARA, {}, (False, "missing")),
        ("to_active", CLARA, {"contract_number": "C-1"}, ACCEPTED),
        ("to_active", MONA, {"contract_number": "C-1", "received_on": TOMORROW}, (False, "received_later_than_today")),
        ("to_active", TESS, {}, refused(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)),
        ("to_active", VERA, {"contract_number": "C-1"}, refused(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)),
        ("to_approval", SAM, {}, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
        ("to_lost", SAM, {}, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
        ("to_contract_review", SAM, {}, refused(RefusalCode.CONTRACT_REVIEW_OPEN)),
        ("to_contract_review", CLARA, {"contract_number": "C-1"}, ACCEPTED),
        ("to_sent_back", SAM, {}, ACCEPTED),
        ("to_signed", SAM, {}, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
        ("to_signed", CLARA, {"contract_number": "C-1"}, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
        ("to_shelved", SAM, {}, refused(RefusalCode.PROJECT_NOT_ACTIVE)),
    ],
)
async def test_u7_a_contract_is_handed_in_by_its_salesperson_or_received_by_commerce(
    project: RegistrationStory, way: str, person: str, given: dict[str, Any], result: Refusal
) -> None:
    await getattr(project, way)()
    recorded = await project.hands_in(person, **given)
    assert (recorded.accepted, recorded.code) == result
    assert recorded.asks_commerce is (recorded.accepted and person == SAM)


async def test_u7_handed_in_commerce_is_asked_and_the_clocks_stand_still(project: RegistrationStory) -> None:
    await project.to_active()
    project.later(days=10)
    assert (await project.hands_in()).asks_commerce
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.CONTRACT_SIGNED)
    moved = await project.moves(ProjectStage.ACTIVE, TaskKind.CONTRACT_REVIEW)
    assert (moved.ahead, moved.updated_at) == ((), project.now)
    assert {person.person for person in project.task().asked} == {CLARA}
    with pytest.raises(IllegalTransition):  # commerce has it, and it changes hands once only
        await project.moves(ProjectStage.ACTIVE)
    project.later(days=120)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.SHELVED)
    with pytest.raises(IllegalTransition):
        await project.is_reminded(Silence.TWO_WEEKS)


@pytest.mark.parametrize(
    ("person", "choice", "reason", "fields", "code"),
    [
        (CLARA, AnswerChoice.RECEIVED, "", RECEIVED, ""),
        (CLARA, AnswerChoice.RECEIVED, "", RECEIVED | {"received_on": TODAY, "signed_on": TODAY}, ""),
        (CLARA, AnswerChoice.RECEIVED, "", {"amount": "1150000.00"}, "missing"),
        (CLARA, AnswerChoice.RECEIVED, "", RECEIVED | {"amount": "0.00"}, "greater_than"),
        (CLARA, AnswerChoice.RECEIVED, "", RECEIVED | {"received_on": TOMORROW}, "received_later_than_today"),
        (CLARA, AnswerChoice.RECEIVED, "", RECEIVED | {"signed_on": TOMORROW}, "signed_after_received"),
        (CLARA, AnswerChoice.SEND_BACK, "a page is missing", {}, ""),
        (CLARA, AnswerChoice.SEND_BACK, "", {}, "reason_required"),
        (SAM, AnswerChoice.RECEIVED, "", RECEIVED, RefusalCode.OWN_APPLICATION),
        (VERA, AnswerChoice.RECEIVED, "", RECEIVED, RefusalCode.NOT_ASKED),
    ],
)
async def test_u7_commerce_records_its_receipt_or_sends_it_back(
    project: RegistrationStory, person: str, choice: str, reason: str, fields: dict[str, Any], code: str
) -> None:
    await project.to_contract_review()
    recorded = await project.answers(person, choice, reason, **fields)
    assert (recorded.accepted, recorded.code) == (not code, code)


async def test_u7_only_once_received_it_is_signed_and_the_record_says_by_whom_and_when(
    project: RegistrationStory,
) -> None:
    await project.to_contract_review()
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.CONTRACT_SIGNED)
    assert (await project.answers(CLARA, AnswerChoice.RECEIVED, **RECEIVED)).accepted
    for statement in (project.updates, project.is_lost):
        recorded = await statement()
        assert (recorded.accepted, recorded.code) == refused(RefusalCode.PROJECT_NOT_ACTIVE)
    await project.moves(ProjectStage.CONTRACT_SIGNED)
    assert await project.stage() == ProjectStage.CONTRACT_SIGNED
    assert (await project.row()).contract == {
        "amount": "1150000.00",
        "contract_number": "C-1",
        "signed_on": None,
        "received_on": TODAY,
        "by": CLARA,
        "at": project.now.isoformat(),
    }


async def test_u7_received_on_paper_it_is_signed_as_well(project: RegistrationStory) -> None:
    await project.to_active()
    assert (await project.hands_in(MONA, contract_number="C-2")).accepted
    contract = (await project.row()).contract
    assert contract is not None
    assert (contract["contract_number"], contract["received_on"], contract["by"]) == ("C-2", TODAY, MONA)
    await project.moves(ProjectStage.CONTRACT_SIGNED)


async def test_u7_sent_back_the_clocks_begin_anew_and_it_can_be_handed_in_again(project: RegistrationStory) -> None:
    await project.to_contract_review()
    project.later(days=60)
    assert (await project.answers(CLARA, AnswerChoice.SEND_BACK, "a page is missing")).accepted
    moved = await project.moves(ProjectStage.ACTIVE)
    assert moved.ahead is not None
    assert ([due.silence for due in moved.ahead], moved.updated_at) == (list(Silence), project.now)
    application = (await project.row()).contract_application
    assert application is not None
    sent_back = {"reason": "a page is missing", "by": CLARA, "at": project.now.isoformat()}
    assert (application["amount"], application["by"], application["sent_back"]) == ("1150000.00", SAM, sent_back)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.CONTRACT_SIGNED)
    assert (await project.hands_in(amount="1200000.00")).asks_commerce
    moved = await project.moves(ProjectStage.ACTIVE, TaskKind.CONTRACT_REVIEW)
    assert moved.ahead == ()


@pytest.mark.parametrize("statement", ["updates", "is_lost"])
async def test_u1_u8_with_commerce_it_is_still_updated_or_lost(project: RegistrationStory, statement: str) -> None:
    await project.to_contract_review()
    recorded = await getattr(project, statement)()
    assert (recorded.accepted, recorded.code) == ACCEPTED


@pytest.mark.parametrize(
    ("way", "person", "amount", "result"),
    [
        ("to_signed", CLARA, "1050000.00", ACCEPTED),
        ("to_signed", MONA, "1050000.00", ACCEPTED),
        ("to_signed", CLARA, "1150000.00", (False, "same_amount")),
        ("to_signed", CLARA, "0.00", (False, "greater_than")),
        ("to_signed", SAM, "1050000.00", refused(RefusalCode.NOT_COMMERCE)),
        ("to_signed", GINA, "1050000.00", refused(RefusalCode.NOT_COMMERCE)),
        ("to_contract_review", CLARA, "1050000.00", refused(RefusalCode.CONTRACT_NOT_SIGNED)),
        ("to_lost", CLARA, "1050000.00", refused(RefusalCode.CONTRACT_NOT_SIGNED)),
    ],
)
async def test_u7_commerce_corrects_the_amount_of_a_signed_contract(
    project: RegistrationStory, way: str, person: str, amount: str, result: Refusal
) -> None:
    await getattr(project, way)()
    said = project.correction(person, amount)
    corrected = await project.is_corrected(said)
    assert (corrected.accepted, await project.side.refusal(said.message_id)) == result


async def test_u7_both_figures_stay(project: RegistrationStory) -> None:
    await project.to_signed()
    for amount in ("1050000.00", "1060000.00"):
        assert (await project.is_corrected(project.correction(CLARA, amount))).accepted
    contract = (await project.row()).contract
    assert contract is not None
    assert contract["amount"] == "1060000.00"
    kept = [(change["amount_before"], change["amount"], change["by"]) for change in contract["corrections"]]
    assert kept == [("1150000.00", "1050000.00", CLARA), ("1050000.00", "1060000.00", CLARA)]


async def test_x2_u7_a_forged_correction_changes_nothing(project: RegistrationStory) -> None:
    await project.to_signed()
    said = project.correction(CLARA, "1050000.00")
    assert not (await project.is_corrected(said.model_copy(update={"seal": ""}))).accepted
    contract = (await project.row()).contract
    assert contract is not None
    assert contract["amount"] == "1150000.00"


# P7, P8: refused, objected to


async def test_p5_each_vp_is_asked_about_the_registration_of_their_own_salesperson(project: RegistrationStory) -> None:
    await project.to_confirmation(SUE, TESS)
    asked = [(task.slot, [person.person for person in task.asked]) for task in project.tasks]
    assert asked == [(SUE, [VIKTOR]), (TESS, [VERA])]
    no_conflict = await project.answers(VERA, AnswerChoice.NO_CONFLICT, slot=TESS)
    assert (no_conflict.accepted, no_conflict.decision is not None) == (True, True)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.APPROVAL)
    assert (await project.answers(VIKTOR, AnswerChoice.NO_CONFLICT, slot=SUE)).accepted
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.REFUSED)
    await project.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, SAM))


async def test_p7_p8_a_refusal_may_be_objected_to_for_a_month(project: RegistrationStory) -> None:
    await project.to_confirmation()
    assert (await project.answers(VIKTOR, AnswerChoice.CONFLICT, "the same tender")).accepted
    moved = await project.moves(ProjectStage.REFUSED)
    assert moved.until == project.now + timedelta(days=31)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.OBJECTION)
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.CLOSED_REFUSED)


@pytest.mark.parametrize(
    ("way", "days", "person", "result"),
    [
        ("to_refused", 0, SAM, ACCEPTED),
        ("to_refused", 30, SAM, ACCEPTED),
        ("to_refused", 31, SAM, refused(RefusalCode.OBJECTION_TOO_LATE)),
        ("to_refused", 0, SUE, refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)),
        ("to_refused", 0, VERA, refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)),
        ("to_objection", 0, SAM, refused(RefusalCode.OBJECTION_USED)),
        ("to_upheld", 0, SAM, refused(RefusalCode.OBJECTION_USED)),
        ("to_confirmation", 0, SAM, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
        ("to_rejected", 0, SAM, refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)),
    ],
)
async def test_p8_its_salesperson_objects_once_and_in_time(
    project: RegistrationStory, way: str, days: int, person: str, result: Refusal
) -> None:
    await getattr(project, way)()
    project.later(days=days)
    recorded = await project.objects(person)
    assert (recorded.accepted, recorded.code) == result


async def test_p8_an_objection_said_in_time_counts_when_it_is_heard_too_late(project: RegistrationStory) -> None:
    await project.to_refused()
    project.later(days=30)
    said = project.objection()
    project.later(days=5)
    assert (await project.sends(said)).accepted
    with pytest.raises(IllegalTransition):
        await project.moves(ProjectStage.CLOSED_REFUSED)
    await project.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, SAM))


async def test_p8_nobody_objects_and_the_refusal_stands(project: RegistrationStory) -> None:
    await project.to_refused()
    project.later(days=31)
    await project.moves(ProjectStage.CLOSED_REFUSED)
    late = await project.objects()
    assert (late.accepted, late.code) == refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW)


@pytest.mark.parametrize(
    ("person", "choice", "reason", "code"),
    [
        (VERA, AnswerChoice.CALL_MEETING, "", ""),
        (VERA, AnswerChoice.UPHOLD_REFUSAL, "it is the same tender", ""),
        (VERA, AnswerChoice.UPHOLD_REFUSAL, "", "reason_required"),
        (VERA, AnswerChoice.APPROVE, "", "unknown_choice"),
        (VIKTOR, AnswerChoice.UPHOLD_REFUSAL, "mine", RefusalCode.NOT_ASKED),
        (SAM, AnswerChoice.CALL_MEETING, "", RefusalCode.OWN_APPLICATION),
    ],
)
async def test_p8_the_applicants_vp_has_the_meeting_called_or_upholds_the_refusal(
    project: RegistrationStory, person: str, choice: str, reason: str, code: str
) -> None:
    await project.to_objection()
    recorded = await project.answers(person, choice, reason)
    assert (recorded.accepted, recorded.code) == (not code, code)
    ways = {AnswerChoice.CALL_MEETING: ProjectStage.DISPUTED, AnswerChoice.UPHOLD_REFUSAL: ProjectStage.CLOSED_REFUSED}
    for answer, stage in ways.items():
        if not recorded.accepted or answer != choice:
            with pytest.raises(IllegalTransition):
                await project.moves(stage)
    if recorded.accepted:
        await project.moves(ways[AnswerChoice(choice)])
        assert await project.stage() == ways[AnswerChoice(choice)]


# U6: resumed


async def test_u6_a_resumption_is_a_new_registration_linked_to_the_old(project: RegistrationStory) -> None:
    resumption = await project.to_resume_review()
    row = await resumption.row()
    assert (row.stage, row.resumes, row.salesperson) == (ProjectStage.RESUME_REVIEW, "B-1", SAM)
    assert row.resumption == {"why_silent": "no budget", "why_resume": "budget found"}
    assert {person.person for person in resumption.task().asked} == {CLARA}
    assert await project.stage() == ProjectStage.SHELVED


@pytest.mark.parametrize(
    ("way", "person", "code"),
    [
        ("to_shelved", SAM, ""),
        ("to_shelved", TESS, RefusalCode.NOT_SALESPERSON_OF_PROJECT),
        ("to_active", SAM, RefusalCode.PROJECT_NOT_SHELVED),
        ("to_lost", SAM, RefusalCode.PROJECT_NOT_SHELVED),
        ("to_rejected", SAM, RefusalCode.PROJECT_NOT_SHELVED),
        ("to_resume_review", SAM, RefusalCode.RESUME_RUNNING),
    ],
)
async def test_u6_only_a_shelved_project_is_resumed_and_by_its_salesperson(
    project: RegistrationStory, way: str, person: str, code: str
) -> None:
    await getattr(project, way)()
    registered, why = await RegistrationStory(project.side, "B-3").resumes(project, person)
    assert (registered.accepted, why) == (not code, code)


@pytest.mark.parametrize("way", ["rejected", "withdrawn"])
async def test_u6_after_a_rejection_or_a_withdrawal_it_is_resumed_again(project: RegistrationStory, way: str) -> None:
    resumption = await project.to_resume_review()
    if way == "rejected":
        assert (await resumption.answers(CLARA, AnswerChoice.REJECT, "no budget either")).accepted
    else:
        assert (await resumption.withdraws()).accepted
    await resumption.moves(ProjectStage(way))
    registered, why = await RegistrationStory(project.side, "B-3").resumes(project)
    assert (registered.accepted, registered.resumes, why) == (True, True, "")


@pytest.mark.parametrize(
    ("person", "choice", "reason", "code"),
    [
        (CLARA, AnswerChoice.ACCEPT, "", ""),
        (CLARA, AnswerChoice.REJECT, "no budget either", ""),
        (CLARA, AnswerChoice.REJECT, "", "reason_required"),
        (VERA, AnswerChoice.ACCEPT, "", RefusalCode.NOT_ASKED),
        (SAM, AnswerChoice.ACCEPT, "", RefusalCode.OWN_APPLICATION),
    ],
)
async def test_u6_commerce_reviews_the_reasons(
    project: RegistrationStory, person: str, choice: str, reason: str, code: str
) -> None:
    resumption = await project.to_resume_review()
    recorded = await resumption.answers(person, choice, reason)
    assert (recorded.accepted, recorded.code) == (not code, code)
    ways = {AnswerChoice.ACCEPT: ProjectStage.ROUTING, AnswerChoice.REJECT: ProjectStage.REJECTED}
    for answer, stage in ways.items():
        if not recorded.accepted or answer != choice:
            with pytest.raises(IllegalTransition):
                await resumption.moves(stage)
    if recorded.accepted:
        await resumption.moves(ways[AnswerChoice(choice)])


async def test_u6_accepted_it_has_a_new_date_and_finds_its_way_and_its_own_number(project: RegistrationStory) -> None:
    resumption = await project.to_resume_review()
    before = (await resumption.row()).registered_at
    resumption.later(days=3)
    assert (await resumption.answers(CLARA, AnswerChoice.ACCEPT)).accepted
    await resumption.moves(ProjectStage.ROUTING)
    assert (before, (await resumption.row()).registered_at) == (project.now, resumption.now)
    await resumption.routes()
    await resumption.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, SAM))
    assert (await resumption.answers(VERA, AnswerChoice.APPROVE)).accepted
    assert (await resumption.is_approved()).number == "P2026-00002"
    assert (await project.row()).number == "P2026-00001"
    assert await project.stage() == ProjectStage.SHELVED

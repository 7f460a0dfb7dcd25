"""The rules of a registration: what may be answered, who is told, which way it goes, who decides (P, D, U)."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.disputes.dispute import TWO_PROJECTS, Claimant, Origin, deciding_salesperson, ended_by
from domain.notices import PROJECT_NOTICES, Notice
from domain.organisation import Organisation, Role
from domain.projects.project import PROJECT_ENDED, ProjectStage, ProjectStatus, Track
from domain.projects.rules import (
    PROJECT_TASK_RULES,
    meeting_participants,
    product_managers,
    project_choices,
    project_stage_rule,
    recipients_of_project,
    track_of,
)
from domain.reviews.review import REVIEW_TASK_RULES
from domain.tasks.task import Choice, TaskKind
from imports.organisation_file import read_organisation

SAMPLE = read_organisation((Path(__file__).parents[3] / "embedded/sample/org.toml").read_text(encoding="utf-8"))
SINCE = datetime(2026, 11, 23, tzinfo=UTC)

FAN, LEI = "yang.fan", "huang.lei"
"""Salespeople of the north: GM zhao.lei, VP li.ming."""
JING = "xu.jing"
"""Of the east: GM chen.jing, VP wang.fang."""
TAO = "guo.tao"
"""Of the finance industry: GM david.brown, VP li.ming."""
NORTH_GM, EAST_GM, FINANCE_GM = "zhao.lei", "chen.jing", "david.brown"
NORTH_VP, EAST_VP = "li.ming", "wang.fang"
MANAGER, COO, COMMERCE, CLERK = "zhang.wei", "liu.yang", "lin.xia", "gao.yuan"
PRODUCTS = {"tang.bo", "peter.wong"}


def claimant(person: str, subject_type: str = "project") -> Claimant:
    return Claimant(person=person, subject_type=subject_type, subject_id=f"{subject_type}-of-{person}", since=SINCE)


def told(
    notice: Notice,
    *others: str,
    involved: Iterable[str] = (),
    salesperson: str = FAN,
    org: Organisation = SAMPLE,
    departments: Collection[str] = (),
) -> tuple[str, ...]:
    return recipients_of_project(
        notice,
        org,
        salesperson=salesperson,
        claimants=[claimant(other) for other in others],
        involved=involved,
        departments=departments,
    )


def without(*gone: str) -> Organisation:
    people = tuple(p.model_copy(update={"active": p.active and p.id not in gone}) for p in SAMPLE.people)
    return Organisation.model_validate(SAMPLE.model_dump() | {"people": people})


# Who is told


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        (JING, {JING, NORTH_VP, EAST_VP, MANAGER, NORTH_GM, EAST_GM}),
        (LEI, {LEI, NORTH_VP, MANAGER, NORTH_GM}),  # one VP for both sides
        (TAO, {TAO, NORTH_VP, MANAGER, NORTH_GM, FINANCE_GM}),
    ],
)
def test_p3_the_vps_concerned_the_general_manager_and_whose_account_it_is_are_told(
    holder: str, expected: set[str]
) -> None:
    assert set(told(Notice.REGISTERED_UNDER_ACCOUNT, holder)) == expected


def test_p3_a_project_under_two_accounts_is_told_to_both_of_their_salespeople_and_vps() -> None:
    found = told(Notice.REGISTERED_UNDER_ACCOUNT, JING, TAO)
    assert set(found) == {JING, TAO, NORTH_VP, EAST_VP, MANAGER, NORTH_GM, EAST_GM, FINANCE_GM}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((JING,), {FAN, NORTH_VP, EAST_VP}),
        ((LEI,), {FAN, NORTH_VP}),
        ((JING, TAO), {FAN, NORTH_VP, EAST_VP}),
        ((FAN,), {FAN, NORTH_VP}),  # an earlier registration of their own
    ],
)
def test_p7_the_applicant_gets_notice_and_refusal_copied_to_the_vps_concerned(
    others: tuple[str, ...], expected: set[str]
) -> None:
    """Not to the salespeople of the registrations it collides with."""
    assert set(told(Notice.CONFLICT_REFUSED, *others)) == expected


@pytest.mark.parametrize("notice", [Notice.REFUSAL_UPHELD, Notice.OBJECTION_LAPSED, Notice.RESUME_REJECTED])
def test_p8_and_u6_what_became_of_an_objection_or_a_resumption_is_told_to_who_made_it(notice: Notice) -> None:
    assert told(notice, JING, involved=[NORTH_VP, COMMERCE]) == (FAN,)


def test_p2_and_p9_an_approval_is_told_to_the_salesperson_their_gm_and_commerce_which_gives_the_number() -> None:
    assert set(told(Notice.PROJECT_APPROVED)) == {FAN, NORTH_GM, COMMERCE}
    assert set(told(Notice.PROJECT_APPROVED, JING)) == {FAN, JING, NORTH_GM, COMMERCE}


def test_p2_a_rejection_is_told_to_the_salesperson_and_the_other_side_of_a_dispute() -> None:
    assert told(Notice.PROJECT_REJECTED) == (FAN,)
    assert set(told(Notice.PROJECT_REJECTED, JING)) == {FAN, JING}


def test_p2_the_result_reaches_whoever_registered_it_also_when_another_is_responsible_now() -> None:
    assert set(told(Notice.PROJECT_APPROVED, involved=[LEI])) == {FAN, LEI, NORTH_GM, COMMERCE}
    assert set(told(Notice.PROJECT_REJECTED, involved=[LEI])) == {FAN, LEI}


def test_d1_an_agreement_is_reported_to_both_vps_both_gms_and_the_general_manager() -> None:
    assert set(told(Notice.AGREED, JING)) == {FAN, JING, NORTH_VP, EAST_VP, MANAGER, NORTH_GM, EAST_GM}
    assert set(told(Notice.AGREED, LEI)) == {FAN, LEI, NORTH_VP, MANAGER, NORTH_GM}


def test_d2_who_may_step_in_is_told_that_a_meeting_is_wanted() -> None:
    found = told(Notice.MEETING_WANTED, JING)
    assert set(found) == {FAN, JING, NORTH_VP, EAST_VP, MANAGER, NORTH_GM, EAST_GM}


def test_d2_the_participants_are_invited_and_nobody_else() -> None:
    participants = (COO, MANAGER, EAST_GM, FAN, COO)
    assert told(Notice.MEETING_CALLED, JING, involved=participants) == (COO, MANAGER, EAST_GM, FAN)


def test_d2_the_outcome_is_told_to_both_sides_their_vps_the_general_manager_and_who_was_there() -> None:
    found = told(Notice.MEETING_RECORDED, JING, involved=[COO, EAST_GM])
    assert set(found) == {FAN, JING, NORTH_VP, EAST_VP, MANAGER, COO, NORTH_GM, EAST_GM}


@pytest.mark.parametrize(
    ("notice", "salesperson", "expected"),
    [
        (Notice.SILENT_TWO_WEEKS, FAN, {FAN, NORTH_GM}),
        (Notice.SILENT_TWO_WEEKS, JING, {JING, EAST_GM}),
        (Notice.SILENT_ONE_MONTH, FAN, {FAN, NORTH_GM, NORTH_VP}),
        (Notice.SILENT_ONE_MONTH, JING, {JING, EAST_GM, EAST_VP}),
        (Notice.SHELVED, FAN, {FAN, NORTH_GM, NORTH_VP}),
        (Notice.SHELVED, TAO, {TAO, FINANCE_GM, NORTH_VP}),
    ],
)
def test_u2_u3_u4_silence_is_told_to_the_salesperson_the_gm_and_from_a_month_on_the_vp(
    notice: Notice, salesperson: str, expected: set[str]
) -> None:
    """Also of a project that was once disputed: whoever was the other side has no part in it."""
    assert set(told(notice, LEI, salesperson=salesperson, involved=[COMMERCE])) == expected


def test_u8_a_loss_is_told_to_the_department_gms_concerned_and_those_the_policy_adds() -> None:
    """U8: of the project, and of whoever was a side of its disputes."""
    assert set(told(Notice.LOST, involved=[COMMERCE])) == {NORTH_GM} | PRODUCTS
    assert set(told(Notice.LOST, JING)) == {NORTH_GM, EAST_GM} | PRODUCTS
    assert set(told(Notice.LOST, departments=["finance-industry"])) == {NORTH_GM, FINANCE_GM} | PRODUCTS
    assert set(told(Notice.LOST, departments=["*"])) == {NORTH_GM, EAST_GM, FINANCE_GM} | PRODUCTS


def test_u8_a_loss_is_told_to_the_product_managers_of_its_products() -> None:
    """U8: one who names no product answers for all of them; nobody's product is told to everyone."""
    one, other = sorted(PRODUCTS)
    people = [
        person.model_copy(update={"products": {one: ("存储", "ＨＵＡＷＥＩ"), other: ("网络",)}.get(person.id, ())})
        for person in SAMPLE.people
    ]
    org = SAMPLE.model_copy(update={"people": tuple(people)})
    assert product_managers(org, ["华为全闪存储 OceanStor", "华为"]) == (one,)
    assert product_managers(org, ["Huawei"]) == (one,)
    assert set(product_managers(org, ["网络", "存储"])) == PRODUCTS
    assert set(product_managers(org, ["数据库"])) == PRODUCTS
    assert set(product_managers(SAMPLE, ["存储"])) == PRODUCTS


def test_u7_a_contract_is_told_to_the_salesperson_their_gm_and_commerce() -> None:
    for notice in (Notice.CONTRACT_SIGNED, Notice.CONTRACT_CORRECTED):
        assert set(told(notice)) == {FAN, NORTH_GM, COMMERCE}
    assert told(Notice.CONTRACT_SENT_BACK) == (FAN,)


def test_n13_a_withdrawal_is_told_to_who_was_asked_and_a_handover_to_who_had_it() -> None:
    withdrawn = told(Notice.PROJECT_WITHDRAWN, JING, involved=[CLERK, NORTH_VP])
    assert set(withdrawn) == {FAN, JING, CLERK, NORTH_VP}
    assert set(told(Notice.REASSIGNED, involved=[LEI])) == {FAN, NORTH_GM, LEI}


@pytest.mark.parametrize("notice", PROJECT_NOTICES)
def test_x3_everybody_is_told_once_and_nobody_who_has_left_or_is_unknown(notice: Notice) -> None:
    everyone = told(notice, JING, FAN, involved=[JING, NORTH_VP, NORTH_VP])
    assert everyone
    assert len(everyone) == len(set(everyone))
    gone = without(*everyone)
    assert not set(told(notice, JING, FAN, "nobody", involved=[JING, NORTH_VP, "nobody"], org=gone)) & {
        *everyone,
        "nobody",
    }


def test_d2_the_department_gms_and_vps_concerned_the_coo_and_the_general_manager_sit_in_the_meeting() -> None:
    assert set(meeting_participants(SAMPLE, [FAN, JING])) == {NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, MANAGER}
    assert set(meeting_participants(SAMPLE, [FAN, LEI])) == {NORTH_GM, NORTH_VP, COO, MANAGER}
    assert set(meeting_participants(without(NORTH_GM), [FAN, TAO])) == {FINANCE_GM, NORTH_VP, COO, MANAGER}


# What may be answered

OUTSIDE_PROJECTS = {
    *(TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL),
    *REVIEW_TASK_RULES,
}


def reasons(choices: Iterable[Choice]) -> dict[str, bool]:
    return {choice.choice: choice.reason_required for choice in choices}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TaskKind.SUPPLY_INFORMATION, {"supply": False}),
        (TaskKind.ASSIGN_CLERK, {"assign": False}),
        (TaskKind.CONFLICT_CHECK, {"clear": False, "suspect": True}),
        (TaskKind.CONFLICT_CONFIRMATION, {"conflict": True, "no_conflict": False}),
        (TaskKind.PROJECT_APPROVAL, {"approve": False, "hold": True, "reject": True}),
        (TaskKind.AGREE_SPLIT, {"agree": False, "disagree": True}),
        (TaskKind.CALL_MEETING, {"called": False}),
        (TaskKind.RECORD_MEETING, {"record": False}),
        (TaskKind.OBJECTION_REVIEW, {"call_meeting": False, "uphold_refusal": True}),
        (TaskKind.RESUME_REVIEW, {"accept": False, "reject": True}),
    ],
)
def test_the_choices_of_each_step_and_which_need_a_reason(kind: TaskKind, expected: dict[str, bool]) -> None:
    """P2, P4, P5, P6, P8, D1, D2, U6: whoever says no, or puts a project off, says why."""
    assert reasons(project_choices(kind, suspects=["p1"])) == expected


def test_each_step_of_a_project_has_its_rule_and_those_of_others_are_not_asked() -> None:
    assert set(PROJECT_TASK_RULES) == set(TaskKind) - OUTSIDE_PROJECTS
    for kind, rule in PROJECT_TASK_RULES.items():
        assert {choice.rule for choice in project_choices(kind, suspects=["p1"])} == {rule}
    for kind in OUTSIDE_PROJECTS:
        with pytest.raises(ValueError, match="no project asks"):
            project_choices(kind)


def test_p5_a_clerk_suspects_what_was_found_or_what_they_name_themselves() -> None:
    assert reasons(project_choices(TaskKind.CONFLICT_CHECK)) == {"clear": False, "suspect": True}
    _, suspect = project_choices(TaskKind.CONFLICT_CHECK, suspects=["p1", "a2"])
    (found,) = suspect.fields
    assert (found.name, found.required, found.options, found.others) == ("suspects", True, ("p1", "a2"), True)


def test_p4_and_d2_only_those_offered_are_assigned_invited_or_made_responsible() -> None:
    (assign,) = project_choices(TaskKind.ASSIGN_CLERK, people=[CLERK])
    assert [(spec.name, spec.required, spec.options) for spec in assign.fields] == [("clerk", True, (CLERK,))]
    (called,) = project_choices(TaskKind.CALL_MEETING, people=[COO, MANAGER])
    assert {spec.name: spec.required for spec in called.fields} == {
        "starts_at": True,
        "duration_minutes": False,
        "place": True,
        "participants": True,
        "missing_because": False,
        "note": False,
    }
    assert {spec.name: spec.options for spec in called.fields if spec.options} == {"participants": (COO, MANAGER)}
    (record,) = project_choices(TaskKind.RECORD_MEETING, people=[COO], salespeople=[FAN, JING])
    assert all(spec.required for spec in record.fields)
    assert {spec.name: spec.options for spec in record.fields} == {
        "responsible": (FAN, JING),
        "split": (),
        "summary": (),
    }


def test_d6_a_meeting_over_several_registrations_says_which_goes_on() -> None:
    (record,) = project_choices(TaskKind.RECORD_MEETING, salespeople=[FAN, JING], registrations=["p2", "p1"])
    (which,) = (spec for spec in record.fields if spec.name == "goes_on")
    assert (which.options, which.required) == (("p2", "p1", TWO_PROJECTS), False)
    (alone,) = project_choices(TaskKind.RECORD_MEETING, salespeople=[FAN, JING], registrations=["p2"])
    assert "goes_on" not in {spec.name for spec in alone.fields}


@pytest.mark.parametrize(
    ("goes_on", "ends"),
    [("", ("p1", "p3")), ("p2", ("p1", "p3")), ("p1", ("p2", "p3")), ("p3", ("p2", "p1")), (TWO_PROJECTS, ())],
)
def test_d6_all_but_the_one_that_goes_on_end_unless_they_are_two_projects(goes_on: str, ends: tuple[str, ...]) -> None:
    assert ended_by(goes_on, "p2", ["p3", "p1"]) == ends


@pytest.mark.parametrize("on_the_table", [False, True])
def test_d1_the_first_to_agree_writes_the_text_and_the_other_may_confirm_it_as_it_is(on_the_table: bool) -> None:
    agree, disagree = project_choices(TaskKind.AGREE_SPLIT, text_on_the_table=on_the_table)
    assert {spec.name: spec.required for spec in agree.fields} == dict.fromkeys(
        ("responsible", "cooperation", "split"), not on_the_table
    )
    assert disagree.fields == ()


# Which way, where it stands, who decides


@pytest.mark.parametrize(
    ("holders", "track"),
    [
        ((), Track.NON_NAMED),  # P4
        ((FAN,), Track.OWN_ACCOUNT),  # P1
        ((FAN, FAN), Track.OWN_ACCOUNT),
        ((JING,), Track.OTHER_ACCOUNT),  # P3
        ((FAN, JING), Track.OTHER_ACCOUNT),  # own customer, and another's account as end user or channel
    ],
)
def test_p1_p3_p4_whose_accounts_a_project_touches_says_which_way_it_goes(
    holders: tuple[str, ...], track: Track
) -> None:
    assert track_of(FAN, holders) is track
    assert track_of(FAN, reversed(holders)) is track


STATUSES = {
    ProjectStatus.REGISTERING: {
        ProjectStage.RESUME_REVIEW,
        ProjectStage.ROUTING,
        ProjectStage.ASSIGNMENT,
        ProjectStage.CONFLICT_CHECK,
        ProjectStage.CONFLICT_CONFIRMATION,
        ProjectStage.APPROVAL,
    },
    ProjectStatus.HELD: {ProjectStage.HELD},
    ProjectStatus.DISPUTED: {ProjectStage.DISPUTED},
    ProjectStatus.ACTIVE: {ProjectStage.ACTIVE},
    ProjectStatus.CONTRACT_SIGNED: {ProjectStage.CONTRACT_SIGNED},
    ProjectStatus.ENDED: {ProjectStage.ENDED, ProjectStage.MERGED},
    ProjectStatus.SHELVED: {ProjectStage.SHELVED},
    ProjectStatus.REJECTED: {ProjectStage.REJECTED},
    ProjectStatus.REFUSED: {ProjectStage.REFUSED, ProjectStage.OBJECTION, ProjectStage.CLOSED_REFUSED},
    ProjectStatus.WITHDRAWN: {ProjectStage.WITHDRAWN},
}


def test_every_stage_has_one_status_and_every_status_a_stage() -> None:
    assert {stage: stage.status for stage in ProjectStage} == {
        stage: status for status, stages in STATUSES.items() for stage in stages
    }
    assert set(STATUSES) == set(ProjectStatus)


def test_p10_shelved_ended_rejected_and_refused_projects_take_no_part_in_conflict_detection() -> None:
    """Nor one with a contract (U7), one withdrawn (N13), or a resumption that is not accepted yet (U6)."""
    live = {stage for stage in ProjectStage if stage.live}
    assert live == {
        ProjectStage.ROUTING,
        ProjectStage.ASSIGNMENT,
        ProjectStage.CONFLICT_CHECK,
        ProjectStage.CONFLICT_CONFIRMATION,
        ProjectStage.APPROVAL,
        ProjectStage.HELD,
        ProjectStage.DISPUTED,
        ProjectStage.ACTIVE,
    }


def test_p8_a_refusal_is_not_the_end_while_it_can_be_objected_to() -> None:
    assert {stage for stage in ProjectStage if stage.ended} == PROJECT_ENDED
    assert not ProjectStage.REFUSED.ended
    assert not ProjectStage.OBJECTION.ended
    assert ProjectStage.CLOSED_REFUSED.ended
    assert not any(stage.live for stage in PROJECT_ENDED)


def test_every_stage_is_told_with_its_rule() -> None:
    assert {stage: project_stage_rule(stage) for stage in ProjectStage} == {
        ProjectStage.RESUME_REVIEW: "U6",
        ProjectStage.ROUTING: "P1",
        ProjectStage.ASSIGNMENT: "P4",
        ProjectStage.CONFLICT_CHECK: "P4",
        ProjectStage.CONFLICT_CONFIRMATION: "P5",
        ProjectStage.APPROVAL: "P6",
        ProjectStage.HELD: "P2",
        ProjectStage.DISPUTED: "P3",
        ProjectStage.REFUSED: "P7",
        ProjectStage.OBJECTION: "P8",
        ProjectStage.ACTIVE: "P9",
        ProjectStage.CONTRACT_SIGNED: "U7",
        ProjectStage.ENDED: "U8",
        ProjectStage.SHELVED: "U4",
        ProjectStage.REJECTED: "P2",
        ProjectStage.CLOSED_REFUSED: "P8",
        ProjectStage.WITHDRAWN: "N13",
        ProjectStage.MERGED: "D6",
    }


@pytest.mark.parametrize(
    ("claimants", "decides"),
    [
        ([claimant(FAN), claimant(JING, "account")], JING),
        ([claimant(JING, "account"), claimant(FAN)], JING),
        ([claimant(TAO), claimant(JING, "account"), claimant(FAN)], JING),  # not another registration's salesperson
        ([claimant(FAN, "account"), claimant(JING, "account")], JING),  # P3: the account that is not the applicant's
        ([claimant(JING, "account"), claimant(TAO, "account")], JING),  # the first of two
        ([claimant(FAN)], FAN),
        ([], FAN),
    ],
)
def test_d2_under_anothers_account_its_responsible_salespersons_vp_decides(
    claimants: list[Claimant], decides: str
) -> None:
    assert deciding_salesperson(Origin.OTHER_ACCOUNT, FAN, claimants) == decides


def test_d2_after_an_objection_the_applicants_vp_decides() -> None:
    """P8."""
    assert deciding_salesperson(Origin.OBJECTION, FAN, [claimant(JING), claimant(TAO, "account")]) == FAN


def test_the_sample_organisation_is_what_these_tests_say_it_is() -> None:
    assert [SAMPLE.vp_of(person) for person in (FAN, LEI, JING, TAO)] == [NORTH_VP, NORTH_VP, EAST_VP, NORTH_VP]
    assert [p.id for p in SAMPLE.holders(Role.GENERAL_MANAGER)] == [MANAGER]
    assert {p.id for p in SAMPLE.holders(Role.PRODUCT_MANAGER)} == PRODUCTS

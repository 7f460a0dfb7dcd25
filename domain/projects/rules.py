"""The registration of a project: what may be answered at each step, and who is notified of what (P, D, U)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from domain.disputes.dispute import TWO_PROJECTS, Claimant
from domain.notices import Notice
from domain.organisation import Organisation, Role
from domain.projects.contract_review import CONTRACT_FIELDS
from domain.projects.project import ProjectStage, Track
from domain.tasks.task import AnswerChoice, Choice, FieldKind, FieldSpec, TaskKind, rulings_field

PROJECT_TASK_RULES: dict[TaskKind, str] = {
    TaskKind.SUPPLY_INFORMATION: "P2",
    TaskKind.ASSIGN_CLERK: "P4",
    TaskKind.CONFLICT_CHECK: "P4",
    TaskKind.CONFLICT_CONFIRMATION: "P5",
    TaskKind.PROJECT_APPROVAL: "P2",
    TaskKind.AGREE_SPLIT: "D1",
    TaskKind.CALL_MEETING: "D2",
    TaskKind.RECORD_MEETING: "D2",
    TaskKind.OBJECTION_REVIEW: "P8",
    TaskKind.RESUME_REVIEW: "U6",
    TaskKind.CONTRACT_REVIEW: "U7",
}
"""The rule a task of a registration or a dispute carries out."""

BOUND_BY_AN_OUTCOME = frozenset({TaskKind.PROJECT_APPROVAL, TaskKind.OBJECTION_REVIEW})
"""D6: answered by the VP of whoever an outcome over another registration has made responsible."""

PROJECT_FORM_FIELD = "project"
"""The field of a `supply` answer that holds the completed project form."""
CLERK_FIELD, SUSPECTS_FIELD = "clerk", "suspects"


def named_suspects(fields: Mapping[str, Any]) -> list[str]:
    """P5: the registrations that an answer, or the note of a task, names as possible conflicts, by id."""
    named = fields.get(SUSPECTS_FIELD)
    return [str(subject_id) for subject_id in named] if isinstance(named, list) else []


def project_choices(
    kind: TaskKind,
    *,
    people: Sequence[str] = (),
    salespeople: Sequence[str] = (),
    suspects: Sequence[str] = (),
    matches: Sequence[str] = (),
    registrations: Sequence[str] = (),
    text_on_the_table: bool = False,
) -> tuple[Choice, ...]:
    """What may be answered. `people` may be assigned or invited, `salespeople` may be made responsible, `suspects` are
    the registrations that were found and may be in conflict, `matches` all that was found, `registrations` those of
    which a meeting says which one goes on (D6). With a text on the table, agreeing without a text confirms it, and
    another text, whole, takes its place (D1)."""
    offered = _offered(kind, people, salespeople, suspects, matches, registrations, text_on_the_table)
    return tuple(choice.model_copy(update={"rule": PROJECT_TASK_RULES[kind]}) for choice in offered)


def _offered(
    kind: TaskKind,
    people: Sequence[str],
    salespeople: Sequence[str],
    suspects: Sequence[str],
    matches: Sequence[str],
    registrations: Sequence[str],
    text_on_the_table: bool,
) -> tuple[Choice, ...]:
    match kind:
        case TaskKind.SUPPLY_INFORMATION:
            form = FieldSpec(name=PROJECT_FORM_FIELD, kind=FieldKind.FORM, required=True)
            return (Choice(choice=AnswerChoice.SUPPLY, fields=(form,)),)
        case TaskKind.ASSIGN_CLERK:
            clerk = FieldSpec(name=CLERK_FIELD, kind=FieldKind.PERSON, required=True, options=tuple(people))
            return (Choice(choice=AnswerChoice.ASSIGN, fields=(clerk,)),)
        case TaskKind.CONFLICT_CHECK:
            found = FieldSpec(
                name=SUSPECTS_FIELD, kind=FieldKind.SUBJECTS, required=True, options=tuple(suspects), others=True
            )
            said = rulings_field(matches)
            suspect = Choice(choice=AnswerChoice.SUSPECT, reason_required=True, fields=(found, *said))
            return (Choice(choice=AnswerChoice.CLEAR, fields=said), suspect)
        case TaskKind.CONFLICT_CONFIRMATION:
            return (Choice(choice=AnswerChoice.CONFLICT, reason_required=True), Choice(choice=AnswerChoice.NO_CONFLICT))
        case TaskKind.PROJECT_APPROVAL:
            return (
                Choice(choice=AnswerChoice.APPROVE),
                Choice(choice=AnswerChoice.HOLD, reason_required=True),
                Choice(choice=AnswerChoice.REJECT, reason_required=True),
            )
        case TaskKind.AGREE_SPLIT:
            new = not text_on_the_table
            text = (
                FieldSpec(
                    name="responsible",
                    kind=FieldKind.PERSON,
                    required=new,
                    options=tuple(salespeople),
                    needs=("cooperation", "split"),
                ),
                FieldSpec(name="cooperation", required=new, needs=("responsible", "split")),
                FieldSpec(name="split", kind=FieldKind.SPLIT, required=new, needs=("responsible", "cooperation")),
            )
            return (
                Choice(choice=AnswerChoice.AGREE, fields=text),
                Choice(choice=AnswerChoice.DISAGREE, reason_required=True),
            )
        case TaskKind.CALL_MEETING:
            meeting = (
                FieldSpec(name="starts_at", kind=FieldKind.MOMENT, required=True),
                FieldSpec(name="duration_minutes", kind=FieldKind.NUMBER, at_least=15, at_most=480),
                FieldSpec(name="place", required=True),
                FieldSpec(
                    name="participants",
                    kind=FieldKind.PEOPLE,
                    required=True,
                    options=tuple(people),
                    at_least=2,
                    at_most=50,
                ),
                FieldSpec(name="missing_because"),
                FieldSpec(name="note"),
            )
            return (Choice(choice=AnswerChoice.CALLED, fields=meeting),)
        case TaskKind.RECORD_MEETING:
            which = FieldSpec(name="goes_on", kind=FieldKind.CHOICE, options=(*registrations, TWO_PROJECTS))
            outcome = (
                FieldSpec(name="responsible", kind=FieldKind.PERSON, required=True, options=tuple(salespeople)),
                FieldSpec(name="split", kind=FieldKind.SPLIT, required=True),
                *((which,) if len(registrations) > 1 else ()),
                FieldSpec(name="summary", required=True),
            )
            return (Choice(choice=AnswerChoice.RECORD, fields=outcome),)
        case TaskKind.OBJECTION_REVIEW:
            return (
                Choice(choice=AnswerChoice.CALL_MEETING),
                Choice(choice=AnswerChoice.UPHOLD_REFUSAL, reason_required=True),
            )
        case TaskKind.RESUME_REVIEW:
            return (Choice(choice=AnswerChoice.ACCEPT), Choice(choice=AnswerChoice.REJECT, reason_required=True))
        case TaskKind.CONTRACT_REVIEW:
            return (
                Choice(choice=AnswerChoice.RECEIVED, fields=CONTRACT_FIELDS),
                Choice(choice=AnswerChoice.SEND_BACK, reason_required=True),
            )
        case _:
            raise ValueError(f"no project asks for {kind}")


def recipients_of_project(
    notice: Notice,
    organisation: Organisation,
    *,
    salesperson: str,
    claimants: Iterable[Claimant] = (),
    involved: Iterable[str] = (),
    products: Iterable[str] = (),
    departments: Collection[str] = (),
) -> tuple[str, ...]:
    """Who is notified, and nobody else. Only active people, once each.

    `claimants` are the other sides of a conflict or dispute; `involved` were asked so far, are the participants of a
    meeting, registered it for whoever is responsible now, or have a part in its contract (D3); `products` are those of
    the project and their vendor, `departments` those that the policy has notified of every loss (U8). Raises
    `ValueError` for a notice that is not about a project.
    """
    sides = list(dict.fromkeys([salesperson, *(claimant.person for claimant in claimants)]))
    others = [person for person in sides if person != salesperson]
    own_gm = _department_gms(organisation, [salesperson])
    gms = _department_gms(organisation, sides)
    vps = _vps(organisation, sides)
    managers = [person.id for person in organisation.holders(Role.GENERAL_MANAGER)]
    commerce = [person.id for person in organisation.holders(Role.COMMERCE_MANAGER)]
    match notice:
        case Notice.REGISTERED_UNDER_ACCOUNT:  # P3
            people = [*others, *vps, *managers, *gms]
        case Notice.CONFLICT_REFUSED:  # P7
            people = [salesperson, *vps]
        case Notice.PROJECT_SUBMITTED | Notice.RESUME_SUBMITTED:
            people = [salesperson]
        case Notice.REFUSAL_UPHELD | Notice.OBJECTION_LAPSED | Notice.RESUME_REJECTED | Notice.CONTRACT_SENT_BACK:
            people = [salesperson]
        case Notice.PROJECT_APPROVED:  # P2, P9
            people = [*sides, *involved, *own_gm, *commerce]
        case Notice.PROJECT_REJECTED | Notice.PROJECT_WITHDRAWN:  # P2
            people = [*sides, *involved]
        case Notice.AGREED | Notice.MEETING_WANTED:  # D1, D2
            people = [*sides, *vps, *managers, *gms]
        case Notice.MEETING_CALLED | Notice.MEETING_MOVED | Notice.MEETING_CALLED_OFF:  # D2, D5
            people = [*involved]
        case Notice.MEETING_RECORDED:
            people = [*sides, *vps, *managers, *gms, *involved]
        case Notice.SILENT_TWO_WEEKS:  # U2
            people = [salesperson, *own_gm]
        case Notice.SILENT_ONE_MONTH | Notice.SHELVED:  # U3, U4
            people = [salesperson, *own_gm, *_vps(organisation, [salesperson])]
        case Notice.STANDING_STILL | Notice.SHELVED_STANDING:  # U10
            people = [*sides, *gms, *vps, *involved]
        case Notice.LOST:  # U8
            people = [*gms, *_gms_of(organisation, departments), *product_managers(organisation, products)]
        case Notice.CONTRACT_SIGNED | Notice.CONTRACT_CORRECTED:  # U7, D3
            people = [salesperson, *involved, *own_gm, *_department_gms(organisation, involved), *commerce]
        case Notice.REASSIGNED:
            people = [salesperson, *own_gm, *involved]
        case _:
            raise ValueError(f"nobody is notified of {notice} about a project")
    known = (organisation.person(person) for person in dict.fromkeys(people))
    return tuple(person.id for person in known if person and person.active)


def meeting_participants(organisation: Organisation, salespeople: Iterable[str]) -> tuple[str, ...]:
    """D2: who sits in a coordination meeting: department GMs and VPs concerned, the COO, the general manager."""
    sides = list(salespeople)
    roles = [person.id for role in (Role.COO, Role.GENERAL_MANAGER) for person in organisation.holders(role)]
    people = [*_department_gms(organisation, sides), *_vps(organisation, sides), *roles]
    known = (organisation.person(person) for person in dict.fromkeys(people))
    return tuple(person.id for person in known if person and person.active)


def project_stage_rule(stage: ProjectStage) -> str:
    """The rule that says what happens at a stage."""
    return {
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
    }[stage]


def track_of(salesperson: str, holders: Iterable[str]) -> Track:
    """P1, P3, P4: `holders` are the responsible salespeople of the Named Accounts that the project touches."""
    held = set(holders)
    if held - {salesperson}:
        return Track.OTHER_ACCOUNT
    return Track.OWN_ACCOUNT if held else Track.NON_NAMED


def _department_gms(organisation: Organisation, people: Iterable[str]) -> list[str]:
    offices = (organisation.department_of(person) for person in people)
    return [office.gm for office in offices if office and office.gm]


def _gms_of(organisation: Organisation, departments: Collection[str]) -> list[str]:
    named = [office for office in organisation.departments if office.id in departments or "*" in departments]
    return [office.gm for office in named if office.gm]


def product_managers(organisation: Organisation, products: Iterable[str]) -> tuple[str, ...]:
    """U8: who answers for any of `products`; one who names none answers for all. With nobody left, everyone: a loss
    of something new is better known to too many than to none."""
    holders = organisation.holders(Role.PRODUCT_MANAGER)
    sold = [_plain(product) for product in products]
    own = [
        person.id
        for person in holders
        if not person.products
        or any(_plain(own_product) in product for own_product in person.products for product in sold)
    ]
    return tuple(own or [person.id for person in holders])


def _plain(product: str) -> str:
    """A product as people mean it: width, case and spaces tell nothing apart."""
    return "".join(unicodedata.normalize("NFKC", product).casefold().split())


def _vps(organisation: Organisation, people: Iterable[str]) -> list[str]:
    return [vp for vp in (organisation.vp_of(person) for person in people) if vp]

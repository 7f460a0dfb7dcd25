"""The life of a Named Account application: what may be answered at each step, who is notified, what stands in the way.

Pure. The workflow walks these rules, the activities apply what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from domain.accounts.application import Stage
from domain.accounts.evidence import FACTS, EvidenceKind
from domain.base import Wire
from domain.notices import Notice
from domain.organisation import Organisation, Role
from domain.tasks.task import (
    AnswerChoice,
    AssigneeCapacity,
    Choice,
    Decision,
    FieldKind,
    FieldSpec,
    TaskKind,
    rulings_field,
)

RULES: dict[TaskKind, str] = {
    TaskKind.COMMERCE_CHECK: "N5",
    TaskKind.SUPPLY_INFORMATION: "N1",
    TaskKind.VP_REVIEW: "N6",
    TaskKind.GM_APPROVAL: "N8",
    TaskKind.GM_APPEAL: "N10",
}
"""The rule a task carries out."""

FORM_FIELD = "application"
"""The field of a `supply` answer that holds the corrected form."""


def note_field(kind: EvidenceKind) -> str:
    """N5: the field in which a clerk confirms, corrects or adds to one piece of evidence."""
    return f"note_{kind.value}"


YES, NO = "yes", "no"


def source_field(fact: str) -> str:
    """N5: the field that says where a clerk has a corrected fact from."""
    return f"{fact}_source"


def fact_fields() -> Iterator[FieldSpec]:
    """N5, E2: a clerk may say of each fact how it is, and where they have it from: neither without the other."""
    for fact in FACTS.values():
        yield FieldSpec(name=fact, kind=FieldKind.CHOICE, options=(YES, NO), needs=(source_field(fact),))
        yield FieldSpec(name=source_field(fact), needs=(fact,))


def choices_for(kind: TaskKind, *, above_limit: bool = False, matches: Sequence[str] = ()) -> tuple[Choice, ...]:
    """What may be answered. Above the account limit an approving VP must state a special reason (N8). `matches`: what
    was found that the clerk may rule on separately (N3, N14)."""
    reject = Choice(choice=AnswerChoice.REJECT, reason_required=True)
    match kind:
        case TaskKind.COMMERCE_CHECK:
            notes = tuple(FieldSpec(name=note_field(evidence)) for evidence in EvidenceKind)
            fields = (*notes, *fact_fields(), *rulings_field(matches))
            return (
                Choice(choice=AnswerChoice.PASS, fields=fields),
                Choice(choice=AnswerChoice.RETURN, reason_required=True, fields=fields),
            )
        case TaskKind.SUPPLY_INFORMATION:
            return (
                Choice(
                    choice=AnswerChoice.SUPPLY, fields=(FieldSpec(name=FORM_FIELD, kind=FieldKind.FORM, required=True),)
                ),
            )
        case TaskKind.VP_REVIEW:
            return (
                Choice(choice=AnswerChoice.APPROVE, reason_required=above_limit, special_reason=above_limit),
                reject,
            )
        case TaskKind.GM_APPROVAL | TaskKind.GM_APPEAL:
            return (Choice(choice=AnswerChoice.APPROVE), reject)
        case _:
            raise ValueError(f"no application asks for {kind}")


def above_limit(accounts_held: int, limit: int) -> bool:
    """N8: one more account would give the salesperson more than the limit."""
    return accounts_held + 1 > limit


def approvals_without_special_reason(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """N8: approvals given before the salesperson reached the limit; those VPs are asked again for a special reason."""
    return tuple(d for d in decisions if d.choice == AnswerChoice.APPROVE and not d.special)


class Rejection(Wire):
    """N9: who said no, at which step, and why."""

    task_id: str
    kind: TaskKind
    person: str
    on_behalf_of: str | None = None
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    reason: str
    at: datetime
    appeal_until: datetime | None = None


def may_be_appealed(decision: Decision, organisation: Organisation) -> bool:
    """N10: an appeal goes from a VP's rejection to the general manager; what they rejected themselves is final."""
    managers = {person.id for person in organisation.holders(Role.GENERAL_MANAGER)}
    return decision.kind is TaskKind.VP_REVIEW and decision.person not in managers


def appeal_in_time(said_at: datetime, now: datetime, until: datetime) -> bool:
    """N10: whether an appeal came before `until`. One said in time may have waited for a worker; its seal vouches."""
    return min(said_at, now) < until


class Obstacle(StrEnum):
    """Why an approved application does not become an account at this moment."""

    ABOVE_LIMIT = "above_limit"
    """N8: the general manager has to approve first."""
    ACCOUNT = "conflict_with_account"
    """N14: another account holds the claim."""
    APPLICATION = "conflict_with_application"
    """N14: an earlier application still stands."""
    APPLICANT_LEFT = "applicant_left"
    """A2: an account needs a responsible salesperson, and this one is no longer with the company."""

    @property
    def rule(self) -> str:
        return {Obstacle.ABOVE_LIMIT: "N8", Obstacle.APPLICANT_LEFT: "A2"}.get(self, "N14")


def recipients_of(
    notice: Notice, organisation: Organisation, *, applicant: str, department: str | None, involved: Iterable[str]
) -> tuple[str, ...]:
    """Who is notified. `involved`: everyone asked or heard so far. Only active people, once each."""
    office = organisation.departments_by_id.get(department or "")
    department_gm = [office.gm] if office and office.gm else []
    commerce = [person.id for person in organisation.holders(Role.COMMERCE_MANAGER)]
    vps = list(organisation.sales_vps)
    people: list[str]
    match notice:
        case Notice.SUBMITTED:
            people = [applicant]
        case Notice.REJECTED:
            people = [applicant, *department_gm, *commerce]
        case Notice.APPEAL_FILED:
            people = [*commerce, *vps]
        case Notice.ACTIVATED:
            people = [applicant, *department_gm, *vps, *commerce]
        case Notice.WITHDRAWN:
            people = [applicant, *involved]
        case Notice.CLOSED_REJECTED | Notice.REFUSED:
            people = [applicant, *department_gm, *vps, *commerce]
        case Notice.APPLICATION_STANDING_STILL | Notice.LAPSED:
            people = [applicant, *department_gm, *commerce]
        case _:
            raise ValueError(f"nobody is told of {notice} about an application")
    known = (organisation.person(person) for person in dict.fromkeys(people))
    return tuple(person.id for person in known if person and person.active)


def stage_rule(stage: Stage) -> str:
    """The rule that says what happens at a stage."""
    return {
        Stage.EVIDENCE: "N3",
        Stage.COMMERCE_CHECK: "N2",
        Stage.RETURNED: "N5",
        Stage.VP_REVIEW: "N6",
        Stage.GM_APPROVAL: "N8",
        Stage.REJECTED: "N9",
        Stage.GM_APPEAL: "N10",
        Stage.ACTIVE: "N7",
        Stage.CLOSED_REJECTED: "N10",
        Stage.WITHDRAWN: "N13",
        Stage.REFUSED: "N14",
        Stage.LAPSED: "U10",
    }[stage]

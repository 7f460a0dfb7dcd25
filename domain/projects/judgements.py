"""Whether a statement about a registration is accepted, or refused with which code (P2, P8, U1, U5–U8, A2, A6).

Every function raises `Refused`, or returns what the record needs to apply the statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from domain.access import may_receive_contract
from domain.accounts.named_account import appeal_in_time
from domain.organisation import Organisation, Person, Role
from domain.projects.contract_review import application_problems, correction_problems, receipt_problems, received
from domain.projects.project import (
    ContractCorrection,
    ContractReview,
    Loss,
    ProjectForm,
    ProjectStage,
    ProjectUpdate,
)
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.refusals import RefusalCode, Refused, refuse_wrong
from domain.statements import (
    AnswerTask,
    CorrectContract,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    UpdateProject,
    Withdraw,
)
from domain.tasks.task import AnswerChoice, TaskKind

OPERATOR = "operator:"
"""What the name of whoever runs a command begins with; no person of the organisation can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFacts:
    """What the record holds of a registration when somebody makes a statement about it."""

    stage: ProjectStage
    applicant: str
    salesperson: str
    """Who is responsible for it now."""
    lost: bool = False
    contract_received: bool = False
    contract_with_commerce: bool = False
    """U7: commerce has an application to record or send back."""
    withdrawn: bool = False
    objected: bool = False
    objection_until: datetime | None = None
    """P8: until when the refusal may be objected to; None unless it was refused."""
    agreement_waits: bool = False
    """D4: somebody has stepped in, and the process is on its way to the meeting."""

    @property
    def own_people(self) -> frozenset[str]:
        """Whose project it is by now, and who registered it."""
        return frozenset({self.applicant, self.salesperson})


def judge_registration(
    said: RegisterProject, person: Person | None, *, resumed: tuple[ProjectStage, str] | None = None
) -> Person:
    """P1, P4: somebody active registers. U6: only a shelved project is resumed, and by its salesperson. `resumed`: the
    stage and the salesperson of the project named in the statement, where there is one."""
    if person is None or not person.active:
        raise Refused(RefusalCode.PERSON_INACTIVE)
    if said.resumes is None:
        return person
    if said.resumption is None:
        raise Refused(RefusalCode.UNREADABLE)
    allow_resumption(resumed, said.person)
    return person


def allow_resumption(resumed: tuple[ProjectStage, str] | None, person: str, *, running: bool = False) -> None:
    """U6: whether `person` may resume a project, given its stage and its salesperson: a shelved one of their own, which
    no other registration resumes (`running`)."""
    if resumed is None or resumed[0] is not ProjectStage.SHELVED:
        raise Refused(RefusalCode.PROJECT_NOT_SHELVED)
    if resumed[1] != person:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)
    if running:
        raise Refused(RefusalCode.RESUME_RUNNING)


def allow_report(facts: ProjectFacts, person: str) -> None:
    """U1, U8: whether `person` may report on the project now: its responsible salesperson, while it is active."""
    _require_salesperson(facts, person)
    _require_active(facts)


def judge_update(facts: ProjectFacts, said: UpdateProject) -> ProjectUpdate:
    """U1: by the responsible salesperson of an active project."""
    allow_report(facts, said.person)
    if said.update is None:
        raise Refused(RefusalCode.UNREADABLE)
    return said.update


def judge_loss(facts: ProjectFacts, said: ReportLoss) -> Loss:
    """U8: by the responsible salesperson of an active project; the reason is required."""
    allow_report(facts, said.person)
    if said.loss is None:
        raise Refused(RefusalCode.UNREADABLE)
    return said.loss


def judge_contract(
    facts: ProjectFacts, said: ReceiveContract, person: Person | None, *, today: date
) -> tuple[ContractReview, bool]:
    """U7: the contract, and whether its salesperson hands the application in; otherwise commerce records one that it
    has received on paper, whether or not it was handed in here as well. `today`: in the business time zone."""
    handed_in = allow_contract(facts, person)
    if said.contract is None:
        raise Refused(RefusalCode.UNREADABLE)
    problems = application_problems if handed_in else receipt_problems
    refuse_wrong(problems(said.contract, today=today))
    return said.contract, handed_in


def allow_contract(facts: ProjectFacts, person: Person | None) -> bool:
    """U7: whether `person` may submit or record a contract now; returns whether it is the salesperson's application."""
    handed_in = person is not None and person.id == facts.salesperson
    if person is None or not (handed_in or may_receive_contract(person, own=facts.own_people)):
        raise Refused(RefusalCode.NOT_COMMERCE_OR_SALESPERSON)
    _require_active(facts)
    if handed_in and facts.contract_with_commerce:
        raise Refused(RefusalCode.CONTRACT_REVIEW_OPEN)
    return handed_in


def signed_amount(stage: ProjectStage | None, contract: Mapping[str, Any] | None) -> Decimal:
    """U7: the amount of the signed contract on record. `stage`: None where there is no such project."""
    if stage is not ProjectStage.CONTRACT_SIGNED or contract is None:
        raise Refused(RefusalCode.CONTRACT_NOT_SIGNED)
    return Decimal(str(contract["amount"]))


def judge_correction(
    said: CorrectContract, person: Person | None, *, signed: Decimal, own: Collection[str]
) -> ContractCorrection:
    """U7: commerce corrects the amount of a signed contract. `signed`: the amount on record; `own`: whose project it
    is, and who registered it."""
    if person is None or not person.active or not may_receive_contract(person, own=own):
        raise Refused(RefusalCode.NOT_COMMERCE)
    if said.correction is None:
        raise Refused(RefusalCode.UNREADABLE)
    refuse_wrong(correction_problems(said.correction, amount=signed))
    return said.correction


def judge_objection(facts: ProjectFacts, said: ObjectToRefusal, *, now: datetime) -> None:
    """P8: once, by the salesperson, in time."""
    allow_objection(facts, said.person, said_at=said.said_at, now=now)


def allow_objection(facts: ProjectFacts, person: str, *, said_at: datetime, now: datetime) -> None:
    """P8: whether `person` may object, with an objection made at `said_at` and judged at `now`."""
    _require_salesperson(facts, person)
    if facts.objected:
        raise Refused(RefusalCode.OBJECTION_USED)
    until = facts.objection_until
    if facts.stage is not ProjectStage.REFUSED or until is None:
        raise not_at_this_stage(facts.stage)
    if not appeal_in_time(said_at, now, until):
        raise Refused(RefusalCode.OBJECTION_TOO_LATE, until=until.isoformat())


def judge_withdrawal(facts: ProjectFacts, said: Withdraw) -> None:
    """By the salesperson, at any time before the approval; an active project is lost or signed, not withdrawn.

    What a dispute has made somebody else's (D2) is theirs to withdraw, and no longer the applicant's.
    """
    allow_withdrawal(facts, said.person)


def allow_withdrawal(facts: ProjectFacts, person: str) -> None:
    """Whether `person` may withdraw the registration now."""
    _require_salesperson(facts, person)
    if facts.stage.ended or facts.stage is ProjectStage.ACTIVE or facts.withdrawn:
        raise not_at_this_stage(facts.stage)


def judge_reassignment(facts: ProjectFacts, said: Reassign, organisation: Organisation) -> Person:
    """A2, A6: an operator hands the project to another salesperson, who is returned."""
    successor = judge_successor(said, organisation)
    if facts.stage.ended:
        raise not_at_this_stage(facts.stage)
    if said.was and facts.salesperson != said.was:  # a dispute, or the same command given before, was quicker
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT, salesperson=facts.salesperson)
    return successor


def judge_successor(said: Reassign, organisation: Organisation) -> Person:
    """A6: whom an operator hands something to: an active salesperson."""
    if not said.person.startswith(OPERATOR):
        raise Refused(RefusalCode.NOT_OPERATOR)
    successor = organisation.person(said.to)
    if successor is None or not successor.active or Role.SALESPERSON not in successor.roles:
        raise Refused(RefusalCode.REASSIGN_UNKNOWN, person=said.to)
    return successor


def judge_answer(facts: ProjectFacts, kind: TaskKind, said: AnswerTask, *, today: date) -> None:
    """What the form of an answer to a task of the registration does not show (P2, U7, D4)."""
    if facts.agreement_waits:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=ProjectStage.DISPUTED.value)
    if kind is TaskKind.SUPPLY_INFORMATION:
        supplied_form(said)
    elif kind is TaskKind.CONTRACT_REVIEW:
        _require_active(facts)
        if said.choice == AnswerChoice.RECEIVED:
            contract = received(said.fields)
            refuse_wrong(receipt_problems(contract, today=today, number_field="number", prefix="fields."))


def supplied_form(said: AnswerTask) -> ProjectForm:
    """P2: the completed form that an answer brings."""
    try:
        return ProjectForm.model_validate(said.fields[PROJECT_FORM_FIELD])
    except ValidationError:
        raise Refused(RefusalCode.UNREADABLE) from None


def not_at_this_stage(stage: ProjectStage) -> Refused:
    """Nothing of the kind is accepted about a registration at `stage`."""
    return Refused(RefusalCode.PROJECT_STAGE_DOES_NOT_ALLOW, stage=stage.value)


def _require_active(facts: ProjectFacts) -> None:
    """Active, and nothing on record that ends it with the next step."""
    if facts.stage is not ProjectStage.ACTIVE or facts.lost or facts.contract_received:
        raise Refused(RefusalCode.PROJECT_NOT_ACTIVE, stage=facts.stage.value, status=facts.stage.status.value)


def _require_salesperson(facts: ProjectFacts, person: str) -> None:
    if person != facts.salesperson:
        raise Refused(RefusalCode.NOT_SALESPERSON_OF_PROJECT)

"""Whether a statement in a dispute is accepted, or refused with which code (D1–D6, A6).

Every function raises `Refused`, or returns what the record needs to apply the statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from domain.access import may_call_meeting, may_move_meeting, steps_in_for
from domain.base import Frozen
from domain.disputes.dispute import (
    Agreement,
    Claimant,
    DisputeStage,
    MeetingCall,
    MeetingOutcome,
    agreement_waits,
)
from domain.disputes.meetings import empty_seats
from domain.disputes.split import Split
from domain.organisation import Organisation, Person
from domain.projects.judgements import judge_successor
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode, Refused, refuse_wrong
from domain.statements import AnswerTask, CallForMeeting, MoveMeeting, Reassign
from domain.tasks.task import AnswerChoice, AnswerOutcome, Problem

M = TypeVar("M", bound=Frozen)

UNDECIDED = frozenset({ProjectStage.DISPUTED, ProjectStage.APPROVAL, ProjectStage.HELD})
"""D4: the stages of a project at which somebody may still step in after an agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFacts:
    """What the record holds of a dispute when somebody makes a statement in it."""

    stage: DisputeStage
    project_stage: ProjectStage
    project_over: bool = False
    """Its project was withdrawn, or is not in dispute any more."""
    claimants: tuple[Claimant, ...]
    """The sides, the project's own first."""
    salesperson: str
    """Who is responsible for the project now."""
    proposal: Mapping[str, Any] | None = None
    """D1: the text on the table: `responsible`, `cooperation`, `split`, its `round`, and by whom it is `confirmed`."""
    wanted: Mapping[str, Any] | None = None
    """D2: who wants the meeting, why and when."""
    called: bool = False
    """D2: the meeting is called, and not called off (D5)."""
    outcome_recorded: bool = False

    @property
    def sides(self) -> tuple[str, ...]:
        """The salespeople who have to agree."""
        return tuple(dict.fromkeys(claimant.person for claimant in self.claimants))

    @property
    def all_confirmed(self) -> bool:
        """D1: every side has confirmed the text on the table."""
        return self.proposal is not None and set(self.proposal["confirmed"]) >= set(self.sides)

    @property
    def table(self) -> Agreement | None:
        """D1: the text on the table."""
        if self.proposal is None:
            return None
        named = {name: self.proposal[name] for name in Agreement.model_fields if name in self.proposal}
        return Agreement.model_validate({"responsible": self.salesperson, **named})  # not named before 0.2


def judge_task_open(facts: DisputeFacts, said: AnswerTask, *, slot: str) -> None:
    """Whatever is answered: the dispute runs, and a side answers for itself alone. `slot`: the side that is asked."""
    if facts.project_over or facts.stage.ended:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=facts.project_stage.value)
    if said.person in facts.sides and said.person != slot:
        raise Refused(RefusalCode.OWN_APPLICATION)


def judge_agreement(facts: DisputeFacts, said: AnswerTask, *, round: int) -> Agreement | None:
    """D1: all confirm one text, the one they have before them, for as long as nobody wants the meeting.

    `round`: of the task that is answered. Returns the text that the answer puts on the table, if it brings one.
    """
    if facts.wanted is not None or facts.all_confirmed:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=facts.stage.value)
    if said.choice != AnswerChoice.AGREE:
        return None
    given = [value for value in said.fields.values() if value is not None and str(value).strip()]
    text, table = read_fields(Agreement, said) if given else None, facts.table
    if text is not None:
        if text.responsible not in facts.sides:
            raise _wrong("responsible", "D1", "not_among_options", value=text.responsible)
        _require_known(text.split, facts.sides)
    elif table is None:
        raise _wrong("cooperation", "D1", "missing")
    unseen = facts.proposal is not None and facts.proposal["round"] != round
    # Whoever was asked before this text came onto the table has not seen it; but the very same words need no reading.
    if unseen and (text is None or not same_text(text, table)):
        raise Refused(RefusalCode.AGREEMENT_OUTDATED)
    return text


class AgreementEffect(NamedTuple):
    """D1: what an accepted agreement does."""

    confirms: bool
    """It confirms the text on the table; otherwise its own text takes that place."""
    outcome: AnswerOutcome
    ask: tuple[str, ...] = ()
    """The sides that are asked to confirm the new text."""


def agreement_effect(facts: DisputeFacts, slot: str, text: Agreement | None) -> AgreementEffect:
    """D1: what follows once the side in `slot` agrees, with a `text` of their own or without."""
    if facts.proposal is not None and (text is None or same_text(text, facts.table)):
        everybody = {*facts.proposal["confirmed"], slot} >= set(facts.sides)
        return AgreementEffect(True, AnswerOutcome.AGREED if everybody else AnswerOutcome.CONFIRMED)
    others = tuple(person for person in facts.sides if person != slot)
    return AgreementEffect(False, AnswerOutcome.PROPOSED if others else AnswerOutcome.AGREED, others)


def same_text(text: Agreement, other: Agreement | None) -> bool:
    """The same person, the same words and the same shares, in whatever order these are written."""
    if other is None:
        return False
    words = text.responsible == other.responsible and text.cooperation == other.cooperation
    return words and set(text.split) == set(other.split)


def judge_call_for_meeting(
    facts: DisputeFacts, said: CallForMeeting, organisation: Organisation, now: datetime
) -> None:
    """D2: a side, a VP concerned or the general manager wants the meeting, while the sides still negotiate."""
    person, sides = organisation.person(said.person), (*facts.sides, facts.salesperson)
    if person is None or not person.active or not may_call_meeting(person, organisation, sides, now):
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    negotiating = facts.stage is DisputeStage.NEGOTIATION
    if facts.wanted and not facts.stage.ended and not facts.project_over and not negotiating:
        raise _already_wanted(facts.wanted)
    if not negotiating or facts.project_over or facts.all_confirmed:
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=facts.stage.value)


def meeting_wanted(
    organisation: Organisation, sides: Collection[str], *, person: str, reason: str, now: datetime
) -> dict[str, str]:
    """D2, D4: who wants the meeting, on whose behalf, why and when."""
    known = organisation.person(person)
    principal = steps_in_for(known, organisation, sides, now) if known else None
    behalf = {"on_behalf_of": principal} if principal and principal != person else {}
    return {"by": person, **behalf, "reason": reason, "at": now.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSummary:
    """One of the disputes over a project."""

    id: str
    stage: DisputeStage
    sides: tuple[str, ...]
    wanted: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementFacts:
    """D4: what the record holds of a project when somebody steps in after an agreement."""

    stage: ProjectStage
    disputes: Sequence[DisputeSummary] = ()
    """All over this project, oldest first."""
    agreement: Mapping[str, Any] | None = None
    """The outcome that binds the project."""
    withdrawn: bool = False
    decided: bool = False
    """The VP has approved or rejected it, and the process is about to say so."""

    @property
    def agreed(self) -> DisputeSummary | None:
        """The dispute in which all have agreed, while the project is undecided and nothing else has bound it since."""
        running = any(not dispute.stage.ended for dispute in self.disputes)
        agreed = next((known for known in reversed(self.disputes) if known.stage is DisputeStage.AGREED), None)
        if running or agreed is None or self.stage not in UNDECIDED or self.withdrawn:
            return None
        return agreed if (self.agreement or {}).get("dispute") == agreed.id else None


def judge_stepping_in(
    facts: AgreementFacts, said: CallForMeeting, organisation: Organisation, now: datetime
) -> tuple[DisputeSummary, bool]:
    """D4: a VP concerned or the general manager steps in after the sides have agreed and before the project is decided.

    Returns the dispute in which they have agreed, and whether anything is to be recorded: somebody may have been
    quicker.
    """
    agreed = facts.agreed
    if agreed is None:
        for dispute in facts.disputes:  # another's call has led to the next dispute
            if dispute.wanted and not dispute.stage.ended:
                raise _already_wanted(dispute.wanted)
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=facts.stage.value)
    person = organisation.person(said.person)
    if person is None or not person.active or not may_call_meeting(person, organisation, agreed.sides, now):
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    if steps_in_for(person, organisation, agreed.sides, now) is None:
        raise Refused(RefusalCode.AGREEMENT_BINDS)
    if agreement_waits(facts.agreement):
        return agreed, False
    if facts.decided:
        raise Refused(RefusalCode.PROJECT_DECIDED)
    return agreed, True


def judge_meeting(
    meeting: MeetingCall,
    organisation: Organisation,
    *,
    sides: Iterable[str],
    invitable: Collection[str],
    now: datetime,
    prefix: str = "",
) -> None:
    """D2, D5: the meeting is to come, whoever belongs in it is there or said to be missing with a reason, and nobody
    else is who may not see the case. `prefix`: what stands before the names of the fields."""
    problems = []
    if meeting.starts_at <= now:
        problems.append(Problem(field=f"{prefix}starts_at", rule="D2", key="meeting_in_the_past"))
    for stranger in (person for person in dict.fromkeys(meeting.participants) if person not in invitable):
        params = {"person": organisation.name_of(stranger)}
        problems.append(Problem(field=f"{prefix}participants", rule="D5", key="may_not_see_case", params=params))
    missing = empty_seats(organisation, sides, meeting.participants, (now, meeting.starts_at))
    if missing and not meeting.missing_because.strip():
        params = {"people": "、".join(organisation.name_of(person) for person in missing)}
        field = f"{prefix}missing_because"
        problems.append(Problem(field=field, rule="D5", key="missing_without_reason", params=params))
    refuse_wrong(problems)


def judge_called_off_meeting(facts: DisputeFacts, person: Person | None) -> None:
    """D5: commerce, unless it is a side, calls off a meeting that was called and has no outcome yet."""
    if person is None or not person.active or not may_move_meeting(person):
        raise Refused(RefusalCode.ONLY_COMMERCE_MOVES_MEETING)
    if person.id in facts.sides:
        raise Refused(RefusalCode.OWN_APPLICATION)
    to_come = facts.stage is DisputeStage.MEETING and facts.called and not facts.outcome_recorded
    if not to_come or facts.project_over:
        raise Refused(RefusalCode.MEETING_NOT_CALLED, stage=facts.stage.value)


def judge_moved_meeting(facts: DisputeFacts, said: MoveMeeting, person: Person | None) -> MeetingCall:
    """D5: commerce moves a meeting that it could call off. The meeting itself is for `judge_meeting`."""
    judge_called_off_meeting(facts, person)
    if said.meeting is None:
        raise Refused(RefusalCode.UNREADABLE)
    return said.meeting


def judge_outcome(
    facts: DisputeFacts, outcome: MeetingOutcome, organisation: Organisation, *, survivor_over: bool
) -> None:
    """D2, D3, D6: the meeting, which was not called off at that moment (D5), makes a side responsible, and nothing is
    merged into a registration that is over. `survivor_over`: the other registration that is to go on has ended
    without a contract."""
    if not facts.called:
        raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=DisputeStage.CALLING_MEETING.value)
    if outcome.responsible not in facts.sides:
        raise _wrong("responsible", "D2", "not_among_options", value=outcome.responsible)
    _require_known(outcome.split, {*facts.sides, *(person.id for person in organisation.people if person.active)})
    if survivor_over:
        raise _wrong("goes_on", "D6", "registration_is_over")


def judge_side_reassignment(facts: DisputeFacts, said: Reassign, organisation: Organisation) -> Person:
    """A6, D1: an operator hands the side of an account holder to another salesperson, who is returned."""
    successor = judge_successor(said, organisation)
    if facts.stage.ended or facts.project_over:
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=facts.stage.value)
    if not any(side.person == said.was and side.subject_type == "account" for side in facts.claimants):
        raise Refused(RefusalCode.NOT_PARTY_OF_DISPUTE)
    return successor


def read_fields(model: type[M], said: AnswerTask) -> M:
    """The fields of an answer as what they are meant to be."""
    given = {name: value for name, value in said.fields.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError:
        raise Refused(RefusalCode.UNREADABLE) from None


def _already_wanted(wanted: Mapping[str, Any]) -> Refused:
    """D2: the meeting is on its way; nothing is to be added."""
    return Refused(RefusalCode.MEETING_ALREADY_WANTED, by=str(wanted["by"]), at=str(wanted["at"]))


def _require_known(split: Split, known: Collection[str]) -> None:
    """D3: everybody whom a split names is one of `known`."""
    if any(share.person not in known for share in split):
        raise _wrong("split", "D3", "split_names_stranger")


def _wrong(field: str, rule: str, key: str, **params: str) -> Refused:
    return Refused(key, problems=(Problem(field=f"fields.{field}", rule=rule, key=key, params=params),))

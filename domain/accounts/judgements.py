"""Whether what somebody says of a Named Account application is accepted, or refused and why (N5, N6, N10, N13, N15).

Pure. Answers to tasks are judged in `domain.tasks.judgements`; here is what their form does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import JsonValue, ValidationError

from domain.access import can_still_withdraw, may_gather_evidence
from domain.accounts.application import WEIGHED, ApplicationForm, Stage
from domain.accounts.eligibility import refusal_problems, refusals
from domain.accounts.named_account import FORM_FIELD, appeal_in_time
from domain.base import Frozen
from domain.organisation import Organisation, Person
from domain.policy import EligibilityRules
from domain.refusals import RefusalCode, Refused, refuse_wrong
from domain.statements import AppealRejection, GatherEvidence, Withdraw
from domain.tasks.task import Decision, TaskKind

_ONE_PERSON_COUNTS_ONCE = frozenset({TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})


class StatementFacts(Frozen):
    """What the record holds of an application when somebody says something of it."""

    stage: Stage
    applicant: str
    appealed: bool = False
    appeal_until: datetime | None = None
    """N10: until when its rejection may be appealed."""


def judge_withdrawal(facts: StatementFacts, withdrawal: Withdraw) -> None:
    """N13: by the applicant, at any time before the end. Raises `Refused`."""
    allow_withdrawal(facts, withdrawal.person)


def allow_withdrawal(facts: StatementFacts, person: str) -> None:
    """N13: whether `person` may withdraw the application now. Raises `Refused`."""
    if person != facts.applicant:
        raise Refused(RefusalCode.NOT_APPLICANT)
    if not can_still_withdraw(facts.stage):
        raise stage_refuses(facts.stage)


def judge_appeal(facts: StatementFacts, appeal: AppealRejection, now: datetime) -> None:
    """N10: once, by the applicant, in time. Raises `Refused`."""
    allow_appeal(facts, appeal.person, said_at=appeal.said_at, now=now)


def allow_appeal(facts: StatementFacts, person: str, *, said_at: datetime, now: datetime) -> None:
    """N10: whether `person` may appeal, with an appeal made at `said_at` and judged at `now`. Raises `Refused`."""
    if person != facts.applicant:
        raise Refused(RefusalCode.NOT_APPLICANT)
    if facts.appealed:
        raise Refused(RefusalCode.APPEAL_USED)
    until = facts.appeal_until
    if facts.stage is not Stage.REJECTED or until is None:
        raise stage_refuses(facts.stage)
    if not appeal_in_time(said_at, now, until):
        raise Refused(RefusalCode.APPEAL_TOO_LATE, until=until.isoformat())


def judge_gathering(facts: StatementFacts, wish: GatherEvidence, organisation: Organisation) -> None:
    """N15: commerce, while somebody has the evidence before them. Raises `Refused`."""
    allow_gathering(facts, organisation.person(wish.person))


def allow_gathering(facts: StatementFacts, person: Person | None) -> None:
    """N15: whether `person` may have the evidence gathered again now. Raises `Refused`."""
    if person is None or not person.active or not may_gather_evidence(person):
        raise Refused(RefusalCode.ONLY_COMMERCE_GATHERS)
    if facts.stage not in WEIGHED:
        raise stage_refuses(facts.stage)


def judge_supplied_form(fields: Mapping[str, JsonValue], rules: EligibilityRules) -> ApplicationForm:
    """N5: the completed form is a whole one, and no rule refuses it (E2, E3). Raises `Refused`."""
    try:
        form = ApplicationForm.model_validate(fields[FORM_FIELD])
    except ValidationError:
        raise Refused(RefusalCode.UNREADABLE) from None
    refuse_wrong(refusal_problems(refusals(form, rules), prefix=f"fields.{FORM_FIELD}."))
    return form


def stage_refuses(stage: Stage) -> Refused:
    """What is said of an application is not for its stage."""
    return Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=stage.value)


def ruled_out(
    kind: TaskKind, slot: str, *, other_slots: Iterable[str], reviews: Iterable[Decision], vps: Iterable[str]
) -> frozenset[str]:
    """Who holds or has decided another VP's review in this round: one person counts once (N6).

    For the general manager's own tasks, any VP's review: nobody decides for them on what they reviewed (N8, N10).

    Args:
        slot: of the task that somebody is asked by.
        other_slots: of the other reviews of its round.
        reviews: the decisions of its round on reviews.
        vps: the slots of a complete review.
    """
    if kind not in _ONE_PERSON_COUNTS_ONCE:
        return frozenset()
    deciders = {review.person for review in reviews if review.slot != slot}
    named = frozenset(vps) if kind is TaskKind.VP_REVIEW else frozenset()
    return named - {slot} | frozenset(other_slots) | deciders

"""What the double works out from the rows of a dispute and its project, as the record does from its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from domain.access import SEES_EVERYTHING
from domain.disputes.dispute import deciding_salesperson, ended_by
from domain.disputes.meetings import may_be_invited
from domain.organisation import Organisation
from domain.tasks.task import Ask, TaskKind


def registrations(dispute: DisputeRow) -> tuple[str, ...]:
    """D6: those that are sides of it, its project first."""
    theirs = {side.subject_id for side in dispute.claimants if side.subject_type == "project"}
    return (dispute.project_id, *sorted(theirs - {dispute.project_id}))


def slots(dispute: DisputeRow, project: ProjectRow, ask: Ask) -> Sequence[str]:
    """A6: a side may have been handed to somebody else since the process was told whom to ask."""
    if ask.kind is TaskKind.RECORD_MEETING:
        others = [claimant for claimant in dispute.claimants if claimant.subject_id != project.id]
        return (deciding_salesperson(dispute.origin, project.applicant, others),)
    if ask.kind is not TaskKind.AGREE_SPLIT or ask.slot in dispute.sides:
        return (ask.slot,)
    confirmed = dispute.proposal["confirmed"] if dispute.proposal else {}
    return tuple(person for person in dispute.sides if person not in confirmed)


def held_at(dispute: DisputeRow) -> list[datetime]:
    """D2: when the meeting takes place, once it is called."""
    return [datetime.fromisoformat(str(dispute.called["starts_at"]))] if dispute.called else []


def invitable(
    dispute: DisputeRow,
    project: ProjectRow,
    organisation: Organisation,
    *,
    asked: Iterable[str],
    now: datetime,
    starts_at: datetime | None = None,
) -> tuple[str, ...]:
    """D5: who may be invited; `asked`: by any task of the project. Without a moment, the delegates of any day to come
    are among them."""
    offices = [office for office in organisation.departments if office.id == project.department]
    seen_by = [
        project.applicant,
        project.salesperson,
        *(person for office in offices for person in (office.gm, office.vp) if person),
        *(person.id for person in organisation.people if person.roles & SEES_EVERYTHING),
        *asked,
    ]
    coming = [delegation.start for delegation in organisation.delegations if delegation.start > now]
    return may_be_invited(organisation, dispute.sides, seen_by, (now, starts_at) if starts_at else (now, *coming))


def agreed_outcome(dispute: DisputeRow, now: datetime) -> dict[str, Any]:
    """D1: the text on the table as what has been agreed."""
    assert dispute.proposal is not None
    text = {name: dispute.proposal[name] for name in ("cooperation", "split", "responsible")}
    return {"how": "agreed", **text, "at": now.isoformat()}


def decided_outcome(dispute: DisputeRow) -> dict[str, Any]:
    """D6: the outcome of the meeting with the registration that goes on and those that end."""
    outcome, (own, *others) = dispute.outcome or {}, registrations(dispute)
    if not others:
        return outcome
    goes_on = str(outcome.get("goes_on") or own)
    return {**outcome, "goes_on": goes_on, "ends": list(ended_by(goes_on, own, others))}

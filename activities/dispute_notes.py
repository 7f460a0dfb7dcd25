"""What those who settle a dispute are shown: the text, both registrations, the meeting, past rulings (A5, D1–D3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from conflicts.asked import keyed
from conflicts.learned import learned_names
from db import disputes, projects, rulings
from domain.dispute import MeetingCall
from domain.email_address import is_email_address
from domain.project_match import Match
from domain.project_rules import ProjectNotice, meeting_participants
from domain.tasks import TaskKind
from matching.parties import parties_of
from texts.catalogue import Texts
from texts.dispute_views import meeting_rows, outcome_rows
from texts.project_views import MatchLine, match_lines

if TYPE_CHECKING:
    from activities.disputes import DisputeContext


async def note_for(context: DisputeContext, kind: TaskKind) -> dict[str, JsonValue] | None:
    """What the person asked has to know beside the project itself."""
    row = context.row
    match kind:
        case TaskKind.AGREE_SPLIT if row.proposal:
            proposal: dict[str, JsonValue] = {
                "cooperation": str(row.proposal["cooperation"]),
                "split": _shares(context, row.proposal["split"]),
                "by": _named(context, str(row.proposal["by"])),
            }
            return {"reason": str(row.proposal["reason"]), "proposal": proposal}
        case TaskKind.CALL_MEETING:
            wanted = row.wanted or {}
            suggested = meeting_participants(context.organisation, context.sides)
            return {
                "reason": str(wanted.get("reason", "")),
                "wanted_by": _named(context, str(wanted.get("by", ""))),
                "participants": [_named(context, person) for person in suggested],
                "precedents": await precedents(context),
            }
        case TaskKind.RECORD_MEETING:
            called = row.called or {}
            known = {name: called.get(name) for name in ("starts_at", "duration_minutes", "place", "note")}
            people: list[JsonValue] = [_named(context, person) for person in called.get("participants", ())]
            return {"meeting": {**known, "participants": people}, "precedents": await precedents(context)}
        case _:
            return None


async def precedents(context: DisputeContext) -> list[JsonValue]:
    """Past rulings on the same customer, also under a name that somebody has found to be its own: when, who, which
    split. Nothing that is not about that customer (X2)."""
    names = [party for party in parties_of(context.project.form) if party.role in ("customer", "alias")]
    known = await rulings.known_aliases(context.work.tx, {name.key for name in names})
    customer = keyed([*names, *(other for name in names for other in learned_names(name, known))])
    found = await disputes.precedents(context.work.tx, customer, but=context.row.id)
    return [
        {
            "at": str(outcome["at"]),
            "how": str(outcome["how"]),
            "responsible": _named(context, str(outcome["responsible"])),
            "split": _shares(context, outcome["split"]),
        }
        for outcome in (row.outcome for row in found)
        if outcome
    ]


async def registrations(context: DisputeContext) -> tuple[MatchLine, ...]:
    """A5: what each side has registered, the earliest first."""
    project, form = context.project, context.project.form
    mine = Match(
        subject_type="project",
        subject_id=project.id,
        name=form.name,
        salesperson=context.sides[0],
        status=project.stage.status.value,
        since=project.registered_at,
        amount=form.amount,
        vendor_registered=form.vendor_registered,
        relationship=form.relationship,
    )
    claimed = {(one.subject_type, one.subject_id) for one in context.others}
    found = await projects.matches_of(context.work.tx, project.id, project.round)
    others = [match for match in found if (match.subject_type, match.subject_id) in claimed]
    return match_lines([mine, *others], context.organisation)


def shown_with(context: DisputeContext, kind: ProjectNotice, texts: Texts) -> dict[str, Any]:
    """What a notice shows beside its sentence, in the reader's language: fields of `MailFacts`."""
    row, organisation = context.row, context.organisation
    match kind:
        case ProjectNotice.MEETING_CALLED if row.called:
            rows = meeting_rows(row.called, organisation, texts, context.policy.zone)
            return {"facts": rows, "invitation": _invitation(context, row.called, texts)}
        case ProjectNotice.AGREED | ProjectNotice.MEETING_RECORDED if row.outcome:
            return {"facts": outcome_rows(row.outcome, organisation)}
        case _:
            return {}


def _invitation(context: DisputeContext, called: Mapping[str, Any], texts: Texts) -> str:
    """D2: the calendar of the meeting, without those whose address no calendar can name; empty without an organiser."""
    call = MeetingCall.model_validate({name: called[name] for name in MeetingCall.model_fields})
    known = [context.organisation.person(person) for person in (str(called["called_by"]), *call.participants)]
    organiser, *attendees = [one if one and is_email_address(one.email) else None for one in known]
    if organiser is None:
        return ""
    from texts.ics import invitation  # here, because every worker imports this file, and few call a meeting (X3)

    return invitation(
        dispute_id=context.row.id,
        sequence=0,
        meeting=call,
        summary=f"{texts.text('dossier.section.meeting')} · {context.project.form.name}",
        description=call.note,
        organiser=organiser,
        attendees=[one for one in attendees if one],
        now=context.work.now,
    )


def _named(context: DisputeContext, person: str) -> dict[str, JsonValue]:
    return {"person": person, "name": context.organisation.name_of(person)}


def _shares(context: DisputeContext, split: Sequence[Mapping[str, Any]]) -> list[JsonValue]:
    return [{**_named(context, str(share["person"])), "percent": str(share["percent"])} for share in split]

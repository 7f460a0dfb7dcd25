"""What those who settle a dispute are shown: the text, both registrations, the meeting, past rulings (A5, D1–D3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from activities.disputes.record import DisputeRecord
from conflicts.inquiry import keyed
from conflicts.learned import learned_names
from conflicts.matches import as_they_are
from db.conflicts import rulings
from db.disputes import disputes
from db.projects import projects
from domain.base import is_email_address
from domain.disputes.dispute import TWO_PROJECTS, MeetingCall, agreement_waits
from domain.notices import Notice
from domain.projects.rules import meeting_participants
from domain.tasks.task import TaskKind
from matching.parties import parties_of
from texts.catalogue import Texts
from texts.disputes.dispute_lines import meeting_rows, outcome_rows
from texts.projects.project_lines import MatchLine, match_lines, own_line
from texts.view_lines import Essential


async def note_for(context: DisputeRecord, kind: TaskKind) -> dict[str, JsonValue] | None:
    """What the person asked has to know beside the project itself."""
    row = context.row
    match kind:
        case TaskKind.AGREE_SPLIT if row.proposal:
            responsible = str(row.proposal.get("responsible", "")) or context.project.salesperson
            proposal: dict[str, JsonValue] = {
                "responsible": _named(context, responsible),
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
                **({"on_behalf_of": _named(context, str(wanted["on_behalf_of"]))} if "on_behalf_of" in wanted else {}),
                "participants": [_named(context, person) for person in suggested],
                "precedents": await precedents(context),
                **_waiting_agreement(context),
            }
        case TaskKind.RECORD_MEETING:
            called = row.called or {}
            shown = ("starts_at", "duration_minutes", "place", "missing_because", "note")
            known = {name: called.get(name) for name in shown}
            people: list[JsonValue] = [_named(context, person) for person in called.get("participants", ())]
            meeting: dict[str, JsonValue] = {**known, "participants": people}
            return {"meeting": meeting, "precedents": await precedents(context), **_waiting_agreement(context)}
        case _:
            return None


def _waiting_agreement(context: DisputeRecord) -> dict[str, JsonValue]:
    """D4: what the two have agreed on, while it waits for the meeting."""
    agreement = context.project.agreement or {}
    if not agreement_waits(context.project.agreement):
        return {}
    return {
        "agreement": {
            "responsible": _named(context, str(agreement["responsible"])),
            "cooperation": str(agreement.get("cooperation", "")),
            "split": _shares(context, agreement["split"]),
        }
    }


async def precedents(context: DisputeRecord) -> list[JsonValue]:
    """Past rulings on the same customer, also under a name that somebody has ruled to be its own: when, who, which
    split. Nothing that is not about that customer (X2)."""
    names = [party for party in parties_of(context.project.form) if party.role in ("customer", "alias")]
    known = await rulings.known_aliases(context.uow.connection, {name.key for name in names})
    customer = keyed([*names, *(other for name in names for other in learned_names(name, known))])
    found = await disputes.precedents(context.uow.connection, customer, but=context.row.id)
    waits = (context.project.agreement or {}).get("dispute") if agreement_waits(context.project.agreement) else None
    return [
        {
            "at": str(outcome["at"]),
            "how": str(outcome["how"]),
            "responsible": _named(context, str(outcome["responsible"])),
            "split": _shares(context, outcome["split"]),
        }
        for outcome in (row.outcome for row in found if row.id != waits)  # D4: what waits has settled nothing
        if outcome
    ]


async def registrations(context: DisputeRecord) -> tuple[MatchLine, ...]:
    """A5: what each side has registered, the earliest first."""
    project, form = context.project, context.project.form
    mine = own_line(
        form,
        context.organisation,
        salesperson=context.sides[0],
        status=project.stage.status.value,
        since=project.registered_at,
        named_since=project.named_since,
        live=project.live,
    )
    claimed = {(claimant.subject_type, claimant.subject_id) for claimant in context.others}
    found = await projects.matches_of(context.uow.connection, project.id, project.round)
    others = [match for match in found if (match.subject_type, match.subject_id) in claimed]
    lines = [mine, *match_lines(await as_they_are(context.uow.connection, others), context.organisation)]
    return tuple(sorted(lines, key=lambda line: line.since))


def shown_with(
    context: DisputeRecord, kind: Notice, texts: Texts, meeting: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a notice shows beside its sentence, in the reader's language: fields of `MailFacts`. `meeting`: another one
    than that on record."""
    row, organisation = context.row, context.organisation
    called = meeting or row.meeting
    match kind:
        case Notice.MEETING_CALLED | Notice.MEETING_MOVED | Notice.MEETING_CALLED_OFF if called:
            rows = meeting_rows(called, organisation, texts, context.policy.zone)
            off = kind is Notice.MEETING_CALLED_OFF
            return {"facts": rows, "invitation": _invitation(context, called, texts, off=off)}
        case Notice.MEETING_WANTED if row.wanted and "on_behalf_of" in row.wanted:
            by, behalf = (organisation.name_of(str(row.wanted[name])) for name in ("by", "on_behalf_of"))
            return {"decided_by_name": texts.text("late.for", person=by, on_behalf_of=behalf)}
        case Notice.AGREED | Notice.MEETING_RECORDED if row.outcome:
            return {"facts": (*outcome_rows(row.outcome, organisation), *_registration_rows(context, texts))}
        case _:
            return {}


def _registration_rows(context: DisputeRecord, texts: Texts) -> tuple[Essential, ...]:
    """D6: which registration goes on, and which end as merged into it."""
    outcome = context.row.outcome or {}
    goes_on = str(outcome.get("goes_on", ""))
    if goes_on == TWO_PROJECTS:
        return (Essential(label_key="mail.label.goes_on", value=texts.text("project_page.two_projects")),)
    ends = [str(registration) for registration in outcome.get("ends", ())]
    if not ends:
        return ()
    return (
        Essential(label_key="mail.label.goes_on", value=goes_on),
        Essential(label_key="mail.label.ends", value="、".join(ends) if texts.language == "zh" else ", ".join(ends)),
    )


def _invitation(context: DisputeRecord, called: Mapping[str, Any], texts: Texts, *, off: bool) -> str:
    """D2, D5: the calendar of the meeting, or that it is `off`; without those whose address no calendar can name, and
    empty without an organiser."""
    call = MeetingCall.model_validate({name: called[name] for name in MeetingCall.model_fields if name in called})
    known = [context.organisation.person(person) for person in (str(called["called_by"]), *call.participants)]
    organiser, *attendees = [person if person and is_email_address(person.email) else None for person in known]
    if organiser is None:
        return ""
    from texts.disputes.ics import (
        invitation,  # here, because every worker imports this file, and few call a meeting (X3)
    )

    return invitation(
        dispute_id=context.row.id,
        sequence=int(called.get("sequence", 0)),
        called_off=off,
        meeting=call,
        summary=f"{texts.text('dossier.section.meeting')} · {context.project.form.name}",
        description=call.note,
        organiser=organiser,
        attendees=[attendee for attendee in attendees if attendee],
        now=context.uow.now,
    )


def _named(context: DisputeRecord, person: str) -> dict[str, JsonValue]:
    return {"person": person, "name": context.organisation.name_of(person)}


def _shares(context: DisputeRecord, split: Sequence[Mapping[str, Any]]) -> list[JsonValue]:
    return [{**_named(context, str(share["person"])), "percent": str(share["percent"])} for share in split]

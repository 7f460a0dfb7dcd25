"""A dispute in mails: the current proposal, the meeting and the outcome (D1–D3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.organisation import Organisation
from texts.catalogue import Texts
from texts.projects.project_lines import split_words
from texts.view_lines import Essential


def text_rows(text: Mapping[str, Any], organisation: Organisation) -> tuple[Essential, ...]:
    """D1: responsible salesperson, cooperation model and split, as proposed by one side."""
    named = [("mail.label.responsible", str(text["responsible"]))] if "responsible" in text else []  # not before 0.2
    return (
        *(Essential(label_key=key, value=organisation.name_of(person)) for key, person in named),
        Essential(label_key="mail.label.cooperation", value=str(text["cooperation"])),
        Essential(label_key="mail.label.split", value=split_words(text["split"], organisation)),
    )


def outcome_rows(outcome: Mapping[str, Any], organisation: Organisation) -> tuple[Essential, ...]:
    """D1, D2: the responsible salesperson and the split."""
    responsible = Essential(label_key="mail.label.responsible", value=organisation.name_of(str(outcome["responsible"])))
    if "cooperation" in outcome:
        return text_rows(outcome, organisation)
    return (
        responsible,
        Essential(label_key="mail.label.split", value=split_words(outcome["split"], organisation)),
        Essential(label_key="field.project.summary", value=str(outcome["summary"])),
    )


def meeting_rows(
    meeting: Mapping[str, Any], organisation: Organisation, texts: Texts, zone: ZoneInfo
) -> tuple[Essential, ...]:
    """D2: time, place and participants, in the reader's language."""
    starts_at = datetime.fromisoformat(str(meeting["starts_at"]))
    ends_at = starts_at + timedelta(minutes=int(meeting["duration_minutes"]))
    when = f"{texts.moment(starts_at, zone)} – {ends_at.astimezone(zone):%H:%M}"
    rows = [
        Essential(label_key="mail.label.meeting_at", value=when),
        Essential(label_key="mail.label.place", value=str(meeting["place"])),
        Essential(label_key="mail.label.participants", value=_names(meeting["participants"], organisation)),
    ]
    if meeting.get("missing"):
        absent = Essential(label_key="mail.label.missing", value=_names(meeting["missing"], organisation))
        why = Essential(label_key="field.project.missing_because", value=str(meeting.get("missing_because", "")))
        rows += [absent, why]
    note = Essential(label_key="field.project.note", value=str(meeting["note"]))
    return (*rows, note) if note.value else tuple(rows)


def participants_row(people: Sequence[str], organisation: Organisation) -> Essential:
    """The suggested participants, before the meeting is called (D2)."""
    return Essential(label_key="mail.label.suggested", value=_names(people, organisation))


def _names(people: Sequence[str], organisation: Organisation) -> str:
    return " · ".join(organisation.name_of(person) for person in people)

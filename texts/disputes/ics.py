"""The calendar invitation to a coordination meeting (D2), as defined in RFC 5545 and RFC 5546."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vText

from domain.base import is_email_address
from domain.disputes.dispute import MeetingCall
from domain.organisation import Person
from texts.lines import LONGEST_HEADER_NAME, header_text, one_line, paragraphs

REQUEST, CANCEL = "REQUEST", "CANCEL"
_DISPUTE_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")


class _Text(vText):
    def to_ical(self) -> bytes:
        # The library reads `\N` in what a person wrote, as in C:\New, as a line break.
        text = str(self).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
        return text.encode()


def invitation(
    *,
    dispute_id: str,
    sequence: int,
    meeting: MeetingCall,
    summary: str,
    description: str,
    organiser: Person,
    attendees: Iterable[Person],
    now: datetime,
    called_off: bool = False,
) -> str:
    """The meeting as a calendar that a mail carries (`text/calendar; method=REQUEST`, or `CANCEL` once it is called
    off), with CRLF line ends.

    The event is that of the dispute: called again with a higher `sequence` (0 at first) it moves the same entry in
    everybody's calendar. `summary` and `description` are in the reader's language; what people wrote can add no line of
    its own. The same arguments give the same text (X3). Raises `ValueError` for an unusable id or address, a negative
    `sequence` or a naive moment.
    """
    if not _DISPUTE_ID.fullmatch(dispute_id):
        raise ValueError("not the id of a dispute")
    if sequence < 0:
        raise ValueError("a sequence counts from zero")
    starts_at = _utc(meeting.starts_at)
    event = Event()
    event.add("UID", f"{dispute_id}@baobei")
    event.add("SEQUENCE", sequence)
    event.add("DTSTAMP", _utc(now))
    event.add("DTSTART", starts_at)
    event.add("DTEND", starts_at + timedelta(minutes=meeting.duration_minutes))
    event.add("SUMMARY", _Text(one_line(summary)))
    event.add("LOCATION", _Text(one_line(meeting.place)))
    event.add("DESCRIPTION", _Text("\n".join(paragraphs(description)).strip()))
    event.add("STATUS", "CANCELLED" if called_off else "CONFIRMED")
    event.add("CLASS", "CONFIDENTIAL")  # X2: readers of a shared calendar see that there is a meeting, not which one
    event.add("ORGANIZER", _address(organiser))
    for attendee in dict.fromkeys(attendees):
        address = _address(attendee)
        address.params.update(CUTYPE="INDIVIDUAL", ROLE="REQ-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="TRUE")
        event.add("ATTENDEE", address)
    calendar = Calendar()
    calendar.add("PRODID", "-//Baobei//Coordination meetings//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", CANCEL if called_off else REQUEST)
    calendar.add_component(event)
    wire: bytes = calendar.to_ical()
    return wire.decode()


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a moment must name its time zone")
    return moment.astimezone(UTC).replace(microsecond=0)


def _address(person: Person) -> vCalAddress:
    if not is_email_address(person.email):
        raise ValueError("not a usable mail address")
    address = vCalAddress(f"mailto:{person.email}")
    # A parameter has no way to write a quotation mark that every calendar reads.
    address.params["CN"] = header_text(person.name, LONGEST_HEADER_NAME).replace('"', "'").replace("^", "'")
    return address

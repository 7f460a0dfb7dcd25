"""D2: the calendar invitation to a coordination meeting, read back as a calendar reads it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from domain.disputes.dispute import MeetingCall
from domain.organisation import Person
from texts.disputes.ics import invitation

NOW = datetime(2026, 11, 24, 8, 15, 30, 999, tzinfo=UTC)


def person(person_id: str, name: str, email: str = "") -> Person:
    return Person(
        id=person_id, name=name, email=email or f"{person_id}@example.com", login=person_id, roles=frozenset()
    )


LIN, LIU, DAVID = person("lin.xia", "林霞"), person("liu.yang", "刘洋"), person("david.brown", "David Brown")


def meeting(**changed: Any) -> MeetingCall:
    called = {
        "starts_at": "2026-12-01T09:30:00+08:00",
        "duration_minutes": 90,
        "place": "总部三楼会议室",
        "participants": ["liu.yang", "david.brown"],
    }
    return MeetingCall.model_validate(called | changed)


def sent(**changed: Any) -> str:
    facts: dict[str, Any] = {
        "dispute_id": "4f2a-1",
        "sequence": 0,
        "meeting": meeting(),
        "summary": "协调会议：核心网升级",
        "description": "请携带项目资料。\n议题：职责和业绩分配",
        "organiser": LIN,
        "attendees": [LIU, DAVID],
        "now": NOW,
    }
    return invitation(**facts | changed)


def lines(calendar: str) -> list[str]:
    """The content lines, unfolded by the letter of RFC 5545 3.1."""
    assert calendar.endswith("\r\n")
    return calendar.removesuffix("\r\n").replace("\r\n ", "").split("\r\n")


def text_of(calendar: str, name: str) -> str:
    """A TEXT value, unescaped by the letter of RFC 5545 3.3.11."""
    (line,) = (line for line in lines(calendar) if line.startswith(f"{name}:"))
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], line.removeprefix(f"{name}:"))


def event_of(calendar: str) -> Any:
    """The one event, in which the library found no fault."""
    read = Calendar.from_ical(calendar)
    assert isinstance(read, Calendar)
    assert not read.errors
    (event,) = read.events
    assert not event.errors
    return event


def test_d2_the_meeting_reads_back_as_it_was_called() -> None:
    read = Calendar.from_ical(sent())
    assert isinstance(read, Calendar)
    assert (read["METHOD"], read["VERSION"]) == ("REQUEST", "2.0")
    event = event_of(sent())
    assert event.start == datetime(2026, 12, 1, 1, 30, tzinfo=UTC)
    assert event.end == datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
    assert event["SUMMARY"] == "协调会议：核心网升级"
    assert event["LOCATION"] == "总部三楼会议室"
    assert event["DESCRIPTION"] == "请携带项目资料。\n议题：职责和业绩分配"
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 0)


def test_d2_times_are_in_utc_to_the_second() -> None:
    found = [line for line in lines(sent()) if line.startswith(("DTSTART", "DTEND", "DTSTAMP"))]
    assert sorted(found) == ["DTEND:20261201T030000Z", "DTSTAMP:20261124T081530Z", "DTSTART:20261201T013000Z"]


def test_d2_who_calls_and_who_is_invited_stand_in_it_with_their_names() -> None:
    event = event_of(sent())
    organiser = event["ORGANIZER"]
    assert (str(organiser), organiser.params["CN"]) == ("mailto:lin.xia@example.com", "林霞")
    assert [(str(attendee), attendee.params["CN"], attendee.params["PARTSTAT"]) for attendee in event["ATTENDEE"]] == [
        ("mailto:liu.yang@example.com", "刘洋", "NEEDS-ACTION"),
        ("mailto:david.brown@example.com", "David Brown", "NEEDS-ACTION"),
    ]
    assert all(attendee.params["RSVP"] == "TRUE" for attendee in event["ATTENDEE"])


def test_d2_somebody_named_twice_is_invited_once() -> None:
    assert sent(attendees=[LIU, DAVID, LIU]) == sent()


def test_x2_who_only_looks_into_a_shared_calendar_does_not_see_which_meeting_it_is() -> None:
    assert event_of(sent())["CLASS"] == "CONFIDENTIAL"


def test_d2_a_meeting_called_again_moves_the_same_entry() -> None:
    first, again = sent(), sent(sequence=1, meeting=meeting(starts_at="2026-12-03T14:00:00+08:00"), organiser=LIU)
    assert event_of(first)["UID"] == event_of(again)["UID"] == "4f2a-1@baobei"
    assert event_of(again)["SEQUENCE"] == 1
    assert event_of(again).start == datetime(2026, 12, 3, 6, 0, tzinfo=UTC)
    assert event_of(sent(dispute_id="4f2a-2"))["UID"] != event_of(first)["UID"]


def test_x3_a_repeated_invitation_is_the_same_to_the_byte() -> None:
    assert sent() == sent()


NASTY = 'a\r\nATTENDEE:mailto:thief@example.com\nEND:VEVENT\u2028"x";:,\\N\\n^n\x00\x85\u202e\t=?utf-8?q?b?='


def test_d2_what_people_write_adds_no_line_and_no_parameter() -> None:
    calendar = sent(
        summary=NASTY,
        description=NASTY,
        meeting=meeting().model_copy(update={"place": NASTY}),
        organiser=LIN.model_copy(update={"name": NASTY}),
        attendees=[LIU.model_copy(update={"name": NASTY})],
    )
    names = [re.split("[;:]", line)[0] for line in lines(calendar)]
    assert sorted(names) == sorted(re.split("[;:]", line)[0] for line in lines(sent(attendees=[LIU])))
    event = event_of(calendar)
    attendee = event["ATTENDEE"]
    assert str(attendee) == "mailto:liu.yang@example.com"
    assert set(attendee.params) == {"CN", "CUTYPE", "ROLE", "PARTSTAT", "RSVP"}
    assert str(event["ORGANIZER"]) == "mailto:lin.xia@example.com"
    assert set(event["ORGANIZER"].params) == {"CN"}


def test_d2_backslashes_semicolons_and_commas_stay_what_they_are() -> None:
    place = r"C:\New\room; a, b \n \; \\"
    calendar = sent(meeting=meeting(place=place), summary=place, description=f"{place}\r\n{place}")
    assert text_of(calendar, "LOCATION") == text_of(calendar, "SUMMARY") == place
    assert text_of(calendar, "DESCRIPTION") == f"{place}\n{place}"


anything = st.text(max_size=120)
pasted = st.lists(
    st.sampled_from(["会议", "é", "😀", "x" * 40, ",", ";", "\\", "\n", "\r", " ", '"', ":"]), max_size=30
)


@given(summary=anything, description=anything | pasted.map("".join), name=anything, place=pasted.map("".join))
def test_d2_no_line_is_longer_than_75_octets_and_none_breaks_a_character(
    summary: str, description: str, name: str, place: str
) -> None:
    calendar = sent(
        summary=summary,
        description=description,
        meeting=meeting().model_copy(update={"place": place}),
        attendees=[LIU.model_copy(update={"name": name})],
    )
    wire = calendar.encode()
    physical = wire.split(b"\r\n")
    assert physical.pop() == b""
    assert all(0 < len(line) <= 75 and line.decode() for line in physical)
    assert wire.count(b"\r") == wire.count(b"\n") == len(physical)
    assert len(lines(calendar)) == len(lines(sent(attendees=[LIU])))
    event = event_of(calendar)
    assert str(event["ATTENDEE"]) == "mailto:liu.yang@example.com"
    assert text_of(calendar, "LOCATION") == " ".join(re.sub(r"[\r\n]", " ", place).split())
    assert event.end - event.start == timedelta(minutes=90)


@pytest.mark.parametrize(
    "changed",
    [
        {"dispute_id": ""},
        {"dispute_id": "1\r\nX:y"},
        {"dispute_id": "x" * 201},
        {"sequence": -1},
        {"organiser": person("lin.xia", "林霞", "lin xia")},
        {"attendees": [person("liu.yang", "刘洋", "a@example.com,b@example.com")]},
        {"attendees": [LIU.model_copy(update={"email": "a@example.com\r\nX:y"})]},
        {"now": datetime(2026, 11, 24)},  # noqa: DTZ001 - that is the point
    ],
    ids=str,
)
def test_what_no_calendar_could_read_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not|zero|zone"):
        sent(**changed)

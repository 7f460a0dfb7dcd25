"""Human steps: what is asked of whom, what may be answered, and when enough have answered.

A person is only ever asked through a task, and only ever answers a task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from domain.base import Moment, OptionalText, Wire
from domain.organisation import PersonId
from domain.rulings import MATCHES_FIELD, MatchRulings
from domain.split import Split

_TEXT: TypeAdapter[str] = TypeAdapter(OptionalText)


class TaskKind(StrEnum):
    COMMERCE_CHECK = "commerce_check"
    SUPPLY_INFORMATION = "supply_information"
    VP_REVIEW = "vp_review"
    GM_APPROVAL = "gm_approval"
    GM_APPEAL = "gm_appeal"
    ASSIGN_CLERK = "assign_clerk"
    CONFLICT_CHECK = "conflict_check"
    CONFLICT_CONFIRMATION = "conflict_confirmation"
    PROJECT_APPROVAL = "project_approval"
    AGREE_SPLIT = "agree_split"
    CALL_MEETING = "call_meeting"
    RECORD_MEETING = "record_meeting"
    OBJECTION_REVIEW = "objection_review"
    RESUME_REVIEW = "resume_review"
    WEEKLY_UPDATE = "weekly_update"
    WEEKLY_REVIEW = "weekly_review"
    MONTHLY_REVIEW = "monthly_review"
    START_REVIEW = "start_review"
    ANNUAL_REVIEW = "annual_review"


class TaskStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    MISSED = "missed"
    """R6: not done in its period."""


class FieldKind(StrEnum):
    TEXT = "text"
    FORM = "form"
    """The whole form of the application or the project, corrected."""
    PERSON = "person"
    """One person, by id."""
    PEOPLE = "people"
    """Several people, by id."""
    SUBJECTS = "subjects"
    """Some of the registrations that were found, by id."""
    RULINGS = "rulings"
    """What is said of some of the matches: `[{id, ruling, reason?}]`, ruling `cleared` or `same_company`."""
    SPLIT = "split"
    """D3: `[{person, percent}]`, adding up to exactly 100."""
    MOMENT = "moment"
    """A point in time with its offset (RFC 3339)."""
    NUMBER = "number"
    """A whole number."""
    MONEY = "money"
    """An amount in RMB, as a decimal string."""
    CHOICE = "choice"
    """One of `options`."""
    ROWS = "rows"
    """One row for each of `options`: `[{id, …}]`, with a value for each of `columns`."""


class FieldSpec(Wire):
    """One value an answer may or must carry beside its reason."""

    name: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    options: tuple[str, ...] = ()
    """The ids that may be named by a person, people, subjects or rulings field; empty: any. What a choice chooses from.
    Of rows, the ids that each have one, in this order."""
    columns: tuple[FieldSpec, ...] = ()
    """What each row of a rows field holds beside its id."""
    unless: tuple[str, str] | None = None
    """In a row: required unless the column of that name has this value, and then left out."""
    at_least: int | None = None
    """Of a number, the number itself; of people or subjects, how many different ones."""
    at_most: int | None = None
    needs: tuple[str, ...] = ()
    """Fields that must be given when this one is."""


def rulings_field(matches: Sequence[str]) -> tuple[FieldSpec, ...]:
    """The field in which a clerk says of single matches what they are; none where nothing was found."""
    return (FieldSpec(name=MATCHES_FIELD, kind=FieldKind.RULINGS, options=tuple(matches)),) if matches else ()


class Choice(Wire):
    """One possible answer, as the portal and the page offer it."""

    choice: str
    reason_required: bool = False
    special_reason: bool = False
    """N8: the reason asked for is the special reason for going above the account limit."""
    rule: str = ""
    """The rule that asks for the reason and the fields, where the choice does not say it by itself."""
    fields: tuple[FieldSpec, ...] = ()


class AskedAs(StrEnum):
    """In which capacity somebody is asked."""

    HOLDER = "holder"
    DELEGATE = "delegate"
    STAND_IN = "stand_in"


class Asked(Wire):
    """One person who is asked by a task."""

    person: str
    capacity: AskedAs = AskedAs.HOLDER
    on_behalf_of: str | None = None
    name: str = ""
    """The person's name, for those who read the process."""


class Ask(Wire):
    """A human step the workflow wants taken."""

    kind: TaskKind
    slot: str = ""
    """Tells tasks of one kind apart: the VP a `vp_review` belongs to; the clerk of a `conflict_check`; the salesperson
    whose VP is asked, or who is asked to agree."""


class DueAction(StrEnum):
    REMIND = "remind"
    STAND_IN = "stand_in"
    REFRESH = "refresh"
    """A delegation starts or ends: work out again who is asked."""


class DueStep(Wire):
    """Something that happens by itself to an open task."""

    at: Moment
    action: DueAction
    provisional: bool = False
    """The days off of that year are not published yet; the moment may still move."""


class Decision(Wire):
    """An accepted answer."""

    task_id: str
    kind: TaskKind
    slot: str = ""
    choice: str
    special: bool = False
    """N8: the reason is a special reason for going above the account limit."""
    reason: str = ""
    person: str
    on_behalf_of: str | None = None
    capacity: AskedAs = AskedAs.HOLDER
    decided_at: datetime


class Taken(Decision):
    """An accepted answer, and what the record made of it for the process to go on with."""

    outcome: str = ""
    """D1: proposed, confirmed or agreed. P2: reroute, when a company changed."""
    names: tuple[str, ...] = ()
    """People whom the answer names: the clerk assigned (P4), the sides still to be asked (D1)."""


class Problem(Wire):
    """One thing wrong with what somebody sent: which field, which rule, and the text key that says it."""

    field: str
    rule: str | None
    key: str
    params: dict[str, str] = {}


def _written_moment(value: object) -> object:
    # Left to itself, validation takes 1764000000 and "1764000000" for seconds since 1970.
    if not isinstance(value, str):
        raise PydanticCustomError("datetime_type", "must be a text")
    # Within these years every offset can be turned into every other one.
    if not re.match(r"2\d{3}-\d\d-\d\d[Tt ]\d\d:", value):
        raise PydanticCustomError("datetime_parsing", "must be a date and a time with an offset")
    return value


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


# Ids are taken as they stand: whoever reads the answer later finds exactly what was judged here.
_SubjectId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+( \S+)*$")]
_VALUES: dict[FieldKind, TypeAdapter[Any]] = {
    FieldKind.PERSON: TypeAdapter(PersonId),
    FieldKind.PEOPLE: TypeAdapter(Annotated[tuple[PersonId, ...], Field(max_length=50)]),
    FieldKind.SUBJECTS: TypeAdapter(Annotated[tuple[_SubjectId, ...], Field(max_length=50)]),
    FieldKind.RULINGS: TypeAdapter(MatchRulings),
    FieldKind.SPLIT: TypeAdapter(Split),
    FieldKind.MOMENT: TypeAdapter(Annotated[Moment, BeforeValidator(_written_moment)]),
    FieldKind.NUMBER: TypeAdapter(Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_no_truth)]),
}
_NAMING = frozenset({FieldKind.PERSON, FieldKind.PEOPLE, FieldKind.SUBJECTS})


def answer_problems(
    choices: Sequence[Choice], *, choice: str, reason: str, fields: Mapping[str, JsonValue]
) -> tuple[Problem, ...]:
    """Everything wrong with the form of an answer; empty when it may be recorded."""
    offered = next((c for c in choices if c.choice == choice), None)
    if offered is None:
        return (
            Problem(
                field="choice",
                rule=None,
                key="unknown_choice" if choice else "choice_required",
                params={"choices": ", ".join(c.choice for c in choices)},
            ),
        )
    problems: list[Problem] = []
    if offered.reason_required and not reason.strip():
        key, rule = "reason_required", offered.rule or ("N5" if choice == RETURN else "N9")
        if offered.special_reason:
            key, rule = "special_reason_required", "N8"
        problems.append(Problem(field="reason", rule=rule, key=key))
    problems += _text_problems("reason", reason)
    known = {spec.name: spec for spec in offered.fields}
    problems += [
        Problem(field=f"fields.{name}", rule=None, key="extra_forbidden") for name in fields if name not in known
    ]
    for spec in offered.fields:
        value = fields.get(spec.name)
        if value is None:
            if spec.required:
                problems.append(Problem(field=f"fields.{spec.name}", rule=offered.rule or "N1", key="missing"))
        else:
            problems += _value_problems(spec, value, offered.rule or None)
            problems += _ruling_problems(spec, value, reason, fields)
        if _given(value):
            alone = (name for name in spec.needs if not known[name].required and not _given(fields.get(name)))
            problems += [Problem(field=f"fields.{name}", rule=offered.rule or None, key="missing") for name in alone]
    return tuple(problems)


def _given(value: JsonValue) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _value_problems(spec: FieldSpec, value: JsonValue, rule: str | None) -> Iterator[Problem]:
    field = f"fields.{spec.name}"
    if spec.kind is FieldKind.TEXT:
        yield from _text_problems(field, value)
        if spec.required and isinstance(value, str) and not value.strip():
            yield Problem(field=field, rule=rule, key="missing")
        return
    if spec.kind is FieldKind.FORM:  # judged by the model of its subject
        return
    try:
        read = _VALUES[spec.kind].validate_python(value)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            params = {name: str(inner) for name, inner in (wrong.get("ctx") or {}).items()}
            place = ".".join([field, *(str(part) for part in wrong["loc"])])
            broken = "D3" if spec.kind is FieldKind.SPLIT else None
            yield Problem(field=place, rule=broken, key=wrong["type"], params=params)
        return
    named = read if isinstance(read, tuple) else (read,)
    if spec.required and named == ():
        yield Problem(field=field, rule=rule, key="missing")
    else:
        yield from _bound_problems(spec, read, rule)
    if spec.options and spec.kind in _NAMING:
        for stranger in (one for one in named if one not in spec.options):
            yield Problem(field=field, rule=None, key="not_among_options", params={"value": str(stranger)[:63]})


def _bound_problems(spec: FieldSpec, read: Any, rule: str | None) -> Iterator[Problem]:
    """Of what was read as its kind: too small, too large, too few, too many."""
    number = spec.kind is FieldKind.NUMBER
    size = read if number else len(set(read)) if isinstance(read, tuple) else None
    if size is None:
        return
    field = f"fields.{spec.name}"
    if spec.at_least is not None and size < spec.at_least:
        key, bound = ("greater_than_equal", "ge") if number else ("too_short", "min_length")
        yield Problem(field=field, rule=rule, key=key, params={bound: str(spec.at_least)})
    if spec.at_most is not None and size > spec.at_most:
        key, bound = ("less_than_equal", "le") if number else ("too_long", "max_length")
        yield Problem(field=field, rule=rule, key=key, params={bound: str(spec.at_most)})


def _ruling_problems(
    spec: FieldSpec, value: JsonValue, reason: str, fields: Mapping[str, JsonValue]
) -> Iterator[Problem]:
    """N5, P4: whatever is said of a match has a reason, and nothing is both cleared and suspected."""
    if spec.kind is not FieldKind.RULINGS or not isinstance(value, list):
        return
    also_named = [one for other in fields.values() if isinstance(other, list) for one in other if isinstance(one, str)]
    for place, row in enumerate(value):
        if not isinstance(row, dict):
            continue
        if not str(row.get("reason") or "").strip() and not reason.strip():
            yield Problem(field=f"fields.{spec.name}.{place}.reason", rule=None, key="ruling_reason_required")
        if spec.options and row.get("id") not in spec.options:
            said = str(row.get("id"))[:63]
            yield Problem(
                field=f"fields.{spec.name}.{place}.id", rule=None, key="not_among_options", params={"value": said}
            )
        if row.get("ruling") == "cleared" and row.get("id") in also_named:
            yield Problem(field=f"fields.{spec.name}.{place}.ruling", rule=None, key="cleared_and_suspected")


def _text_problems(field: str, value: JsonValue) -> Iterator[Problem]:
    try:
        _TEXT.validate_python(value, strict=True)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            params = {name: str(inner) for name, inner in (wrong.get("ctx") or {}).items()}
            yield Problem(field=field, rule=None, key=wrong["type"], params=params)


PASS, RETURN, SUPPLY, APPROVE, REJECT = "pass", "return", "supply", "approve", "reject"
HOLD, ASSIGN, CLEAR, SUSPECT, CONFLICT, NO_CONFLICT = "hold", "assign", "clear", "suspect", "conflict", "no_conflict"
AGREE, DISAGREE, CALLED, RECORD = "agree", "disagree", "called", "record"
CALL_MEETING, UPHOLD_REFUSAL, ACCEPT = "call_meeting", "uphold_refusal", "accept"
PROPOSED, CONFIRMED, AGREED, REROUTE = "proposed", "confirmed", "agreed", "reroute"
"""What the record makes of an answer: `Taken.outcome`."""


class Review(StrEnum):
    """How far a parallel review has come."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


def review_outcome(decisions: Sequence[Decision], asked: int) -> Review:
    """When enough have decided: one rejection is enough (N9), otherwise all `asked` must approve (N7)."""
    if any(decision.choice == REJECT for decision in decisions):
        return Review.REJECTED
    return Review.APPROVED if len(decisions) >= asked else Review.PENDING

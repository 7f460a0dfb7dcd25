"""What may stand in each field of an answer; everything that is wrong is told at once (N1, D3, R1–R4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from domain.base import Moment, Money, OptionalText
from domain.conflicts.rulings import MatchRulings
from domain.disputes.split import Split
from domain.organisation import PersonId
from domain.tasks.task import AnswerChoice, Choice, FieldKind, FieldSpec, Problem

MOST_CHOSEN = 50
"""More people or registrations are not named by one answer."""
MOST_ROWS = 500
"""More rows than anybody can answer for are not looked at one by one, unless so many were asked for."""
ROW_ID = "id"
_MOST_NAMED = 20
"""How many of the rows that are missing are named."""
_TEXT: TypeAdapter[str] = TypeAdapter(OptionalText)


def _written_moment(value: object) -> object:
    # Left to itself, validation takes 1764000000 and "1764000000" for seconds since 1970.
    if not isinstance(value, str):
        raise PydanticCustomError("datetime_type", "must be a text")
    # Within these years every offset can be turned into every other one.
    if not re.match(r"2\d{3}-\d\d-\d\d[Tt ]\d\d:", value):
        raise PydanticCustomError("datetime_parsing", "must be a date and a time with an offset")
    return value


def _written_date(value: object) -> object:
    # Left to itself, validation takes 1764000000 for a day, and a midnight for the day it begins.
    if not isinstance(value, str) or not re.fullmatch(r"2\d{3}-\d\d-\d\d", value.strip()):
        raise PydanticCustomError("date_parsing", "must be a date")
    return value.strip()


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


# Ids are taken as they stand: whoever reads the answer later finds exactly what was judged here.
_SubjectId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+( \S+)*$")]
_VALUES: dict[FieldKind, TypeAdapter[Any]] = {
    FieldKind.PERSON: TypeAdapter(PersonId),
    FieldKind.PEOPLE: TypeAdapter(Annotated[tuple[PersonId, ...], Field(max_length=MOST_CHOSEN)]),
    FieldKind.SUBJECTS: TypeAdapter(Annotated[tuple[_SubjectId, ...], Field(max_length=MOST_CHOSEN)]),
    FieldKind.RULINGS: TypeAdapter(MatchRulings),
    FieldKind.SPLIT: TypeAdapter(Split),
    FieldKind.MOMENT: TypeAdapter(Annotated[Moment, BeforeValidator(_written_moment)]),
    FieldKind.DATE: TypeAdapter(Annotated[date, BeforeValidator(_written_date)]),
    FieldKind.NUMBER: TypeAdapter(Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_no_truth)]),
    FieldKind.MONEY: TypeAdapter(Money),
    FieldKind.CHOICE: TypeAdapter(_SubjectId),
}
_NAMING = frozenset({FieldKind.PERSON, FieldKind.PEOPLE, FieldKind.SUBJECTS, FieldKind.CHOICE})
_OFTEN_EMPTY = frozenset({FieldKind.TEXT, FieldKind.MONEY, FieldKind.CHOICE, FieldKind.DATE})
"""Kinds that are left out as well by a text of nothing: so a page sends what nobody filled in."""


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
        key, rule = "reason_required", offered.rule or ("N5" if choice == AnswerChoice.RETURN else "N9")
        if offered.special_reason:
            key, rule = "special_reason_required", "N8"
        problems.append(Problem(field="reason", rule=rule, key=key))
    problems += _text_problems("reason", reason)
    known = {spec.name: spec for spec in offered.fields}
    rule_of_fields = offered.rule or None
    for name in fields:
        if name not in known:
            problems.append(Problem(field=f"fields.{_shown(name)}", rule=None, key="extra_forbidden"))
    for spec in offered.fields:
        value = fields.get(spec.name)
        if value is None:
            if spec.required:
                problems.append(Problem(field=f"fields.{spec.name}", rule=offered.rule or "N1", key="missing"))
        else:
            problems += _value_problems(f"fields.{spec.name}", spec, value, rule_of_fields)
            problems += _ruling_problems(spec, value, reason, fields)
        if _given(value):
            alone = (name for name in spec.needs if not known[name].required and not _given(fields.get(name)))
            problems += [Problem(field=f"fields.{name}", rule=rule_of_fields, key="missing") for name in alone]
    return tuple(problems)


def given_rows(spec: FieldSpec, value: JsonValue) -> dict[str, dict[str, str]]:
    """What was said in a rows field that passed: by the id of the row, each column that was given, as text.

    Amounts are written with two decimals.
    """
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return {str(row[ROW_ID]): dict(_given_columns(spec.columns, row)) for row in rows}


def _given(value: JsonValue) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _shown(name: str) -> str:
    """A name that somebody sent, as far as it can be said back to them."""
    return name[:63].encode("utf-8", "replace").decode("utf-8")


def _value_problems(field: str, spec: FieldSpec, value: JsonValue, rule: str | None) -> Iterator[Problem]:
    if spec.kind in _OFTEN_EMPTY and isinstance(value, str) and not value.strip():
        if spec.required:
            yield Problem(field=field, rule=rule, key="missing")
        elif spec.kind is FieldKind.TEXT:
            yield from _text_problems(field, value)
        return
    match spec.kind:
        case FieldKind.TEXT:
            yield from _text_problems(field, value)
        case FieldKind.ROWS:
            yield from _rows_problems(field, spec, value, rule)
        case FieldKind.FORM:  # judged by the model of its subject
            return
        case _:
            yield from _single_problems(field, spec, value, rule)


def _single_problems(field: str, spec: FieldSpec, value: JsonValue, rule: str | None) -> Iterator[Problem]:
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
        yield from _bound_problems(field, spec, read, rule)
    if spec.options and spec.kind in _NAMING and not spec.others:
        for stranger in (chosen for chosen in named if chosen not in spec.options):
            yield Problem(field=field, rule=rule, key="not_among_options", params={"value": str(stranger)[:63]})


def _rows_problems(field: str, spec: FieldSpec, value: JsonValue, rule: str | None) -> Iterator[Problem]:
    """R1–R4: a row for each of what is asked about, once, and each of its columns judged as a field would be."""
    if not isinstance(value, list):
        yield Problem(field=field, rule=None, key="list_type")
        return
    most = max(MOST_ROWS, len(spec.options))
    if len(value) > most:
        yield Problem(field=field, rule=None, key="too_long", params={"max_length": str(most)})
        return
    asked, found = frozenset(spec.options), set[str]()
    for place, row in enumerate(value):
        here = f"{field}.{place}"
        if not isinstance(row, dict):
            yield Problem(field=here, rule=None, key="dict_type")
            continue
        named = row.get(ROW_ID)
        yield from _row_id_problems(f"{here}.{ROW_ID}", named, asked, found, rule)
        if isinstance(named, str):
            found.add(named)
        yield from _column_problems(here, spec.columns, row, rule)
    absent = [option for option in spec.options if option not in found]
    if absent:
        names = ", ".join([*absent[:_MOST_NAMED], *(["…"] if len(absent) > _MOST_NAMED else [])])
        yield Problem(field=field, rule=rule, key="rows_missing", params={"rows": names, "count": str(len(absent))})


def _row_id_problems(
    field: str, named: JsonValue, asked: frozenset[str], before: set[str], rule: str | None
) -> Iterator[Problem]:
    if named is None:
        yield Problem(field=field, rule=rule, key="missing")
    elif not isinstance(named, str):
        yield Problem(field=field, rule=None, key="string_type")
    elif named not in asked:
        yield Problem(field=field, rule=None, key="not_among_options", params={"value": _shown(named)})
    elif named in before:
        yield Problem(field=field, rule=None, key="row_twice")


def _column_problems(
    here: str, columns: Sequence[FieldSpec], row: Mapping[str, JsonValue], rule: str | None
) -> Iterator[Problem]:
    known = {column.name: column for column in columns}
    for name in row:
        if name != ROW_ID and name not in known:
            yield Problem(field=f"{here}.{_shown(name)}", rule=None, key="extra_forbidden")
    for column in columns:
        field, value = f"{here}.{column.name}", row.get(column.name)
        asked_for = column.required
        if column.unless is not None:
            decisive, without = column.unless
            said = row.get(decisive)
            if said == without and _given(value):
                yield Problem(field=field, rule=rule, key="leave_empty")
                continue
            # While it is open what was decided, nobody is told that the figures for one decision are missing.
            asked_for = asked_for and said != without and said in known[decisive].options
        if value is None:
            if asked_for:
                yield Problem(field=field, rule=rule, key="missing")
        else:
            judged = column if asked_for else column.model_copy(update={"required": False})
            yield from _value_problems(field, judged, value, rule)


def _given_columns(columns: Sequence[FieldSpec], row: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    for column in columns:
        value = row.get(column.name)
        if _given(value):
            money = column.kind is FieldKind.MONEY
            yield column.name, f"{_VALUES[column.kind].validate_python(value):.2f}" if money else str(value).strip()


def _bound_problems(field: str, spec: FieldSpec, read: Any, rule: str | None) -> Iterator[Problem]:
    """Of what was read as its kind: too small, too large, too few, too many."""
    number = spec.kind is FieldKind.NUMBER
    size = read if number else len(set(read)) if isinstance(read, tuple) else None
    if size is None:
        return
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
    also_named = [
        named for other in fields.values() if isinstance(other, list) for named in other if isinstance(named, str)
    ]
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

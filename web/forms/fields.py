"""Inputs for the fields of an answer, and the values read back from them: people, registrations, rulings, splits,
times, numbers (N3, P4, P5, D1–D3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.tasks.wording import field_label
from domain.accounts.evidence import FACTS
from domain.base import Frozen
from domain.disputes.dispute import MeetingCall
from domain.subject import SubjectType
from domain.tasks.answer_fields import ROW_ID
from domain.tasks.task import Choice, FieldKind, FieldSpec
from texts.catalogue import Texts
from web.forms.form import Field, Rows, as_digits, plain_text
from web.forms.matches import numbered, rulings_posted, suspected

BLANK_SHARES: Final = 3
"""Number of empty rows below the sides of a split."""

_ONE_LINE: Final = frozenset({"number", "place", *(f"{fact}_source" for fact in FACTS.values())})
"""Text fields of a single line."""
_OTHERS = "_others"
"""Suffix of the input for ids besides the checkboxes."""
_ADD = "_add"
"""Suffix of the inputs that search for further people."""
_BEFORE_ID = " · "
"""Stands before the id in a suggestion, which tells people of one name apart."""
MOST_TICKED: Final = 12
"""Up to this number of people, all have a box to tick."""
BLANK_PEOPLE: Final = 4
"""Number of inputs for further people."""
_BETWEEN = re.compile(r"[\s,;，；、]+")

Named = tuple[tuple[str, str], ...]
"""Options: ids with labels."""


class Offered(Frozen):
    """The options and initial values of a task's inputs."""

    people: Named = ()
    """The options of fields that do not list their own."""
    labels: dict[str, str] = {}
    """Labels of the options that fields list, by id."""
    sides: tuple[str, ...] = ()
    """D3: the people who each get a row of a split."""
    suggested: tuple[str, ...] = ()
    """D2: the participants that the rule requires; preselected."""

    def named(self, spec: FieldSpec) -> Named:
        """The options of a field, with labels."""
        known = {**dict(self.people), **self.labels}
        return tuple((option, known.get(option, option)) for option in spec.options) if spec.options else self.people


def specs_of(choices: Iterable[Choice]) -> tuple[FieldSpec, ...]:
    """The fields of all choices, each once."""
    return tuple({spec.name: spec for choice in choices for spec in choice.fields}.values())


def controls(
    specs: Sequence[FieldSpec],
    offered: Offered,
    texts: Texts,
    zone: ZoneInfo,
    *,
    subject: SubjectType,
    always: bool = False,
    hints: Mapping[str, str] | None = None,
    entered: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> tuple[Field | Rows, ...]:
    """The inputs of these fields.

    `always`: whether there is a single choice, so that its required fields are required. `hints`: help texts by field
    name. `entered`: what was typed, when the page is shown again.
    """
    typed, wrong = entered or {}, errors or {}

    def control_of(spec: FieldSpec) -> Field | Rows | None:
        label = field_label(spec, subject, texts)
        error = wrong.get(spec.name, "") or next(
            (message for name, message in wrong.items() if name.startswith(f"{spec.name}.")), ""
        )
        plain = Field(name=spec.name, label=label, type="text", value=typed.get(spec.name, ""),
                      required=always and spec.required,
                      error=error)  # fmt: skip
        match spec.kind:
            case FieldKind.TEXT:
                return plain.model_copy(update={"type": "line"}) if spec.name in _ONE_LINE else plain
            case FieldKind.PERSON:
                return plain.model_copy(update={"type": "select", "options": offered.named(spec)})
            case FieldKind.PEOPLE if len(offered.named(spec)) > MOST_TICKED:
                return plain.model_copy(update=_searched_people(spec, offered, texts, typed))
            case FieldKind.PEOPLE | FieldKind.SUBJECTS:
                ticked = _listed(spec.name, typed) if typed else list(offered.suggested)
                several = {"type": "several", "options": offered.named(spec), "help": texts.text("page.people_help")}
                if spec.others:  # what was found is marked match by match
                    several |= {"options": (), "help": texts.text("page.subjects_help")}
                    several["others"] = typed.get(f"{spec.name}{_OTHERS}", "")
                return plain.model_copy(update={**several, "value": "\n".join(ticked)})
            case FieldKind.MOMENT:
                help_text = texts.text("page.moment_help", zone=texts.zone_name(zone))
                return plain.model_copy(update={"type": "moment", "help": help_text})
            case FieldKind.DATE:
                return plain.model_copy(update={"type": "date"})
            case FieldKind.NUMBER:
                help_text = texts.text("page.number_help")
                if spec.name == "duration_minutes" and spec.at_least is not None and spec.at_most is not None:
                    usual = MeetingCall.model_fields[spec.name].default
                    help_text = texts.text("page.minutes_help", least=spec.at_least, most=spec.at_most, usual=usual)
                return plain.model_copy(update={"type": "number", "help": help_text})
            case FieldKind.SPLIT:
                rows = _split_rows(spec, offered, texts, typed, wrong)
                return rows.model_copy(update={"required": always and spec.required})
            case FieldKind.MONEY:
                return plain.model_copy(update={"type": "money"})
            case FieldKind.CHOICE:
                return plain.model_copy(update={"type": "select", "options": offered.named(spec)})
            case FieldKind.FORM | FieldKind.ROWS | FieldKind.RULINGS:  # displayed separately
                return None

    def hinted(spec: FieldSpec) -> Field | Rows | None:
        control, hint = control_of(spec), (hints or {}).get(spec.name)
        if control is None or not hint:
            return control
        return control.model_copy(update={"help": texts.sentences(hint, control.help) if control.help else hint})

    return tuple(control for control in map(hinted, specs) if control is not None)


def entered_values(specs: Sequence[FieldSpec], posted: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """The fields of an answer as posted by a page, without blank ones. Never raises.

    Values that do not fit their kind are passed on as typed, so that validation reports them.
    """
    found: dict[str, Any] = {}
    for spec in specs:
        raw = posted.get(spec.name, "")
        match spec.kind:
            case FieldKind.FORM:
                continue
            case FieldKind.PEOPLE | FieldKind.SUBJECTS:
                value: Any = list(dict.fromkeys([*_listed(spec.name, posted), *_added(spec, posted)]))
                if spec.others:
                    value = list(dict.fromkeys([*value, *suspected(posted)]))
                    more = _BETWEEN.split(posted.get(f"{spec.name}{_OTHERS}", "")[:2000])
                    value = list(dict.fromkeys([*value, *(subject_id for subject_id in more if subject_id)]))
            case FieldKind.RULINGS:
                value = rulings_posted(posted)
            case FieldKind.SPLIT:
                shares = _shares(spec.name, posted)
                value = [{part: text for part, text in share.items() if text} for share in shares]
            case FieldKind.MOMENT:
                value = _moment(raw, zone)
            case FieldKind.NUMBER:
                value = _number(raw)
            case FieldKind.MONEY:
                value = as_digits(raw)
            case FieldKind.PERSON | FieldKind.CHOICE | FieldKind.DATE:
                value = raw.strip()
            case FieldKind.ROWS:
                value = posted_rows(spec, posted)
            case _:
                value = raw if raw.strip() else ""
        if value not in ("", []):
            found[spec.name] = value
    return found


def posted_rows(spec: FieldSpec, posted: Mapping[str, str]) -> list[dict[str, str]]:
    """The posted rows of a `rows` field, without blank columns."""
    columns = {ROW_ID: FieldKind.CHOICE} | {column.name: column.kind for column in spec.columns}
    rows: dict[int, dict[str, str]] = {}
    for number, rest, value in numbered(spec.name, posted):
        if len(rest) == 1 and (kind := columns.get(rest[0])) is not None:
            row = rows.setdefault(number, {})
            text = as_digits(value) if kind is FieldKind.MONEY else plain_text(value)
            if text.strip():
                row[rest[0]] = text
    return list(rows.values())


def _searched_people(spec: FieldSpec, offered: Offered, texts: Texts, typed: Mapping[str, str]) -> dict[str, Any]:
    """Boxes for the people who are suggested or already chosen, and a search over the others."""
    named = dict(offered.named(spec))
    added = _added(spec, typed)
    chosen = [*_listed(spec.name, typed), *added] if typed else list(offered.suggested)
    listed = dict.fromkeys([*offered.suggested, *chosen])
    unknown = tuple(person for person in added if person not in named)
    return {
        "type": "several",
        "value": "\n".join(chosen),
        "options": tuple((person, named[person]) for person in listed if person in named),
        "more": tuple(f"{label}{_BEFORE_ID}{person}" for person, label in named.items() if person not in listed),
        "added": (*unknown, *("" for _ in range(BLANK_PEOPLE))),
        "help": texts.text("page.people_help"),
    }


def _added(spec: FieldSpec, posted: Mapping[str, str]) -> list[str]:
    """The people added by the search, by id; what is none of its suggestions stays as typed."""
    typed = _listed(f"{spec.name}{_ADD}", posted)
    ids = [(text, text.rpartition(_BEFORE_ID)[2]) for text in typed]
    return [person if person in spec.options else text for text, person in ids]


def _split_rows(
    spec: FieldSpec, offered: Offered, texts: Texts, typed: Mapping[str, str], wrong: Mapping[str, str]
) -> Rows:
    """A row for each side, and empty rows. Typed rows come first, so that they match the numbers in problems."""
    given = [(share["person"], share["percent"]) for share in _shares(spec.name, typed)]
    missing = [side for side in offered.sides if side not in {person for person, _ in given}]
    rows = [*given, *((side, "") for side in missing)]
    people = offered.named(spec)
    # Where only the sides get a share (D1), there is nobody for an empty row.
    rows += [("", "")] * min(BLANK_SHARES, max(0, len(people) - len(rows)))
    strangers = tuple((person, person) for person, _ in given if person and person not in dict(people))
    labels = {part: texts.text(f"field.project.{spec.name}.{part}") for part in ("person", "percent")}

    def cell(index: int, part: str, value: str) -> Field:
        name = f"{spec.name}.{index}.{part}"
        select = part == "person"
        return Field(
            name=name,
            label=labels[part],
            type="select" if select else "percent",
            value=value,
            required=False,
            options=(*people, *strangers) if select else (),
            error=wrong.get(name, ""),
        )

    return Rows(
        name=spec.name,
        label=texts.text(f"field.project.{spec.name}._title"),
        help=texts.text("page.split_help"),
        rows=tuple(
            (cell(index, "person", person), cell(index, "percent", percent))
            for index, (person, percent) in enumerate(rows)
        ),
        required=False,
        error=wrong.get(spec.name, ""),
    )


def _listed(name: str, posted: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(value.strip() for _, rest, value in numbered(name, posted) if not rest and value.strip()))


def _shares(name: str, posted: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows with a percentage. A row without one gives this person no share."""
    rows: dict[int, dict[str, str]] = {}
    for number, rest, value in numbered(name, posted):
        if len(rest) == 1 and rest[0] in ("person", "percent"):
            rows.setdefault(number, {"person": "", "percent": ""})[rest[0]] = value.strip()
    written = [{**row, "percent": as_digits(row["percent"]).removesuffix("%").strip()} for row in rows.values()]
    return [row for row in written if row["percent"]]


def _moment(raw: str, zone: ZoneInfo) -> str:
    """A local time of the business zone, as sent by `datetime-local` or typed, with its UTC offset added."""
    written = unicodedata.normalize("NFKC", raw).strip()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return plain_text(raw).strip()
    if len(written) <= len("2026-12-14"):  # a date without a time
        return written
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()


def _number(raw: str) -> int | str:
    written = as_digits(raw)
    return int(written) if written.isascii() and written.isdigit() and len(written) <= 9 else raw.strip()

"""The inputs inside each match of a clerk's task: what it is, and why (N3, P4, P5).

One control says of a match that it is no conflict, may be one, or is the same company; the answer holds that as rulings
and as registrations that may be in conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.base import Frozen
from domain.conflicts.rulings import CLERKS_RULINGS, MATCHES_FIELD, Ruling
from domain.tasks.task import FieldKind, FieldSpec
from texts.catalogue import Texts
from web.forms.form import Field


class MatchControl(Frozen):
    """The inputs of one match."""

    subject: Field
    """Hidden: which match it is."""
    ruling: Field
    reason: Field


def match_controls(
    specs: Sequence[FieldSpec], texts: Texts, typed: Mapping[str, str], wrong: Mapping[str, str]
) -> dict[str, MatchControl]:
    """The controls of the matches that `specs` let a clerk speak of, by the id of the match.

    Args:
        typed: what was typed, when the page is shown again.
        wrong: messages by input, as `input_name` names them.
    """
    ruled = [option for spec in specs if spec.kind is FieldKind.RULINGS for option in spec.options]
    suspects = [option for spec in specs if spec.kind is FieldKind.SUBJECTS and spec.others for option in spec.options]
    rows = {row["id"]: row for row in _rows(typed).values()}

    def control(place: int, match: str) -> MatchControl:
        row, name = rows.get(match, {}), f"{MATCHES_FIELD}.{place}"
        offered = [ruling for ruling in CLERKS_RULINGS if match in ruled]
        offered[1:1] = [Ruling.SUSPECTED] if match in suspects else []
        options = tuple((ruling.value, texts.text(f"rule_on.{ruling}")) for ruling in offered)
        return MatchControl(
            subject=Field(name=f"{name}.id", label="", type="hidden", value=match),
            ruling=Field(
                name=f"{name}.ruling",
                label=texts.text("rule_on.ruling"),
                type="select",
                value=row.get("ruling", ""),
                required=False,
                options=options,
                error=wrong.get(f"{name}.ruling", "") or wrong.get(f"{name}.id", ""),
            ),
            reason=Field(
                name=f"{name}.reason",
                label=texts.text("rule_on.reason"),
                type="line",
                value=row.get("reason", ""),
                required=False,
                error=wrong.get(f"{name}.reason", ""),
            ),
        )

    return {match: control(place, match) for place, match in enumerate(dict.fromkeys([*ruled, *suspects]))}


def rulings_posted(posted: Mapping[str, str]) -> list[dict[str, str]]:
    """The rulings of an answer: the matches with a finding or a reason, but for those that may be in conflict."""
    return list(_given(posted).values())


def suspected(posted: Mapping[str, str]) -> list[str]:
    """P5: the matches that may be in conflict, by id."""
    return [row["id"] for row in _rows(posted).values() if row["ruling"] == Ruling.SUSPECTED]


def reasons_of_suspects(posted: Mapping[str, str]) -> list[str]:
    """P5: the reasons written beside them; a suspicion has the reason of the whole answer."""
    return [row["reason"] for row in _rows(posted).values() if row["ruling"] == Ruling.SUSPECTED and row["reason"]]


def input_name(field: str, posted: Mapping[str, str]) -> str:
    """The input of a problem with a ruling: problems number the rulings as handed in, the page its matches."""
    name, _, rest = field.partition(".")
    place, _, part = rest.partition(".")
    given = list(_given(posted))
    if name != MATCHES_FIELD or not place.isdecimal() or int(place) >= len(given):
        return name
    return f"{MATCHES_FIELD}.{given[int(place)]}.{part or 'ruling'}"


def _given(posted: Mapping[str, str]) -> dict[int, dict[str, str]]:
    return {number: row for number, row in _rows(posted).items() if row["ruling"] != Ruling.SUSPECTED}


def _rows(posted: Mapping[str, str]) -> dict[int, dict[str, str]]:
    """The matches with a finding or a reason, by their number on the page."""
    rows: dict[int, dict[str, str]] = {}
    for number, rest, value in numbered(MATCHES_FIELD, posted):
        if len(rest) == 1 and rest[0] in ("id", "ruling", "reason"):
            rows.setdefault(number, {"id": "", "ruling": "", "reason": ""})[rest[0]] = value.strip()
    return {number: row for number, row in rows.items() if row["ruling"] or row["reason"]}


def numbered(name: str, posted: Mapping[str, str]) -> list[tuple[int, list[str], str]]:
    """The values under `name.0`, `name.1.percent`, …: number, further parts of the name, value; in order."""
    found = []
    for key, value in posted.items():
        if key.startswith(f"{name}."):
            number, *rest = key[len(name) + 1 :].split(".")
            if number.isascii() and number.isdigit() and len(number) <= 4:
                found.append((int(number), rest, value))
    return sorted(found, key=lambda entry: entry[0])[:5000]

"""A dossier as blocks for the printable page (N11): everything in it is shown, known parts in a layout of their own.

The dossier is the JSON document that the API returns. Forms, evidence, eligibility and the timeline have a layout of
their own; every other value is traversed and labelled, so that nothing recorded can be missing in print.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeGuard
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import Eligibility
from domain.accounts.evidence import Evidence
from domain.base import Frozen
from domain.projects.project import ProjectForm
from domain.subject import SubjectType
from domain.tasks.task import TaskKind
from texts.accounts.eligibility import eligibility_lines
from texts.catalogue import Texts
from texts.view_lines import EligibilityLine
from web.forms.form import Section, form_values, layout_of, sections

WIDEST_TABLE: Final = 6
DEEPEST: Final = 12
"""Levels of nesting with a layout; deeper values are shown as text."""

_ANNEXES: Final = frozenset({"mails", "record", "reads"})
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_CODE = re.compile(r"[0-9a-f]{32,}")
_FIRST: Final = ("starts_at", "duration_minutes", "place", "participants", "responsible", "cooperation", "split")
"""Shown first in a meeting, a proposal or a ruling: JSON in the record has no order."""
_PEOPLE: Final = frozenset({"person", "clerk", "slot", "to", "by", "on_behalf_of", "salesperson", "applicant", "actor",
                            "responsible", "participants", "no_longer_asked", "names", "was", "now",
                            "sides"})  # fmt: skip
_SUBJECTS: Final = frozenset({"suspects", "subject_id", "found", "resumes", "resumed_by"})
_MONEY: Final = frozenset({"amount", "amount_before", "actual", "required", "difference", "gross_margin"})
_DAYS: Final = frozenset({"expected_signing", "signed_on", "received_on"})
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "obstacle": ("end_reason.{}", "event.{}"),
    "code": ("end_reason.{}", "error.{}"),
    "kind": ("task.{}.title", "evidence.{}", "customer_kind.{}", "finding.{}", "mail.{}.what"),
    "outcome": ("stage.{}",),
    "track": ("track.{}",),
    "how": ("dispute_stage.{}",),
    "silence": ("silence.{}",),
    "what": ("silence.{}",),
    "capacity": ("capacity.{}",),
    "channel": ("channel.{}",),
    "event": ("event.{}",),
    "source": ("source.{}",),
    "kinds": ("evidence.{}",),
    "changed": ("evidence.{}",),
    "found": ("finding.{}",),
    "because": ("because.{}", "end_reason.{}"),
    "industry": ("industry.{}",),
    "subject_type": ("finding.{}",),
    "clause": ("clause.{}",),
    "origin": ("dispute_origin.{}",),
    "ruling": ("ruling.{}",),
    "level": ("level.{}",),
    "part": ("document_part.{}",),
}
_CODE_WORD = re.compile(r"[a-z]+(_[a-z0-9]+)+")
_ANYWHERE: Final = (
    *("source.{}", "evidence.{}", "stage.{}", "project_stage.{}", "dispute_stage.{}", "task.{}.title", "end_reason.{}"),
    *("event.{}", "finding.{}", "role.{}", "silence.{}", "track.{}", "customer_kind.{}", "level.{}", "error.{}"),
)
"""Text keys for codes under a name that does not tell their kind."""
_STAGES: Final[dict[SubjectType, tuple[str, ...]]] = {
    SubjectType.APPLICATION: ("stage.{}",),
    SubjectType.PROJECT: ("project_stage.{}", "dispute_stage.{}", "sales_stage.{}"),
}
_STATUSES: Final[dict[SubjectType, tuple[str, ...]]] = {
    SubjectType.APPLICATION: ("task_status.{}", "detail_value.{}", "stage.{}"),
    SubjectType.PROJECT: ("project_status.{}", "task_status.{}", "detail_value.{}", "stage.{}"),
}
_EVIDENCE = TypeAdapter(list[Evidence])


class Step(Frozen):
    """A line of the timeline."""

    at: str
    text: str
    actor: str = ""
    body: tuple[tuple[str, str], ...] = ()


class Block(Frozen):
    """A labelled part of the page."""

    label: str
    kind: Literal["text", "list", "table", "group", "parts", "form", "evidence", "eligibility", "timeline"]
    text: str = ""
    code: bool = False
    annex: bool = False
    """Whether it is an annex, in small type: what proves the record rather than tells the story."""
    items: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    eligibility: tuple[EligibilityLine, ...] = ()
    steps: tuple[Step, ...] = ()


class DossierBlocks:
    """Builds the blocks of a dossier in one language."""

    def __init__(self, texts: Texts, zone: ZoneInfo, subject: SubjectType = SubjectType.APPLICATION) -> None:
        self._texts = texts
        self._zone = zone
        self._subject = subject
        self._names: dict[str, str] = {}
        stages, statuses = _STAGES[subject], _STATUSES[subject]
        own = {"stage": stages, "stage_from": stages, "status": statuses, "because": (*_WORDS["because"], *stages)}
        self._words = _WORDS | own

    def of(self, dossier: Mapping[str, Any]) -> tuple[Block, ...]:
        """Plain values first, then every part in document order; the parts of the subject are on the top level."""
        shown = dict(dossier)
        if isinstance(shown.get(self._subject), Mapping):
            shown = {**shown.pop(self._subject), **shown}
        self._names = _names_in(dossier)
        shown = _in_words(shown)
        rounds = shown.get("rounds")
        forms = [
            holder.get("form")
            for holder in (shown, *(rounds if isinstance(rounds, list) else ()))
            if _is_mapping(holder)
        ]
        if shown.get("customer") in [form.get("customer") for form in forms if _is_mapping(form)]:
            shown.pop("customer", None)  # the form contains it as well
        loose = {key: value for key, value in shown.items() if _is_plain(value)}
        parts = [
            self._block(key, value, 1).model_copy(update={"annex": key in _ANNEXES})
            for key, value in shown.items()
            if key not in loose and value not in ([], {})
        ]
        head = self._group(self._texts.text(f"dossier.section.{self._subject}"), loose, 1)
        return (head, *parts) if loose else tuple(parts)

    def parts(self, values: Mapping[str, Any]) -> tuple[Block, ...]:
        """A block for each of `values` that is not empty."""
        self._names = self._names or _names_in(values)
        filled = {key: value for key, value in values.items() if value not in (None, "", [], {})}
        return tuple(self._block(key, value, 1) for key, value in filled.items())

    def _block(self, key: str, value: Any, depth: int) -> Block:
        label = self._label(key)
        special = self._special(key, label, value)
        if special is not None:
            return special
        if _is_plain(value) or depth > DEEPEST:
            text = self._plain(key, value)
            return Block(label=label, kind="text", text=text, code=bool(_CODE.fullmatch(text)))
        if isinstance(value, Mapping):
            return self._group(label, value, depth)
        if all(_is_plain(item) for item in value):
            return Block(label=label, kind="list", items=tuple(self._plain(key, item) for item in value))
        value = [_in_words(item) if isinstance(item, Mapping) and not _is_person(item) else item for item in value]
        if all(isinstance(item, Mapping) and all(_is_plain(v) for v in item.values()) for item in value):
            columns = [
                c for c in dict.fromkeys(c for item in value for c in item) if any(item.get(c) for item in value)
            ]
            if len(columns) <= WIDEST_TABLE:
                rows = tuple(tuple(self._plain(c, item.get(c)) for c in columns) for item in value)
                return Block(label=label, kind="table", headers=tuple(map(self._label, columns)), rows=rows)
        return Block(
            label=label,
            kind="parts",
            blocks=tuple(
                self._group("", item, depth + 1)
                if isinstance(item, Mapping) and not _is_person(item)
                else self._block(key, item, depth + 1)
                for item in value
            ),
        )

    def _group(self, label: str, value: Mapping[str, Any], depth: int) -> Block:
        shown = _in_words(value)
        shown = {name: shown[name] for name in (*(name for name in _FIRST if name in shown), *shown)}
        blocks = tuple(
            self._block(str(key), inner, depth + 1) for key, inner in shown.items() if inner not in (None, "", [], {})
        )
        return Block(label=label, kind="group", blocks=blocks)

    def _special(self, key: str, label: str, value: Any) -> Block | None:
        """The block of a part with a layout of its own; None when the value does not have the expected shape."""
        try:
            if key == "form" and isinstance(value, Mapping):
                model = ProjectForm if self._subject is SubjectType.PROJECT else ApplicationForm
                form = model.model_validate(dict(value))
                shown = sections(form_values(form), self._texts, layout=layout_of(form))
                return Block(label=label, kind="form", sections=shown)
            if key == "evidence" and isinstance(value, list) and value:
                return Block(label=label, kind="evidence", evidence=tuple(_EVIDENCE.validate_python(value)))
            if key == "eligibility" and isinstance(value, Mapping) and value.get("clauses"):
                lines = eligibility_lines(Eligibility.model_validate(dict(value)))
                return Block(label=label, kind="eligibility", eligibility=lines)
            if key == "decisions" and isinstance(value, list) and value:
                return self._decisions(label, value)
            if key in ("timeline", "events", "record") and isinstance(value, list) and value:
                return Block(label=label, kind="timeline", steps=tuple(self._step(entry) for entry in value))
        except (ValidationError, KeyError, TypeError, AttributeError):
            return None
        return None

    def _decisions(self, label: str, decisions: Sequence[Mapping[str, Any]]) -> Block:
        """N11: who decided what, when and why; one row each."""
        rows = []
        for decision in decisions:
            reason = self._plain("reason", decision.get("reason"))
            if reason and decision.get("special_reason"):
                reason = f"{self._texts.text('page.special_reason')}\n{reason}"
            choice = self._texts.label(f"decided.{decision['kind']}.{decision['choice']}", str(decision["choice"]))
            cells = (
                self._plain("round", decision.get("round")),
                self._plain("kind", decision["kind"]),
                choice,
                self._asked(decision),
                self._plain("decided_at", decision["decided_at"]),
                reason,
            )
            rows.append(cells)
        headers = tuple(map(self._label, ("round", "task", "choice", "person", "decided_at", "reason")))
        return Block(label=label, kind="table", headers=headers, rows=tuple(rows))

    def _step(self, entry: Mapping[str, Any]) -> Step:
        event = str(entry["event"])
        body = [(self._label(name), self._inline(name, inner)) for name, inner in (entry.get("body") or {}).items()]
        body += [
            (self._label(name), self._inline(name, inner))
            for name, inner in entry.items()
            if name not in ("at", "event", "text", "actor", "body")
        ]
        return Step(
            at=self._plain("at", entry["at"]),
            text=str(entry.get("text") or self._texts.label(f"event.{event}", event)),
            actor=self._plain("actor", entry.get("actor")),
            body=tuple((name, words) for name, words in body if words),
        )

    def _inline(self, key: str, value: Any) -> str:
        """Any value in one line, for the details of the timeline."""
        if _is_plain(value):
            return self._plain(key, value)
        colon = "：" if self._texts.language == "zh" else ": "
        if isinstance(value, Mapping):
            if key == "found":  # the result of gathering, by kind
                return self._texts.join([self._gathered(str(kind), result) for kind, result in value.items()])
            if "capacity" in value and set(value) <= {"person", "capacity", "on_behalf_of"}:
                return self._asked(value)
            pairs = [
                f"{self._label(str(name))}{colon}{self._inline(str(name), inner)}"
                for name, inner in value.items()
                if inner not in (None, "", [], {})
            ]
            return self._texts.join(pairs)
        return self._texts.join([self._inline(key, item) for item in value])

    def _gathered(self, kind: str, result: Any) -> str:
        """One kind of evidence as recorded: its source, the number of entries, whether the source was available."""
        evidence = self._texts.label(f"evidence.{kind}", kind)
        if not (isinstance(result, list) and len(result) == 3):
            return evidence + self._texts.aside(self._inline(kind, result))
        source, count, available = result
        how = ("found" if count else "nothing") if available else "unavailable"
        words = self._texts.text(f"dossier.gathered.{how}", source=self._plain("source", source), count=count)
        return evidence + self._texts.aside(words)

    def _asked(self, value: Mapping[str, Any]) -> str:
        """An assignee: person, capacity, and on whose behalf."""
        person, capacity = self._inline("person", value.get("person")), self._plain("capacity", value["capacity"])
        if not value.get("on_behalf_of"):
            return person + self._texts.aside(capacity)
        on_behalf_of = self._inline("on_behalf_of", value["on_behalf_of"])
        return self._texts.text("page.person_for", person=person, capacity=capacity, on_behalf_of=on_behalf_of)

    def _label(self, key: str) -> str:
        candidates: tuple[str, ...] = (
            "dossier.section",
            "dossier.label",
            "evidence",
            "detail",
            "field",
            "field.forecast",
        )
        if self._subject is SubjectType.PROJECT:
            # What the forms of a project call it comes before what evidence does.
            candidates = (*candidates[:2], "field.project", *candidates[2:], "project_page")
        words = next(
            (self._texts.label(f"{where}.{key}") for where in candidates if self._texts.has(f"{where}.{key}")),
            self._texts.label(key),
        )
        return words[:1].upper() + words[1:]  # some stand inside a sentence elsewhere

    def _plain(self, key: str, value: Any) -> str:
        """A value as text: people by name, times in the zone, amounts in RMB, codes by their label."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return self._texts.text("yes_no.yes" if value else "yes_no.no")
        if isinstance(value, Mapping):
            return str(value.get("name") or value.get("id") or "") if _is_person(value) else str(dict(value))
        if isinstance(value, datetime) and value.tzinfo is not None:
            return self._texts.moment(value, self._zone)
        text = str(value)
        if key == "mails" and self._texts.has(f"mail.{text.partition(':')[0]}.what"):
            return self._mail(text)
        if key in _PEOPLE or key in _SUBJECTS:
            text = self._names.get(text, text)
        if key in _DAYS:
            return self._texts.written_date(text)
        if _MOMENT.fullmatch(text):
            try:
                return self._texts.moment(datetime.fromisoformat(text), self._zone)
            except ValueError:
                return text
        if key in _MONEY:
            try:
                return self._texts.money(Decimal(text))
            except InvalidOperation:
                return text
        if key == "choice":
            known = [f"decided.{kind}.{text}" for kind in ("vp_review", "commerce_check", *TaskKind)]
        else:
            known = [pattern.format(text) for pattern in self._words.get(key, ())]
        if _CODE_WORD.fullmatch(text):
            known += [pattern.format(text) for pattern in _ANYWHERE]
        return next((self._word(name) for name in known if self._texts.has(name)), text)

    def _word(self, name: str) -> str:
        """The label of a code. Refusals are recorded without parameters, so a text that needs some is replaced."""
        place, _, code = name.partition(".")
        return self._texts.error(code) if place == "error" else self._texts.label(name)

    def _mail(self, key: str) -> str:
        """A mail by kind and recipient, from its key in the record."""
        kind, *rest = key.split(":")
        what = self._texts.label(f"mail.{kind}.what", kind)
        people = [self._names[part] for part in rest if part in self._names]
        return what + (self._texts.aside(people[-1]) if people else "")


def _in_words(value: Mapping[str, Any]) -> dict[str, Any]:
    """`value` with labels in place of codes, where it contains both."""
    labels = {name: words for name, words in value.items() if name.endswith("_label") and isinstance(words, str)}
    in_words = {name.removesuffix("_label"): words for name, words in labels.items()}
    in_words |= {name: value[f"{name}_name"] for name in ("department",) if value.get(f"{name}_name")}
    if isinstance(value.get("text"), str) and "code" in value:  # why it ended: text and code
        in_words["code"] = value["text"]
        labels["text"] = value["text"]
    if isinstance(value.get("label"), str):  # what happens next: text and code
        in_words["what"] = value["label"]
        labels["label"] = value["label"]
    redundant = {*labels, *(f"{name}_name" for name in in_words)}
    shown = {name: in_words.get(name, inner) for name, inner in value.items() if name not in redundant}
    if shown.get("subject_id") and shown.get("name") and "id" not in shown:  # the name says it already
        return {"id" if name == "subject_id" else name: inner for name, inner in shown.items()}
    return shown


def _names_in(value: Any) -> dict[str, str]:
    """Names of the people and registrations in a dossier, by id: its audit log contains ids only."""
    if isinstance(value, Mapping):
        known = [(value.get(which), value.get("name")) for which in ("id", "subject_id")]
        own = {id_: name for id_, name in known if isinstance(id_, str) and isinstance(name, str) and name}
        return {name: words for inner in value.values() for name, words in _names_in(inner).items()} | own
    if isinstance(value, list | tuple):
        return {name: words for inner in value for name, words in _names_in(inner).items()}
    return {}


def _is_person(value: Mapping[str, Any]) -> bool:
    return set(value) == {"id", "name"}


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _is_person(value)
    return isinstance(value, str) or not isinstance(value, Sequence)

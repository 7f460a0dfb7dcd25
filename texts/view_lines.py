"""What mails and pages have in common: short lines about evidence, eligibility and decisions, ready to display.

Plain values, already looked up (names, not ids); the language and the time zone come in only when they are rendered.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from domain.accounts.evidence import FACTS, OF_MATCHES, Correction, Evidence, EvidenceKind, Finding
from domain.base import Wire
from domain.conflicts.rulings import Compared
from domain.organisation import Organisation
from domain.tasks.task import AssigneeCapacity, TaskKind
from texts.accounts.named_evidence import with_names
from texts.catalogue import Texts
from texts.conflicts.verdicts import match_sentence


class FigureLine(Wire):
    """One figure of an eligibility clause against its bound (E1, E5), in RMB."""

    label_key: str = ""
    """Text key of the figure's label, where the clause alone does not make it clear."""
    actual: Decimal
    bound: Decimal
    above: bool = False
    """The bound itself is not enough (`>` instead of `≥`)."""

    @property
    def met(self) -> bool:
        return self.actual > self.bound if self.above else self.actual >= self.bound

    def sentence(self, texts: Texts) -> str:
        """By how much the clause passed or failed (E5)."""
        wording = "eligibility.above" if self.above else "eligibility.at_least"
        words = texts.text(wording, actual=texts.money_in_short(self.actual), bound=texts.money_in_short(self.bound))
        gap = self.actual - self.bound
        if gap == 0:
            by = texts.text("eligibility.exactly")
        else:
            key = "eligibility.over_by" if gap > 0 else "eligibility.short_by"
            by = texts.text(key, difference=texts.money_in_short(abs(gap)))
        return f"{words}{'；' if texts.language == 'zh' else '; '}{by}"


class EligibilityLine(Wire):
    """One clause of E1 to E4 (E5)."""

    clause: str
    """Text key under `clause.`: E1a, E1b, E1c, E2, E3, E4."""
    passed: bool | None = None
    """None when it does not apply, or people have to judge it."""
    for_people: bool = False
    no_information: bool = False
    """No source has any information on it (N15)."""
    figures: tuple[FigureLine, ...] = ()
    found: tuple[str, ...] = ()
    """Text keys of what is not met or not known."""
    note: str = ""
    """A remark that is already in the reader's language, e.g. how many lawsuits were found."""

    @property
    def verdict_key(self) -> str:
        if self.passed is None and self.no_information:
            return "eligibility.no_information"
        if self.passed is None:
            return "eligibility.for_people" if self.for_people else "eligibility.not_applicable"
        return "eligibility.passed" if self.passed else "eligibility.failed"


class FoundLine(Compared):
    """A finding that may be the same customer or related to it. A ruling on it has its author's name, not the id."""

    subject_type: str
    name: str
    since: datetime | None = None
    grave: bool = False
    changed: bool = False
    """N15: new or different since the evidence was last gathered."""
    detail: dict[str, str] = {}
    """Further facts, as in `Finding.detail`, with names instead of ids."""

    def sentence(self, texts: Texts, zone: ZoneInfo) -> str:
        """Its name, since when, what else is known of it, and why it matches."""
        parts = [self.name, texts.text(f"finding.{self.subject_type}")]
        if self.changed:
            parts.insert(0, texts.text("evidence_line.new"))
        if self.since:
            parts.append(texts.text("page.evidence_since", day=texts.day(self.since, zone)))
        parts += [labelled(texts, name, value) for name, value in self.detail.items()]
        return " · ".join([*parts, match_sentence(self, texts, zone)])


class BackgroundLine(Wire):
    """The record of one source on the customer or a related party (N4, E2)."""

    name: str
    related: bool = False
    grave: bool = False
    detail: dict[str, str] = {}

    @classmethod
    def of(cls, finding: Finding) -> BackgroundLine:
        return cls(name=finding.name, related=finding.related, grave=finding.grave, detail=finding.detail)

    def sentence(self, kind: EvidenceKind, texts: Texts, *, with_source: bool) -> str:
        """The fact of `kind` and the source's other details; for a related party, with its name."""
        fact, comma = FACTS[kind], "，" if texts.language == "zh" else ", "
        key = f"evidence_line.said.{fact}.{self.detail.get(fact, '')}"
        words = [texts.text(key)] if texts.has(key) else []
        for name, value in self.detail.items():
            if name in _FREE_WORDS:
                words.append(value)
            elif name not in _OF_THE_ENTRY and not (name == fact and texts.has(key)):
                words.append(labelled(texts, name, value))
        said = comma.join(words) or self.name
        if with_source and (source := self.detail.get("register_source")):
            said += texts.aside(source)
        if not self.related:
            return said
        relation = self.detail.get("related_party", "")
        party = self.name + (texts.aside(relation) if relation else "")
        return texts.text("evidence_line.of_related", party=party, said=said)


_FREE_WORDS = frozenset({"credit_standing", "lawsuits"})
"""Details in a source's own words, which need no label."""
_OF_THE_ENTRY = ("related_party", "register_source", "as_of")
"""Details that identify the record rather than describe the customer."""
_OF_PROJECTS = frozenset({EvidenceKind.PROJECTS, EvidenceKind.PAST_PROJECTS})
MOST_LINES = 5
"""Findings of one kind listed in a mail; the page lists them all."""


class EvidenceLine(Wire):
    """One kind of evidence in one line, with its matches line by line."""

    kind: EvidenceKind
    count: int = 0
    grave: int = 0
    """How many findings speak against the application."""
    available: bool = True
    total: Decimal | None = None
    """Of projects: what they amount to together, in RMB, where each amount is known."""
    people: tuple[str, ...] = ()
    """Of projects: the names of their salespeople."""
    look: int = 0
    """How many a person has to check."""
    summary: str = ""
    found: tuple[FoundLine, ...] = ()
    """The gravest first."""
    names: tuple[str, ...] = ()
    """The findings by name, the gravest first; empty for a kind in `FACTS`."""
    said: tuple[BackgroundLine, ...] = ()
    """For a kind in `FACTS`: the record of each source, the customer's first, then the gravest."""
    not_compared: int = 0
    """How many names were compared only for equal names and codes."""
    no_information: bool = False
    """No source has a record of the customer (N15)."""
    unknown_to_sources: bool = False
    """The same, regardless of what a clerk has found since."""
    corrected: Correction | None = None
    """N5, E2: a fact as a clerk has verified it; `by` is a name here."""
    changed_since: datetime | None = None
    """N15: it was gathered again and has changed since this moment."""
    gone: int = 0
    """How many findings of that moment no longer exist."""

    @classmethod
    def of(cls, evidence: Evidence, organisation: Organisation) -> EvidenceLine:
        """`evidence` as a mail shows it, with names instead of ids."""
        return cls.of_named(with_names(evidence, organisation))

    @classmethod
    def of_named(cls, evidence: Evidence) -> EvidenceLine:
        """The same, of evidence that holds names already."""
        findings = sorted(
            evidence.findings,
            key=lambda finding: (
                finding.cleared,
                not finding.grave,
                finding.verdict.level.rank,
                -finding.verdict.score,
            ),
        )
        matches = [finding for finding in findings if finding.verdict.found]
        of_facts = evidence.kind in FACTS
        return cls(
            kind=evidence.kind,
            count=len(evidence.findings) + evidence.more,
            grave=sum(finding.grave for finding in evidence.findings) if evidence.grave else 0,
            # What a project of the past is, nobody rules on.
            look=sum(finding.to_look_at for finding in evidence.findings) if evidence.kind in OF_MATCHES else 0,
            total=_total(evidence) if evidence.kind in _OF_PROJECTS else None,
            people=tuple(dict.fromkeys(filter(None, (finding.detail.get("salesperson") for finding in findings))))
            if evidence.kind in _OF_PROJECTS
            else (),
            found=tuple(
                FoundLine(
                    **finding.model_dump(include=set(FoundLine.model_fields) - {"links", "ruled"}),
                    ruled=finding.ruled,
                )
                for finding in matches[:MOST_LINES]
            ),
            names=() if of_facts else tuple(map(_named, findings[:MOST_LINES])),
            said=tuple(
                BackgroundLine.of(finding)
                for finding in sorted(findings if of_facts else (), key=lambda finding: finding.related)[:MOST_LINES]
            ),
            available=evidence.available,
            not_compared=len(evidence.not_compared),
            summary=evidence.note,
            no_information=evidence.no_information,
            unknown_to_sources=evidence.unknown_to_sources,
            corrected=evidence.corrected,
            changed_since=evidence.changed_since,
            gone=len(evidence.gone),
        )

    def sentence(self, texts: Texts) -> str:
        """What was found, by its content: what sources say of the customer, or what it is called."""
        if self.kind in FACTS and (self.said or not self.count):
            return self._of_facts(texts)
        if not self.available:
            return texts.text("evidence_line.unavailable")
        words = [self._found(texts)]
        alone = self.count == 1
        if self.grave:
            words.append(texts.text("evidence_line.grave_alone" if alone else "evidence_line.grave", grave=self.grave))
        if self.people:
            words.append(texts.join(self.people))
        if self.total:
            amount = texts.money_in_short(self.total)
            words.append(amount if alone else texts.text("evidence_line.total", amount=amount))
        if self.look:
            words.append(texts.text("evidence_line.look_alone" if alone else "evidence_line.look", look=self.look))
        if self.not_compared:
            words.append(texts.text("evidence_line.not_compared", count=self.not_compared))
        return ("，" if texts.language == "zh" else ", ").join(words)

    def _found(self, texts: Texts) -> str:
        if not self.count:
            return texts.text("evidence_line.none")
        if not self.names:  # stored by an earlier version, which only counted
            return texts.text("evidence_line.found", count=self.count)
        names = texts.join(self.names)
        if self.count == len(self.names):
            return names
        return texts.text("evidence_line.names_and_more", names=names, count=self.count)

    def _of_facts(self, texts: Texts) -> str:
        """N4, E2, N15: missing information on the customer comes before what is known of related parties."""
        words = []
        if not self.available:
            words.append(texts.text("evidence_line.unavailable"))
        elif self.no_information:
            words.append(texts.text("evidence_line.no_information"))
        elif self.unknown_to_sources:
            words.append(texts.text("evidence_line.unknown_to_sources"))
        several = sum(not line.related for line in self.said) > 1
        said = [line.sentence(self.kind, texts, with_source=several and not line.related) for line in self.said]
        words += dict.fromkeys(said)
        if self.count > len(self.said):
            words.append(texts.text("evidence_line.more", more=self.count - len(self.said)))
        return ("；" if texts.language == "zh" else "; ").join(words)

    def remarks(self, texts: Texts, zone: ZoneInfo) -> list[str]:
        """N15, N5: since when it has changed, and what a clerk has corrected."""
        sentences = []
        if self.changed_since:
            sentences.append(changed_sentence(self.changed_since, self.gone, texts, zone))
        if self.corrected:
            sentences.append(correction_sentence(self.kind, self.corrected, texts, zone))
        return sentences


def _total(evidence: Evidence) -> Decimal | None:
    """What the projects amount to; None while the amount of one is not known, or more exist than are listed."""
    try:
        amounts = [Decimal(finding.detail["amount"]) for finding in evidence.findings]
    except (KeyError, InvalidOperation):
        return None
    return sum(amounts, Decimal(0)) if amounts and not evidence.more else None


def _named(finding: Finding) -> str:
    """A project by its own name, everything else by that of the customer."""
    return finding.detail.get("project_name") or finding.name


def labelled(texts: Texts, name: str, value: str) -> str:
    """One `Finding.detail` under its label."""
    colon = "：" if texts.language == "zh" else ": "
    return f"{texts.label(f'detail.{name}')}{colon}{detail_value(texts, name, value)}"


def changed_sentence(since: datetime, gone: int, texts: Texts, zone: ZoneInfo) -> str:
    """N15: the evidence was gathered again and has changed."""
    words = texts.text("evidence_line.changed", since=texts.moment(since, zone))
    return words + (texts.text("evidence_line.gone", gone=gone) if gone else "")


def correction_sentence(kind: EvidenceKind, corrected: Correction, texts: Texts, zone: ZoneInfo) -> str:
    """N5, E2: a fact as a clerk has verified it, with source and time. `corrected.by` is a name here."""
    return texts.text(
        "evidence_line.corrected",
        fact=texts.text(f"detail.{FACTS[kind]}"),
        value=texts.text(f"detail_value.{'yes' if corrected.value else 'no'}"),
        source=corrected.source,
        person=corrected.by,
        at=texts.moment(corrected.at, zone),
    )


class DecisionLine(Wire):
    """Who decided what, when, in which capacity and why (N11)."""

    kind: TaskKind
    choice: str
    person_name: str
    decided_at: datetime
    reason: str = ""
    special_reason: bool = False
    """N8: the reason is the special reason for going above the account limit."""
    on_behalf_of_name: str | None = None
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    round: int | None = None
    slot_name: str | None = None

    @property
    def choice_key(self) -> str:
        return f"decided.{self.kind}.{self.choice}"


class Essential(Wire):
    """One fact of the application under its label."""

    label_key: str
    value: str
    money: bool = False
    """`value` is an amount in RMB."""
    words: bool = False
    """`value` is a text key."""
    day: bool = False
    """`value` is a date (ISO 8601)."""

    def shown(self, texts: Texts) -> str:
        if self.words:
            return texts.text(self.value)
        if self.day:
            return texts.written_date(self.value)
        return texts.money(Decimal(self.value)) if self.money else self.value


def detail_value(texts: Texts, key: str, value: str) -> str:
    """The value of one `Finding.detail` in the reader's language: amounts, yes and no, the status of a project."""
    if key == "amount":
        try:
            return texts.money_in_short(Decimal(value))
        except InvalidOperation:
            return value
    known = f"detail_value.{value}"
    return texts.label(known) if texts.has(known) else value


def on_behalf(texts: Texts, line: DecisionLine) -> str:
    """李强（代 王总，代理人）: who decided, and on whose behalf."""
    if line.on_behalf_of_name is None:
        return line.person_name
    capacity = texts.text(f"capacity.{line.capacity}")
    return texts.text(
        "page.person_for", person=line.person_name, on_behalf_of=line.on_behalf_of_name, capacity=capacity
    )

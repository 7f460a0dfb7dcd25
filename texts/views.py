"""What mails and pages show alike: short lines about evidence, eligibility and decisions, ready for people to read.

Plain values, already looked up (names, not ids); the language and the time zone come in only when they are rendered.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

from domain.base import Wire
from domain.evidence import Evidence, EvidenceKind
from domain.tasks import AskedAs, TaskKind
from texts.catalogue import Texts


class FigureLine(Wire):
    """One figure of an eligibility clause against its bound (E1, E5), in RMB."""

    label_key: str = ""
    """Text key of what the figure is, where the clause itself does not say it."""
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
        words = texts.text(wording, actual=texts.money(self.actual), bound=texts.money(self.bound))
        gap = self.actual - self.bound
        if gap == 0:
            by = texts.text("eligibility.exactly")
        else:
            key = "eligibility.over_by" if gap > 0 else "eligibility.short_by"
            by = texts.text(key, difference=texts.money(abs(gap)))
        return f"{words}{'；' if texts.language == 'zh' else '; '}{by}"


class EligibilityLine(Wire):
    """One clause of E1 to E4 (E5)."""

    clause: str
    """Text key under `clause.`: E1a, E1b, E1c, E2, E3, E4."""
    passed: bool | None = None
    """None when it does not apply, or is (or must be) left to people."""
    for_people: bool = False
    figures: tuple[FigureLine, ...] = ()
    note: str = ""
    """Words already in the reader's language, e.g. how many lawsuits were found."""

    @property
    def verdict_key(self) -> str:
        if self.passed is None:
            return "eligibility.for_people" if self.for_people else "eligibility.not_applicable"
        return "eligibility.passed" if self.passed else "eligibility.failed"


class EvidenceLine(Wire):
    """One kind of evidence in one line."""

    kind: EvidenceKind
    count: int = 0
    grave: int = 0
    """How many findings speak against the application."""
    available: bool = True
    summary: str = ""

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceLine:
        return cls(
            kind=evidence.kind,
            count=len(evidence.findings),
            grave=sum(finding.grave for finding in evidence.findings),
            available=evidence.available,
            summary=evidence.note,
        )

    def sentence(self, texts: Texts) -> str:
        if not self.available:
            return texts.text("evidence_line.unavailable")
        if self.count == 0:
            return texts.text("evidence_line.none")
        key = "evidence_line.grave" if self.grave else "evidence_line.found"
        return texts.text(key, count=self.count, **({"grave": self.grave} if self.grave else {}))


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
    capacity: AskedAs = AskedAs.HOLDER
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
    """`value` is an amount in RMB, to be written the reader's way."""
    words: bool = False
    """`value` is a text key."""
    day: bool = False
    """`value` is a date (ISO 8601), to be written the reader's way."""

    def shown(self, texts: Texts) -> str:
        if self.words:
            return texts.text(self.value)
        if self.day:
            return texts.written_date(self.value)
        return texts.money(Decimal(self.value), hint=True) if self.money else self.value


def detail_value(texts: Texts, key: str, value: str) -> str:
    """The value of one `Finding.detail` in the reader's words: amounts, yes and no, the state of a project."""
    if key == "amount":
        try:
            return texts.money(Decimal(value), hint=True)
        except InvalidOperation:
            return value
    known = f"detail_value.{value}"
    return texts.label(known) if texts.has(known) else value


def on_behalf(texts: Texts, line: DecisionLine) -> str:
    """李强（代 王总，代理人）: who decided, and for whom."""
    if line.on_behalf_of_name is None:
        return line.person_name
    capacity = texts.text(f"capacity.{line.capacity}")
    return texts.text(
        "page.person_for", person=line.person_name, on_behalf_of=line.on_behalf_of_name, capacity=capacity
    )

"""The part of a report that a mail stores: figures and lines, independent of language (U1, U9, R3, R4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.access import Scope
from domain.base import Wire
from domain.reports.report import ReportKind
from domain.reviews.periods import Period, Rhythm
from texts.catalogue import Texts
from texts.lines import one_line


class FigureKind(StrEnum):
    """How a figure is written."""

    TEXT = "text"
    """Free text, shown unchanged."""
    WORDS = "words"
    """A text key."""
    MONEY = "money"
    CHANGE = "change"
    """An amount with its sign, in RMB."""
    PERCENT = "percent"
    """A fraction of 1."""
    NUMBER = "number"
    DAY = "day"
    """A date (ISO 8601)."""
    MONTH = "month"
    """`2026-11`."""


class Figure(Wire):
    """One value and its format."""

    value: str
    kind: FigureKind = FigureKind.TEXT
    key: str = ""
    """The text it is part of, as `{value}`; a number as `{count}`, so that the text can have plural forms."""
    of: str = ""
    """The value to compare it with, in the same format, as `{of}`."""
    who: str = ""
    """Whose value it is, as `{who}`."""

    def shown(self, texts: Texts) -> str:
        written = one_line(self._written(self.value, texts))
        if not self.key:
            return written
        of = one_line(self._written(self.of, texts)) if self.of else ""
        return texts.text(self.key, value=written, count=written, of=of, who=one_line(self.who))

    def _written(self, value: str, texts: Texts) -> str:
        match self.kind:
            case FigureKind.WORDS:
                return texts.label(value)
            case FigureKind.MONEY:
                return texts.money(Decimal(value))
            case FigureKind.CHANGE:
                amount = Decimal(value)
                return ("+" if amount > 0 else "") + texts.money(amount)
            case FigureKind.PERCENT:
                return f"{Decimal(value) * 100:.1f}%"
            case FigureKind.DAY:
                return texts.date(date.fromisoformat(value))
            case FigureKind.MONTH:
                return texts.month(value)
            case _:
                return value


class Headline(Wire):
    """One of the figures at the top of a mail."""

    label_key: str
    figure: Figure
    aside: Figure | None = None
    grave: bool = False


class SaidLine(Wire):
    """A text somebody wrote, with its label."""

    label_key: str
    text: str


class ReportLine(Wire):
    """One project, account or group of them."""

    title: Figure
    figure: Figure | None = None
    details: tuple[Figure, ...] = ()
    said: tuple[SaidLine, ...] = ()
    grave: bool = False


class ReportSection(Wire):
    """A part of a report mail: a heading and its lines."""

    title_key: str
    lines: tuple[ReportLine, ...]
    more: int = 0
    """How many more lines are in the sheet only."""


class Bar(Wire):
    """A bar beside a figure."""

    label: Figure
    figure: Figure
    share: Decimal
    """Its length as a fraction of the full width, 0 to 1."""
    grave: bool = False


class ReportBars(Wire):
    """The chart of a mail."""

    title_key: str
    bars: tuple[Bar, ...]


class ReportPart(Wire):
    """The part of a report that one reader receives."""

    kind: ReportKind
    period: Period
    scope: Scope
    """Which part of the report it is; the attached sheet has the same scope."""
    department: str | None = None
    departments: tuple[str, ...] = ()
    """Names of the departments; empty for the whole company."""
    headlines: tuple[Headline, ...] = ()
    bars: ReportBars | None = None
    sections: tuple[ReportSection, ...] = ()

    @property
    def title_key(self) -> str:
        return report_title_key(self.kind, self.period.rhythm)

    def part(self, texts: Texts) -> str:
        """北方区, or 全公司."""
        return part_words(self.departments, texts)


def report_title_key(kind: ReportKind, rhythm: Rhythm) -> str:
    """Text key of the title of such a report."""
    return f"report.title.{kind}" + (f".{rhythm}" if kind is ReportKind.ACCOUNTS else "")


def part_words(departments: Sequence[str], texts: Texts) -> str:
    """The departments that a part of a report is about."""
    return texts.join([one_line(name) for name in departments]) or texts.text("report.whole_company")

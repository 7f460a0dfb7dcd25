"""What a mail keeps of the report it brings: figures and lines, still without a language (U1, U9, R3, R4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.access import Scope
from domain.base import Wire
from domain.periods import Period, Rhythm
from domain.reports.report import ReportKind
from texts.catalogue import Texts
from texts.lines import one_line


class FigureKind(StrEnum):
    TEXT = "text"
    """As somebody wrote it."""
    WORDS = "words"
    """The key of a text."""
    MONEY = "money"
    CHANGE = "change"
    """An amount with its sign."""
    PERCENT = "percent"
    """A share of one."""
    NUMBER = "number"
    DAY = "day"
    """ISO 8601."""
    MONTH = "month"
    """`2026-11`."""


class Figure(Wire):
    """One value, and how it is written."""

    value: str
    kind: FigureKind = FigureKind.TEXT
    key: str = ""
    """The text it is part of, as `{value}`; a number as `{count}`, so that the text can have plural forms."""
    of: str = ""
    """What it is held against, written the same way, as `{of}`."""
    who: str = ""
    """Whose it is, as `{who}`."""

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
    """One of the few figures that stand on top."""

    label_key: str
    figure: Figure
    aside: Figure | None = None
    grave: bool = False


class SaidLine(Wire):
    """What somebody wrote, under its label."""

    label_key: str
    text: str


class ReportLine(Wire):
    """One project, account or group."""

    title: Figure
    figure: Figure | None = None
    details: tuple[Figure, ...] = ()
    said: tuple[SaidLine, ...] = ()
    grave: bool = False


class ReportSection(Wire):
    title_key: str
    lines: tuple[ReportLine, ...]
    more: int = 0
    """How many further lines only the sheet has."""


class Bar(Wire):
    label: Figure
    figure: Figure
    share: Decimal
    """How long it is: of the whole width, 0 to 1."""
    grave: bool = False


class ReportBars(Wire):
    """The one chart of a mail."""

    title_key: str
    bars: tuple[Bar, ...]


class ReportPart(Wire):
    """The part of one report that one reader is sent."""

    kind: ReportKind
    period: Period
    scope: Scope
    """What of the report it is: the sheet that goes along holds the same."""
    department: str | None = None
    departments: tuple[str, ...] = ()
    """Names; of the whole company none."""
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
    """Text key of what such a report is called."""
    return f"report.title.{kind}" + (f".{rhythm}" if kind is ReportKind.ACCOUNTS else "")


def part_words(departments: Sequence[str], texts: Texts) -> str:
    return texts.join([one_line(name) for name in departments]) or texts.text("report.whole_company")

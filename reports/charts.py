"""Draws a report's chart as SVG: readable in Chinese with the reader's own fonts, and safe to open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Final, NamedTuple

from domain.projects.project import SalesStage
from domain.reports.report import ZERO, AccountStatistics, ForecastRow, Report, SalesForecast
from domain.reports.totals import accounts_by_department, attainment, forecast_by_month
from texts.catalogue import Texts
from texts.lines import one_line

WIDTH: Final = 720
MOST_MONTHS: Final = 12
MOST_ACCOUNTS: Final = 20
FONT: Final = "-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
INK, GREY, LINE, BLUE, RED = "#1d232b", "#5b6470", "#e2e7ec", "#2b7a9e", "#b5472f"
STAGE_COLOURS: Final = {
    SalesStage.LEAD: "#c3d8e3",
    SalesStage.REQUIREMENTS: "#8fb8cc",
    SalesStage.SOLUTION: "#5a97b5",
    SalesStage.TENDER: "#2b7a9e",
    SalesStage.NEGOTIATION: "#14506e",
}


def chart(report: Report, texts: Texts, part: str) -> str | None:
    """The chart of a report; None for reports that have none (U1)."""
    match report:
        case SalesForecast():
            return _forecast(report, texts, part)
        case AccountStatistics():
            return _accounts(report, texts, part)
        case _:
            return None


def _forecast(report: SalesForecast, texts: Texts, part: str) -> str:
    """U9: weighted amounts, one column per month of expected signing, one colour per sales stage."""
    months = _months(report.rows)
    labels = [name for name, _ in months[:MOST_MONTHS]]
    if len(months) > MOST_MONTHS:
        labels.append(texts.text("report.later"))
        rest = [row for _, rows in months[MOST_MONTHS:] for row in rows]
        months = [*months[:MOST_MONTHS], ("", rest)]
    sums = [sum((row.weighted for row in rows), ZERO) for _, rows in months]
    most = max(sums, default=ZERO)
    top, height, left, room = 96, 240, 16, WIDTH - 32
    drawn = list(_legend(texts))
    if not most:
        return _svg(260, _title(report, texts, part), [*drawn, _text(left, 140, texts.text("report.chart.nothing"))])
    wide = room / len(months)
    for number, ((_, rows), label, total) in enumerate(zip(months, labels, sums, strict=True)):
        x, y = left + number * wide + wide * 0.14, float(top + height)
        for stage in SalesStage:
            part_of = sum((row.weighted for row in rows if row.sales_stage is stage), ZERO)
            tall = float(part_of / most) * height
            y -= tall
            if tall:
                drawn.append(_box(x, y, wide * 0.72, tall, STAGE_COLOURS[stage]))
        middle = x + wide * 0.36
        drawn.append(_text(middle, y - 6, _short(total, texts), size=11, anchor="middle"))
        drawn.append(_text(middle, top + height + 18, label, size=11, anchor="middle", colour=GREY))
    drawn.append(_box(left, top + height, room, 1, GREY))
    return _svg(top + height + 36, _title(report, texts, part), drawn)


def _months(rows: Sequence[ForecastRow]) -> list[tuple[str, list[ForecastRow]]]:
    names = [group.key for group in forecast_by_month(rows)]
    return [(name, [row for row in rows if f"{row.expected_signing:%Y-%m}" == name]) for name in names]


def _legend(texts: Texts) -> Iterable[str]:
    for number, (stage, colour) in enumerate(STAGE_COLOURS.items()):
        x = 16 + number * 120
        yield _box(x, 58, 12, 12, colour)
        yield _text(x + 18, 69, texts.text(f"sales_stage.{stage}"), size=12, colour=GREY)


class _Against(NamedTuple):
    name: str
    reached: Decimal
    target: Decimal
    bold: bool = False


def _accounts(report: AccountStatistics, texts: Texts, part: str) -> str:
    """R3: contracts as a bar, the target as a mark; departments first, then accounts, largest on top."""
    lines = [
        _Against(
            group.name or texts.text("report.no_department"),
            group.totals.contracts,
            group.totals.target_contracts,
            True,
        )
        for group in accounts_by_department(report)
    ]
    rows = sorted(report.rows, key=lambda row: (-row.target_contracts, row.account))
    lines += [_Against(row.customer, row.contracts, row.target_contracts) for row in rows[:MOST_ACCOUNTS]]
    left, room, step, top = 200, WIDTH - 200 - 190, 26, 84
    drawn = [
        _box(left, 52, 12, 12, BLUE),
        _text(left + 18, 63, texts.text("report.chart.contracts"), size=12, colour=GREY),
        _box(left + 100, 48, 3, 20, INK),
        _text(left + 110, 63, texts.text("report.chart.target"), size=12, colour=GREY),
    ]
    y = top
    # Departments and accounts differ in size: each group has its own scale.
    for group in ([bar for bar in lines if bar.bold], [bar for bar in lines if not bar.bold]):
        most = max((max(bar.reached, bar.target) for bar in group), default=ZERO) or Decimal(1)
        for bar in group:
            drawn += _against(bar, most, y, left, room, report.near_target, texts)
            y += step
        y += 10
    if not lines:
        drawn.append(_text(16, y + 10, texts.text("report.chart.nothing")))
    if len(rows) > MOST_ACCOUNTS:
        words = texts.text("report.chart.others", count=len(rows) - MOST_ACCOUNTS)
        drawn.append(_text(left - 8, y + 6, words, size=12, anchor="end", colour=GREY))
        y += step
    return _svg(y + 16, _title(report, texts, part), drawn)


def _against(
    bar: _Against, most: Decimal, y: int, left: int, room: int, near_target: Decimal, texts: Texts
) -> Iterable[str]:
    share = attainment(bar.reached, bar.target)
    below = share is not None and share < near_target
    percent = "" if share is None else f" · {share * 100:.1f}%"
    weight = "bold" if bar.bold else "normal"
    yield _text(left - 8, y + 13, _cut(bar.name), size=12, anchor="end", weight=weight)
    yield _box(left, y, room, 16, "#f2f5f7")
    yield _box(left, y, float(bar.reached / most) * room, 16, RED if below else BLUE)
    if bar.target:
        yield _box(left + float(bar.target / most) * room - 1.5, y - 2, 3, 20, INK)
    figures = f"{_short(bar.reached, texts)} / {_short(bar.target, texts)}{percent}"
    yield _text(left + room + 8, y + 13, figures, size=12, weight=weight)


def _title(report: Report, texts: Texts, part: str) -> str:
    return f"{texts.text(f'report.chart.{report.kind}')} · {report.period.id} · {part}"


def _svg(height: float, title: str, drawn: Iterable[str]) -> str:
    words = escape(one_line(title))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
            f'height="{height:g}" role="img" font-family="{FONT}">',
            f"<title>{words}</title>",
            f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>',
            _text(16, 32, title, size=16, weight="bold"),
            *drawn,
            "</svg>\n",
        )
    )


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    anchor: str = "start",
    colour: str = INK,
    weight: str = "normal",
) -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(one_line(words))}</text>'


def _short(amount: Decimal, texts: Texts) -> str:
    """A short form of an amount: 125 万, ¥1.25m; the sheet has the exact one."""
    if texts.language == "zh":
        return f"{amount / 10_000:,.1f}".removesuffix(".0") + " 万"
    return f"¥{amount / 1_000_000:,.2f}m" if amount >= 100_000 else texts.money(amount)


def _cut(name: str) -> str:
    """A name cut to the width beside a bar: a Chinese character is twice as wide as a letter."""
    room, kept = 26, ""
    for character in one_line(name):
        room -= 1 if character.isascii() else 2
        if room < 0:
            return f"{kept}…"
        kept += character
    return kept

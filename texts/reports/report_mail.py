"""A part of a report in the reader's language, ready for the mail templates."""

from __future__ import annotations

from typing import Any

from domain.reviews.periods import Period
from texts.catalogue import Texts
from texts.lines import one_line
from texts.reports.report_parts import ReportBars, ReportLine, ReportPart

NARROWEST = 2
"""Per cent of the full width: a bar above zero stays visible."""


def report_days(period: Period, texts: Texts) -> str:
    """The first and last day of a period."""
    return f"{texts.date(period.first)} – {texts.date(period.last)}"


def report_view(part: ReportPart, texts: Texts) -> dict[str, Any]:
    """What the templates of report mails need."""
    headlines = [
        {
            "label": texts.text(headline.label_key),
            "figure": headline.figure.shown(texts),
            "aside": headline.aside.shown(texts) if headline.aside else "",
            "grave": headline.grave,
        }
        for headline in part.headlines
    ]
    return {
        "headlines": headlines,
        "preview": " · ".join(f"{headline['label']} {headline['figure']}" for headline in headlines),
        "bars": _bars(part.bars, texts) if part.bars else None,
        "sections": [
            {
                "title": texts.text(section.title_key),
                "lines": [_line(line, texts) for line in section.lines],
                "more": texts.text("report.more", count=section.more) if section.more else "",
            }
            for section in part.sections
            if section.lines
        ],
    }


def _bars(bars: ReportBars, texts: Texts) -> dict[str, Any]:
    return {
        "title": texts.text(bars.title_key),
        "bars": [
            {
                "label": bar.label.shown(texts),
                "figure": bar.figure.shown(texts),
                "width": max(NARROWEST if bar.share > 0 else 0, min(100, int(bar.share * 100))),
                "grave": bar.grave,
            }
            for bar in bars.bars
        ],
    }


def _line(line: ReportLine, texts: Texts) -> dict[str, Any]:
    return {
        "title": line.title.shown(texts),
        "figure": line.figure.shown(texts) if line.figure else "",
        "details": " · ".join(shown for detail in line.details if (shown := detail.shown(texts))),
        "said": [(texts.text(said.label_key), one_line(said.text)) for said in line.said],
        "grave": line.grave,
    }

"""Renders templates: what every page has in common.

Pure: a frozen view in, HTML out. Showing a page changes nothing, nothing is preselected and no script runs, so neither
a reader nor a mail scanner can decide by opening one. Every page exists in both languages (X4).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2_fragments import render_block
from markupsafe import Markup

from domain.accounts.evidence import Evidence
from texts.catalogue import LANGUAGES, Texts
from texts.conflicts.verdicts import because, joined, level_label, ruled_sentence
from texts.view_lines import EvidenceLine, changed_sentence, correction_sentence
from web.models import PageView

TEMPLATE_DIR = Path(__file__).with_name("templates")
STATIC_DIR = Path(__file__).with_name("static")
STYLESHEET_URL: Final = "/static/baobei.css"


def headers_with(styles: str) -> Mapping[str, str]:
    """The headers of a page whose style sheets come from `styles`, a source list of the Content-Security-Policy."""
    return {
        "Cache-Control": "no-store",
        # The link in the address is the authority: no other site may learn it.
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": (
            f"default-src 'none'; style-src {styles}; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }


PAGE_HEADERS: Final[Mapping[str, str]] = headers_with("'self'")


@cache
def stylesheet() -> str:
    """The style sheet, for pages that include it."""
    return (STATIC_DIR / STYLESHEET_URL.rpartition("/")[2]).read_text("utf-8")


def changed_words(item: Evidence, texts: Texts, zone: ZoneInfo) -> str:
    """N15: since when a piece of evidence has changed."""
    return changed_sentence(item.changed_since, len(item.gone), texts, zone) if item.changed_since else ""


def corrected_words(item: Evidence, texts: Texts, zone: ZoneInfo) -> str:
    """N5, E2: what a clerk has corrected. `item` has names instead of ids."""
    return correction_sentence(item.kind, item.corrected, texts, zone) if item.corrected else ""


def evidence_words(item: Evidence, texts: Texts) -> str:
    """What was found, by its content. `item` has names instead of ids."""
    return EvidenceLine.of_named(item).sentence(texts)


def money_shown(value: str, texts: Texts) -> str:
    """An amount in the reader's format, or `value` itself when it is not an amount."""
    try:
        return texts.money(Decimal(value))
    except InvalidOperation:
        return value


@cache
def _environment() -> Environment:
    # Every template is HTML, so everything is escaped, whatever the template's name.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["written_day"] = lambda value, texts: texts.written_date(value)
    environment.filters["because"] = because
    environment.filters["level_label"] = level_label
    environment.filters["sentences"] = joined
    environment.filters["ruled_words"] = ruled_sentence
    environment.filters["changed_words"] = changed_words
    environment.filters["evidence_words"] = evidence_words
    environment.filters["corrected_words"] = corrected_words
    return environment


def render_template(view: PageView, template: str, /, *, block: str = "", **context: Any) -> str:
    """Render `template`, or only its `block`, with `context` and with what every page uses."""
    texts = Texts(view.language)
    zone = ZoneInfo(view.time_zone)
    known: dict[str, Any] = {
        "texts": texts,
        "t": texts.text,
        "lang": "zh-CN" if view.language == "zh" else "en",
        "languages": [(code, {"zh": "中文", "en": "English"}[code], code == view.language) for code in LANGUAGES],
        "path": view.path,
        "stylesheet": STYLESHEET_URL,
        "styles": Markup(stylesheet()),  # noqa: S704 - a style element must not be escaped; ours has no markup
        "zone": zone,
        "zone_name": texts.zone_name(zone),
        "moment": lambda value: texts.moment(value, zone),
        "day": lambda value: texts.day(value, zone),
        "money": lambda value: money_shown(value, texts),
        **context,
    }
    if block:
        return str(render_block(_environment(), template, block, **known))
    return _environment().get_template(template).render(**known)

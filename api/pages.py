"""The pages behind a mail link: asking for a decision, what became of it, and the calm pages for everything else.

Pure: a frozen view in, HTML out. Showing a page changes nothing; nothing is chosen beforehand and no script runs, so
neither a reader nor a mail scanner can decide by opening one. Every page exists in both languages (X4).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.dossier_page import DossierBlocks
from api.page_form import (
    BLANK_ROWS,
    Field,
    Rows,
    Section,
    field_id,
    flatten,
    form_values,
    parse_form,
    sections,
)
from api.page_views import (
    CalmKind,
    CalmPage,
    DecisionPage,
    FormError,
    PageView,
    Remark,
    ResultKind,
    ResultPage,
)
from domain.evidence import EvidenceKind
from domain.named_account import FORM_FIELD, note_field
from domain.organisation import Language
from domain.tasks import PASS, REJECT, RETURN, AskedAs, FieldKind, TaskKind
from texts.catalogue import DEFAULT_LANGUAGE, LANGUAGES, Texts
from texts.views import detail_value, on_behalf

TEMPLATE_DIR = Path(__file__).with_name("templates")
STATIC_DIR = Path(__file__).with_name("static")
STYLESHEET_URL: Final = "/static/baobei.css"

PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    # The link in the address is the authority: no other site may learn it.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


def render_decision(page: DecisionPage) -> str:
    """The page that asks for one decision. Raises `KeyError` when a text is missing."""
    texts = Texts(page.language)
    errors = {_input_name(error.field): error.message for error in page.errors}
    editing = page.kind is TaskKind.SUPPLY_INFORMATION
    typed = flatten(parse_form(page.entered))
    shown = sections(form_values(page.form), texts)
    notes = page.kind is TaskKind.COMMERCE_CHECK
    return _render(
        page,
        "decision.html.j2",
        title=texts.text(f"task.{page.kind}.title"),
        page=page,
        who=_who(page, texts),
        reason_hints=_reason_hints(page, texts),
        choices=[(choice.choice, texts.text(f"choice.{page.kind}.{choice.choice}")) for choice in page.choices],
        notes=notes,
        extra=_extra_fields(page, texts, errors),
        sections=shown,
        editing=sections(typed or form_values(page.form), texts, errors, blank_rows=BLANK_ROWS) if editing else (),
        errors=errors,
        error_list=_error_list(errors, texts),
        entered=page.entered,
        after=None if page.accounts_held is None else page.accounts_held + 1,
        on_behalf=on_behalf,
        note_field=note_field,
        detail_value=detail_value,
    )


def _input_name(field: str) -> str:
    """The input a problem belongs to: `fields.note_credit`, `fields.application.customer.name` lose their wrapping."""
    return field.removeprefix("fields.").removeprefix(f"{FORM_FIELD}.")


def render_result(page: ResultPage) -> str:
    """Accepted, decided before by somebody else (who, when, what), or refused and why."""
    texts = Texts(page.language)
    choice = texts.label(f"choice.{page.task_kind}.{page.choice}") if page.choice else ""
    facts = {"person": page.person_name, "moment": _moment(page, page.at, texts), "choice": choice}
    known = all(facts.values())
    lines = {
        ResultKind.ACCEPTED: [texts.text("page.accepted", **facts), texts.text("page.accepted_next")],
        ResultKind.ALREADY: [texts.text("page.already", **facts) if known else texts.text("page.already_unknown")],
        ResultKind.REFUSED: [page.message or texts.text("error.invalid")],
    }[page.result]
    link = (page.path, texts.text("page.back")) if page.result is ResultKind.REFUSED else None
    return _quiet(page, texts, texts.text(f"page.{page.result}_title"), lines, tone=page.result.value, link=link)


def render_calm(page: CalmPage) -> str:
    """Why there is nothing to decide here. `page.kind.status` is the HTTP status to send it with."""
    texts = Texts(page.language)
    choice = texts.label(f"choice.{page.task_kind}.{page.choice}") if page.task_kind and page.choice else ""
    text = texts.text(f"calm.{page.kind}.text") if page.kind is not CalmKind.ANSWERED else ""
    if page.kind is CalmKind.ANSWERED:
        facts = {"person": page.person_name, "moment": _moment(page, page.at, texts), "choice": choice}
        text = (
            texts.text("calm.answered.text", **facts)
            if all(facts.values())
            else texts.text("calm.answered.text_unknown")
        )
    lines = [text]
    if page.receipt:
        lines.append(f"{texts.text('calm.stored.receipt')} {page.receipt}")
    link = {
        CalmKind.STORED: (page.path, texts.text("page.look_again")),
        CalmKind.AWAY: (page.path, texts.text("page.try_again")),
    }.get(page.kind)
    return _quiet(page, texts, texts.text(f"calm.{page.kind}.title"), lines, tone=page.kind.value, link=link)


def render_dossier(
    dossier: Mapping[str, Any],
    *,
    language: Language = DEFAULT_LANGUAGE,
    time_zone: str = "Asia/Shanghai",
    path: str = "",
) -> str:
    """N11: everything kept of one application as one page to read or print.

    `dossier` is the JSON document the API answers (or the same with datetimes); parts unknown to this page are shown
    too.
    """
    texts = Texts(language)
    known = {**dossier, **dossier["application"]} if isinstance(dossier.get("application"), Mapping) else dossier
    customer = known.get("customer")
    name = customer.get("name") if isinstance(customer, Mapping) else None
    return _render(
        PageView(language=language, path=path, time_zone=time_zone),
        "dossier.html.j2",
        title=texts.text("dossier.title"),
        heading=str(known.get("customer_name") or name or texts.text("dossier.title")),
        number=str(known.get("number") or known.get("id") or ""),
        blocks=DossierBlocks(texts, ZoneInfo(time_zone)).of(dossier),
        detail_value=detail_value,
    )


def _quiet(
    page: ResultPage | CalmPage,
    texts: Texts,
    title: str,
    lines: list[str],
    *,
    tone: str,
    link: tuple[str, str] | None,
) -> str:
    number = page.number or page.application_id
    subject = " · ".join(
        part for part in (texts.text("page.application", number=number) if number else "", page.customer_name) if part
    )
    return _render(
        page,
        "quiet.html.j2",
        title=title,
        subject=subject,
        lines=lines,
        tone=tone,
        link=link,
        reason=page.reason if isinstance(page, ResultPage) else "",
    )


def _moment(page: PageView, moment: datetime | None, texts: Texts) -> str:
    return texts.moment(moment, ZoneInfo(page.time_zone)) if moment else ""


def _who(page: DecisionPage, texts: Texts) -> str:
    if page.on_behalf_of_name is None or page.capacity is AskedAs.HOLDER:
        return texts.text("page.asked", person=page.asked_name)
    return texts.text(f"page.asked_{page.capacity}", person=page.asked_name, on_behalf_of=page.on_behalf_of_name)


def _reason_hints(page: DecisionPage, texts: Texts) -> list[str]:
    """Which choices need a reason, and why (N5, N8, N9)."""
    hints = []
    for choice in page.choices:
        label = texts.text(f"choice.{page.kind}.{choice.choice}")
        if choice.special_reason:
            hints.append(texts.text("page.reason_special", choice=label))
        elif choice.reason_required:
            key = {REJECT: "page.reason_reject", RETURN: "page.reason_return"}.get(choice.choice, "page.reason_other")
            hints.append(texts.text(key, choice=label))
    needed = sum(choice.special_reason or choice.reason_required for choice in page.choices)
    if needed < len(page.choices):
        hints.append(texts.text("page.reason_optional_else" if needed else "page.reason_optional"))
    return hints


def _extra_fields(page: DecisionPage, texts: Texts, errors: Mapping[str, str]) -> list[Field]:
    """Text fields a choice asks for beside its reason, other than the evidence notes."""
    notes = {note_field(kind) for kind in EvidenceKind}
    specs = {spec.name: spec for choice in page.choices for spec in choice.fields if spec.kind is FieldKind.TEXT}
    return [
        Field(
            name=spec.name,
            label=texts.label(f"field.{spec.name}", texts.label(f"dossier.label.{spec.name}")),
            type="text",
            value=page.entered.get(spec.name, ""),
            required=False,
            error=errors.get(spec.name, ""),
        )
        for name, spec in specs.items()
        if name not in notes
    ]


def _error_list(errors: Mapping[str, str], texts: Texts) -> list[tuple[str, str]]:
    """Where each wrong input stands on the page, and its message under the input's name."""
    colon = "：" if texts.language == "zh" else ": "
    return [(field_id(name), f"{_input_label(name, texts)}{colon}{message}") for name, message in errors.items()]


def _input_label(name: str, texts: Texts) -> str:
    for kind in EvidenceKind:
        if name == note_field(kind):
            return texts.text("page.note_for", evidence=texts.text(f"evidence.{kind}"))
    parts = name.split(".")
    pattern = ".".join(part for part in parts if not part.isdecimal())
    group = pattern.rpartition(".")[0]
    names = [texts.label(f"field.{key}._title") for key in (group, pattern) if texts.has(f"field.{key}._title")]
    row = [texts.text("page.row", number=int(part) + 1) for part in parts if part.isascii() and part.isdigit()][:1]
    own = [texts.label(f"field.{pattern}")] if texts.has(f"field.{pattern}") else []
    return " ".join([*names, *row, *own]) or pattern


def money_shown(value: str, texts: Texts) -> str:
    """An amount the reader's way, or the text as it is when it is no amount."""
    try:
        return texts.money(Decimal(value), hint=True)
    except InvalidOperation:
        return value


@cache
def _environment() -> Environment:
    # Everything is HTML here, so everything is escaped, whatever a template is called.
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["because_label"] = lambda key, texts: texts.label(f"because.{key}")
    return environment


def _render(view: PageView, template: str, /, **context: Any) -> str:
    texts = Texts(view.language)
    zone = ZoneInfo(view.time_zone)
    return (
        _environment()
        .get_template(template)
        .render(
            texts=texts,
            t=texts.text,
            lang="zh-CN" if view.language == "zh" else "en",
            languages=[(code, {"zh": "中文", "en": "English"}[code], code == view.language) for code in LANGUAGES],
            path=view.path,
            portal_url=view.portal_url if view.portal_url.startswith(("https://", "http://", "/")) else "",
            stylesheet=STYLESHEET_URL,
            zone_name=texts.zone_name(zone),
            moment=lambda value: texts.moment(value, zone),
            day=lambda value: texts.day(value, zone),
            money=lambda value: money_shown(value, texts),
            **context,
        )
    )


__all__ = [
    "PAGE_HEADERS",
    "PASS",
    "STATIC_DIR",
    "STYLESHEET_URL",
    "CalmKind",
    "CalmPage",
    "DecisionPage",
    "FormError",
    "PageView",
    "Remark",
    "ResultKind",
    "ResultPage",
    "Rows",
    "Section",
    "parse_form",
    "render_calm",
    "render_decision",
    "render_dossier",
    "render_result",
]

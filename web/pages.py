"""The pages behind a mail link: asking for a decision, what became of it, and the calm pages for everything else.

Pure: a frozen view in, HTML out. Showing a page changes nothing; nothing is chosen beforehand and no script runs, so
neither a reader nor a mail scanner can decide by opening one. Every page exists in both languages (X4).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.conflicts.models import ConflictCheck
from api.tasks.wording import choice_key, task_key
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.accounts.named_account import FORM_FIELD, note_field
from domain.organisation import Language
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.subject import SubjectType
from domain.tasks.task import AnswerChoice, AssigneeCapacity, FieldKind, FieldSpec, TaskKind
from texts.catalogue import DEFAULT_LANGUAGE, LANGUAGES, Texts
from texts.conflicts.verdicts import because, joined, level_label, ruled_sentence
from texts.reviews.review_lines import review_title
from texts.tasks.late import closed_sentence, who
from texts.view_lines import changed_sentence, correction_sentence, detail_value, on_behalf
from web.dossier_page import DossierBlocks
from web.forms.fields import controls, specs_of
from web.forms.form import BLANK_ROWS, Rows, Section, field_id, flatten, form_values, layout_of, parse_form, sections
from web.page_models import (
    AboutSubject,
    AskingPage,
    DecisionPage,
    FormError,
    LinkStatus,
    LinkStatusPage,
    PageView,
    Remark,
    ResultKind,
    ResultPage,
    ReviewPage,
)
from web.projects.page import project_parts

TEMPLATE_DIR = Path(__file__).with_name("templates")
STATIC_DIR = Path(__file__).with_name("static")
STYLESHEET_URL: Final = "/static/baobei.css"


def _headers(styles: str) -> Mapping[str, str]:
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


PAGE_HEADERS: Final[Mapping[str, str]] = _headers("'self'")


@cache
def dossier_headers() -> Mapping[str, str]:
    """As `PAGE_HEADERS`, for a page that carries its style sheet with it."""
    digest = hashlib.sha256(_stylesheet().encode()).digest()
    return _headers(f"'sha256-{base64.b64encode(digest).decode()}'")


@cache
def _stylesheet() -> str:
    return (STATIC_DIR / STYLESHEET_URL.rpartition("/")[2]).read_text("utf-8")


CHECK_HEADERS: Final[Mapping[str, str]] = {
    **PAGE_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""Of the one page that has a script, which is a file of ours."""


def render_check(
    language: Language,
    typed: Mapping[str, str],
    *,
    token: str = "",
    found: ConflictCheck | None = None,
    wrong: Sequence[str] = (),
    part: bool = False,
) -> str:
    """The look at who else is registered; `part`: only what changes while somebody types."""
    texts = Texts(language)
    several = {"related_parties"}
    return render_template(
        PageView(language=language, path="/check"),
        "check_result.html.j2" if part else "check.html.j2",
        title=texts.text("check.title"),
        script="/static/check.js",
        fields=[(name, texts.text(f"check.field.{name}"), name in several) for name in typed],
        typed=typed,
        token=token,
        found=found,
        wrong=wrong,
    )


def render_decision(page: DecisionPage) -> str:
    """The page that asks for one decision. Raises `KeyError` when a text is missing."""
    texts, subject, layout = Texts(page.language), page.subject_type, layout_of(page.form)
    notes = {note_field(kind) for kind in EvidenceKind}
    specs = [spec for spec in specs_of(page.choices) if spec.name not in notes]
    specs.sort(key=lambda spec: spec.kind is FieldKind.RULINGS)  # what may be left alone comes last
    errors = {_input_name(error.field, specs): error.message for error in page.errors}
    editing = page.kind is TaskKind.SUPPLY_INFORMATION
    typed = flatten(parse_form(page.entered, layout))
    values, zone = form_values(page.form), ZoneInfo(page.time_zone)
    edited = sections(typed or values, texts, errors, blank_rows=BLANK_ROWS, layout=layout) if editing else ()
    return render_template(
        page,
        "decision.html.j2",
        title=texts.text(task_key(page.kind, subject, "title")),
        question=texts.text(task_key(page.kind, subject, "question")),
        heading=page.project_name or page.form.customer.name,
        about=subject_line(page, texts),
        page=page,
        who=who_is_asked(page, texts),
        decide_heading=_decide_heading(page, texts),
        reason_hints=_reason_hints(page, texts),
        choices=[(choice.choice, texts.text(choice_key(page.kind, subject, choice.choice))) for choice in page.choices],
        notes=page.kind is TaskKind.COMMERCE_CHECK,
        gather_again=_gather_again(page),
        extra=controls(
            specs,
            page.offered,
            texts,
            zone,
            subject=subject,
            always=len(page.choices) == 1,
            hints=_needed_for(page, texts),
            entered=page.entered,
            errors=errors,
        ),
        sections=sections(values, texts, layout=layout),
        editing=edited,
        errors=errors,
        error_list=_error_list(errors, layout.labels, texts),
        entered=page.entered,
        after=None if page.accounts_held is None else page.accounts_held + 1,
        on_behalf=on_behalf,
        note_field=note_field,
        detail_value=detail_value,
        task_title=lambda kind: texts.text(task_key(kind, subject, "title")),
        **project_parts(page, texts),
    )


def _input_name(field: str, specs: Sequence[FieldSpec]) -> str:
    """The input a problem belongs to: `fields.note_credit`, `fields.application.customer.name` lose their wrapping;
    what is wrong with one of several that are ticked is said of them all."""
    bare = field.removeprefix("fields.").removeprefix(f"{FORM_FIELD}.").removeprefix(f"{PROJECT_FORM_FIELD}.")
    whole = (spec.name for spec in specs if spec.kind not in (FieldKind.SPLIT, FieldKind.FORM))
    return next((name for name in whole if bare.startswith(f"{name}.")), bare)


def subject_line(page: AboutSubject, texts: Texts) -> str:
    """The subject by its number, a project by its name as well, a review by its period and whose it is."""
    number = page.number or page.subject_id
    if page.subject_type is SubjectType.REVIEW:
        return review_title(page.period, page.unit_name, texts) if page.period else number
    if page.subject_type is SubjectType.PROJECT:
        return texts.text("page.project_registration", number=number, project=page.project_name) if number else ""
    return texts.text("page.application", number=number) if number else ""


def render_result(page: ResultPage) -> str:
    """Accepted, decided before by somebody else (who, when, what), or refused and why."""
    texts = Texts(page.language)
    choice = texts.label(choice_key(page.task_kind, page.subject_type, page.choice)) if page.choice else ""
    person = who(texts, page.person_name, page.on_behalf_of_name)
    facts = {"person": person, "moment": _moment(page, page.at, texts), "choice": choice}
    known = all(facts.values())
    lines = {
        ResultKind.ACCEPTED: [texts.text("page.accepted", **facts), texts.text("page.accepted_next")],
        ResultKind.ALREADY: [texts.text("page.already", **facts) if known else texts.text("page.already_unknown")],
        ResultKind.REFUSED: [page.message or texts.text("error.invalid")],
    }[page.result]
    link = (page.path, texts.text("page.back")) if page.result is ResultKind.REFUSED else None
    return _quiet(page, texts, texts.text(f"page.{page.result}_title"), lines, tone=page.result.value, link=link)


def render_calm(page: LinkStatusPage) -> str:
    """Why there is nothing to decide here. `page.kind.status` is the HTTP status to send it with."""
    texts = Texts(page.language)
    kind = page.task_kind
    choice = texts.label(choice_key(kind, page.subject_type, page.choice)) if kind and page.choice else ""
    moment = _moment(page, page.at, texts)
    if page.kind is LinkStatus.ANSWERED:
        facts = {"person": who(texts, page.person_name, page.on_behalf_of_name), "moment": moment, "choice": choice}
        text = (
            texts.text("calm.answered.text", **facts)
            if all(facts.values())
            else texts.text("calm.answered.text_unknown")
        )
    elif page.kind is LinkStatus.HANDED_ON and moment:
        text = texts.text("late.handed_on", moment=moment)
    elif page.kind is LinkStatus.DELEGATION_OVER and page.delegate_until:
        text = _delegation_over(page, texts)
    else:
        zone, own = ZoneInfo(page.time_zone), ""
        if page.kind is LinkStatus.WITHDRAWN:
            own = closed_sentence(
                texts, zone, subject=page.subject_type, because=page.because, by=page.person_name, at=page.at
            )
        text = own or texts.text(_calm_key(page, "text", texts))
    lines = [text]
    if page.kind is LinkStatus.ANSWERED and page.delegate_until:
        lines.append(_delegation_over(page, texts))
    if page.kind in (LinkStatus.HANDED_ON, LinkStatus.DELEGATION_OVER):
        lines += [texts.text("late.asked_now", people=texts.join(page.asked_now))] if page.asked_now else []
        lines.append(texts.text("late.ask_commerce"))
    if page.receipt:
        lines.append(f"{texts.text('calm.stored.receipt')} {page.receipt}")
    link = {
        LinkStatus.STORED: (page.path, texts.text("page.look_again")),
        LinkStatus.AWAY: (page.path, texts.text("page.try_again")),
        **({LinkStatus.SUPERSEDED: (page.newer, texts.text("page.newer_text"))} if page.newer else {}),
    }.get(page.kind)
    title = texts.text(_calm_key(page, "title", texts))
    return _quiet(page, texts, title, lines, tone=page.kind.value, link=link)


def _delegation_over(page: LinkStatusPage, texts: Texts) -> str:
    until = _moment(page, page.delegate_until, texts)
    return texts.text("late.delegation_over", person=page.delegate_of, moment=until)


def _calm_key(page: LinkStatusPage, part: str, texts: Texts) -> str:
    own = f"calm.{page.kind}.{page.subject_type}_{part}"
    return own if texts.has(own) else f"calm.{page.kind}.{part}"


def render_dossier(
    dossier: Mapping[str, Any],
    *,
    language: Language = DEFAULT_LANGUAGE,
    time_zone: str = "Asia/Shanghai",
    path: str = "",
) -> str:
    """N11: everything kept of one application or project as one page to read or print.

    `dossier` is the JSON document the API answers (or the same with datetimes); parts unknown to this page are shown
    too.
    """
    texts = Texts(language)
    subject = SubjectType.PROJECT if isinstance(dossier.get("project"), Mapping) else SubjectType.APPLICATION
    own = dossier.get(subject)
    known = {**dossier, **own} if isinstance(own, Mapping) else dossier
    customer = known.get("customer")
    name = known.get("name") or known.get("customer_name") or (isinstance(customer, Mapping) and customer.get("name"))
    of_project = subject is SubjectType.PROJECT
    title = texts.text("dossier.project_title" if of_project else "dossier.title")
    number = str(known.get("number") or known.get("id") or "")
    about = AboutSubject(path=path, subject_type=subject, number=number, project_name=str(name or ""))
    return render_template(
        PageView(language=language, path=path, time_zone=time_zone),
        "dossier.html.j2",
        title=title,
        heading=str(name or title),
        about=subject_line(about, texts),
        what_it_is=texts.text("dossier.project_note" if of_project else "dossier.note"),
        blocks=DossierBlocks(texts, ZoneInfo(time_zone), subject).of(dossier),
        detail_value=detail_value,
    )


def _quiet(
    page: ResultPage | LinkStatusPage,
    texts: Texts,
    title: str,
    lines: list[str],
    *,
    tone: str,
    link: tuple[str, str] | None,
) -> str:
    subject = " · ".join(part for part in (subject_line(page, texts), page.customer_name) if part)
    return render_template(
        page,
        "quiet.html.j2",
        title=title,
        subject=subject,
        lines=lines,
        tone=tone,
        link=link,
        reason=page.reason,
    )


def _moment(page: PageView, moment: datetime | None, texts: Texts) -> str:
    return texts.moment(moment, ZoneInfo(page.time_zone)) if moment else ""


def who_is_asked(page: AskingPage, texts: Texts) -> str:
    """Who is asked, in which capacity."""
    if page.on_behalf_of_name is None or page.capacity is AssigneeCapacity.HOLDER:
        key = f"page.asked_for.{page.kind}"
        return texts.text(key if texts.has(key) else "page.asked", person=page.asked_name)
    return texts.text(f"page.asked_{page.capacity}", person=page.asked_name, on_behalf_of=page.on_behalf_of_name)


def _decide_heading(page: DecisionPage, texts: Texts) -> str:
    """Not every task asks for a judgement: a held project is completed, a meeting is called."""
    key = f"page.decide_for.{page.kind}"
    return texts.text(key if texts.has(key) else "page.decide")


def _gather_again(page: DecisionPage) -> str:
    """N15: what the button that has the evidence gathered again says: of which moment the evidence is that it replaces,
    so that pressing it twice is once. Empty where there is no such button."""
    gathered = [item.gathered_at for item in page.evidence]
    return max(gathered).isoformat() if gathered and page.may_gather_again else ""


def _needed_for(page: DecisionPage, texts: Texts) -> dict[str, str]:
    """By name, the fields that one choice needs and others do not, and what says so."""
    if len(page.choices) == 1:
        return {}
    return {
        spec.name: texts.text(
            "page.reason_other", choice=texts.text(choice_key(page.kind, page.subject_type, choice.choice))
        )
        for choice in page.choices
        for spec in choice.fields
        if spec.required
    }


def _reason_hints(page: DecisionPage, texts: Texts) -> list[str]:
    """Which choices need a reason, and why (N5, N8, N9)."""
    hints = []
    for choice in page.choices:
        label = texts.text(choice_key(page.kind, page.subject_type, choice.choice))
        if choice.special_reason:
            hints.append(texts.text("page.reason_special", choice=label))
        elif choice.reason_required:
            key = f"page.reason_for.{page.kind}.{choice.choice}"
            if not texts.has(key):
                keys: dict[str, str] = {
                    AnswerChoice.REJECT: "page.reason_reject",
                    AnswerChoice.RETURN: "page.reason_return",
                }
                key = keys.get(choice.choice, "page.reason_other")
            hints.append(texts.text(key, choice=label))
    needed = sum(choice.special_reason or choice.reason_required for choice in page.choices)
    if needed < len(page.choices):
        hints.append(texts.text("page.reason_optional_else" if needed else "page.reason_optional"))
    return hints


def _error_list(errors: Mapping[str, str], labels: str, texts: Texts) -> list[tuple[str, str]]:
    """Where each wrong input stands on the page, and its message under the input's name."""
    colon = "：" if texts.language == "zh" else ": "
    return [
        (field_id(name), f"{_input_label(name, labels, texts)}{colon}{message}") for name, message in errors.items()
    ]


def _input_label(name: str, labels: str, texts: Texts) -> str:
    """What an input is called. `labels`: where those of the form are."""
    for kind in EvidenceKind:
        if name == note_field(kind):
            return texts.text("page.note_for", evidence=texts.text(f"evidence.{kind}"))
    if name in ("choice", "reason", "confirm"):
        return texts.text(f"field.{name}")
    parts = name.split(".")
    pattern = ".".join(part for part in parts if not part.isdecimal())
    group = pattern.rpartition(".")[0]
    names = [texts.label(f"{labels}.{key}._title") for key in (group, pattern) if texts.has(f"{labels}.{key}._title")]
    row = [texts.text("page.row", number=int(part) + 1) for part in parts if part.isascii() and part.isdigit()][:1]
    own = [texts.label(f"{labels}.{pattern}")] if texts.has(f"{labels}.{pattern}") else []
    return " ".join([*names, *row, *own]) or pattern


def changed_words(item: Evidence, texts: Texts, zone: ZoneInfo) -> str:
    """N15: since when a piece of evidence is another."""
    return changed_sentence(item.changed_since, len(item.gone), texts, zone) if item.changed_since else ""


def corrected_words(item: Evidence, texts: Texts, zone: ZoneInfo) -> str:
    """N5, E2: what a clerk has corrected; the evidence is with names."""
    return correction_sentence(item.kind, item.corrected, texts, zone) if item.corrected else ""


def money_shown(value: str, texts: Texts) -> str:
    """An amount the reader's way, or the text as it is when it is no amount."""
    try:
        return texts.money(Decimal(value))
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
    environment.filters["written_day"] = lambda value, texts: texts.written_date(value)
    environment.filters["because"] = because
    environment.filters["level_label"] = level_label
    environment.filters["sentences"] = joined
    environment.filters["ruled_words"] = ruled_sentence
    environment.filters["changed_words"] = changed_words
    environment.filters["corrected_words"] = corrected_words
    return environment


def render_template(view: PageView, template: str, /, **context: Any) -> str:
    """A page by its template, with what every page has at hand."""
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
            styles=Markup(_stylesheet()),  # noqa: S704 - a style element is not escaped; ours holds no markup
            zone=zone,
            zone_name=texts.zone_name(zone),
            moment=lambda value: texts.moment(value, zone),
            day=lambda value: texts.day(value, zone),
            money=lambda value: money_shown(value, texts),
            **context,
        )
    )


__all__ = [
    "PAGE_HEADERS",
    "STATIC_DIR",
    "STYLESHEET_URL",
    "DecisionPage",
    "FormError",
    "LinkStatus",
    "LinkStatusPage",
    "PageView",
    "Remark",
    "ResultKind",
    "ResultPage",
    "ReviewPage",
    "Rows",
    "Section",
    "dossier_headers",
    "parse_form",
    "render_calm",
    "render_decision",
    "render_dossier",
    "render_result",
    "render_template",
    "subject_line",
    "who_is_asked",
]

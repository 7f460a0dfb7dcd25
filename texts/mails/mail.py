"""Renders the content of a mail (`render_mail`); `delivery/mime.py` builds the message from it."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import escape

from domain.base import Frozen
from domain.notices import Notice
from domain.subject import SubjectType
from texts.catalogue import Texts
from texts.lines import header_text, one_line, paragraphs
from texts.mails.facts import ASKING, MailFacts, StepAhead
from texts.mails.heading import heading, intro, review_of, subject_line, task_text
from texts.projects.project_lines import MatchLine
from texts.reports.report_mail import report_view
from texts.reviews.review_lines import review_dates
from texts.tasks.deciding import DecidingLine, deciding_lines
from texts.view_lines import EvidenceLine, on_behalf

TEMPLATE_DIR = Path(__file__).with_name("templates")
WRITTEN_KEPT: Final = 64
"""Cached mails: the mails of one step come together and mostly have the same content."""
_GREETING: Final = "\x00greeting\x00"
_LINK: Final = "\x00link\x00"
_PAGE: Final = "\x00page\x00"
"""Placeholders for what differs per reader. No text can contain one: lines have no control characters."""


class RenderedMail(Frozen):
    """A mail in words: subject, text and HTML."""

    subject: str
    text: str
    html: str


def render_mail(facts: MailFacts) -> RenderedMail:
    """Subject, plain text and HTML of one mail in the reader's language (X4).

    Raises `ValueError` when the link is not an http(s) address, `KeyError` when a text is missing.
    """
    links = {_LINK: facts.link or facts.subject_url, _PAGE: facts.subject_url if facts.link else ""}
    for address in filter(None, links.values()):
        if not re.fullmatch(r"https?://[^\s<>\"']+", address):
            raise ValueError("the link of a mail must be an http(s) address without spaces")
    greeting = _greeting(facts.to_name, Texts(facts.language))
    stand_ins = {mark: mark if address else "" for mark, address in links.items()}
    for_all = facts.model_copy(update={"to_name": "", "link": stand_ins[_LINK], "subject_url": stand_ins[_PAGE]})
    written = _written(for_all)
    text, html = written.text.replace(_GREETING, greeting), written.html.replace(_GREETING, escape(greeting))
    for mark, address in links.items():
        text, html = text.replace(mark, address), html.replace(mark, escape(address))
    return RenderedMail(subject=written.subject, text=text, html=html)


@lru_cache(WRITTEN_KEPT)
def _written(facts: MailFacts) -> RenderedMail:
    """The content that all recipients share, with placeholders for greeting and link."""
    texts = Texts(facts.language)
    context = _context(facts, texts)
    report = context["report"]
    deciding = context["deciding"]
    leading = deciding[0].text if deciding else context["intro"]
    context["preview"] = report["preview"] if report else leading
    context["subject"] = header_text(subject_line(facts, texts), 200)
    environment = _environment()
    html = environment.get_template("mail.html.j2").render(context)
    text = environment.get_template("mail.txt.j2").render(context)
    return RenderedMail(subject=context["subject"], text=_tidied(text), html=html)


def _tidied(text: str) -> str:
    """`text` without trailing spaces and with at most one empty line in a row."""
    text = "\n".join([line.rstrip(" ") for line in text.split("\n")])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"


def _greeting(name: str, texts: Texts) -> str:
    return texts.text("mail.greeting", name=one_line(name)) if name else texts.text("mail.greeting_nobody")


def _context(facts: MailFacts, texts: Texts) -> dict[str, Any]:
    zone = ZoneInfo(facts.time_zone)
    personal = facts.kind in ASKING or facts.act
    footer = texts.text("mail.automatic" if personal else "mail.automatic_without_link")
    return {
        "texts": texts,
        "lang": "zh-CN" if facts.language == "zh" else "en",
        "colon": "：" if facts.language == "zh" else ": ",
        "what": heading(facts, texts),
        "greeting": _GREETING,
        "intro": intro(facts, texts, zone),
        "deciding": _deciding(facts, texts, zone),
        "question": (
            texts.text(task_text(facts.task_kind, facts.subject_type, "question"))
            if facts.task_kind and facts.kind in ASKING
            else ""
        ),
        "link": facts.link,
        "button": texts.text(f"mail.act.{facts.act}" if facts.act else f"mail.{facts.kind}.button"),
        "page": facts.subject_url,
        "page_words": texts.text(f"mail.page_of.{facts.subject_type}"),
        "rows": _rows(facts, texts, zone),
        "report": report_view(facts.report, texts) if facts.report else None,
        "reason": paragraphs(facts.reason) if facts.reason.strip() else [],
        "conflict": paragraphs(facts.conflict_note) if facts.conflict_note.strip() else [],
        "ahead": [_step_row(step, facts, texts, zone) for step in facts.ahead],
        "essentials_title": texts.text(_essentials_title(facts)),
        "essentials": _essentials(facts, texts),
        "evidence": [
            (texts.text("mail.section.evidence"), [_evidence_row(e, texts, zone) for e in facts.evidence_lines]),
            (texts.text("project_page.matches"), [_match_row(m, texts, zone) for m in _weighed(facts)]),
        ],
        "eligibility": [
            (
                f"{line.clause} {texts.label(f'clause.{line.clause}', line.clause)}",
                texts.text(line.verdict_key),
                line.passed is False,
                [
                    *((texts.label(f.label_key) if f.label_key else "", f.sentence(texts)) for f in line.figures),
                    *(("", texts.text(key)) for key in line.found),
                ],
                one_line(line.note),
            )
            for line in facts.eligibility
        ],
        "decisions": [
            {
                "title": texts.text(f"task.{d.kind}.title"),
                "choice": texts.label(d.choice_key),
                "who": one_line(on_behalf(texts, d)),
                "when": texts.moment(d.decided_at, zone),
                "reason_label": texts.text("page.special_reason" if d.special_reason else "mail.reason"),
                "reason": paragraphs(d.reason) if d.reason.strip() else [],
            }
            for d in facts.decisions
        ],
        "footer": [footer, texts.text("mail.times_in", zone=texts.zone_name(zone))],
    }


def _deciding(facts: MailFacts, texts: Texts, zone: ZoneInfo) -> list[DecidingLine]:
    lines = deciding_lines(facts.deciding, texts, zone) if facts.deciding else ()
    return [line.model_copy(update={"text": one_line(line.text)}) for line in lines]


def _step_row(step: StepAhead, facts: MailFacts, texts: Texts, zone: ZoneInfo) -> tuple[str, str]:
    due = texts.text("mail.ahead_by", due=texts.moment(step.due_at, zone))
    if step.provisional:
        due += texts.text("mail.deadline_provisional")
    people = [one_line(texts.join(step.people))] if step.people else []
    return texts.text(task_text(step.kind, facts.subject_type, "title")), " · ".join([*people, due])


def _essentials_title(facts: MailFacts) -> str:
    if facts.subject_type is SubjectType.REVIEW:
        return "mail.section.review_figures" if facts.kind is Notice.REVOKED else "mail.section.review_accounts"
    return "mail.section.project_essentials" if facts.subject_type is SubjectType.PROJECT else "mail.section.essentials"


def _essentials(facts: MailFacts, texts: Texts) -> list[tuple[str, str]]:
    if facts.kind is Notice.REVOKED:
        return [row for line in facts.accounts for row in line.rows(texts)]
    rows = [(texts.label(e.label_key), one_line(e.shown(texts))) for e in facts.essentials]
    rows += [(one_line(line.customer), one_line(line.sentence(texts))) for line in facts.accounts]
    return rows + ([("…", texts.text("mail.more_accounts", count=facts.more_accounts))] if facts.more_accounts else [])


EvidenceRow = tuple[str, str, bool, list[str]]
"""Label, sentence, whether it counts against the subject, and the small print below it."""


def _evidence_row(line: EvidenceLine, texts: Texts, zone: ZoneInfo) -> EvidenceRow:
    grave = bool(line.grave) or not line.available or bool(line.corrected and line.corrected.value)
    small = [*line.remarks(texts, zone), line.summary, *(found.sentence(texts, zone) for found in line.found)]
    return texts.text(f"evidence.{line.kind}"), line.sentence(texts), grave, [one_line(line) for line in small if line]


def _weighed(facts: MailFacts) -> list[MatchLine]:
    """A5: every side in the order of registration; empty when there is only one."""
    own = [facts.own] if facts.own and facts.matches else []
    return sorted([*own, *facts.matches], key=lambda line: line.since)


def _match_row(line: MatchLine, texts: Texts, zone: ZoneInfo) -> EvidenceRow:
    grave = line.live and line.earlier and not line.cleared and not line.own
    small = [one_line(words) for words in (line.weighed(texts),) if words]
    return line.title(texts), one_line(line.sentence(texts, zone)), grave, small


def _by_label(kind: Notice, texts: Texts) -> str:
    """Whoever caused the mail did not always decide: an appeal is filed, a meeting called."""
    return f"by.{kind}" if texts.has(f"mail.label.by.{kind}") else "decided_by"


def _rows(facts: MailFacts, texts: Texts, zone: ZoneInfo) -> list[tuple[str, str]]:
    if facts.report:
        return []
    number = facts.shown_number
    if facts.round is not None and facts.round > 1:
        number = f"{number} · {texts.text('mail.round', round=facts.round)}"
    on_behalf_of = ""
    if facts.on_behalf_of_name:
        on_behalf_of = f"{facts.on_behalf_of_name} · {texts.text(f'capacity.{facts.capacity}')}"
    due = ""
    if facts.due_at is not None:
        note = texts.text("mail.deadline_provisional") if facts.provisional else ""
        due = texts.moment(facts.due_at, zone) + note
    of_project = facts.subject_type is SubjectType.PROJECT
    number_is, person_is = ("registration", "salesperson") if of_project else ("application", "applicant")
    stage_key, of_review = facts.stage_key, list[tuple[str, str]]()
    if facts.subject_type is SubjectType.REVIEW:
        number_is, number, person_is, stage_key = "review", review_of(facts, texts), "salesperson", ""
        of_review = [
            ("review_dates", review_dates(facts.period, texts) if facts.period else ""),
            ("closes_at", texts.moment(facts.until, zone) if facts.until and facts.kind in ASKING else ""),
            ("silent", texts.join(facts.silent)),
        ]
    rows = [
        ("customer", facts.customer_name),
        ("project", facts.project_name),
        (number_is, number),
        ("project_number", facts.project_number),
        (person_is, facts.applicant_name),
        ("department", "" if of_review else facts.department_name),
        *of_review,
        ("task", texts.text(task_text(facts.task_kind, facts.subject_type, "title")) if facts.task_kind else ""),
        ("on_behalf_of", on_behalf_of),
        ("due_at", due),
        ("lapses_at", texts.moment(facts.closes_at, zone) if facts.closes_at else ""),
        ("stage", texts.text(stage_key) if stage_key else ""),
        (_by_label(facts.kind, texts), facts.decided_by_name),
        ("appeal_until", texts.moment(facts.appeal_until, zone) if facts.appeal_until else ""),
    ]
    named = [(texts.text(f"mail.label.{name}"), one_line(value)) for name, value in rows if value]
    return named + [(texts.label(fact.label_key), one_line(fact.shown(texts))) for fact in facts.facts]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATE_DIR),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a template does not change under a running process
    )

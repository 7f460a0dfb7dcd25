"""Renders the content of a mail (`render_mail`); `delivery/mime.py` builds the message from it."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import escape

from domain.base import Frozen, Moment, Wire
from domain.notices import Notice
from domain.organisation import Language
from domain.reviews.periods import Period
from domain.subject import SubjectType, path_of
from domain.tasks.task import AssigneeCapacity, TaskKind
from texts.catalogue import DEFAULT_LANGUAGE, Texts
from texts.lines import header_text, one_line, paragraphs
from texts.projects.project_lines import MatchLine
from texts.reports.report_mail import report_days, report_view
from texts.reports.report_parts import ReportPart
from texts.reviews.review_lines import AccountLine, review_dates, review_title
from texts.view_lines import DecisionLine, EligibilityLine, Essential, EvidenceLine, on_behalf

TEMPLATE_DIR = Path(__file__).with_name("templates")
SHORT_ID = 8
"""Characters of a long application id that a subject line shows."""
WRITTEN_KEPT: Final = 64
"""Cached mails: the mails of one step come together and mostly have the same content."""
_GREETING: Final = "\x00greeting\x00"
_LINK: Final = "\x00link\x00"
"""Placeholders for what differs per reader. No text can contain one: lines have no control characters."""


ASKING: Final = frozenset({Notice.TASK, Notice.REMINDER, Notice.ASKED_KINDLY, Notice.STAND_IN})
"""Mails that ask for a decision: their link is personal."""


class MailFacts(Wire):
    """Everything a mail contains, already looked up: names, not ids."""

    kind: Notice
    language: Language = DEFAULT_LANGUAGE
    to_name: str = ""
    subject_type: SubjectType = SubjectType.APPLICATION
    subject_id: str
    number: str = ""
    """The number of the application or project; if empty, its id (the first characters of a long one)."""
    project_name: str = ""
    project_number: str = ""
    """P9, once it is issued. Not in the subject line, which stays the same so that the mails stay together."""
    round: int | None = None
    customer_name: str = ""
    applicant_name: str = ""
    department_name: str = ""
    task_kind: TaskKind | None = None
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    on_behalf_of_name: str | None = None
    due_at: Moment | None = None
    closes_at: Moment | None = None
    """U10: when the matter is shelved or closed unless somebody answers."""
    provisional: bool = False
    """The holidays of that year are not published yet; the date may still change."""
    handed_on: bool = False
    """For a task that is no longer the reader's: it is still open, with other assignees."""
    stage_key: str = ""
    """Text key of the stage, such as `stage.vp_review`."""
    reason: str = ""
    decided_by_name: str = ""
    decisions: tuple[DecisionLine, ...] = ()
    essentials: tuple[Essential, ...] = ()
    evidence_lines: tuple[EvidenceLine, ...] = ()
    eligibility: tuple[EligibilityLine, ...] = ()
    matches: tuple[MatchLine, ...] = ()
    """A5: what else is registered for the customer, end user or channel of a project."""
    own: MatchLine | None = None
    """A5: the registration itself, to be weighed against its matches."""
    appeal_until: Moment | None = None
    conflict_note: str = ""
    facts: tuple[Essential, ...] = ()
    """Further rows, such as the split that was agreed or when and where a meeting is."""
    until: Moment | None = None
    """The date in a notice of a project: until when to object, when it is shelved."""
    since: Moment | None = None
    """U2, U3: the time of the project's last update."""
    period: Period | None = None
    """R1–R4: of a review; `unit_name` is whose review it is, and `until` when it closes."""
    unit_name: str = ""
    accounts: tuple[AccountLine, ...] = ()
    """The accounts of a review task, or the one that was revoked (R5)."""
    account_id: str = ""
    """R5: the account that was revoked: its page is what the mail links to."""
    more_accounts: int = 0
    """How many more accounts there are."""
    silent: tuple[str, ...] = ()
    """R1: names of those who have not reported."""
    report: ReportPart | None = None
    """In mails that bring a report (U1, U9, R3, R4)."""
    invitation: str = ""
    """An RFC 5545 calendar to attach (D2)."""
    link: str = ""
    subject_url: str = ""
    """The page of the subject, for whoever signs in; the one link of mails that ask nothing."""
    time_zone: str = "Asia/Shanghai"

    def __hash__(self) -> int:
        """Hashes a part of the fields only: not every field is hashable."""
        return hash((self.kind, self.subject_id, self.language))

    @property
    def page(self) -> str:
        """The path of the page that a mail without a task leads to; empty for a report, which has none, and for
        somebody who handed a task on and sees its subject no longer (X2)."""
        if self.report or self.handed_on:
            return ""
        if self.account_id:
            return path_of("account", self.account_id)
        return path_of(self.subject_type, self.subject_id)

    @property
    def shown_number(self) -> str:
        return self.number or (self.subject_id if len(self.subject_id) <= 16 else self.subject_id[:SHORT_ID])


class RenderedMail(Frozen):
    """A mail in words: subject, text and HTML."""

    subject: str
    text: str
    html: str


def render_mail(facts: MailFacts) -> RenderedMail:
    """Subject, plain text and HTML of one mail in the reader's language (X4).

    Raises `ValueError` when the link is not an http(s) address, `KeyError` when a text is missing.
    """
    link = facts.link or facts.subject_url
    if link and not re.fullmatch(r"https?://[^\s<>\"']+", link):
        raise ValueError("the link of a mail must be an http(s) address without spaces")
    greeting = _greeting(facts.to_name, Texts(facts.language))
    for_all = facts.model_copy(update={"to_name": "", "link": _LINK if link else "", "subject_url": ""})
    written = _written(for_all)
    return RenderedMail(
        subject=written.subject,
        text=written.text.replace(_GREETING, greeting).replace(_LINK, link),
        html=written.html.replace(_GREETING, escape(greeting)).replace(_LINK, escape(link)),
    )


@lru_cache(WRITTEN_KEPT)
def _written(facts: MailFacts) -> RenderedMail:
    """The content that all recipients share, with placeholders for greeting and link."""
    texts = Texts(facts.language)
    context = _context(facts, texts)
    report = context["report"]
    context["preview"] = report["preview"] if report else context["intro"]
    context["subject"] = header_text(_subject(facts, texts), 200)
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


def _subject(facts: MailFacts, texts: Texts) -> str:
    number = header_text(facts.shown_number)
    if report := facts.report:
        title, part = texts.text(report.title_key), header_text(report.part(texts), 80)
        return texts.text("mail.report_subject", report=title, period=report.period.id, part=part)
    if facts.subject_type is SubjectType.PROJECT:
        return texts.text("mail.project_subject", number=number, project=header_text(facts.project_name, 80))
    if facts.subject_type is SubjectType.REVIEW:
        title, customer = header_text(_review(facts, texts)), header_text(facts.customer_name, 80)
        return texts.text("review.customer_title", review=title, customer=customer) if customer else title
    key = "mail.subject" if facts.customer_name else "mail.subject_without_customer"
    return texts.text(key, number=number, customer=header_text(facts.customer_name, 80))


def _context(facts: MailFacts, texts: Texts) -> dict[str, Any]:
    zone = ZoneInfo(facts.time_zone)
    footer = texts.text("mail.automatic" if facts.kind in ASKING else "mail.automatic_without_link")
    return {
        "texts": texts,
        "lang": "zh-CN" if facts.language == "zh" else "en",
        "colon": "：" if facts.language == "zh" else ": ",
        "what": _capital(texts.text(f"mail.{facts.kind}.what")),
        "greeting": _GREETING,
        "intro": _intro(facts, texts, zone),
        "question": (
            texts.text(task_question(facts.task_kind, facts.subject_type))
            if facts.task_kind and facts.kind in ASKING
            else ""
        ),
        "link": facts.link,
        "button": texts.text(f"mail.{facts.kind}.button"),
        "rows": _rows(facts, texts, zone),
        "report": report_view(facts.report, texts) if facts.report else None,
        "reason": paragraphs(facts.reason) if facts.reason.strip() else [],
        "conflict": paragraphs(facts.conflict_note) if facts.conflict_note.strip() else [],
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


def _review(facts: MailFacts, texts: Texts) -> str:
    return review_title(facts.period, facts.unit_name, texts) if facts.period else facts.shown_number


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


def task_question(kind: TaskKind, subject: SubjectType) -> str:
    """Text key of a task's question; completing a held project reads differently from a returned application."""
    if kind is TaskKind.SUPPLY_INFORMATION and subject is SubjectType.PROJECT:
        return "task.supply_information.project_question"
    return f"task.{kind}.question"


def task_title(kind: TaskKind, subject: SubjectType) -> str:
    """Text key of a task's title, with the same distinction."""
    if kind is TaskKind.SUPPLY_INFORMATION and subject is SubjectType.PROJECT:
        return "task.supply_information.project_title"
    return f"task.{kind}.title"


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


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _intro(facts: MailFacts, texts: Texts, zone: ZoneInfo) -> str:
    kind = facts.task_kind
    task = texts.text(task_title(kind, facts.subject_type) if kind else "page.a_task")
    if facts.kind is Notice.REJECTED:
        if facts.appeal_until is None:
            return texts.text("mail.rejected.intro_final")
        return texts.text("mail.rejected.intro", until=texts.moment(facts.appeal_until, zone))
    if facts.kind is Notice.TASK_WITHDRAWN and facts.handed_on:
        over = facts.capacity is AssigneeCapacity.DELEGATE and facts.on_behalf_of_name
        key = "mail.task_withdrawn.intro_delegation_over" if over else "mail.task_withdrawn.intro_handed_on"
        return texts.text(key, task=task, person=one_line(facts.on_behalf_of_name or ""))
    if report := facts.report:
        dates, last = report_days(report.period, texts), texts.date(report.period.last)
        return texts.text(f"mail.{facts.kind}.intro", dates=dates, until=last)
    somebody = texts.text("page.somebody")
    in_place_of = facts.kind in ASKING and facts.kind is not Notice.ASKED_KINDLY
    person = facts.on_behalf_of_name if in_place_of else facts.decided_by_name
    return texts.text(
        f"mail.{facts.kind}.intro",
        task=task,
        person=one_line(person or somebody),
        customer=one_line(facts.customer_name or texts.text("page.the_customer")),
        applicant=one_line(facts.applicant_name or somebody),
        project=one_line(facts.project_name),
        number=one_line(facts.project_number or facts.shown_number),
        until=texts.moment(facts.until, zone) if facts.until else "",
        since=texts.moment(facts.since, zone) if facts.since else texts.text("mail.a_while_ago"),
        dates="",
    )


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
        number_is, number, person_is, stage_key = "review", _review(facts, texts), "salesperson", ""
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
        ("task", texts.text(task_title(facts.task_kind, facts.subject_type)) if facts.task_kind else ""),
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

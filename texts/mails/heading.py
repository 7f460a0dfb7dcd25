"""What a mail leads with: its subject line, its heading and its first sentence, in the words of its reader."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from domain.notices import Notice
from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity, TaskKind
from texts.catalogue import Texts
from texts.lines import header_text, one_line
from texts.mails.facts import ASKING, MailFacts
from texts.reports.report_mail import report_days
from texts.reviews.review_lines import review_title

_REMINDERS: Final = frozenset(
    {
        Notice.REMINDER,
        Notice.ASKED_KINDLY,
        Notice.SILENT_TWO_WEEKS,
        Notice.SILENT_ONE_MONTH,
        Notice.STANDING_STILL,
        Notice.APPLICATION_STANDING_STILL,
    }
)


def subject_line(facts: MailFacts, texts: Texts) -> str:
    """What is wanted, then the customer, then the number."""
    if report := facts.report:
        title, part = texts.text(report.title_key), header_text(report.part(texts), 80)
        return texts.text("mail.report_subject", report=title, period=report.period.id, part=part)
    customer = header_text(facts.customer_name, 80)
    match facts.subject_type:
        case SubjectType.PROJECT:
            about = [customer, header_text(facts.project_name, 80), facts.short_number]
        case SubjectType.REVIEW:
            about = [customer, header_text(review_of(facts, texts))]
        case _:
            about = [customer, texts.text("mail.named_account_application"), facts.short_number]
    return texts.text("mail.subject", wanted=_wanted(facts, texts), about=" · ".join(part for part in about if part))


def heading(facts: MailFacts, texts: Texts) -> str:
    """What the mail is about; also the start of its preview line."""
    if facts.kind is Notice.REMINDER and facts.times:
        return texts.text("mail.reminder.nth", number=facts.times)
    if facts.kind is Notice.STAND_IN and facts.on_behalf_of_name:
        return texts.text("mail.stand_in.overdue", person=one_line(facts.on_behalf_of_name))
    return _capital(texts.text(f"mail.{facts.kind}.what"))


def intro(facts: MailFacts, texts: Texts, zone: ZoneInfo) -> str:
    """The first sentence. The reader whose matter it is, is addressed; others are told about whom."""
    kind = facts.task_kind
    task = texts.text(task_text(kind, facts.subject_type, "title") if kind else "page.a_task")
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
    until = facts.until or facts.appeal_until
    return texts.text(
        _intro_key(facts, texts),
        task=task,
        person=one_line(person or somebody),
        customer=one_line(facts.customer_name or texts.text("page.the_customer")),
        applicant=one_line(facts.applicant_name or somebody),
        project=one_line(facts.project_name),
        number=one_line(facts.short_number),
        until=texts.moment(until, zone) if until else "",
        since=texts.day(facts.since, zone) if facts.since else texts.text("mail.a_while_ago"),
        days=facts.days,
        dates="",
    )


def review_of(facts: MailFacts, texts: Texts) -> str:
    """The title of a review (R1–R4)."""
    return review_title(facts.period, facts.unit_name, texts) if facts.period else facts.shown_number


def task_text(kind: TaskKind, subject: SubjectType, part: str) -> str:
    """Text key of a task's `title` or `question`; completing a held project reads differently from a returned
    application."""
    of_project = kind is TaskKind.SUPPLY_INFORMATION and subject is SubjectType.PROJECT
    return f"task.{kind}.{'project_' if of_project else ''}{part}"


def _wanted(facts: MailFacts, texts: Texts) -> str:
    if facts.kind in _REMINDERS:
        return texts.text("mail.wanted.reminder")
    if facts.kind is Notice.STAND_IN:
        return texts.text("mail.wanted.stand_in")
    if facts.kind in ASKING:
        return texts.text(f"mail.wanted.{facts.task_kind or 'task'}")
    return _capital(texts.text(f"mail.{facts.kind}.what"))


def _intro_key(facts: MailFacts, texts: Texts) -> str:
    key = f"mail.{facts.kind}.intro"
    if facts.kind is Notice.REJECTED and facts.appeal_until is None:
        key += "_final"
    told = f"{key}_told"
    return told if not facts.yours and texts.has(told) else key


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]

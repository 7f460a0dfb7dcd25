"""The pages behind a mail link without a form: the result of an answer, or why there is nothing to answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from api.tasks.wording import choice_key
from domain.base import Moment
from domain.tasks.task import TaskKind
from texts.catalogue import Texts
from texts.tasks.late import closed_sentence, who
from web.headings import subject_line
from web.models import AboutSubject, PageView
from web.rendering import render_template


class ResultKind(StrEnum):
    """How an answer on a page ended."""

    ACCEPTED = "accepted"
    ALREADY = "already"
    """Somebody else has decided; the first answer counts."""
    REFUSED = "refused"


class ResultPage(AboutSubject):
    """The result of an answer."""

    result: ResultKind
    task_kind: TaskKind
    choice: str = ""
    """The recorded choice: the reader's own, or an earlier one."""
    person_name: str = ""
    on_behalf_of_name: str = ""
    at: Moment | None = None
    reason: str = ""
    said: str = ""
    """The reader's own answer, in the words of the page."""
    message: str = ""
    """Why it was refused, in the reader's language."""


class LinkStatus(StrEnum):
    """Why a link shows no form."""

    EXPIRED = "expired"
    RENEWED = "renewed"
    """A new link has been sent to the address on file."""
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    MISSED = "missed"
    """R6: its period has ended."""
    HANDED_ON = "handed_on"
    """The task is open and has other assignees now."""
    DELEGATION_OVER = "delegation_over"
    """The same, for a delegate whose delegation has ended."""
    SUPERSEDED = "superseded"
    """The application has moved on to another round."""
    ANOTHER_PERSON = "another_person"
    """Somebody who is signed in has opened the link of another person."""
    UNKNOWN = "unknown"
    """Forged, damaged or never issued. The page reveals nothing about what exists."""
    STORED = "stored"
    """The answer is durable and not yet recorded."""
    AWAY = "away"
    """The system is temporarily unavailable."""

    @property
    def status(self) -> int:
        """The HTTP status of the page."""
        return {
            LinkStatus.UNKNOWN: 404,
            LinkStatus.ANOTHER_PERSON: 403,
            LinkStatus.EXPIRED: 410,
            LinkStatus.STORED: 202,
            LinkStatus.AWAY: 503,
        }.get(self, 200)


class LinkStatusPage(AboutSubject):
    """What a link shows instead of a form: what happened, who did it, and what to do next."""

    kind: LinkStatus
    task_kind: TaskKind | None = None
    choice: str = ""
    person_name: str = ""
    """Who decided or withdrew, or caused the task to be closed."""
    on_behalf_of_name: str = ""
    at: Moment | None = None
    newer: str = ""
    """D1: the path of the page that asks the same person about the newest proposal."""
    reason: str = ""
    because: str = ""
    """The stage that caused the task to be closed."""
    delegate_of: str = ""
    """Whose delegate the reader was, if the delegation has ended."""
    delegate_until: Moment | None = None
    """When that delegation ended."""
    asked_now: tuple[str, ...] = ()
    """Names of the current assignees."""
    receipt: str = ""
    reader_name: str = ""
    """Who is signed in, on the link of somebody else."""
    renew: str = ""
    """Where to ask for a new link in place of one that has expired."""
    not_recorded: str = ""
    """What the reader has just answered, too late."""


def render_status(page: ResultPage | LinkStatusPage) -> str:
    """A page without a form."""
    return render_template(page, "status.html.j2", **status_parts(page))


def status_parts(page: ResultPage | LinkStatusPage) -> dict[str, Any]:
    """The variables of the template `status_body.html.j2`, for whichever page includes it."""
    return _result_parts(page) if isinstance(page, ResultPage) else _link_parts(page)


def _result_parts(page: ResultPage) -> dict[str, Any]:
    """After an answer: accepted, decided earlier (by whom, when, how), or refused (why)."""
    texts = Texts(page.language)
    choice = page.said or (
        texts.label(choice_key(page.task_kind, page.subject_type, page.choice)) if page.choice else ""
    )
    person = who(texts, page.person_name, page.on_behalf_of_name)
    facts = {"person": person, "moment": _moment(page, page.at, texts), "choice": choice}
    known = all(facts.values())
    lines = {
        ResultKind.ACCEPTED: [texts.text("page.accepted", **facts), texts.text("page.accepted_next")],
        ResultKind.ALREADY: [texts.text("page.already", **facts) if known else texts.text("page.already_unknown")],
        ResultKind.REFUSED: [page.message or texts.text("error.invalid")],
    }[page.result]
    link = (page.path, texts.text("page.back")) if page.result is ResultKind.REFUSED else None
    return _parts(page, texts, texts.text(f"page.{page.result}_title"), lines, tone=page.result.value, link=link)


def _link_parts(page: LinkStatusPage) -> dict[str, Any]:
    """What says why there is nothing to answer. `page.kind.status` is its HTTP status."""
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
    elif page.kind is LinkStatus.ANOTHER_PERSON:
        text = texts.text("calm.another_person.text", person=page.person_name, reader=page.reader_name)
    else:
        zone, own = ZoneInfo(page.time_zone), ""
        if page.kind is LinkStatus.WITHDRAWN:
            own = closed_sentence(
                texts, zone, subject=page.subject_type, because=page.because, by=page.person_name, at=page.at
            )
        text = own or texts.text(_status_key(page, "text", texts))
    lines = [text]
    if page.kind is LinkStatus.ANSWERED and page.delegate_until:
        lines.append(_delegation_over(page, texts))
    if page.kind in (LinkStatus.HANDED_ON, LinkStatus.DELEGATION_OVER):
        lines += [texts.text("late.asked_now", people=texts.join(page.asked_now))] if page.asked_now else []
        lines.append(texts.text("late.ask_commerce"))
    if page.not_recorded:
        lines.append(texts.text("page.not_recorded", choice=page.not_recorded))
    if page.receipt:
        lines.append(f"{texts.text('calm.stored.receipt')} {page.receipt}")
    link = {
        LinkStatus.STORED: (page.path, texts.text("page.look_again")),
        LinkStatus.ANOTHER_PERSON: ("/session", texts.text("console.session")),
        LinkStatus.AWAY: (page.path, texts.text("page.try_again")),
        **({LinkStatus.SUPERSEDED: (page.newer, texts.text("page.newer_text"))} if page.newer else {}),
    }.get(page.kind)
    title = texts.text(_status_key(page, "title", texts))
    return {**_parts(page, texts, title, lines, tone=page.kind.value, link=link), "renew": page.renew}


def _delegation_over(page: LinkStatusPage, texts: Texts) -> str:
    until = _moment(page, page.delegate_until, texts)
    return texts.text("late.delegation_over", person=page.delegate_of, moment=until)


def _status_key(page: LinkStatusPage, part: str, texts: Texts) -> str:
    own = f"calm.{page.kind}.{page.subject_type}_{part}"
    return own if texts.has(own) else f"calm.{page.kind}.{part}"


def _parts(
    page: ResultPage | LinkStatusPage,
    texts: Texts,
    title: str,
    lines: list[str],
    *,
    tone: str,
    link: tuple[str, str] | None,
) -> dict[str, Any]:
    subject = " · ".join(part for part in (subject_line(page, texts), page.customer_name) if part)
    return {
        "title": title,
        "subject": subject,
        "lines": lines,
        "tone": tone,
        "link": link,
        "reason": page.reason,
        "renew": "",
    }


def _moment(page: PageView, moment: datetime | None, texts: Texts) -> str:
    return texts.moment(moment, ZoneInfo(page.time_zone)) if moment else ""

"""Pages of the one-machine mode, never served elsewhere: mails sent, signing in as anybody, moving the clock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import cache, partial
from html import unescape
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.state import State, StateDep
from db.connection.engine import autocommit
from db.reads import lists
from domain.access import Scope
from domain.organisation import Language, Organisation, Person
from domain.reviews.periods import Rhythm
from embedded.mails import ReceivedMail, attachments_of, read_mail, read_mails
from runtime.settings import Settings
from texts.catalogue import Texts
from web.session.guard import safe_path
from web.session.sessions import begin

MAILS_ON_PAGE: Final = 100
MOST_PROCESSES: Final = 50
LEAPS: Final = (
    ("P3D", "+3 天 · days"),
    ("P15D", "+15 天 · days"),
    ("P32D", "+1 个月 · month"),
    ("P95D", "+3 个月 · months"),
)
RHYTHMS: Final = (
    (Rhythm.WEEKLY, "本周 · this week"),
    (Rhythm.MONTHLY, "本月 · this month"),
    (Rhythm.QUARTERLY, "本季度 · this quarter"),
    (Rhythm.HALF_YEARLY, "上半年 · first half-year"),
    (Rhythm.YEARLY, "本年 · this year"),
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}
MAIL_HEADERS: Final = {
    "Cache-Control": "no-store",
    # A mail is styled inline and may do nothing else. Its links open in a window of their own.
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; frame-ancestors 'self'"
    ),
}

Company = Callable[[], Awaitable[Organisation]]
Forward = Callable[[str, timedelta], Awaitable[None]]
Page = Callable[..., HTMLResponse]
StartPeriodNow = Callable[[Rhythm], Awaitable[str]]


class RunningProcess(NamedTuple):
    """A process whose clock can be moved."""

    workflow_id: str
    title: str
    stage: str


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined
    )


def pages(
    settings: Settings, zone: ZoneInfo, company: Company, forward: Forward, start_period: StartPeriodNow
) -> APIRouter:
    """The pages under `/dev`. `zone`: in which times are shown; `forward`, `start_period`: what the clock page does."""
    routes = APIRouter()
    page = partial(_page, settings.temporal_ui_url, zone)
    _add_mails(routes, page, settings, company)
    _add_people(routes, page, company)
    _add_clock(routes, page, settings, forward, start_period)
    return routes


def _page(ui: str, zone: ZoneInfo, template: str, here: str, **values: Any) -> HTMLResponse:
    def at(moment: datetime) -> str:
        return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    html = _environment().get_template(template).render(here=here, ui=ui, heading=heading, at=at, **values)
    return HTMLResponse(html, headers=HEADERS)


def _add_mails(routes: APIRouter, page: Page, settings: Settings, company: Company) -> None:
    assert settings.home is not None
    directory = settings.home / "mails"

    def file_of(mail_id: str) -> Path:
        path = next((path for path in directory.glob("*.eml") if path.stem == mail_id), None)
        if path is None:
            raise HTTPException(404, "no such mail")
        return path

    @routes.get("/", response_class=HTMLResponse)
    async def mails(to: str = "", q: str = "") -> HTMLResponse:
        """Show the newest mails, of one person or with some words."""
        known = await company()
        found = await asyncio.to_thread(read_mails, directory, to or None)
        wanted = [mail for mail in reversed(found) if not q or q.lower() in f"{mail.subject}\n{mail.text}".lower()]
        return page(
            "mails.html.j2",
            "mails",
            company=known,
            mails=wanted[:MAILS_ON_PAGE],
            more=len(wanted) > MAILS_ON_PAGE,
            to=to,
            q=q,
            names=_namer(known),
        )

    @routes.get("/mails/{mail_id}", response_class=HTMLResponse)
    async def one_mail(mail_id: str) -> HTMLResponse:
        """Show a mail: as its reader sees it, as text, and with its attachments."""
        known, path = await company(), file_of(mail_id)
        mail = await asyncio.to_thread(read_mail, path)
        attached = await asyncio.to_thread(attachments_of, path)
        addresses = {address.lower() for address in mail.to}
        return page(
            "mail.html.j2",
            "mails",
            mail=mail,
            names=_namer(known),
            readers=[person for person in known.people if person.active and person.email.lower() in addresses],
            attachments=[(part.name, len(part.content)) for part in attached],
        )

    @routes.get("/mails/{mail_id}/html", response_class=HTMLResponse)
    def as_sent(mail_id: str) -> HTMLResponse:
        """Return the HTML of a mail, for the frame of its page."""
        html = read_mail(file_of(mail_id)).html
        return HTMLResponse(html.replace("<head>", '<head><base target="_blank">', 1), headers=MAIL_HEADERS)

    @routes.get("/mails/{mail_id}/attachments/{number}")
    def attachment(mail_id: str, number: int) -> Response:
        """Return an attachment of a mail, as a file."""
        attached = attachments_of(file_of(mail_id))
        if not 0 <= number < len(attached):
            raise HTTPException(404, "no such attachment")
        part = attached[number]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", part.name)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Response(part.content, media_type="application/octet-stream", headers=headers)


def _roles_of(person: Person, language: Language) -> str:
    texts = Texts(language)
    return texts.join([texts.text(f"role.{role}") for role in sorted(person.roles)])


def _add_people(routes: APIRouter, page: Page, company: Company) -> None:
    @routes.get("/sign-in", response_class=HTMLResponse)
    async def people(back: str = "/") -> HTMLResponse:
        """Offer to sign in as any person of the company."""
        known = await company()
        offices = {office.id: office.name for office in known.departments}
        return page(
            "people.html.j2", "people", company=known, offices=offices, back=safe_path(back), roles_of=_roles_of
        )

    @routes.post("/sign-in")
    async def sign_in_as(request: Request, state: StateDep) -> Response:
        """Sign in to the pages as a person of the company."""
        form = await _own_form(request)
        person = (await company()).by_id.get(form.get("person", ""))
        if person is None or not person.active:
            raise HTTPException(404, "nobody of this name: see /dev/people")
        response = RedirectResponse(safe_path(form.get("back")), 303)
        await begin(state, response, person, through="one_machine", request=request)
        return response


def _add_clock(
    routes: APIRouter, page: Page, settings: Settings, forward: Forward, start_period: StartPeriodNow
) -> None:
    @routes.get("/clock", response_class=HTMLResponse)
    async def clock(state: StateDep, done: str = "") -> HTMLResponse:
        """Offer to move the clock of a process, or to end a period."""
        return page(
            "clock.html.j2",
            "clock",
            rehearsal=settings.rehearsal,
            done=done[:200],
            rhythms=RHYTHMS,
            leaps=LEAPS,
            processes=await _running(state),
        )

    @routes.post("/clock/process")
    async def move(request: Request) -> Response:
        """Move the clock of one process."""
        form = await _own_form(request)
        days = re.fullmatch(r"P(\d{1,3})D", form.get("duration", ""))
        if not days:
            raise HTTPException(422, "duration: P15D and the like")
        await forward(form.get("workflow_id", ""), timedelta(days=int(days[1])))
        return _back(f"{form.get('workflow_id')}: +{days[1]} 天 · days")

    @routes.post("/clock/period")
    async def end_period(request: Request) -> Response:
        """Let the current period of a rhythm end."""
        form = await _own_form(request)
        rhythm = next((rhythm for rhythm, _ in RHYTHMS if rhythm == form.get("rhythm")), None)
        if rhythm is None:
            raise HTTPException(422, "rhythm: weekly and the like")
        period = await start_period(rhythm)
        return _back(f"{period}: 报表与回顾已发起 · reports and reviews have begun")


def heading(mail: ReceivedMail) -> str:
    """The heading of the HTML part, because all mails on one subject share their subject line."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", mail.html, re.DOTALL)
    return unescape(found.group(1)).strip() if found else ""


def _namer(company: Organisation) -> Callable[[tuple[str, ...]], str]:
    by_address = {person.email.lower(): person.name for person in company.people}
    return lambda addresses: "、".join(by_address.get(address.lower(), address) for address in addresses)


async def _own_form(request: Request) -> dict[str, str]:
    """The form of a request from one of these pages."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "only from this page")
    return {name: str(value) for name, value in (await request.form(max_files=0)).items()}


def _back(done: str) -> Response:
    return RedirectResponse(f"/dev/clock?{urlencode({'done': done})}", 303)


async def _running(state: State) -> list[RunningProcess]:
    """The newest processes of applications and projects that have not ended."""
    everything = Scope(person="", everything=True)
    async with autocommit(state.engine) as connection:
        filed = await lists.applications_seen(
            connection, everything, stage=None, applicant=None, after=None, limit=MOST_PROCESSES
        )
        registered = await lists.projects_seen(connection, everything, limit=MOST_PROCESSES)
    return [
        *(RunningProcess(row.workflow_id, row.form.customer.name, row.stage) for row in filed if not row.stage.ended),
        *(RunningProcess(row.workflow_id, row.form.name, row.stage) for row in registered if not row.stage.ended),
    ]

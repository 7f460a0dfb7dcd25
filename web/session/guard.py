"""Who may use a page: dependencies that ask for a session, and for a form that was sent from one of our pages."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.gateway.gateway import Caller
from api.state import State, StateDep
from db.messages import Receipt
from domain.organisation import Person
from web.session.sessions import Session, Visitor, session_of

CSRF_FIELD = "csrf"
FORM_KEY_FIELD = "form_key"
"""A random value for each rendering of a form: sent twice it is one message, filled in anew it is another."""
OWN_FIELDS = frozenset({CSRF_FIELD, FORM_KEY_FIELD})


class SignInNeeded(Exception):
    """The page needs a session, and there is none. Typed text is kept: see `web.session.pages`."""


class NotFromOurPage(Exception):
    """A form that was not sent from a page of this session."""


async def signed_in(request: Request, state: StateDep) -> Session:
    """The session of a request. Raises `SignInNeeded`; `DatabaseUnavailable`."""
    session = await session_of(state, request)
    if session is None:
        raise SignInNeeded
    request.state.session_language = session.language
    return session


SignedInDep = Annotated[Session, Depends(signed_in)]


class SentForm(ABC):
    """A form sent from one of our pages, by whomever that was shown to."""

    def __init__(self, visitor: Visitor, form: Mapping[str, str], items: list[tuple[str, str]], body: bytes) -> None:
        self.visitor = visitor
        self.form = form
        """What was typed, by the names of the inputs, without our own fields; of several values the last."""
        self.items = items
        """The same with every value, for inputs that have several."""
        self.body = body

    @abstractmethod
    def caller(self, request: Request) -> Caller:
        """Who sends this form to the gateway. The same form sent twice is one message."""

    @abstractmethod
    def leads_to(self, caller: Caller, receipt: Receipt | None, back: str) -> Response:
        """Where an accepted form leads: to `back`, or to its receipt while it is not recorded yet."""


class Posted(SentForm):
    """A form sent by somebody who is signed in."""

    def __init__(self, session: Session, form: Mapping[str, str], items: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(session, form, items, body)
        self.session = session

    def caller(self, request: Request) -> Caller:
        return console_caller(self.session.person, request.url.path, self.body)

    def leads_to(self, caller: Caller, receipt: Receipt | None, back: str) -> Response:
        return RedirectResponse(back if receipt is not None else f"/receipts/{caller.message_id}", 303)


def console_caller(person: Person, route: str, body: bytes) -> Caller:
    """A caller whose message is known by the form's content, which includes its random key."""
    return Caller(person, route=route, key=hashlib.sha256(body).hexdigest(), body=body, channel="console")


async def posted(request: Request, session: SignedInDep, state: StateDep) -> Posted:
    """The form of a POST. Raises `NotFromOurPage` when another page, site or session sent it."""
    return Posted(session, *await read_form(request, state, session))


async def read_form(
    request: Request, state: State, visitor: Visitor
) -> tuple[dict[str, str], list[tuple[str, str]], bytes]:
    """What was typed, the same with every value, and the bytes that were sent. Raises `NotFromOurPage`."""
    body = await request.body()
    sent = [(name, value) for name, value in (await request.form(max_files=0)).multi_items() if isinstance(value, str)]
    check_sender(request, state, visitor, dict(sent))
    typed = [(name, value) for name, value in sent if name not in OWN_FIELDS]
    return dict(typed), typed, body


def check_sender(request: Request, state: State, visitor: Visitor, form: Mapping[str, str]) -> None:
    """Raises `NotFromOurPage` unless a page shown to this visitor sent the form."""
    known = hmac.compare_digest(form.get(CSRF_FIELD, "").encode(), visitor.csrf.encode())
    if not known or not _from_here(request, state):
        raise NotFromOurPage


PostedDep = Annotated[Posted, Depends(posted)]


def _from_here(request: Request, state: State) -> bool:
    """Whether the browser says that a page of this site sent the request. Old browsers say nothing; the hidden field
    decides then."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin in own_origins(request, state)


def own_origins(request: Request, state: State) -> frozenset[str]:
    """The origins of our pages: the public address, and in the one-machine mode the address in use."""
    public = urlsplit(state.settings.public_url)
    origins = {f"{public.scheme}://{public.netloc}"}
    if state.settings.embedded:
        origins.add(f"{request.url.scheme}://{request.url.netloc}")
    return frozenset(origins)


def new_form_key() -> str:
    """The value of a new form's `FORM_KEY_FIELD`."""
    return secrets.token_hex(8)


def safe_path(wanted: str | None) -> str:
    """Where to go after signing in: a path of ours, never another site (no open redirect)."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or not wanted.isprintable() or "\\" in wanted:
        return "/"
    return wanted

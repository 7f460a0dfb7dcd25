"""The parts every request uses: created at start-up and passed down, never global."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer
from temporalio.client import Client

from api.auth.token_verifier import TokenVerifier, person_of
from api.gateway.gateway import Caller, SignalGateway
from api.problems import Refusal
from crypto.seal import seal_head
from db import audit
from db.connection.engine import AsyncConnection, AsyncEngine, autocommit
from db.reference_data import ReferenceData
from documents.keeper import DocumentKeeper
from domain.organisation import Organisation, Person
from domain.refusals import RefusalCode
from runtime.settings import Settings

Clock = Callable[[], datetime]


def now_utc() -> datetime:
    """The clock of the API."""
    return datetime.now(UTC)


class State:
    """The parts of a running API."""

    def __init__(
        self,
        *,
        settings: Settings,
        engine: AsyncEngine,
        client: Client,
        facts: ReferenceData,
        gateway: SignalGateway,
        token_verifier: TokenVerifier,
        clock: Clock,
        documents: DocumentKeeper | None = None,
    ) -> None:
        """`documents`: None when no document store is set up."""
        self.settings = settings
        self.engine = engine
        self.client = client
        self.facts = facts
        self.gateway = gateway
        self.token_verifier = token_verifier
        self.clock = clock
        self.documents = documents

    async def record(
        self,
        connection: AsyncConnection,
        event: str,
        actor: str,
        body: Mapping[str, object],
        *,
        workflow_id: str | None = None,
        subject_id: str | None = None,
    ) -> None:
        """Append to the audit record, in the transaction of `connection`, what happened now and touches no process."""
        happened = audit.Event(
            event=event,
            at=self.clock(),
            actor=actor,
            workflow_id=workflow_id,
            subject_id=subject_id,
            body=dict(body),
        )
        await audit.append(connection, [happened], partial(seal_head, keyring=self.settings.seal_keys))


def parts_of(request: Request) -> State:
    """The state that the application holds for its requests."""
    state = request.app.state.parts
    assert isinstance(state, State)
    return state


async def state_of(request: Request) -> State:
    """The dependency for routes. It is async because FastAPI runs plain functions in a thread."""
    return parts_of(request)


StateDep = Annotated[State, Depends(state_of)]


async def open_connection(request: Request) -> AsyncIterator[AsyncConnection]:
    """One connection per request, returned when the response is ready."""
    async with autocommit(parts_of(request).engine) as connection:
        yield connection


ConnectionDep = Annotated[AsyncConnection, Depends(open_connection)]


class Viewer:
    """The authenticated user, and the organisation they belong to."""

    def __init__(self, person: Person, organisation: Organisation) -> None:
        self.person = person
        self.organisation = organisation


async def viewer_by(request: Request, token: str | None) -> Viewer:
    """The user whom a bearer token authenticates. Raises `Refusal` 401 or 403; `Unavailable`."""
    state = parts_of(request)
    login = await state.token_verifier.login_of(token)
    organisation = state.facts.recent_organisation()
    if organisation is None:
        async with autocommit(state.engine) as connection:
            organisation = await state.facts.organisation(connection)
    person = person_of(login, organisation)
    request.state.language = person.language
    return Viewer(person, organisation)


class _SignedIn(HTTPBearer):
    """The user whom the bearer token of a request authenticates.

    One dependency instead of one for the header and one for the person: resolving dependencies is a good part of what
    a request costs (measured).
    """

    def __init__(self) -> None:
        super().__init__(scheme_name="HTTPBearer", auto_error=False)

    async def __call__(self, request: Request) -> Viewer:  # type: ignore[override]
        credentials = await super().__call__(request)
        return await viewer_by(request, credentials.credentials if credentials else None)


viewer_of = _SignedIn()
ViewerDep = Annotated[Viewer, Security(viewer_of)]

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Requests with the same key and body take effect once and get the same response. 1 to 255 "
        "visible ASCII characters.",
    ),
]


def check_key(idempotency_key: str | None) -> None:
    """Raises `Refusal` 400 for an invalid idempotency key."""
    if idempotency_key is not None and not re.fullmatch(r"[\x21-\x7e]{1,255}", idempotency_key):
        raise Refusal(400, RefusalCode.IDEMPOTENCY_KEY_INVALID)


async def caller_of(request: Request, viewer: ViewerDep, idempotency_key: KeyHeader = None) -> Caller:
    """Who makes this request, with its message id. Raises `Refusal` 400 for an invalid idempotency key."""
    check_key(idempotency_key)
    body = await request.body()
    return Caller(viewer.person, route=request.scope["path"], key=idempotency_key, body=body, channel="api")


CallerDep = Annotated[Caller, Depends(caller_of)]


def page_caller(person: Person, link_id: str, body: bytes) -> Caller:
    """The same for a page's form: submitting it twice with the same content is one message."""
    key = hashlib.sha256(body).hexdigest()
    return Caller(person, route=f"/d/{link_id}", key=key, body=body, channel="mail")

"""The whole application on a database of its own, a provider of sign-ins that nobody here wrote, and a clock that
tests move."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from api.gateway.gateway import Receipts, SignalGateway
from api.state import State
from crypto.keyring import Keyring
from db.connection.listen import Listener
from db.reference_data import ReferenceData
from db.tables.audit import audit
from db.tables.reference import organisation as organisations
from domain.organisation import Organisation
from domain.policy import load_policy
from embedded.processes.ports import free_row
from embedded.welcome import sample_organisation
from runtime.settings import Settings
from tests.integration.tasks.race_ground import KEYS
from web.app import create_app

HERE = "https://baobei.test"
LINK_KEYS = Keyring.parse("links:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=")


class Office:
    """The application, its browser, and its clock."""

    def __init__(self, engine: AsyncEngine, app: FastAPI, browser: httpx.AsyncClient, issuer: str) -> None:
        self.engine = engine
        self.app = app
        self.browser = browser
        self.issuer = issuer
        self.now = datetime(2026, 11, 30, 1, tzinfo=UTC)

    def another_browser(self) -> httpx.AsyncClient:
        """A browser that knows nothing of the first one's cookies."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HERE)

    def later(self, **span: float) -> None:
        """Move the clock."""
        self.now += timedelta(**span)

    async def import_company(self, company: Organisation) -> None:
        """The organisation from now on."""
        async with self.engine.begin() as connection:
            await connection.execute(
                insert(organisations).values(
                    document=company.model_dump(mode="json"), imported_at=self.now, imported_by="test"
                )
            )
        cast(State, self.app.state.parts).facts.forget()

    async def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Event, actor and body of everything on record."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(select(audit.c.event, audit.c.actor, audit.c.body).order_by(audit.c.seq))
        return [(row.event, row.actor, row.body) for row in rows]

    async def at_the_issuer(self, browser: httpx.AsyncClient, login: str, back: str = "/") -> httpx.Response:
        """Begin to sign in and confirm at the issuer: the answer sends the browser back to us."""
        started = await browser.get("/sign-in", params={"back": back})
        assert started.status_code == 303, started.text
        async with httpx.AsyncClient() as elsewhere:
            return await elsewhere.post(started.headers["location"], data={"sub": login})

    async def sign_in(self, login: str, back: str = "/", browser: httpx.AsyncClient | None = None) -> httpx.Response:
        """Sign in by way of the issuer; the answer to coming back."""
        browser = browser or self.browser
        confirmed = await self.at_the_issuer(browser, login, back)
        return await browser.get(confirmed.headers["location"])


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """The address of a running OpenID provider."""
    port = free_row(1)
    # A process of its own: it is written against older versions of its libraries, and says so in warnings.
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as provider:
        try:
            _answers(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
            yield f"http://127.0.0.1:{port}"
        finally:
            provider.terminate()


def _answers(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(address).raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < deadline, f"{address} does not answer"
            time.sleep(0.1)
        else:
            return


@pytest.fixture
async def office(engine: AsyncEngine, database_url: str, issuer: str) -> AsyncIterator[Office]:
    settings = Settings.model_construct(
        public_url=HERE,
        seal_keys=KEYS,
        link_keys=LINK_KEYS,
        oidc_issuer=issuer,
        oidc_jwks_url=f"{issuer}/jwks",
        oidc_client_id="console",
        oidc_client_secret=SecretStr("a-secret"),
    )
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as browser:
        made = Office(engine, app, browser, issuer)
        app.state.parts = State(
            settings=settings,
            engine=engine,
            client=cast(Any, None),
            facts=ReferenceData(load_policy()),
            gateway=SignalGateway(
                engine, cast(Any, None), KEYS, Receipts(engine, Listener(database_url)), lambda: made.now
            ),
            token_verifier=cast(Any, None),
            clock=lambda: made.now,
        )
        await made.import_company(sample_organisation())
        yield made

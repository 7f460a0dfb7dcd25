"""The front door, put together. It knows who speaks and whether the form is right; it decides nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from api import (
    check_page,
    problems,
    routes_applications,
    routes_conflicts,
    routes_links,
    routes_projects,
    routes_reports,
    routes_system,
    routes_tasks,
)
from api.auth import Doorkeeper
from api.front_door import FrontDoor, Receipts
from api.middleware import LimitBody
from api.state import Clock, State, now_utc
from db import messages
from db.direct import Direct
from db.engine import RecordAway, make_engine
from db.facts import Facts, NoOrganisation
from db.listen import Listener
from db.running import Presence, Process
from domain.policy import load_policy
from settings import Settings
from temporal_client import connect

STATIC = Path(__file__).with_name("static")
LARGEST_BODY = 512 * 1024
"""Bytes. The longest form with every text at its limit stays well below."""


def create_app(
    settings: Settings,
    *,
    extra_routers: Sequence[APIRouter] = (),
    clock: Clock = now_utc,
    process: Process | None = None,
) -> FastAPI:
    """The API as an ASGI application. Nothing is opened before it starts. `process`: as what it is known to others."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = make_engine(settings.database_url, process="api", pool_size=20, command_timeout=5, pool_timeout=2)
        record = Direct(settings.database_url, process="api")
        client = await connect(settings, lazy=True)
        listener = Listener(settings.database_url)
        receipts = Receipts(record, listener)
        facts = Facts(load_policy(settings.policy_file))
        listener.on(messages.NUDGES, lambda _: facts.forget())
        listener.start()
        app.state.parts = State(
            settings=settings,
            engine=engine,
            record=record,
            client=client,
            facts=facts,
            door=FrontDoor(record, client, settings.seal_keys, receipts, clock),
            doorkeeper=Doorkeeper(settings),
            clock=clock,
        )
        try:
            async with record, Presence(settings.database_url, process) if process else contextlib.nullcontext():
                yield
        finally:
            await listener.close()
            await engine.dispose()

    app = FastAPIOffline(  # its documentation page loads nothing from elsewhere
        title="Baobei 报备",
        version="0.1.0",
        summary="Named Account approvals and project registrations as durable workflows",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
    )
    problems.install(app)

    async def away(request: Request, _error: Exception) -> JSONResponse:
        return problems.as_response(problems.Unavailable("record_away"), problems.texts_for(request))

    app.add_exception_handler(RecordAway, away)
    app.add_exception_handler(NoOrganisation, away)
    app.add_middleware(LimitBody, largest=LARGEST_BODY)
    if settings.temporal_ui_url:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[settings.temporal_ui_url],
            allow_methods=["POST"],
            allow_headers=["content-type", "x-namespace", "authorization"],
            allow_credentials=True,
        )
    for router in (  # a request is matched with one route after the other, so what is called most comes first
        routes_tasks.router,
        routes_applications.router,
        routes_projects.router,
        routes_conflicts.router,
        routes_reports.router,
        routes_links.router,
        check_page.router,
        routes_system.router,
        *extra_routers,
    ):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app

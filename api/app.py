"""Builds the FastAPI app. It authenticates and validates; it contains no business rules."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from api import problems
from api.accounts import routes as accounts
from api.auth.token_verifier import TokenVerifier
from api.conflicts import routes as conflicts
from api.disputes import routes as disputes
from api.documents import routes as documents
from api.dossier import DossierPage
from api.gateway.gateway import Receipts, SignalGateway
from api.middleware import LimitBody
from api.openapi import keep_published_names
from api.projects import routes as projects
from api.reports import routes as reports
from api.state import Clock, State, now_utc
from api.system import routes as system
from api.tasks import routes as tasks
from db.connection import channels
from db.connection.engine import DatabaseUnavailable, make_engine
from db.connection.listen import Listener
from db.reference_data import NoOrganisation, ReferenceData
from db.running import Presence, Process
from documents.keeper import DocumentKeeper
from documents.scanner import Scanner
from documents.store import DocumentStore
from domain.policy import load_policy
from domain.refusals import RefusalCode
from runtime.settings import Settings
from runtime.temporal_client import connect
from runtime.version import VERSION

LARGEST_BODY = 512 * 1024
"""Bytes. The longest form with every text at its maximum is well below."""


def create_app(
    settings: Settings,
    *,
    dossier_page: DossierPage,
    extra_routers: Sequence[APIRouter] = (),
    clock: Clock = now_utc,
    process: Process | None = None,
) -> FastAPI:
    """The API as an ASGI application. Nothing is opened before it starts.

    `dossier_page`: renders the printable page of a dossier. `process`: how this process is known to others.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = make_engine(settings.database_url, process="api", pool_size=20, command_timeout=5, pool_timeout=2)
        scanner = Scanner(settings.clamav_socket) if settings.clamav_socket else None
        client = await connect(settings, lazy=True)
        listener = Listener(settings.database_url)
        receipts = Receipts(engine, listener)
        facts = ReferenceData(load_policy(settings.policy_file))
        listener.on(channels.NUDGES, lambda _: facts.forget())
        listener.start()
        app.state.parts = State(
            settings=settings,
            engine=engine,
            client=client,
            facts=facts,
            gateway=SignalGateway(engine, client, settings.seal_keys, receipts, clock),
            token_verifier=TokenVerifier(settings),
            clock=clock,
            documents=(
                DocumentKeeper(
                    engine, DocumentStore(settings.documents_url, settings.payload_keys), scanner, settings.seal_keys
                )
                if settings.documents_url
                else None
            ),
        )
        try:
            async with Presence(settings.database_url, process) if process else contextlib.nullcontext():
                yield
        finally:
            await listener.close()
            await engine.dispose()

    app = FastAPIOffline(  # its documentation page loads nothing from other hosts
        title="Baobei 报备",
        version=VERSION,
        summary="Named Account approvals and project registrations as durable workflows",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.dossier_page = dossier_page
    problems.install(app)

    async def database_unavailable(request: Request, _error: Exception) -> JSONResponse:
        return problems.as_response(problems.Unavailable(RefusalCode.RECORD_AWAY), problems.texts_for(request))

    app.add_exception_handler(DatabaseUnavailable, database_unavailable)
    app.add_exception_handler(NoOrganisation, database_unavailable)
    app.add_middleware(LimitBody, largest=LARGEST_BODY, documents=load_policy(settings.policy_file).documents)
    if settings.temporal_ui_url:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[settings.temporal_ui_url],
            allow_methods=["POST"],
            allow_headers=["content-type", "x-namespace", "authorization"],
            allow_credentials=True,
        )
    for router in (  # routes are matched in order, so the most frequent come first
        tasks.router,
        accounts.router,
        projects.router,
        disputes.router,
        documents.router,
        conflicts.router,
        reports.router,
        system.router,
        *extra_routers,
    ):
        app.include_router(router)
    keep_published_names(app)
    return app

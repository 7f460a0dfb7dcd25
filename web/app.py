"""The complete HTTP application: the API and the pages."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

from api import app as api_app
from api.state import Clock, now_utc
from db.running import Process
from runtime.settings import Settings
from web.accounts import apply
from web.accounts import lists as account_lists
from web.accounts import subject as account_pages
from web.conflicts import check_page
from web.desk import routes as desk
from web.documents import routes as documents
from web.dossier.page import dossier_page
from web.links import act_links
from web.links import routes as links
from web.projects import lists as project_lists
from web.projects import register, updates
from web.projects import subject as project_pages
from web.rendering import STATIC_DIR
from web.reviews import subject as review_pages
from web.session import errors
from web.session import routes as session
from web.subjects import act_routes, reminding
from web.tasks import inbox, together


def create_app(
    settings: Settings,
    *,
    extra_routers: Sequence[APIRouter] = (),
    clock: Clock = now_utc,
    process: Process | None = None,
) -> FastAPI:
    """The application. Nothing is opened before it starts. `process`: how this process is known to others."""
    app = api_app.create_app(
        settings,
        dossier_page=dossier_page,
        extra_routers=(
            links.router,
            act_links.router,
            check_page.router,
            session.router,
            desk.router,
            together.router,
            inbox.router,
            apply.router,
            register.router,
            account_lists.router,
            act_routes.router,
            account_pages.router,
            project_lists.router,
            project_pages.router,
            updates.router,
            review_pages.router,
            reminding.router,
            documents.router,
            *extra_routers,
        ),
        clock=clock,
        process=process,
    )
    errors.install(app)
    # Only these files: what is compressed beside a secret of the page can tell it.
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC_DIR)), name="static")
    return app

"""The complete HTTP application: the API and the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from api import app as api_app
from api.state import Clock, now_utc
from db.running import Process
from runtime.settings import Settings
from texts.catalogue import Texts
from web.conflicts import check_page
from web.dossier.page import dossier_headers, render_dossier
from web.links import routes as links

STATIC = Path(__file__).with_name("static")


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
        extra_routers=(links.router, check_page.router, *extra_routers),
        clock=clock,
        process=process,
    )
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def dossier_page(dossier: Mapping[str, Any], texts: Texts, time_zone: str) -> Response:
    """A dossier as a printable page (N11)."""
    page = render_dossier(dossier, language=texts.language, time_zone=time_zone)
    return HTMLResponse(page, headers=dossier_headers())

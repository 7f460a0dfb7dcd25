"""N11: everything about one application or one project in one document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from api.composing import Composer
from api.problems import texts_for
from api.projects.composing import dispute_view, match_view, update_view
from db import audit, messages
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.disputes import disputes
from db.projects import projects
from db.projects.projects import ProjectRow
from texts.catalogue import LANGUAGES, Texts, language_of

DossierPage = Callable[[Mapping[str, Any], Texts, str], Response]
"""Makes the printable page of a dossier, given the reader's texts and the time zone."""


def _printed(request: Request) -> bool:
    """Whether `Accept` asks for the printable page."""
    return "text/html" in request.headers.get("accept", "")


def dossier_texts(request: Request) -> Texts:
    """The language of the reader; of the printable page that of its own language links (`?lang=`) first (X4)."""
    wanted = request.query_params.get("lang")
    if _printed(request) and wanted in LANGUAGES:
        return Texts(language_of(wanted))
    return texts_for(request)


def dossier_response(request: Request, dossier: Mapping[str, Any], texts: Texts, time_zone: str) -> Response:
    """JSON, or the printable page where `Accept` asks for HTML."""
    if _printed(request):
        page: DossierPage = request.app.state.dossier_page
        return page(dossier, texts, time_zone)
    return JSONResponse(dossier, headers={"Cache-Control": "no-store"})


async def dossier_of(
    connection: AsyncConnection, composer: Composer, row: ApplicationRow | ProjectRow
) -> dict[str, Any]:
    """Forms of every round, what was found, decisions, mails and the whole record of `row`, as plain JSON."""
    shown = await composer.sees_evidence(row)
    if isinstance(row, ProjectRow):
        own = await _project(connection, composer, row, shown=shown)
    else:
        own = await _application(connection, composer, row, shown=shown)
    office = composer.organisation.departments_by_id.get(row.department or "")
    for part in own.values():
        if isinstance(part, dict) and "department" in part and office:
            part["department_name"] = office.name
    return {
        **own,
        "mails": [
            {
                "kind": mail.kind,
                "to": composer.person(mail.person).model_dump(),
                "created_at": mail.created_at.isoformat(),
                "sent_at": mail.sent_at.isoformat() if mail.sent_at else None,
            }
            for mail in await messages.mails_of(connection, row.id)
        ],
        "record": [
            {
                **composer.entry(entry, shown=shown).model_dump(mode="json"),
                "seq": entry.seq,
                "hash": entry.hash,
            }
            for entry in await audit.of_subject(connection, row.id)
        ],
    }


async def _application(
    connection: AsyncConnection, composer: Composer, row: ApplicationRow, *, shown: bool
) -> dict[str, Any]:
    view = await composer.application(row, shown=shown)
    rounds = []
    for one in await applications.rounds(connection, row.id):
        found = await applications.evidence_of(connection, row.id, one["round"]) if shown else ()
        rounds.append(
            {
                "round": one["round"],
                "submitted_at": one["submitted_at"].isoformat(),
                "form": one["form"],
                "evidence": [composer.evidence(item).model_dump(mode="json") for item in found],
            }
        )
    return {"application": view.model_dump(mode="json", exclude={"form", "evidence", "timeline"}), "rounds": rounds}


async def _project(connection: AsyncConnection, composer: Composer, row: ProjectRow, *, shown: bool) -> dict[str, Any]:
    view = await composer.project(row, shown=shown)
    apart = {"form", "customer", "end_user", "channel", "matches", "dispute", "updates", "timeline"}
    rounds = []
    for one in await projects.rounds(connection, row.id):
        found = await projects.matches_of(connection, row.id, one["round"]) if shown else ()
        rounds.append(
            {
                "round": one["round"],
                "submitted_at": one["submitted_at"].isoformat(),
                "form": one["form"],
                "matches": [match_view(composer, match).model_dump(mode="json") for match in found],
            }
        )
    return {
        "project": view.model_dump(mode="json", exclude=apart),
        "rounds": rounds,
        "disputes": [
            dispute_view(composer, one).model_dump(mode="json") for one in await disputes.of_project(connection, row.id)
        ],
        "updates": [
            update_view(composer, one).model_dump(mode="json") for one in await projects.updates_of(connection, row.id)
        ],
    }

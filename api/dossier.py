"""The dossier (N11): everything about one application or project in one document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from api.accounts.views import application_view, evidence_view
from api.disputes.views import dispute_view
from api.documents.access import document_view
from api.problems import texts_for
from api.projects.views import match_view, project_view, update_view
from api.views import Composer
from db import audit, documents, messages
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.disputes import disputes
from db.projects import projects
from db.projects.projects import ProjectRow
from texts.catalogue import LANGUAGES, Texts, language_of

DossierPage = Callable[[Mapping[str, Any], Texts, str], Response]
"""Renders the printable page of a dossier, given the reader's texts and the time zone."""


def dossier_texts(request: Request) -> Texts:
    """The reader's language. On the printable page, a language chosen there (`?lang=`) comes first (X4)."""
    wanted = request.query_params.get("lang")
    if _wants_page(request) and wanted in LANGUAGES:
        return Texts(language_of(wanted))
    return texts_for(request)


def dossier_response(request: Request, dossier: Mapping[str, Any], texts: Texts, time_zone: str) -> Response:
    """JSON, or the printable page where `Accept` asks for HTML."""
    if _wants_page(request):
        page: DossierPage = request.app.state.dossier_page
        return page(dossier, texts, time_zone)
    return JSONResponse(dossier, headers={"Cache-Control": "no-store"})


def _wants_page(request: Request) -> bool:
    """Whether `Accept` asks for the printable page."""
    return "text/html" in request.headers.get("accept", "")


async def dossier_of(
    connection: AsyncConnection, composer: Composer, row: ApplicationRow | ProjectRow
) -> dict[str, Any]:
    """The forms of every round, evidence or matches, decisions, documents, mails and the complete audit log of `row`,
    as JSON."""
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
        "documents": [
            document_view(document, composer.organisation).model_dump(mode="json")
            for document in await documents.of_subject(connection, row.id)
        ],
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
    view = await application_view(composer, row, shown=shown)
    rounds = []
    for form_round in await applications.rounds(connection, row.id):
        found = await applications.evidence_of(connection, row.id, form_round["round"]) if shown else ()
        rounds.append(
            {
                "round": form_round["round"],
                "submitted_at": form_round["submitted_at"].isoformat(),
                "form": form_round["form"],
                "evidence": [evidence_view(composer, item).model_dump(mode="json") for item in found],
            }
        )
    return {"application": view.model_dump(mode="json", exclude={"form", "evidence", "timeline"}), "rounds": rounds}


async def _project(connection: AsyncConnection, composer: Composer, row: ProjectRow, *, shown: bool) -> dict[str, Any]:
    view = await project_view(composer, row, shown=shown)
    apart = {"form", "customer", "end_user", "channel", "matches", "dispute", "updates", "timeline"}
    rounds = []
    for form_round in await projects.rounds(connection, row.id):
        found = await projects.matches_of(connection, row.id, form_round["round"]) if shown else ()
        rounds.append(
            {
                "round": form_round["round"],
                "submitted_at": form_round["submitted_at"].isoformat(),
                "form": form_round["form"],
                "matches": [match_view(composer, match).model_dump(mode="json") for match in found],
            }
        )
    return {
        "project": view.model_dump(mode="json", exclude=apart),
        "rounds": rounds,
        "disputes": [
            dispute_view(composer, dispute).model_dump(mode="json")
            for dispute in await disputes.of_project(connection, row.id)
        ],
        "updates": [
            update_view(composer, update).model_dump(mode="json")
            for update in await projects.updates_of(connection, row.id)
        ],
    }

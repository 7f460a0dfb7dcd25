"""Pages of attached files: the list with its form, attaching, downloading (N1, N11)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.documents.access import COLLECTIONS, Collection, seen_document, subject_with_documents
from api.documents.downloads import download
from api.documents.uploads import keep, received
from api.gateway.gateway import Caller
from api.params import SubjectId
from api.problems import Refusal
from api.state import State, StateDep
from db.connection.engine import autocommit
from db.projects.projects import ProjectRow
from domain.subject import SubjectType
from web.documents.part import BELONGS_TO, documents_address, documents_part
from web.frame import page
from web.session.guard import FORM_KEY_FIELD, SignedInDep, check_sender, console_caller, safe_path
from web.session.sessions import Session

router = APIRouter(include_in_schema=False)


@router.get("/documents/{document_id}")
async def download_document(document_id: SubjectId, session: SignedInDep, state: StateDep) -> Response:
    """Download an attached file, if the viewer may see what it is attached to; each download is recorded (X2)."""
    async with autocommit(state.engine) as connection:  # not held while the file is sent
        row = await seen_document(connection, state, session.viewer, document_id)
    return await download(state, row)


@router.get("/documents/{collection}/{subject_id}")
async def show_documents(
    collection: Collection, subject_id: SubjectId, session: SignedInDep, state: StateDep, request: Request
) -> Response:
    """The files of an application or a project, and the form that attaches one."""
    return await _shown(request, state, session, COLLECTIONS[collection], subject_id)


@router.post("/documents/{collection}/{subject_id}")
async def attach_document(
    collection: Collection, subject_id: SubjectId, session: SignedInDep, state: StateDep, request: Request
) -> Response:
    """Attach a file, then go back to where the form was. A refusal is shown beside the form."""
    subject_type, chosen = COLLECTIONS[collection], ""
    async with autocommit(state.engine) as connection:
        await subject_with_documents(connection, state, session.viewer, subject_type, subject_id)
    try:
        async with received(state, request) as upload:
            check_sender(request, state, session, upload.fields)
            chosen, form_key = upload.fields.get(BELONGS_TO, ""), upload.fields.get(FORM_KEY_FIELD, "")
            part, _, about = chosen.partition(":")
            upload.fields |= {"part": part, "about": about}

            def caller_of(body: bytes) -> Caller:
                return console_caller(session.person, request.url.path, form_key.encode("utf-8", "replace") + body)

            await keep(state, upload, caller_of, subject_type, subject_id)
            back = safe_path(upload.fields.get("back") or documents_address(subject_type, subject_id))
    except Refusal as refusal:
        words = refusal.text(session.texts, state.facts.policy.zone)
        return await _shown(
            request, state, session, subject_type, subject_id, error=words, chosen=chosen, status=refusal.status
        )
    return RedirectResponse(back, 303)


async def _shown(
    request: Request,
    state: State,
    session: Session,
    subject_type: SubjectType,
    subject_id: str,
    *,
    error: str = "",
    chosen: str = "",
    status: int = 200,
) -> Response:
    async with autocommit(state.engine) as connection:
        row = await subject_with_documents(connection, state, session.viewer, subject_type, subject_id)
        part = await documents_part(connection, state, session, subject_type, subject_id, error=error, chosen=chosen)
        name = row.form.name if isinstance(row, ProjectRow) else row.form.customer.name
        return await page(
            request,
            session,
            connection,
            "documents_page.html.j2",
            title=session.texts.text("document.title"),
            status=status,
            subject_name=name,
            subject_address=documents_address(subject_type, subject_id).removeprefix("/documents"),
            documents=part,
        )

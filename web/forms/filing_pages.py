"""The pages of filling in a form: the form, its drafts, the look-up while typing, and the preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from api.conflicts.models import ConflictCheck
from api.problems import Refusal, Unavailable
from api.state import State, StateDep
from db import drafts
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from domain.refusals import RefusalCode
from domain.subject import path_of
from web.forms.filing import (
    DRAFT_FIELD,
    MOST_ROWS,
    SPARE_ROWS,
    STEP_FIELD,
    Filing,
    conflicts_of,
    form_sections,
    messages,
    new_draft_id,
    of_refusal,
    save_draft,
    step_lines,
    summary,
    typed_in,
    validated,
)
from web.forms.form import form_values
from web.frame import page
from web.session.guard import Posted, PostedDep
from web.session.pages import calm_page
from web.session.sessions import Session


def add_steps(router: APIRouter, filing: Filing) -> None:
    """Add the routes that a form is sent to: to be saved, to look for conflicts, and to go on."""

    @router.post(f"{filing.path}/draft")
    async def save(posted: PostedDep, state: StateDep) -> Response:
        filing.check(posted.session)
        return await draft_saved(state, posted, filing)

    @router.post(f"{filing.path}/draft/{{draft_id}}/drop")
    async def drop(draft_id: Annotated[str, Path(max_length=64)], posted: PostedDep, state: StateDep) -> Response:
        filing.check(posted.session)
        async with autocommit(state.engine) as connection:
            await drafts.drop(connection, posted.session.person.id, draft_id)
        return RedirectResponse(filing.path, 303)

    @router.post(f"{filing.path}/conflicts")
    async def look(posted: PostedDep, state: StateDep, request: Request) -> Response:
        filing.check(posted.session)
        return await conflicts_found(state, posted, filing, request)

    @router.post(filing.path)
    async def fill_in(posted: PostedDep, state: StateDep, request: Request) -> Response:
        filing.check(posted.session)
        return await take_step(state, posted, request, filing)


async def form_page(
    request: Request,
    session: Session,
    connection: AsyncConnection,
    filing: Filing,
    typed: Mapping[str, str],
    *,
    draft_id: str = "",
    errors: Mapping[str, str] | None = None,
    spare: int = SPARE_ROWS,
    found: ConflictCheck | None = None,
    said: str = "",
    status: int = 200,
) -> Response:
    """The form with what was typed. `errors`: messages by input. `said`: a line about what just happened."""
    texts, wrong = session.texts, errors or {}
    parts = form_sections(filing, typed, texts, wrong, spare=spare)
    return await page(
        request,
        session,
        connection,
        "filing.html.j2",
        title=texts.text(filing.title),
        status=status,
        filing=filing,
        sections=parts,
        typed=typed,
        errors=wrong,
        error_list=summary(wrong, parts, texts),
        draft_id=draft_id or new_draft_id(),
        drafts=await drafts.of_person(connection, session.person.id, filing.kind.value),
        spare=spare,
        found=found,
        wrong=[],
        said=said,
    )


async def opened_draft(
    connection: AsyncConnection, session: Session, filing: Filing, draft_id: str
) -> Mapping[str, str]:
    """What was typed in a draft of this person's. Raises `Refusal` 404 for anybody else's."""
    row = await drafts.find(connection, session.person.id, filing.kind.value, draft_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    return row.fields


async def draft_saved(state: State, posted: Posted, filing: Filing) -> Response:
    """Save a draft, and say so in one line: the fragment for a form that saves itself."""
    session = posted.session
    async with autocommit(state.engine) as connection:
        saved = await save_draft(connection, state, filing, session, posted.form)
    texts = session.texts
    words = (
        texts.text("filing.saved_at", moment=texts.moment(state.clock(), state.facts.policy.zone))
        if saved
        else texts.text("filing.not_saved")
    )
    return Response(words, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


async def conflicts_found(state: State, posted: Posted, filing: Filing, request: Request) -> Response:
    """The result of looking for conflicts: the fragment that changes while somebody types."""
    async with autocommit(state.engine) as connection:
        found = await conflicts_of(connection, state, posted.session, filing, typed_in(filing, posted.form))
        return await page(
            request,
            posted.session,
            connection,
            "filing_conflicts.html.j2",
            title="",
            found=found,
            wrong=[],
            block="content",
        )


async def take_step(state: State, posted: Posted, request: Request, filing: Filing) -> Response:
    """One step of filling in: a further row, saving, the preview, back from it, or submitting."""
    session, form = posted.session, posted.form
    typed, draft_id, step = typed_in(filing, form), form.get(DRAFT_FIELD, ""), form.get(STEP_FIELD, "preview")
    kept = False
    async with autocommit(state.engine) as connection:
        if step in ("preview", "submit", "save", "more"):
            kept = await save_draft(connection, state, filing, session, form)
        if step == "save" and not kept:
            errors = {"": session.texts.text("filing.not_saved")}
            return await form_page(request, session, connection, filing, typed, errors=errors, status=422)
        if step == "save":
            return RedirectResponse(f"{filing.path}?draft={draft_id}&saved=yes", 303)
        if step == "more":
            sent = form.get("spare", "")
            spare = int(sent) + 2 if sent.isdecimal() and len(sent) <= len(str(MOST_ROWS)) else SPARE_ROWS
            return await form_page(request, session, connection, filing, typed, draft_id=draft_id, spare=spare)
        if step == "edit":
            return await form_page(request, session, connection, filing, typed, draft_id=draft_id)
        found = await conflicts_of(connection, state, session, filing, typed)
        if step == "look":
            return await form_page(request, session, connection, filing, typed, draft_id=draft_id, found=found)
        filled, problems = validated(filing, typed)
        tree = filled.model_dump(mode="json") if filled else {}
        errors = messages((*problems, *filing.refuses(tree, state.facts.policy)), session.texts)
        if errors or filled is None:
            return await form_page(
                request, session, connection, filing, typed, draft_id=draft_id, errors=errors, found=found, status=422
            )
        if step != "submit":
            ahead = await filing.outlook(connection, state, session, found)
            return await page(
                request,
                session,
                connection,
                "filing_preview.html.j2",
                title=session.texts.text("filing.preview_title"),
                filing=filing,
                typed=typed,
                draft_id=draft_id,
                sections=form_sections(filing, form_values(filled), session.texts, {}, spare=0),
                steps=step_lines(filing, ahead.steps, session.viewer.organisation, session.texts),
                in_addition=ahead.in_addition,
                found=found,
                wrong=[],
            )
    return await _submitted(state, posted, request, filing, typed, filled)


async def _submitted(
    state: State,
    posted: Posted,
    request: Request,
    filing: Filing,
    typed: Mapping[str, str],
    filled: BaseModel,
) -> Response:
    session, draft_id = posted.session, posted.form.get(DRAFT_FIELD, "")
    try:
        subject_id, receipt = await filing.submit(state, session.person, posted.caller(request), filled)
    except Unavailable:
        raise
    except Refusal as refusal:
        errors = of_refusal(refusal, session.texts, state.facts.policy.zone)
        async with autocommit(state.engine) as connection:
            return await form_page(
                request, session, connection, filing, typed, draft_id=draft_id, errors=errors, status=refusal.status
            )
    async with autocommit(state.engine) as connection:
        await drafts.drop(connection, session.person.id, draft_id)
    return submitted_to(request, session, path_of(filing.kind, subject_id), receipt)


def submitted_to(request: Request, session: Session, address: str, receipt: Receipt | None) -> Response:
    """Go to the page of what was submitted; while it is stored only, say so."""
    if receipt is not None:
        return RedirectResponse(f"{address}?done=submitted", 303)
    texts = session.texts
    return calm_page(
        request,
        texts.text("filing.stored_title"),
        [texts.text("receipt.stored")],
        status=202,
        link=(address, texts.text("filing.look_again")),
        tone="stored",
    )

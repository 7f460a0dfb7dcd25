"""The pages behind mail links: GET shows and changes nothing, POST answers. No script, no login, no preselection."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.gateway.gateway import Caller
from api.gateway.receipts import refused
from api.problems import Refusal, Unavailable
from api.state import State, StateDep, page_caller
from api.tasks.answering import accounts_named, check_answer, names_problems
from db.connection.engine import AsyncConnection, DatabaseUnavailable, autocommit
from db.messages import Receipt
from db.readings import note_reading
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from domain.access import may_gather_evidence
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, GatherEvidence
from domain.subject import SubjectType
from texts.catalogue import Texts
from web.links.answers import agrees_and_proposes, as_offered, entered_fields, field_errors, submits_unchanged
from web.links.decision_pages import decision_page, review_page
from web.links.opening import (
    LinkClosed,
    OpenedLink,
    about,
    decider_represented,
    look_up_link,
    open_link,
    page_language,
    status_page,
)
from web.links.status_page import (
    LinkStatus,
    LinkStatusPage,
    ResultKind,
    ResultPage,
    render_link_status,
    render_result,
)
from web.models import FormError
from web.rendering import PAGE_HEADERS
from web.reviews.models import ReviewPage
from web.reviews.page import render_review
from web.tasks.agreement import said_label
from web.tasks.models import DecisionPage
from web.tasks.page import render_decision

router = APIRouter(include_in_schema=False)


@router.api_route("/d/{token}", methods=["GET", "HEAD"])
async def show(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Show the task. Nothing changes, whoever or whatever opens it, however often."""
    try:
        async with autocommit(state.engine) as connection:
            opened = await open_link(connection, state, token, request)
            await note_reading(connection, opened.person.id, opened.task.subject_type, opened.row.id, through="link")
            if isinstance(opened.row, ReviewRow):
                await note_reading(
                    connection, opened.person.id, "account", *accounts_named(opened.task), through="link"
                )
            page = await _page(connection, state, opened, request)
    except LinkClosed as closed:
        return _html(render_link_status(closed.page), closed.page.kind.status)
    except DatabaseUnavailable:
        return _html(render_link_status(status_page(LinkStatus.AWAY, request)), 503)
    return _html(_rendered(page))


@router.post("/d/{token}")
async def answer(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Answer the task. Errors are shown next to the fields, and everything typed is kept."""
    body = await request.body()
    try:
        return await _answer(state, token, request, body)
    except LinkClosed as closed:
        if closed.repeats(body):
            return _html(render_link_status(closed.page))
        # The reader meant to decide and could not, so the status is not a success.
        page = closed.page.model_copy(update={"not_recorded": await _said(request, closed.page)})
        return _html(render_link_status(page), max(page.kind.status, 409))
    except (DatabaseUnavailable, Unavailable):
        return _html(render_link_status(status_page(LinkStatus.AWAY, request)), 503)


async def _said(request: Request, page: LinkStatusPage) -> str:
    """The answer that came too late, in words; empty where the page says nothing of the task."""
    choice = (await request.form(max_files=0)).get("choice")
    if page.task_kind is None or not isinstance(choice, str):
        return ""
    return said_label(page.task_kind, page.subject_type, choice, Texts(page.language))


async def _answer(state: State, token: str, request: Request, body: bytes) -> HTMLResponse:
    """`answer`, as long as the link is open. Raises `LinkClosed`, `DatabaseUnavailable`, `Unavailable`."""
    form = {name: str(value) for name, value in (await request.form(max_files=0)).multi_items()}
    async with autocommit(state.engine) as connection:
        opened = await open_link(connection, state, token, request)
    if form.get("gather_again") and may_gather_evidence(opened.person):
        return await _gather_again(state, token, opened, request, form)
    choice, reason, fields = entered_fields(opened.task, form, state.facts.policy.zone)
    texts = Texts(page_language(request, opened.person))
    errors = () if form.get("confirm") else field_errors(Refusal(422, RefusalCode.CONFIRM_MISSING), texts)
    try:
        named = await names_problems(state.engine, opened.task, choice, fields, state.clock())
        check_answer(as_offered(opened.task, form), choice, reason, fields, state.facts.policy.eligibility, named)
    except Refusal as refusal:
        errors = (*field_errors(refusal, texts), *errors)
    if agrees_and_proposes(opened.task, form, fields):
        errors = (*errors, FormError(field="choice", message=texts.text("page.agree.both")))
    if errors:
        return await _with_errors(state, opened, request, form, errors)
    if submits_unchanged(opened.row, fields) and not form.get("unchanged"):
        return await _ask_unchanged(state, opened, request, form)
    caller = page_caller(opened.person, opened.asked.link_id, body)
    try:
        receipt = await state.gateway.submit(
            caller,
            AnswerTask,
            opened.task.workflow_id,
            task_id=opened.task.id,
            choice=choice,
            reason=reason,
            fields=fields,
        )
    except Unavailable:
        raise
    except Refusal as refusal:
        return await _refused(state, token, opened, request, refusal)
    return await _result(state, opened, request, form, caller, receipt, choice)


async def _page(
    connection: AsyncConnection,
    state: State,
    opened: OpenedLink,
    request: Request,
    entered: dict[str, str] | None = None,
    errors: tuple[FormError, ...] = (),
) -> DecisionPage | ReviewPage:
    language = page_language(request, opened.person)
    page: DecisionPage | ReviewPage
    if isinstance(opened.row, ReviewRow):
        page = await review_page(connection, state.facts, opened, language=language, path=request.url.path)
    else:
        now = state.clock()
        page = await decision_page(connection, state.facts, opened, language=language, path=request.url.path, now=now)
    return page.model_copy(update={"entered": entered or {}, "errors": errors})


def _rendered(page: DecisionPage | ReviewPage) -> str:
    return render_review(page) if isinstance(page, ReviewPage) else render_decision(page)


async def _gather_again(
    state: State, token: str, opened: OpenedLink, request: Request, form: dict[str, str]
) -> HTMLResponse:
    """N15: the same page with new evidence, and with everything typed. Nothing is answered."""
    caller = page_caller(opened.person, opened.asked.link_id, f"gather_again={form['gather_again']}".encode())
    try:
        receipt = await state.gateway.submit(caller, GatherEvidence, opened.task.workflow_id)
    except Unavailable:
        raise
    except Refusal as refusal:
        return await _refused(state, token, opened, request, refusal)
    if receipt is None:
        stored = LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **_about(request, opened))
        return _html(render_link_status(stored), 202)
    async with autocommit(state.engine) as connection:
        again = await open_link(connection, state, token, request)  # the new evidence may offer further fields
        # A confirmation is of the evidence that was shown: the new evidence has to be confirmed again.
        kept = {name: value for name, value in form.items() if name != "confirm"}
        page = await _page(connection, state, again, request, kept)
    return _html(_rendered(page))


async def _refused(state: State, token: str, opened: OpenedLink, request: Request, refusal: Refusal) -> HTMLResponse:
    """The page after the gateway refused. Raises `LinkClosed` if the reason is that the task was closed meanwhile."""
    async with autocommit(state.engine) as connection:
        link = await look_up_link(connection, state, token, request)
    if isinstance(link, LinkClosed):
        raise link
    message = refusal.text(Texts(page_language(request, opened.person)), state.facts.policy.zone)
    page = ResultPage(result=ResultKind.REFUSED, message=message, **_about(request, opened))
    return _html(render_result(page), refusal.status)


async def _with_errors(
    state: State, opened: OpenedLink, request: Request, form: dict[str, str], errors: tuple[FormError, ...]
) -> HTMLResponse:
    async with autocommit(state.engine) as connection:
        page = await _page(connection, state, opened, request, form, errors)
    return _html(_rendered(page), 422)


async def _ask_unchanged(state: State, opened: OpenedLink, request: Request, form: dict[str, str]) -> HTMLResponse:
    """N5, P2: the same page, which asks once whether to submit the form as it was."""
    async with autocommit(state.engine) as connection:
        page = await _page(connection, state, opened, request, form)
    assert isinstance(page, DecisionPage)
    return _html(render_decision(page.model_copy(update={"unchanged": True})), 422)


async def _result(
    state: State,
    opened: OpenedLink,
    request: Request,
    form: dict[str, str],
    caller: Caller,
    receipt: Receipt | None,
    choice: str,
) -> HTMLResponse:
    """The page with the result of an answer."""
    language = page_language(request, opened.person)
    shared = _about(request, opened)
    if receipt is None:
        stored = LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **shared)
        return _html(render_link_status(stored), 202)
    if receipt.accepted:
        page = ResultPage(
            result=ResultKind.ACCEPTED,
            choice=choice,
            said=said_label(
                opened.task.kind, SubjectType(opened.task.subject_type), form.get("choice", ""), Texts(language)
            ),
            person_name=opened.person.name,
            at=receipt.recorded_at,
            **shared,
        )
        return _html(render_result(page))
    async with autocommit(state.engine) as connection:
        decision = await tasks.decision_on(connection, opened.task.id)
    if decision is not None:
        page = ResultPage(
            result=ResultKind.ALREADY,
            choice=decision.choice,
            person_name=opened.organisation.name_of(decision.person),
            on_behalf_of_name=decider_represented(opened, decision),
            at=decision.decided_at,
            reason=decision.reason,
            **shared,
        )
        return _html(render_result(page), 409)
    refusal = refused(receipt.result, SubjectType(opened.task.subject_type))
    if refusal.problems:  # what only the record could judge, shown next to its field
        return await _with_errors(state, opened, request, form, field_errors(refusal, Texts(language)))
    message = refusal.text(Texts(language), state.facts.policy.zone)
    return _html(render_result(ResultPage(result=ResultKind.REFUSED, message=message, **shared)), 409)


def _about(request: Request, opened: OpenedLink) -> dict[str, Any]:
    """What every page about an answer knows."""
    return {
        "language": page_language(request, opened.person),
        "path": request.url.path,
        "task_kind": opened.task.kind,
        **about(opened),
    }


def _html(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers=PAGE_HEADERS)

"""The pages behind mail links: GET shows and changes nothing, POST answers. No script, no login, no default choice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.gateway.gateway import Caller
from api.gateway.receipts import refused
from api.problems import Refusal, Unavailable
from api.state import State, StateDep, page_caller
from api.tasks.answering import accounts_named, check_answer, names_problems, subject_of
from crypto.links import ForgedLink, link_id_of, link_token
from db import messages
from db.connection.engine import AsyncConnection, DatabaseUnavailable, autocommit
from db.messages import Receipt
from db.reads import lists
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.closings import Closing, closing_of
from db.tasks.tasks import DecisionRow
from domain.access import may_gather_evidence
from domain.organisation import Language, Person
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, GatherEvidence
from domain.subject import SubjectType
from domain.tasks.judgements import no_longer_asked
from domain.tasks.task import TaskStatus
from texts.catalogue import Texts, language_of
from web.links.answers import entered_fields, field_errors
from web.links.decision_pages import OpenedLink, about, decision_page, dispute_of, review_page
from web.pages import (
    PAGE_HEADERS,
    DecisionPage,
    FormError,
    LinkStatus,
    LinkStatusPage,
    ResultKind,
    ResultPage,
    ReviewPage,
    render_calm,
    render_decision,
    render_result,
)
from web.reviews.page import render_review

router = APIRouter(include_in_schema=False)


class LinkClosed(Exception):
    """There is nothing to answer here; show a calm page instead."""

    def __init__(
        self, page: LinkStatusPage, opened: OpenedLink | None = None, decision: DecisionRow | None = None
    ) -> None:
        super().__init__(page.kind)
        self.page = page
        self.opened = opened
        self.decision = decision

    def repeats(self, body: bytes) -> bool:
        """Whether `body` is the very answer that was decided by this link: a button pressed twice."""
        if self.opened is None or self.decision is None:
            return False
        said = page_caller(self.opened.person, self.opened.asked.link_id, body)
        return said.message_id == self.decision.message_id


@router.api_route("/d/{token}", methods=["GET", "HEAD"])
async def show(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Show what is asked; nothing changes, whoever or whatever opens it, however often."""
    try:
        async with autocommit(state.engine) as connection:
            opened = await _open(connection, state, token, request)
            await messages.note_reading(connection, opened.person.id, opened.task.subject_type, opened.row.id, "link")
            if isinstance(opened.row, ReviewRow):
                await lists.note_listed(connection, opened.person.id, "account", accounts_named(opened.task), "link")
            page = await _page(connection, state, opened, request)
    except LinkClosed as calm:
        return _answer(render_calm(calm.page), calm.page.kind.status)
    except DatabaseUnavailable:
        return _answer(render_calm(_calm(LinkStatus.AWAY, request)), 503)
    return _answer(_rendered(page))


@router.post("/d/{token}")
async def answer(token: str, state: StateDep, request: Request) -> HTMLResponse:
    """Answer. What is wrong is said beside the field, with everything typed kept."""
    body = await request.body()
    try:
        form = {name: str(value) for name, value in (await request.form(max_files=0)).multi_items()}
        async with autocommit(state.engine) as connection:
            opened = await _open(connection, state, token, request)
        if form.get("gather_again") and may_gather_evidence(opened.person):
            return await _gathered_again(state, token, opened, request, form)
        choice, reason, fields = entered_fields(opened.task, form, state.facts.policy.zone)
        texts = Texts(_language(request, opened.person))
        errors = () if form.get("confirm") else field_errors(Refusal(422, RefusalCode.CONFIRM_MISSING), texts)
        try:
            named = await names_problems(state.engine, opened.task, choice, fields, state.clock())
            check_answer(opened.task, choice, reason, fields, state.facts.policy.eligibility, named)
        except Refusal as refusal:
            errors = (*field_errors(refusal, texts), *errors)
        if errors:
            return await _again(state, opened, request, form, errors)
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
            async with autocommit(state.engine) as connection:
                await _open(connection, state, token, request)  # closed meanwhile: the calm page says what happened
            message = refusal.said(texts, state.facts.policy.zone)
            page = ResultPage(result=ResultKind.REFUSED, message=message, **_shared(request, opened))
            return _answer(render_result(page), refusal.status)
        return await _became(state, opened, request, form, caller, receipt, choice)
    except LinkClosed as calm:
        if calm.repeats(body):
            return _answer(render_calm(calm.page))
        # To whoever meant to decide, a page that is calm but not a success.
        return _answer(render_calm(calm.page), max(calm.page.kind.status, 409))
    except (DatabaseUnavailable, Unavailable):
        return _answer(render_calm(_calm(LinkStatus.AWAY, request)), 503)


async def _open(connection: AsyncConnection, state: State, token: str, request: Request) -> OpenedLink:
    """Check a link against the record. Raises `Calm`."""
    unknown = LinkClosed(_calm(LinkStatus.UNKNOWN, request))
    try:
        asked = await tasks.asked_by_link(connection, link_id_of(token, state.settings.link_keys))
    except ForgedLink:
        raise unknown from None
    task = await tasks.find(connection, asked.task_id) if asked else None
    row = await subject_of(connection, task) if task else None
    organisation = await state.facts.organisation(connection)
    person = organisation.person(asked.person) if asked else None
    if asked is None or task is None or row is None or person is None or not person.active:
        raise unknown
    opened = OpenedLink(task, asked, person, organisation, row, await dispute_of(connection, task))
    closing = (await closing_of(connection, task)).told_to(asked) if task.status is not TaskStatus.OPEN else Closing()
    if task.status is TaskStatus.ANSWERED:
        page = _closed(LinkStatus.ANSWERED, request, opened, closing)
        raise LinkClosed(page.model_copy(update=_delegation_over(opened, state.clock())), opened, closing.decided)
    if opened.superseded:
        newer = await tasks.newer_text(connection, task, person.id)
        page = _closed(LinkStatus.SUPERSEDED, request, opened, closing)
        path = f"/d/{link_token(newer.link_id, state.settings.link_keys)}" if newer else ""
        raise LinkClosed(page.model_copy(update={"newer": path}))
    if task.status is TaskStatus.MISSED:
        raise LinkClosed(_closed(LinkStatus.MISSED, request, opened, closing))
    if task.status is TaskStatus.WITHDRAWN:
        raise LinkClosed(_closed(LinkStatus.WITHDRAWN, request, opened, closing))
    if asked.removed_at is not None:
        raise LinkClosed(await _with_others(connection, request, opened, state.clock()))
    if state.clock() >= asked.link_expires_at:
        raise LinkClosed(_closed(LinkStatus.EXPIRED, request, opened, closing))
    return opened


async def _page(
    connection: AsyncConnection,
    state: State,
    opened: OpenedLink,
    request: Request,
    entered: dict[str, str] | None = None,
    errors: tuple[FormError, ...] = (),
) -> DecisionPage | ReviewPage:
    language = _language(request, opened.person)
    page: DecisionPage | ReviewPage
    if isinstance(opened.row, ReviewRow):
        page = await review_page(connection, state.facts, opened, language=language, path=request.url.path)
    else:
        now = state.clock()
        page = await decision_page(connection, state.facts, opened, language=language, path=request.url.path, now=now)
    return page.model_copy(update={"entered": entered or {}, "errors": errors})


def _rendered(page: DecisionPage | ReviewPage) -> str:
    return render_review(page) if isinstance(page, ReviewPage) else render_decision(page)


async def _gathered_again(
    state: State, token: str, opened: OpenedLink, request: Request, form: dict[str, str]
) -> HTMLResponse:
    """N15: the same page with the evidence of this moment, and everything typed kept. Nothing is answered."""
    caller = page_caller(opened.person, opened.asked.link_id, f"gather_again={form['gather_again']}".encode())
    try:
        receipt = await state.gateway.submit(caller, GatherEvidence, opened.task.workflow_id)
    except Unavailable:
        raise
    except Refusal as refusal:
        async with autocommit(state.engine) as connection:
            await _open(connection, state, token, request)  # closed meanwhile: the calm page says what happened
        message = refusal.said(Texts(_language(request, opened.person)), state.facts.policy.zone)
        page = ResultPage(result=ResultKind.REFUSED, message=message, **_shared(request, opened))
        return _answer(render_result(page), refusal.status)
    if receipt is None:
        stored = LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **_shared(request, opened))
        return _answer(render_calm(stored), 202)
    async with autocommit(state.engine) as connection:
        again = await _open(connection, state, token, request)  # what may be said of it may be more than it was
        # Whoever confirms has read the evidence: the new evidence is confirmed anew.
        kept = {name: value for name, value in form.items() if name != "confirm"}
        shown = await _page(connection, state, again, request, kept)
    return _answer(_rendered(shown))


async def _again(
    state: State, opened: OpenedLink, request: Request, form: dict[str, str], errors: tuple[FormError, ...]
) -> HTMLResponse:
    async with autocommit(state.engine) as connection:
        page = await _page(connection, state, opened, request, form, errors)
    return _answer(_rendered(page), 422)


async def _became(
    state: State,
    opened: OpenedLink,
    request: Request,
    form: dict[str, str],
    caller: Caller,
    receipt: Receipt | None,
    choice: str,
) -> HTMLResponse:
    """The page that says what became of an answer."""
    language = _language(request, opened.person)
    shared = _shared(request, opened)
    if receipt is None:
        return _answer(render_calm(LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **shared)), 202)
    if receipt.accepted:
        page = ResultPage(
            result=ResultKind.ACCEPTED,
            choice=choice,
            person_name=opened.person.name,
            at=receipt.recorded_at,
            **shared,
        )
        return _answer(render_result(page))
    async with autocommit(state.engine) as connection:
        decision = await tasks.decision_on(connection, opened.task.id)
    if decision is not None:
        name = opened.organisation.name_of(decision.person)
        page = ResultPage(
            result=ResultKind.ALREADY,
            choice=decision.choice,
            person_name=name,
            on_behalf_of_name=_behalf(opened, decision),
            at=decision.decided_at,
            reason=decision.reason,
            **shared,
        )
        return _answer(render_result(page), 409)
    refusal = refused(receipt.result, SubjectType(opened.task.subject_type))
    if refusal.problems:  # what only the record could judge: said beside its field, with everything typed kept
        return await _again(state, opened, request, form, field_errors(refusal, Texts(language)))
    message = refusal.said(Texts(language), state.facts.policy.zone)
    return _answer(render_result(ResultPage(result=ResultKind.REFUSED, message=message, **shared)), 409)


def _shared(request: Request, opened: OpenedLink) -> dict[str, Any]:
    """What every page about an answer knows."""
    return {
        "language": _language(request, opened.person),
        "path": request.url.path,
        "task_kind": opened.task.kind,
        **about(opened),
    }


async def _with_others(
    connection: AsyncConnection, request: Request, opened: OpenedLink, now: datetime
) -> LinkStatusPage:
    """The task is open and no longer asks the reader: why, since when, and who is asked now."""
    organisation = opened.organisation
    code, facts = no_longer_asked(opened.asked, organisation, now)
    told = facts["closed"]
    asked = (await tasks.asked_by(connection, [opened.task.id]))[opened.task.id]
    page = _closed(LinkStatus.HANDED_ON, request, opened, Closing(at=datetime.fromisoformat(told["at"])))
    return page.model_copy(
        update={
            "kind": LinkStatus.DELEGATION_OVER if code is RefusalCode.DELEGATION_OVER else LinkStatus.HANDED_ON,
            **_delegation_over(opened, now),
            "asked_now": tuple(organisation.name_of(one.person) for one in asked if one.removed_at is None),
        }
    )


def _delegation_over(opened: OpenedLink, now: datetime) -> dict[str, Any]:
    """What a page tells a delegate whose time is over; nothing to anybody else."""
    code, facts = no_longer_asked(opened.asked, opened.organisation, now)
    if opened.asked.removed_at is None or code is not RefusalCode.DELEGATION_OVER:
        return {}
    told = facts["closed"]
    return {"delegate_of": told["on_behalf_of"], "delegate_until": datetime.fromisoformat(told["at"])}


def _closed(kind: LinkStatus, request: Request, opened: OpenedLink, closing: Closing) -> LinkStatusPage:
    decision = closing.decided
    by = decision.person if decision else closing.by
    return LinkStatusPage(
        kind=kind,
        language=_language(request, opened.person),
        path=request.url.path,
        task_kind=opened.task.kind,
        choice=decision.choice if decision else "",
        person_name=opened.organisation.name_of(by) if by else "",
        on_behalf_of_name=_behalf(opened, decision) if decision else "",
        at=decision.decided_at if decision else closing.at,
        reason=decision.reason if decision else "",
        because=closing.because,
        **about(opened),
    )


def _behalf(opened: OpenedLink, decision: DecisionRow) -> str:
    return opened.organisation.name_of(decision.on_behalf_of) if decision.on_behalf_of else ""


def _calm(kind: LinkStatus, request: Request) -> LinkStatusPage:
    return LinkStatusPage(kind=kind, language=_language(request, None), path=request.url.path)


def _language(request: Request, person: Person | None) -> Language:
    wanted = request.query_params.get("lang")
    if wanted is None and person is not None:
        return person.language
    return language_of(wanted or request.headers.get("accept-language", "")[:2].lower())


def _answer(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, headers=PAGE_HEADERS)

"""Shows a task and takes its answer, by whichever way somebody came: the same for a mail link and for the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from api.gateway.gateway import Caller
from api.gateway.receipts import refused
from api.problems import Refusal, Unavailable
from api.tasks.answering import accounts_named, check_answer, names_problems
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from db.readings import note_reading
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from domain.access import may_gather_evidence
from domain.refusals import RefusalCode
from domain.statements import AnswerTask, GatherEvidence
from domain.subject import SubjectType
from texts.catalogue import Texts
from web.links.answers import as_offered, contradiction, entered_fields, field_errors, submits_unchanged
from web.links.decision_pages import decision_page, review_page
from web.links.opening import (
    Entrance,
    LinkClosed,
    OpenedLink,
    about,
    decider_represented,
    look_up_link,
    open_link,
    page_language,
)
from web.links.status_page import LinkStatus, LinkStatusPage, ResultKind, ResultPage
from web.models import FormError
from web.reviews.models import ReviewPage
from web.tasks.agreement import said_label
from web.tasks.models import DecisionPage


class Shown(NamedTuple):
    """What somebody is shown, with its HTTP status."""

    page: DecisionPage | ReviewPage | LinkStatusPage | ResultPage
    status: int = 200


async def show_task(entrance: Entrance, *, through: str) -> Shown:
    """The task, or why there is nothing to answer. Nothing changes, whoever or whatever opens it, however often.

    `through`: the kind of page, for the record of readings (X2). Raises `DatabaseUnavailable`.
    """
    try:
        async with autocommit(entrance.state.engine) as connection:
            opened = await open_link(connection, entrance)
            me, task = opened.person.id, opened.task
            await note_reading(connection, me, task.subject_type, opened.row.id, through=through)
            if isinstance(opened.row, ReviewRow):
                await note_reading(connection, me, "account", *accounts_named(task), through=through)
            return Shown(await _page(connection, entrance, opened))
    except LinkClosed as closed:
        return Shown(closed.page, closed.page.kind.status)


async def answer_task(entrance: Entrance, form: Mapping[str, str], body: bytes) -> Shown:
    """Answer the task. Errors are shown next to the fields, and everything typed is kept.

    `form`: what was typed; `body`: what was sent, by which the message is known. Raises `DatabaseUnavailable`,
    `Unavailable`.
    """
    try:
        return await _answer(entrance, dict(form), body)
    except LinkClosed as closed:
        if closed.repeats(entrance, body):
            return Shown(closed.page)
        # The reader meant to decide and could not, so the status is not a success.
        page = closed.page.model_copy(update={"not_recorded": _said(form, closed.page)})
        return Shown(page, max(page.kind.status, 409))


def _said(form: Mapping[str, str], page: LinkStatusPage) -> str:
    """The answer that came too late, in words; empty where the page says nothing of the task."""
    choice = form.get("choice")
    if page.task_kind is None or choice is None:
        return ""
    return said_label(page.task_kind, page.subject_type, choice, Texts(page.language))


async def _answer(entrance: Entrance, form: dict[str, str], body: bytes) -> Shown:
    """`answer_task`, as long as it is open. Raises `LinkClosed`, `DatabaseUnavailable`, `Unavailable`."""
    state, request = entrance.state, entrance.request
    async with autocommit(state.engine) as connection:
        opened = await open_link(connection, entrance)
    if form.get("gather_again") and may_gather_evidence(opened.person):
        return await _gather_again(entrance, opened, form)
    choice, reason, fields = entered_fields(opened.task, form, state.facts.policy.zone)
    texts = Texts(page_language(request, opened.person))
    errors = () if form.get("confirm") else field_errors(Refusal(422, RefusalCode.CONFIRM_MISSING), texts)
    try:
        named = await names_problems(state.engine, opened.task, choice, fields, state.clock())
        check_answer(as_offered(opened.task, form), choice, reason, fields, state.facts.policy.eligibility, named)
    except Refusal as refusal:
        errors = (*field_errors(refusal, texts), *errors)
    if key := contradiction(opened.task, form, fields):
        errors = (*errors, FormError(field="choice", message=texts.text(key)))
    if errors:
        return await _with_errors(entrance, opened, form, errors)
    if submits_unchanged(opened.row, fields) and not form.get("unchanged"):
        return await _ask_unchanged(entrance, opened, form)
    caller = entrance.caller(opened, body)
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
        return await _refused(entrance, opened, refusal)
    return await _result(entrance, opened, form, caller, receipt, choice)


async def _page(
    connection: AsyncConnection,
    entrance: Entrance,
    opened: OpenedLink,
    entered: dict[str, str] | None = None,
    errors: tuple[FormError, ...] = (),
) -> DecisionPage | ReviewPage:
    state, request = entrance.state, entrance.request
    language = page_language(request, opened.person)
    page: DecisionPage | ReviewPage
    if isinstance(opened.row, ReviewRow):
        page = await review_page(connection, state.facts, opened, language=language, path=request.url.path)
    else:
        now = state.clock()
        page = await decision_page(connection, state.facts, opened, language=language, path=request.url.path, now=now)
    return page.model_copy(update={"entered": entered or {}, "errors": errors})


async def _gather_again(entrance: Entrance, opened: OpenedLink, form: dict[str, str]) -> Shown:
    """N15: the same page with new evidence, and with everything typed. Nothing is answered."""
    state = entrance.state
    caller = entrance.caller(opened, f"gather_again={form['gather_again']}".encode())
    try:
        receipt = await state.gateway.submit(caller, GatherEvidence, opened.task.workflow_id)
    except Unavailable:
        raise
    except Refusal as refusal:
        return await _refused(entrance, opened, refusal)
    if receipt is None:
        shared = _about(entrance, opened)
        return Shown(LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **shared), 202)
    async with autocommit(state.engine) as connection:
        again = await open_link(connection, entrance)  # the new evidence may offer further fields
        # A confirmation is of the evidence that was shown: the new evidence has to be confirmed again.
        kept = {name: value for name, value in form.items() if name != "confirm"}
        return Shown(await _page(connection, entrance, again, kept))


async def _refused(entrance: Entrance, opened: OpenedLink, refusal: Refusal) -> Shown:
    """The page after the gateway refused. Raises `LinkClosed` if the reason is that the task was closed meanwhile."""
    state = entrance.state
    async with autocommit(state.engine) as connection:
        link = await look_up_link(connection, entrance)
    if isinstance(link, LinkClosed):
        raise link
    message = refusal.text(Texts(page_language(entrance.request, opened.person)), state.facts.policy.zone)
    page = ResultPage(result=ResultKind.REFUSED, message=message, **_about(entrance, opened))
    return Shown(page, refusal.status)


async def _with_errors(
    entrance: Entrance, opened: OpenedLink, form: dict[str, str], errors: tuple[FormError, ...]
) -> Shown:
    async with autocommit(entrance.state.engine) as connection:
        return Shown(await _page(connection, entrance, opened, form, errors), 422)


async def _ask_unchanged(entrance: Entrance, opened: OpenedLink, form: dict[str, str]) -> Shown:
    """N5, P2: the same page, which asks once whether to submit the form as it was."""
    async with autocommit(entrance.state.engine) as connection:
        page = await _page(connection, entrance, opened, form)
    return Shown(page.model_copy(update={"unchanged": True}), 422)


async def _result(
    entrance: Entrance,
    opened: OpenedLink,
    form: dict[str, str],
    caller: Caller,
    receipt: Receipt | None,
    choice: str,
) -> Shown:
    """The page with the result of an answer."""
    state, language = entrance.state, page_language(entrance.request, opened.person)
    shared = _about(entrance, opened)
    if receipt is None:
        return Shown(LinkStatusPage(kind=LinkStatus.STORED, receipt=caller.message_id, **shared), 202)
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
        return Shown(page)
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
        return Shown(page, 409)
    refusal = refused(receipt.result, SubjectType(opened.task.subject_type))
    if refusal.problems:  # what only the record could judge, shown next to its field
        return await _with_errors(entrance, opened, form, field_errors(refusal, Texts(language)))
    message = refusal.text(Texts(language), state.facts.policy.zone)
    return Shown(ResultPage(result=ResultKind.REFUSED, message=message, **shared), 409)


def _about(entrance: Entrance, opened: OpenedLink) -> dict[str, Any]:
    """What every page about an answer knows."""
    return {
        "language": page_language(entrance.request, opened.person),
        "path": entrance.request.url.path,
        "task_kind": opened.task.kind,
        **about(opened),
    }

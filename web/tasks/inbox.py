"""The inbox: four lists, and beside them the page of one task, which is answered as behind its mail link."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from api.state import ConnectionDep, State, StateDep
from db.connection.engine import AsyncConnection, autocommit
from db.reads.inbox import InboxOrder, Wanted
from db.tasks import tasks
from domain.tasks.task import TaskKind
from web.frame import page
from web.links.answering import Shown, answer_task, show_task
from web.links.opening import LinkClosed, look_up_link
from web.links.status_page import LinkStatusPage, ResultKind, ResultPage, status_parts
from web.models import FormTarget
from web.reviews.models import ReviewPage
from web.reviews.page import review_parts
from web.session.guard import (
    CSRF_FIELD,
    FORM_KEY_FIELD,
    PostedDep,
    SignedInDep,
    new_form_key,
)
from web.session.sessions import Session
from web.tasks.entrance import entrance_to
from web.tasks.inbox_rows import InboxList, Row, RowPage, counts_of, rows_of
from web.tasks.page import decision_parts

router = APIRouter(include_in_schema=False)

TEN_THOUSAND: Final = 10_000
"""Amounts are asked for in 万."""
LABELS: Final = {
    InboxList.WAITING: "inbox.waiting",
    InboxList.DECIDED: "inbox.decided",
    InboxList.STARTED: "inbox.started",
    InboxList.INFORMED: "inbox.informed",
}


class InboxQuery(BaseModel):
    """Which list is shown, and how; kept in the address."""

    model_config = ConfigDict(frozen=True)

    wanted: Annotated[InboxList, Field(alias="list")] = InboxList.WAITING
    kind: TaskKind | Literal[""] = ""
    department: Annotated[str, Field(max_length=63)] = ""
    at_least: Annotated[str, Field(max_length=20)] = ""
    """In 10,000 yuan, as it was typed."""
    order: InboxOrder = InboxOrder.DUE
    overdue: bool = False
    cursor: Annotated[str, Field(max_length=500)] = ""
    done: Annotated[str, Field(max_length=64)] = ""
    """The task that was just answered."""

    def written(self, **changes: str) -> str:
        """The query of an address with this list; empty parts are left out."""
        parts = {
            "list": self.wanted.value,
            "kind": self.kind,
            "department": self.department,
            "at_least": self.at_least,
            "order": self.order.value if self.order is not InboxOrder.DUE else "",
            "overdue": "true" if self.overdue else "",
            "cursor": self.cursor,
        }
        return urlencode({name: value for name, value in {**parts, **changes}.items() if value})

    @property
    def tasks(self) -> Wanted:
        """Which tasks are wanted. An amount that is none asks for nothing."""
        typed = self.at_least.replace(",", "").strip()
        amount = Decimal(typed) * TEN_THOUSAND if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", typed) else None
        return Wanted(kind=self.kind or None, department=self.department, at_least=amount)


InboxQueryDep = Annotated[InboxQuery, Query()]


@router.get("/inbox")
async def inbox(
    query: InboxQueryDep, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """One of the four lists."""
    return await page(
        request,
        session,
        connection,
        "inbox.html.j2",
        title=session.texts.text("console.inbox"),
        block="inbox",
        **await _list_parts(connection, state, session, query),
        detail="",
        current="",
    )


@router.get("/inbox/{task_id}")
async def item(task_id: str, query: InboxQueryDep, session: SignedInDep, state: StateDep, request: Request) -> Response:
    """A task beside its list."""
    entrance = await entrance_to(state, request, session, task_id)
    return await _item(request, session, state, task_id, await show_task(entrance, through="inbox"), query)


@router.get("/inbox/{task_id}/state")
async def item_state(
    task_id: str, session: SignedInDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Response:
    """Nothing while the task can be answered, then who has decided: an open page asks from time to time."""
    entrance = await entrance_to(state, request, session, task_id)
    link = await look_up_link(connection, entrance)
    if not isinstance(link, LinkClosed):
        return Response("", media_type="text/html; charset=utf-8")
    return await page(request, session, connection, "inbox_state.html.j2", block="content", **status_parts(link.page))


@router.post("/inbox/{task_id}")
async def answer(task_id: str, query: InboxQueryDep, posted: PostedDep, state: StateDep, request: Request) -> Response:
    """Answer a task; then the next one opens."""
    session = posted.session
    entrance = await entrance_to(state, request, session, task_id)
    async with autocommit(state.engine) as connection:
        before = (await _rows(connection, state, session, query)).rows
    shown = await answer_task(entrance, posted.form, await request.body())
    accepted = isinstance(shown.page, ResultPage) and shown.page.result is ResultKind.ACCEPTED
    if accepted and query.wanted is InboxList.WAITING:
        address = f"/inbox/{task_id}"
        following = _after(before, address) or next((row.address for row in before if row.address != address), "/inbox")
        return RedirectResponse(f"{following}?{query.written(done=task_id)}", 303)
    return await _item(request, session, state, task_id, shown, query)


async def _item(
    request: Request, session: Session, state: State, task_id: str, shown: Shown, query: InboxQuery
) -> Response:
    address = f"/inbox/{task_id}"
    target = FormTarget(
        action=f"{address}?{query.written()}",
        hidden=((CSRF_FIELD, session.csrf), (FORM_KEY_FIELD, new_form_key())),
        signed_in=True,
    )
    answerable = not isinstance(shown.page, LinkStatusPage | ResultPage)
    parts: dict[str, Any]
    if isinstance(shown.page, LinkStatusPage | ResultPage):
        parts = {**status_parts(shown.page), "body": "status_body.html.j2"}
    elif isinstance(shown.page, ReviewPage):
        parts = review_parts(shown.page, target)
    else:
        parts = decision_parts(shown.page, target)
    async with autocommit(state.engine) as connection:
        around = await _list_parts(connection, state, session, query)
        rows: list[Row] = around["rows"]
        addresses = [row.address for row in rows]
        return await page(
            request,
            session,
            connection,
            "inbox.html.j2",
            status=shown.status,
            block="inbox",
            **around,
            **parts,
            detail=parts["body"],
            current=address,
            state_address=f"{address}/state" if answerable else "",
            place=addresses.index(address) + 1 if address in addresses else 0,
            before=_after(rows[::-1], address),
            after=_after(rows, address),
        )


def _after(rows: Sequence[Row], address: str) -> str:
    """The address of the row after `address`; empty where there is none."""
    addresses = [row.address for row in rows]
    following = addresses[addresses.index(address) + 1 :] if address in addresses else []
    return following[0] if following else ""


async def _rows(connection: AsyncConnection, state: State, session: Session, query: InboxQuery) -> RowPage:
    return await rows_of(
        connection,
        state,
        session,
        query.wanted,
        query.tasks,
        order=query.order,
        overdue=query.overdue,
        cursor=query.cursor or None,
    )


async def _list_parts(connection: AsyncConnection, state: State, session: Session, query: InboxQuery) -> dict[str, Any]:
    """What the list beside a task shows."""
    texts = session.texts
    found = await _rows(connection, state, session, query)
    counts = await counts_of(connection, state, session)
    decided = await tasks.decision_on(connection, query.done) if query.done else None
    return {
        "rows": found.rows,
        "list": query.wanted.value,
        "lists": [(wanted.value, texts.text(LABELS[wanted]), counts.get(wanted, "")) for wanted in InboxList],
        "kind": query.kind,
        "kinds": [(kind.value, texts.text(f"task.{kind}.title")) for kind in TaskKind],
        "overdue": query.overdue,
        "department": query.department,
        "departments": [(office.id, office.name) for office in session.viewer.organisation.departments],
        "at_least": query.at_least,
        "order": query.order.value,
        "orders": [(order.value, texts.text(f"inbox.order.{order}")) for order in InboxOrder],
        "filtered": bool(query.kind or query.department or query.at_least or query.overdue),
        "query": query.written(),
        "whole": not query.cursor and not found.next_cursor,
        "next_page": f"/inbox?{query.written(cursor=found.next_cursor)}" if found.next_cursor else "",
        "said": texts.text("inbox.recorded") if decided and decided.person == session.person.id else "",
    }

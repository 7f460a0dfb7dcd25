"""Routes of tasks, one for every human step, and of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from api.gateway.models import ReceiptView, Result
from api.gateway.receipts import STORED, outcome, refused
from api.paging import Page, page_of, parse_cursor
from api.params import Cursor, Limit
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.reviews.views import title_of_review
from api.state import CallerDep, ConnectionDep, StateDep, ViewerDep
from api.tasks.answering import accounts_named, check_answer, names_problems, refuse_closed, subject_of
from api.tasks.models import TaskSummary, TaskView
from api.tasks.views import review_task_view, task_summary, task_view
from api.views import Composer
from db import messages
from db.accounts import applications
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from db.readings import note_reading
from db.reads import gateway_reads, lists
from db.reads.gateway_reads import LinkHolder
from db.reviews import account_reviews
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.tasks import AskedRow, TaskRow
from domain.base import OptionalText
from domain.organisation import Person
from domain.refusals import RefusalCode
from domain.statements import AnswerTask
from domain.subject import SubjectType
from domain.tasks.task import TaskStatus
from workflows.messages import application_workflow_id, review_workflow_id

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["tasks"])

TaskId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
ReceiptId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]


class AnswerBody(BaseModel):
    """An answer to a task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    reason: OptionalText = ""
    fields: Annotated[
        dict[str, JsonValue],
        Field(
            description="The fields of the choice, named and typed as in `choices[].fields` of the task: `suspects` "
            "(ids of matches, or ids or project numbers of other live registrations), `matches` (`[{id, ruling: "
            "cleared|same_company, reason?}]`, rulings on single matches; without a `reason`, the reason of the answer "
            "applies), `clerk`, `split`, a corrected form, `accounts` (one row `{id, …}` for each account, with the "
            "columns that the field lists), …"
        ),
    ] = {}


@router.get("/tasks", response_model=Page[TaskSummary])
async def list_tasks(
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
    status: Annotated[TaskStatus | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List your tasks, open ones first."""
    rows = await lists.tasks_asked(
        connection,
        viewer.person.id,
        status=status.value if status else None,
        after=parse_cursor(cursor, "number", "moment", "id"),
        limit=limit + 1,
    )
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    titles = await _titles(connection, composer, [task for task, _ in rows[:limit]])

    def key(row: tuple[TaskRow, AskedRow]) -> tuple[object, ...]:
        task, _ = row
        return 0 if task.status is TaskStatus.OPEN else 1, task.opened_at, task.id

    def view(row: tuple[TaskRow, AskedRow]) -> TaskSummary:
        task, mine = row
        return task_summary(composer, task, mine, titles.get(task.subject_id, ""))

    return page_of(rows, limit, key=key, view=view)


async def _titles(connection: AsyncConnection, composer: Composer, listed: Sequence[TaskRow]) -> dict[str, str]:
    """The titles of the subjects of these tasks, by id. Listing them counts as reading them (X2)."""
    viewer = composer.viewer
    ids = {type: [task.subject_id for task in listed if task.subject_type == type] for type in SubjectType}
    customers = await applications.customer_names(connection, ids[SubjectType.APPLICATION])
    await note_reading(connection, viewer.person.id, "application", *customers, through="list")
    project_ids = ids[SubjectType.PROJECT]
    projects = await lists.project_names(connection, project_ids) if project_ids else {}
    await note_reading(connection, viewer.person.id, "project", *projects, through="list")
    reviews = {
        row.id: title_of_review(row, viewer.organisation, composer.facts.policy.reviews, composer.texts)
        for row in await account_reviews.among(connection, ids[SubjectType.REVIEW])
    }
    return {**customers, **projects, **reviews}


async def _my_task(connection: AsyncConnection, person: Person, task_id: str) -> LinkHolder:
    """A task whose assignee `person` is or was. Raises `Refusal` 404 otherwise: others' tasks are confidential."""
    holder = await gateway_reads.link_holder(connection, task_id, person.id)
    if holder is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    return holder


@router.get("/tasks/{task_id}", response_model=TaskView)
async def read_task(
    task_id: TaskId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """Get a task with the evidence for the decision."""
    task, mine = await _my_task(connection, viewer.person, task_id)
    if mine.removed_at is not None:  # a former assignee may see the task only if they decided it
        decision = await tasks.decision_on(connection, task.id)
        if decision is None or decision.person != viewer.person.id:
            raise Refusal(404, RefusalCode.NOT_FOUND)
    row = await subject_of(connection, task)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await note_reading(connection, viewer.person.id, task.subject_type, row.id, through="task")
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    if isinstance(row, ReviewRow):
        await note_reading(connection, viewer.person.id, "account", *accounts_named(task), through="task")
        return await review_task_view(composer, task, mine, row)
    return await task_view(composer, task, mine, row, now=state.clock())


@router.post("/tasks/{task_id}/answer", response_model=Result, responses=STORED)
async def answer_task(task_id: TaskId, body: AnswerBody, caller: CallerDep, state: StateDep, request: Request) -> Any:
    """Answer a task.

    200: recorded. 202: stored, not recorded yet. 409: already decided, with what was decided, by whom and when.
    """
    async with autocommit(state.engine) as connection:
        task, mine = await _my_task(connection, caller.person, task_id)
        earlier = await messages.find_receipt(connection, caller.message_id)
    subject = SubjectType(task.subject_type)
    if earlier:  # a repetition of the same request
        return outcome(caller, earlier, texts_for(request), subject)
    if task.status is not TaskStatus.OPEN or mine.removed_at is not None:
        async with autocommit(state.engine) as connection:
            organisation = await state.facts.organisation(connection)
            await refuse_closed(connection, organisation, task, mine, state.clock())
    named = await names_problems(state.engine, task, body.choice, body.fields, state.clock())
    check_answer(task, body.choice, body.reason, body.fields, state.facts.policy.eligibility, named)
    receipt = await state.gateway.submit(
        caller,
        AnswerTask,
        task.workflow_id,
        task_id=task.id,
        choice=body.choice,
        reason=body.reason,
        fields=body.fields,
    )
    return outcome(caller, receipt, texts_for(request), subject)


def _refused(receipt: Receipt) -> Refusal:
    if receipt.workflow_id.startswith(application_workflow_id("")):
        return refused(receipt.result, SubjectType.APPLICATION)
    of_review = receipt.workflow_id.startswith(review_workflow_id(""))
    return refused(receipt.result, SubjectType.REVIEW if of_review else SubjectType.PROJECT)


@router.get("/receipts/{receipt}", response_model=ReceiptView)
async def read_receipt(receipt: ReceiptId, viewer: ViewerDep, state: StateDep, request: Request) -> Any:
    """Get the result of a message that you sent."""
    texts = texts_for(request)
    async with autocommit(state.engine) as connection:
        known = await gateway_reads.was_sent(connection, receipt, viewer.person.id)
        found = await messages.find_receipt(connection, receipt)
    if found and found.person == viewer.person.id:
        status: Literal["accepted", "refused"] = "accepted" if found.accepted else "refused"
        return ReceiptView(
            receipt=receipt,
            status=status,
            detail=(
                texts.text("receipt.accepted")
                if found.accepted
                else _refused(found).text(texts, state.facts.policy.zone)
            ),
            recorded_at=found.recorded_at,
            result=found.result,
        )
    if known and found is None:
        return ReceiptView(receipt=receipt, status="stored", detail=texts.text("receipt.stored"))
    raise Refusal(404, RefusalCode.NOT_FOUND)

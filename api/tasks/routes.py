"""Tasks: every human step, for the portal; and receipts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from api.accounts.routes import Cursor, Limit
from api.composing import Composer
from api.gateway.receipts import outcome, refused
from api.models import Page, ReceiptView, Result, Stored, TaskSummary, TaskView, cursor_of, parse_cursor
from api.problems import FORM_RULE, PROBLEM_RESPONSES, Refusal, field_problems, texts_for
from api.state import CallerDep, ConnectionDep, StateDep, Viewer, ViewerDep
from conflicts.named import look_up
from db import messages
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection, AsyncEngine, autocommit
from db.messages import Receipt
from db.projects import projects
from db.projects.projects import ProjectRow
from db.reads import gateway_reads, lists
from db.reviews import account_reviews, reviews
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.closings import closing_of
from db.tasks.tasks import AskedRow, TaskRow
from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import refusal_problems, refusals_in
from domain.base import OptionalText
from domain.disputes.dispute import DisputeStage
from domain.names import handed_in
from domain.organisation import Organisation
from domain.policy import EligibilityRules
from domain.projects.project import ProjectForm
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.refusals import RefusalCode
from domain.reviews.notes import ReviewNote
from domain.subject import SubjectType
from domain.tasks.answer_fields import MOST_CHOSEN, answer_problems
from domain.tasks.judgements import closed_code, no_longer_asked
from domain.tasks.task import FieldKind, Problem, TaskStatus
from workflows.messages import application_workflow_id, review_workflow_id

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["tasks"])

SubjectRow = ApplicationRow | ProjectRow | ReviewRow

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
            description="What the choice carries, as `choices[].fields` of the task name and type it: `suspects` (ids "
            "of matches, or ids and project numbers of other live registrations), `matches` (`[{id, ruling: "
            "cleared|same_company, reason?}]`: what single matches are; a row without a reason takes the reason of the "
            "answer), `clerk`, `split`, a corrected form, `accounts` (one row `{id, …}` for each account, with the "
            "columns that the field names), …"
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
    """The caller's tasks, open ones first."""
    rows = await lists.tasks_asked(
        connection,
        viewer.person.id,
        status=status.value if status else None,
        after=parse_cursor(cursor, "number", "moment", "id"),
        limit=limit + 1,
    )
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    page, more = rows[:limit], len(rows) > limit
    titles = await _titles(connection, composer, [task for task, _ in page])
    last = page[-1][0] if page else None
    return Page(
        items=[composer.task_summary(task, mine, titles.get(task.subject_id, "")) for task, mine in page],
        next_cursor=(
            cursor_of(0 if last.status is TaskStatus.OPEN else 1, last.opened_at, last.id) if more and last else None
        ),
    )


async def _titles(connection: AsyncConnection, composer: Composer, listed: Sequence[TaskRow]) -> dict[str, str]:
    """What the subjects of these tasks are called; a list that names them counts as reading them (X2)."""
    viewer = composer.viewer
    ids = {type: [task.subject_id for task in listed if task.subject_type == type] for type in SubjectType}
    called = await applications.customer_names(connection, ids[SubjectType.APPLICATION])
    await lists.note_listed(connection, viewer.person.id, "application", list(called))
    of_projects = ids[SubjectType.PROJECT]
    named = await lists.project_names(connection, of_projects) if of_projects else {}
    await lists.note_listed(connection, viewer.person.id, "project", list(named))
    reviewed = {
        row.id: composer.review_title(row) for row in await account_reviews.among(connection, ids[SubjectType.REVIEW])
    }
    return {**called, **named, **reviewed}


async def my_task(connection: AsyncConnection, viewer: Viewer, task_id: str) -> tuple[TaskRow, AskedRow]:
    """A task that asks or asked the viewer. Raises `Refusal` 404: what asks others is not theirs to know."""
    task = await tasks.find(connection, task_id)
    asked = (await tasks.asked_by(connection, [task_id]))[task_id] if task else ()
    mine = next((one for one in asked if one.person == viewer.person.id), None)
    if task is None or mine is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    return task, mine


@router.get("/tasks/{task_id}", response_model=TaskView)
async def read_task(
    task_id: TaskId, viewer: ViewerDep, state: StateDep, connection: ConnectionDep, request: Request
) -> Any:
    """One task with the evidence to decide on."""
    task, mine = await my_task(connection, viewer, task_id)
    if mine.removed_at is not None:  # no longer asked: theirs to know only if they decided it
        decision = await tasks.decision_on(connection, task.id)
        if decision is None or decision.person != viewer.person.id:
            raise Refusal(404, RefusalCode.NOT_FOUND)
    row = await subject_of(connection, task)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await messages.note_reading(connection, viewer.person.id, task.subject_type, row.id, "task")
    composer = Composer(connection, state.facts, viewer, texts_for(request))
    if isinstance(row, ReviewRow):
        await lists.note_listed(connection, viewer.person.id, "account", accounts_named(task), "task")
        return await composer.review_task(task, mine, row)
    return await composer.task(task, mine, row, now=state.clock())


async def subject_of(connection: AsyncConnection, task: TaskRow) -> SubjectRow | None:
    """What a task is about. A dispute's tasks are about its project."""
    if task.subject_type == SubjectType.REVIEW:
        return await reviews.find(connection, task.subject_id)
    if task.subject_type == SubjectType.PROJECT:
        return await projects.find(connection, task.subject_id)
    return await applications.find(connection, task.subject_id)


def accounts_named(task: TaskRow) -> list[str]:
    """X2: the accounts that a task of a review names."""
    return [one.account for one in ReviewNote.model_validate(task.note).accounts] if task.note else []


async def refuse_closed(
    connection: AsyncConnection, organisation: Organisation, task: TaskRow, mine: AskedRow, now: datetime
) -> None:
    """Raise `Refusal` 409 with what was decided already, by whom and when; 403 for one no longer asked."""
    subject = SubjectType(task.subject_type)
    if task.status is TaskStatus.WITHDRAWN and task.closed_because == DisputeStage.NEGOTIATION:
        newer = await tasks.newer_text(connection, task, mine.person)
        raise refused(
            {"code": RefusalCode.AGREEMENT_SUPERSEDED, "newer_task": newer.task_id if newer else None}, subject
        )
    if task.status is not TaskStatus.OPEN:
        closing = (await closing_of(connection, task)).told_to(mine)
        told = {"code": closed_code(task.status), "task_kind": task.kind.value, **closing.facts(organisation)}
        why, over = no_longer_asked(mine, organisation, now)
        if closing.decided and mine.removed_at and why is RefusalCode.DELEGATION_OVER:
            told |= over
        raise refused(told, subject)
    if mine.removed_at is not None:
        code, told = no_longer_asked(mine, organisation, now)
        raise refused({"code": code, **told}, subject)


def check_answer(
    task: TaskRow,
    choice: str,
    reason: str,
    fields: dict[str, Any],
    rules: EligibilityRules | None = None,
    more: Sequence[Problem] = (),
) -> None:
    """The form of an answer, with every wrong field at once, `more` among them. Raises `Refusal` 422.

    `rules`: those by which an application's form is refused (E2, E3). They are named beside other mistakes; alone they
    are for the record to judge, by the policy that the application began with.
    """
    problems = [*answer_problems(task.choices, choice=choice, reason=reason, fields=fields), *more]
    chosen = next((one for one in task.choices if one.choice == choice), None)
    forms = [spec.name for spec in chosen.fields if spec.kind is FieldKind.FORM] if chosen else []
    for name in forms:
        if fields.get(name) is not None:
            form, rule = (ProjectForm, "P2") if name == PROJECT_FORM_FIELD else (ApplicationForm, FORM_RULE)
            try:
                handed_in(form, fields[name])
            except ValidationError as error:
                problems += field_problems(error.errors(), prefix=f"fields.{name}", rule_of_form=rule)
                if rules and form is ApplicationForm:
                    problems += refusal_problems(refusals_in(fields[name], rules), prefix=f"fields.{name}.")
    if problems:
        alone = len(problems) == 1 and problems[0].field in ("choice", "reason")
        code = problems[0].key if alone else RefusalCode.FIELDS_WRONG
        raise Refusal(422, code, problems=problems)


async def names_problems(
    engine: AsyncEngine, task: TaskRow, choice: str, fields: dict[str, Any], now: datetime
) -> tuple[Problem, ...]:
    """P5: what is wrong with what a clerk names beside what detection offers."""
    offered = next((spec for c in task.choices if c.choice == choice for spec in c.fields if spec.others), None)
    names = fields.get(offered.name) if offered else None
    if offered is None or not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        return ()
    if len(names) > MOST_CHOSEN or set(names) <= set(offered.options):
        return ()
    async with autocommit(engine) as connection:
        row = await projects.find(connection, task.subject_id)
        return (await look_up(connection, names, row, found=offered.options, now=now)).problems if row else ()


@router.post("/tasks/{task_id}/answer", response_model=Result, responses={202: {"model": Stored}})
async def answer_task(task_id: TaskId, body: AnswerBody, caller: CallerDep, state: StateDep, request: Request) -> Any:
    """Answer a task. 200 recorded, 202 stored, 409 with what was decided already, by whom and when."""
    found = await gateway_reads.asked(state.record, task_id, caller.person.id, caller.message_id)
    if found is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    task = found.task
    subject = SubjectType(task.subject_type)
    if found.receipt:  # the same request, sent before
        return outcome(caller, found.receipt, texts_for(request), subject)
    if task.status is not TaskStatus.OPEN or found.mine.removed_at is not None:
        async with autocommit(state.engine) as connection:
            organisation = await state.facts.organisation(connection)
            await refuse_closed(connection, organisation, task, found.mine, state.clock())
    named = await names_problems(state.engine, task, body.choice, body.fields, state.clock())
    check_answer(task, body.choice, body.reason, body.fields, state.facts.policy.eligibility, named)
    receipt = await state.door.answer(
        caller, task.workflow_id, task.id, choice=body.choice, reason=body.reason, fields=body.fields
    )
    return outcome(caller, receipt, texts_for(request), subject)


def _refused(receipt: Receipt) -> Refusal:
    if receipt.workflow_id.startswith(application_workflow_id("")):
        return refused(receipt.result, SubjectType.APPLICATION)
    of_review = receipt.workflow_id.startswith(review_workflow_id(""))
    return refused(receipt.result, SubjectType.REVIEW if of_review else SubjectType.PROJECT)


@router.get("/receipts/{receipt}", response_model=ReceiptView)
async def read_receipt(receipt: ReceiptId, viewer: ViewerDep, state: StateDep, request: Request) -> Any:
    """What became of a message the caller sent."""
    texts = texts_for(request)
    known, found = await gateway_reads.sent(state.record, receipt, viewer.person.id)
    if found:
        status: Literal["accepted", "refused"] = "accepted" if found.accepted else "refused"
        return ReceiptView(
            receipt=receipt,
            status=status,
            detail=(
                texts.text("receipt.accepted")
                if found.accepted
                else _refused(found).said(texts, state.facts.policy.zone)
            ),
            recorded_at=found.recorded_at,
            result=found.result,
        )
    if known:
        return ReceiptView(receipt=receipt, status="stored", detail=texts.text("receipt.stored"))
    raise Refusal(404, RefusalCode.NOT_FOUND)

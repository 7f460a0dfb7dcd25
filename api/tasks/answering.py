"""Checks an answer to a task before it is submitted: for the API and for the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from api.gateway.receipts import refused
from api.problems import FORM_RULE, Refusal, field_problems
from conflicts.named import look_up
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection, AsyncEngine, autocommit
from db.projects import projects
from db.projects.projects import ProjectRow
from db.reviews import reviews
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.closings import closing_of
from db.tasks.tasks import AskedRow, TaskRow
from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import refusal_problems, refusals_in
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

SubjectRow = ApplicationRow | ProjectRow | ReviewRow


async def subject_of(connection: AsyncConnection, task: TaskRow) -> SubjectRow | None:
    """The subject of a task, if it exists. The subject of a dispute's task is its project."""
    if task.subject_type == SubjectType.REVIEW:
        return await reviews.find(connection, task.subject_id)
    if task.subject_type == SubjectType.PROJECT:
        return await projects.find(connection, task.subject_id)
    return await applications.find(connection, task.subject_id)


def accounts_named(task: TaskRow) -> list[str]:
    """The accounts that a task of a review lists; showing it counts as reading them (X2)."""
    return [account.account for account in ReviewNote.model_validate(task.note).accounts] if task.note else []


async def refuse_closed(
    connection: AsyncConnection, organisation: Organisation, task: TaskRow, mine: AskedRow, now: datetime
) -> None:
    """Raise `Refusal` 409 with what was decided, by whom and when; 403 for a former assignee."""
    subject = SubjectType(task.subject_type)
    if task.status is TaskStatus.WITHDRAWN and task.closed_because == DisputeStage.NEGOTIATION:
        newer = await tasks.newer_text(connection, task, mine.person)
        raise refused(
            {"code": RefusalCode.AGREEMENT_SUPERSEDED, "newer_task": newer.task_id if newer else None}, subject
        )
    if task.status is not TaskStatus.OPEN:
        closing = (await closing_of(connection, task)).told_to(mine)
        result = {"code": closed_code(task.status), "task_kind": task.kind.value, **closing.facts(organisation)}
        why, over = no_longer_asked(mine, organisation, now)
        if closing.decided and mine.removed_at and why is RefusalCode.DELEGATION_OVER:
            result |= over
        raise refused(result, subject)
    if mine.removed_at is not None:
        why, facts = no_longer_asked(mine, organisation, now)
        raise refused({"code": why, **facts}, subject)


def check_answer(
    task: TaskRow,
    choice: str,
    reason: str,
    fields: dict[str, Any],
    rules: EligibilityRules | None = None,
    more: Sequence[Problem] = (),
) -> None:
    """Validate the form of an answer. Raises `Refusal` 422 with every wrong field at once, and with `more`.

    `rules`: those that refuse an application's form (E2, E3). They are listed together with other mistakes only: alone,
    the record judges them, by the policy that is pinned for the application.
    """
    problems = [*answer_problems(task.choices, choice=choice, reason=reason, fields=fields), *more]
    chosen = next((offered for offered in task.choices if offered.choice == choice), None)
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
    """P5: mistakes in the registrations that a clerk adds to the detected ones."""
    offered = next(
        (spec for option in task.choices if option.choice == choice for spec in option.fields if spec.others), None
    )
    names = fields.get(offered.name) if offered else None
    if offered is None or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    if len(names) > MOST_CHOSEN or set(names) <= set(offered.options):
        return ()
    async with autocommit(engine) as connection:
        row = await projects.find(connection, task.subject_id)
        return (await look_up(connection, names, row, found=offered.options, now=now)).problems if row else ()

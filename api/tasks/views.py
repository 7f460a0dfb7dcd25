"""Tasks as response models, with everything needed to decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.accounts.views import application_view
from api.projects.views import project_view
from api.reviews.views import note_of, note_view, review_field, review_view
from api.tasks import next_steps
from api.tasks.models import ChoiceView, FieldView, OptionView, SubjectView, TaskSummary, TaskView
from api.tasks.wording import choice_key, field_label, task_key, task_rule, with_people
from api.views import Composer, Views
from db.accounts.applications import ApplicationRow
from db.projects.projects import ProjectRow
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.tasks import AskedRow, TaskRow
from domain.accounts.evidence import OF_MATCHES
from domain.disputes.dispute import TWO_PROJECTS
from domain.subject import SubjectType
from domain.tasks.task import Choice, FieldKind, FieldSpec, TaskStatus


def task_summary(views: Views, task: TaskRow, mine: AskedRow, title: str) -> TaskSummary:
    """A task in a list. `mine`: the viewer as its assignee; `title`: the subject's."""
    return TaskSummary(**_summary(views, task, mine, title, {}))


async def task_view(
    composer: Composer, task: TaskRow, mine: AskedRow, row: ApplicationRow | ProjectRow, *, now: datetime
) -> TaskView:
    """A task of an application or a project, as it stands at `now`."""
    decision = await tasks.decision_on(composer.connection, task.id)
    asked = (await tasks.asked_by(composer.connection, [task.id]))[task.id]
    shown = await composer.sees_evidence(row)
    project = await project_view(composer, row, shown=shown, now=now) if isinstance(row, ProjectRow) else None
    application = await application_view(composer, row, shown=shown) if isinstance(row, ApplicationRow) else None
    title = row.form.name if isinstance(row, ProjectRow) else row.form.customer.name
    matches = project.matches if project else []
    names = {match.subject_id: f"{match.name} · {match.salesperson.name}" for match in matches}
    names[row.id] = f"{title} · {composer.texts.text('project_page.this_one')}"
    evidence = application.evidence if application else []
    names |= {
        finding.subject_id: finding.name for item in evidence if item.kind in OF_MATCHES for finding in item.findings
    }
    return TaskView(
        **_summary(composer, task, mine, title, names),
        asked=composer.assignees(asked),
        note=with_people(task.note, composer.organisation),
        application=application,
        project=project,
        decision=composer.decision(task.round, decision, shown=shown) if decision else None,
    )


async def review_task_view(composer: Composer, task: TaskRow, mine: AskedRow, row: ReviewRow) -> TaskView:
    """A task of a review. Its assignees may see its accounts; nobody else is shown it (X2)."""
    decision = await tasks.decision_on(composer.connection, task.id)
    asked = (await tasks.asked_by(composer.connection, [task.id]))[task.id]
    policy = await composer.facts.pinned_policy(composer.connection, row.policy_digest)
    review = review_view(row, task.kind, composer.organisation, policy, composer.texts)
    note = note_of(task, row, policy.reviews)
    names = {account.account: account.customer for account in note.accounts}
    return TaskView(
        **_summary(composer, task, mine, review.title, names),
        asked=composer.assignees(asked),
        note=note_view(note, task.kind, composer.organisation, policy, composer.texts),
        review=review.model_copy(update={"what_next": next_steps.of_review(composer, row, task, asked)}),
        decision=composer.decision(task.round, decision, shown=True) if decision else None,
    )


def _summary(views: Views, task: TaskRow, mine: AskedRow, title: str, names: Mapping[str, str]) -> dict[str, Any]:
    choices = [_choice(views, choice, task, names) for choice in task.choices]
    return {
        "id": task.id,
        "kind": task.kind,
        "rule": task_rule(task.kind, task.subject_type),
        "subject": SubjectView.model_validate({"type": task.subject_type, "id": task.subject_id, "title": title}),
        "question": views.texts.text(task_key(task.kind, task.subject_type, "question")),
        "choices": choices if task.status is TaskStatus.OPEN else [],
        "opened_at": task.opened_at,
        "due_at": task.due_at,
        "due_provisional": task.due_provisional,
        "status": task.status,
        "on_behalf_of": views.person(mine.on_behalf_of) if mine.on_behalf_of else None,
        "round": task.round,
    }


def _choice(views: Views, choice: Choice, task: TaskRow, names: Mapping[str, str]) -> ChoiceView:
    """A choice with labels. `names`: labels of the registrations it may refer to, by id."""

    def option_label(spec: FieldSpec, option: str) -> str:
        if option == TWO_PROJECTS:
            return views.texts.text("project_page.two_projects")
        if spec.kind is FieldKind.CHOICE:
            return names.get(option) or views.texts.label(f"detail_value.{option}", option)
        of_subjects = spec.kind in (FieldKind.SUBJECTS, FieldKind.RULINGS)
        return names.get(option, option) if of_subjects else views.organisation.name_of(option)

    def field(spec: FieldSpec) -> FieldView:
        if task.subject_type == SubjectType.REVIEW:
            return review_field(spec, names, views.texts)
        return FieldView(
            **spec.model_dump(),
            label=field_label(spec, task.subject_type, views.texts),
            named=[OptionView(id=option, label=option_label(spec, option)) for option in spec.options],
        )

    fields = tuple(field(spec) for spec in choice.fields)
    label = views.texts.text(choice_key(task.kind, task.subject_type, choice.choice))
    return ChoiceView(**choice.model_dump(exclude={"fields"}), fields=fields, label=label)

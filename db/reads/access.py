"""X2: who may see what, as conditions of a query. The same `domain.access.Scope` filters lists, opens single subjects
and masks the results of searches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Text, and_, cast, exists, false, func, literal_column, or_, true
from sqlalchemy.dialects.postgresql import ARRAY

from db.tables.accounts import account, application
from db.tables.disputes import dispute
from db.tables.messages import mail
from db.tables.projects import project
from db.tables.tasks import decision, task, task_person
from domain.access import Scope
from domain.notices import Notice
from domain.projects.project import ProjectStage

COUNTS_AS_ASKED = or_(
    task_person.c.removed_at.is_(None),
    exists().where(decision.c.task_id == task_person.c.task_id, decision.c.person == task_person.c.person),
)
"""Whether a person of a task counts as asked by it: not taken off while it was open, or they decided it."""
_SIDES = func.jsonb_path_query_array(dispute.c.claimants, literal_column("'$[*].person'::jsonpath"))
"""D1: the salespeople of a dispute."""


def sees_application(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `application` are in `scope`."""
    return _covers(scope, application.c.applicant, application.c.department, application.c.id)


def sees_account(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `account` are in `scope`; every account stands in reports to management (R3, R4)."""
    if scope.reported:
        return true()
    return _covers(scope, account.c.salesperson, account.c.department, account.c.application_id)


def sees_project(scope: Scope) -> ColumnElement[bool]:
    """Which rows of `project` are in `scope`, by the ties that are a project's own as well."""
    me, project_id = scope.person, project.c.id
    ties = [
        _covers(scope, project.c.applicant, project.c.department, project_id),
        project.c.salesperson == me,
        exists().where(dispute.c.project_id == project_id, dispute.c.claimants.contains([{"person": me}])),
        and_(  # P3, D4: told of it with its registration, a moment before its dispute is on record
            project.c.stage == ProjectStage.DISPUTED.value,
            _was_notified(me, Notice.REGISTERED_UNDER_ACCOUNT),
        ),
        exists().where(dispute.c.project_id == project_id, dispute.c.meeting.contains({"participants": [me]})),
        and_(project.c.loss.is_not(None), _was_notified(me, Notice.LOST)),
    ]
    if scope.reported:
        ties.append(project.c.number.is_not(None))
    if scope.led:
        led = cast(sorted(scope.led), ARRAY(Text))
        ties.append(exists().where(dispute.c.project_id == project_id, _SIDES.op("?|")(led)))
    if scope.disputes:
        ties.append(exists().where(dispute.c.project_id == project_id))
    return or_(*ties)


def _was_notified(person: str, notice: Notice) -> ColumnElement[bool]:
    """Whether the project's mails include this notice to `person`."""
    return exists().where(
        mail.c.subject_id == project.c.id, mail.c.person == person, mail.c.facts.contains({"kind": notice.value})
    )


def _covers(
    scope: Scope, applicant: ColumnElement[str], department: ColumnElement[str | None], subject: ColumnElement[str]
) -> ColumnElement[bool]:
    """What holds of every subject: everything, their own, what they were asked about, or their departments'."""
    if scope.everything:
        return true()
    involved = exists().where(
        task_person.c.person == scope.person,
        task_person.c.task_id == task.c.id,
        task.c.subject_id == subject,
        COUNTS_AS_ASKED,
    )
    led = department.in_(sorted(scope.departments)) if scope.departments else false()
    return or_(applicant == scope.person, led, involved)

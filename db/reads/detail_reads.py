"""Everything that a page of the front door shows of one application or one account, in one look-up.

PostgreSQL writes the rows of all tables down as one JSON, which pydantic reads without a Python value between. What
such a page costs is mostly the number of its look-ups (ran). Moments are in the zone of the session, so they are asked
for through `Direct`, whose sessions are in UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.accounts.registers import AccountResultRow
from db.audit import Event
from db.connection.direct import Direct
from db.reads.lists import COUNTS
from db.reviews.reviews import AccountReviewRow, TargetRow
from db.tasks.tasks import ASKED_ORDER, DECIDED_JSON, DECIDED_ORDER, AskedRow, Decided
from domain.accounts.evidence import Evidence
from domain.base import Wire
from domain.tasks.task import TaskKind


class OpenTask(Wire):
    """A task that waits for an answer, as far as whoever reads its subject is told of it."""

    id: str
    kind: TaskKind
    subject_type: str
    opened_at: datetime
    due_at: datetime
    warned_at: datetime | None = None
    """U10."""
    asked: tuple[AskedRow, ...]


class AccountState(Wire):
    """The Named Account that came of an application, as far as the application shows it."""

    id: str
    revoked_at: datetime | None


class WholeApplication(Wire):
    """One application with all that belongs to it."""

    row: ApplicationRow
    involved: bool
    """Whether whoever reads it was asked about it: see `reading.was_asked`."""
    open_tasks: tuple[OpenTask, ...]
    decided: Decided
    found: tuple[Evidence, ...]
    entries: tuple[Event, ...]
    account: AccountState | None
    held: int
    """How many live accounts the applicant holds (N8)."""


class WholeAccount(Wire):
    """One Named Account with what was agreed, imported and said of it; its projects are asked for when there are any,
    because not everybody who sees the account sees each."""

    row: AccountRow
    involved: bool
    targets: tuple[TargetRow, ...]
    said: tuple[AccountReviewRow, ...]
    results: tuple[AccountResultRow, ...]
    has_projects: bool


def _involved(subject: str) -> str:
    return f"""EXISTS (
        SELECT FROM task JOIN task_person ON task_person.task_id = task.id
        WHERE task.subject_type = 'application' AND task.subject_id = {subject}
          AND task_person.person = $2 AND {COUNTS})"""


_APPLICATION = f"""
SELECT json_build_object(
    'row', to_json(application),
    'involved', {_involved("application.id")},
    'open_tasks', ARRAY(
        SELECT json_build_object(
            'id', task.id, 'kind', task.kind, 'subject_type', task.subject_type,
            'opened_at', task.opened_at, 'due_at', task.due_at,
            'warned_at', task.warned_at,
            'asked', ARRAY(
                SELECT to_json(task_person) FROM task_person WHERE task_person.task_id = task.id
                ORDER BY {ASKED_ORDER}))
        FROM task
        WHERE task.subject_type = 'application' AND task.subject_id = application.id AND task.status = 'open'
        ORDER BY task.opened_at, task.id),
    'decided', ARRAY(
        SELECT {DECIDED_JSON}
        FROM task JOIN decision ON decision.task_id = task.id
        WHERE task.subject_type = 'application' AND task.subject_id = application.id
        ORDER BY {DECIDED_ORDER}),
    'found', ARRAY(
        SELECT document FROM evidence
        WHERE evidence.application_id = application.id AND evidence.round = application.round),
    'entries', ARRAY(
        SELECT json_build_object('event', event, 'at', at, 'actor', actor, 'body', body) FROM audit
        WHERE audit.subject_id = application.id AND audit.event <> ALL($3::text[])
        ORDER BY audit.seq),
    'account', (
        SELECT json_build_object('id', account.id, 'revoked_at', account.revoked_at) FROM account
        WHERE account.id = application.id),
    'held', (
        SELECT count(*) FROM account WHERE account.salesperson = application.applicant AND account.revoked_at IS NULL)
)::text
FROM application WHERE application.id = $1"""

_ACCOUNT = f"""
SELECT json_build_object(
    'row', to_json(account),
    'involved', {_involved("account.application_id")},
    'targets', ARRAY(
        SELECT to_jsonb(account_target)
            || jsonb_build_object('contracts', contracts::text, 'revenue', revenue::text)
        FROM account_target WHERE account_target.account_id = account.id
        ORDER BY set_at DESC, period DESC),
    'said', ARRAY(
        SELECT to_json(account_review) FROM account_review WHERE account_review.account_id = account.id
        ORDER BY account_review.at DESC, account_review.task_id LIMIT $3),
    'results', ARRAY(
        SELECT to_jsonb(account_result) || jsonb_build_object(
            'other_contracts', other_contracts::text, 'revenue', revenue::text, 'payments', payments::text)
        FROM account_result WHERE account_result.account_id = account.id
        ORDER BY month),
    'has_projects', EXISTS (SELECT FROM project WHERE project.account_id = account.id)
)::text
FROM account WHERE account.id = $1"""
# An amount is text there: as a number of JSON it would lose its last zeros.


async def application(
    record: Direct, application_id: str, person: str, without: Collection[str] = ()
) -> WholeApplication | None:
    """`person`: who reads it; `without`: events that are not shown to them."""
    row = await record.row(_APPLICATION, application_id, person, sorted(without))
    return WholeApplication.model_validate_json(row[0]) if row else None


async def account(record: Direct, account_id: str, person: str, most_said: int) -> WholeAccount | None:
    """`person`: who reads it; `most_said`: so many of the newest remarks."""
    row = await record.row(_ACCOUNT, account_id, person, most_said)
    return WholeAccount.model_validate_json(row[0]) if row else None

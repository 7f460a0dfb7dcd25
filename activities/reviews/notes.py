"""What whoever is asked in a review has before them (R1, R2, R4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.accounts.figures import account_figures
from db.accounts.accounts import AccountRow
from db.reviews import reviews
from db.reviews.reviews import AccountReviewRow
from domain.organisation import Organisation
from domain.policy import Policy
from domain.reports.report import AccountFigures
from domain.reviews.notes import AccountNote, SaidOfAccount
from domain.reviews.periods import Period, Rhythm, before, periods_within
from domain.tasks.task import TaskKind

_SAID_IN = {
    TaskKind.WEEKLY_UPDATE: TaskKind.WEEKLY_REVIEW,
    TaskKind.WEEKLY_REVIEW: TaskKind.WEEKLY_UPDATE,
    TaskKind.MONTHLY_REVIEW: TaskKind.WEEKLY_UPDATE,
    TaskKind.ANNUAL_REVIEW: TaskKind.MONTHLY_REVIEW,
}
"""Which answers are shown: the plan that was set for the week, what the salespeople said, what the VP said."""


async def account_notes(
    connection: AsyncConnection,
    kind: TaskKind,
    accounts: Sequence[AccountRow],
    period: Period,
    organisation: Organisation,
    policy: Policy,
) -> tuple[AccountNote, ...]:
    """A note for each account that a task of that kind asks about."""
    if kind not in _SAID_IN or not accounts:
        return ()
    ids = [account.id for account in accounts]
    said: dict[str, list[AccountReviewRow]] = defaultdict(list)
    for row in await reviews.said_of(connection, ids, _SAID_IN[kind], _periods_shown(kind, period, policy)):
        said[row.account_id].append(row)
    figures: dict[str, AccountFigures] = {}
    if kind in (TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW):
        found = await account_figures(connection, accounts, period, organisation, policy)
        figures = {row.account: row for row in found.figures}
    return tuple(
        AccountNote(
            account=account.id,
            customer=account.form.customer.name,
            salesperson=account.salesperson,
            salesperson_name=organisation.name_of(account.salesperson),
            plan=_plan(kind, account, said[account.id], figures.get(account.id)),
            said=tuple(_said(row, organisation) for row in said[account.id]),
            figures=figures.get(account.id),
        )
        for account in accounts
    )


def _periods_shown(kind: TaskKind, period: Period, policy: Policy) -> list[str]:
    """The periods of the answers that are shown."""
    if kind is TaskKind.WEEKLY_UPDATE:
        return [before(period, policy.reviews).id]
    if kind is TaskKind.WEEKLY_REVIEW:
        return [period.id]
    within = Rhythm.WEEKLY if kind is TaskKind.MONTHLY_REVIEW else Rhythm.MONTHLY
    return [inner.id for inner in periods_within(within, period, policy.reviews)]


def _plan(kind: TaskKind, account: AccountRow, said: Sequence[AccountReviewRow], figures: AccountFigures | None) -> str:
    """What was to be done: the week's plan, the month's, or the Account Plan while no other was set."""
    if kind is TaskKind.WEEKLY_UPDATE and said:
        return str(said[-1].fields.get("plan", ""))
    return figures.plan if figures else account.form.account_plan.actions


def _said(row: AccountReviewRow, organisation: Organisation) -> SaidOfAccount:
    return SaidOfAccount(
        task=row.kind,
        period=row.period,
        person_name=organisation.name_of(row.person),
        at=row.at,
        fields={name: str(value) for name, value in row.fields.items() if value not in (None, "")},
    )

"""How Named Accounts stand in a period, as reviews and reports see it (R2–R4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts.accounts import AccountRow
from db.reports import reports
from domain.accounts.figures import Holding, Results, contract_row, counted_contracts, figures_of
from domain.organisation import Organisation
from domain.policy import Policy
from domain.reports.report import AccountFigures, ContractRow
from domain.reviews.periods import Period, months_of


class AccountsInPeriod(NamedTuple):
    """How accounts stand in a period, and the contracts that count for them."""

    figures: tuple[AccountFigures, ...]
    contracts: tuple[ContractRow, ...]


async def account_figures(
    connection: AsyncConnection,
    accounts: Sequence[AccountRow],
    period: Period,
    organisation: Organisation,
    policy: Policy,
) -> AccountsInPeriod:
    """The figures of each of `accounts`, in their order, from the record as it is now.

    A contract or a result that is recorded later, for a day of the period, is in whatever is made after that.
    Raises `ValueError` for a week.
    """
    if not accounts:
        return AccountsInPeriod((), ())
    ids = [account.id for account in accounts]
    targets = await reports.targets_of(connection, ids)
    contracts = await reports.contracts_under(connection, ids, period.first, period.last, policy.time_zone)
    months = await reports.months_of_register(connection, ids, period.first, period.last)
    progress = await reports.plan_progress_of(connection, ids, [f"{month:%Y-%m}" for month in months_of(period)])
    figures: list[AccountFigures] = []
    counted: list[ContractRow] = []
    for account in accounts:
        holding, aims, signed = _holding(account, policy), targets.get(account.id, {}), contracts.get(account.id, ())
        results = Results(contracts=signed, months=months.get(account.id, {}), progress=progress.get(account.id, {}))
        figures.append(figures_of(holding, period, aims, results, organisation, policy.reviews))
        counted += [
            contract_row(contract, organisation) for contract in counted_contracts(holding, period, aims, signed)
        ]
    return AccountsInPeriod(tuple(figures), tuple(counted))


def _holding(account: AccountRow, policy: Policy) -> Holding:
    return Holding(
        account=account.id,
        salesperson=account.salesperson,
        department=account.department,
        form=account.form,
        since=account.activated_at.astimezone(policy.zone).date(),
        until=account.revoked_at.astimezone(policy.zone).date() if account.revoked_at else None,
    )

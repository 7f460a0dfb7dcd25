"""Results of Named Accounts by month, as CSV from commerce or finance (R2, R3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from domain.base import Frozen, Line, Money
from imports.csv_table import RegisterMistakes, read_rows
from imports.mistakes import Mistake, shown
from imports.registers import CellMistake, amount_in, entries_of, optional_cell, plain_cell, required_columns


class ResultEntry(Frozen):
    """The results of a Named Account in one month, beside its registered projects, in RMB (R2, R3)."""

    account: Line | None = None
    """Its id; also works for a revoked account."""
    customer: Line | None = None
    """The exact name of the customer of a live account."""
    month: date
    """Its first day."""
    other_contracts: Money
    """Contracts signed outside registered projects."""
    revenue: Money
    payments: Money


class ResultRow(Frozen):
    """One row of a results register, with its line."""

    line: int
    entry: ResultEntry


class ResultsRead(Frozen):
    """A results register as far as it can be read. Whom it means is found out with the record at hand; until then
    what is wrong with it waits, so that all of it is told at once."""

    rows: tuple[ResultRow, ...]
    mistakes: tuple[Mistake, ...] = ()


RESULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("大客户编号", "客户编号"),
    "customer": ("客户名称", "客户", "大客户"),
    "month": ("月份", "年月"),
    "other_contracts": ("其他合同", "其他合同额", "其他合同签约"),
    "revenue": ("销售收入", "收入"),
    "payments": ("回款", "回款额"),
}
_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})|/([0-9]{1,2})(?:/0?1)?|\.([0-9]{1,2})|年([0-9]{1,2})月)")


def _month(cell: str) -> date:
    found = _MONTH.fullmatch(plain_cell(cell))  # spreadsheets turn a month into its first day: 2026/11/1
    try:
        if found is None:
            raise ValueError
        year, *months = found.groups()
        result = date(int(year), int(next(month for month in months if month)), 1)
        if not 2000 <= result.year < 2200:
            raise ValueError
    except ValueError:
        raise CellMistake("cell_month", cell=shown(cell)) from None
    return result


_CONVERT: dict[str, Callable[[str], Any]] = {
    "account": optional_cell,
    "customer": optional_cell,
    "month": _month,
    "other_contracts": amount_in,
    "revenue": amount_in,
    "payments": amount_in,
}


def read_results(text: str) -> ResultsRead:
    """The results register (R2, R3). Raises `RegisterMistakes` when it is no table of that kind at all."""
    mistakes: list[Mistake] = []
    rows = read_rows(text, RESULT_COLUMNS, required_columns(ResultEntry), mistakes)
    if rows and not rows[0].cells.keys() & {"account", "customer"}:
        mistakes.append(Mistake.of(1, "customer", "account_or_customer_column"))
    entries = entries_of(rows, ResultEntry, mistakes, _CONVERT)
    return ResultsRead(
        rows=tuple(ResultRow(line=row.line, entry=entry) for row, entry in entries), mistakes=tuple(mistakes)
    )


def results_by_account(
    read: ResultsRead, *, names: Mapping[str, str], live: Mapping[str, str], this_month: date
) -> dict[tuple[str, date], ResultEntry]:
    """The rows by account and month. `names`: the customer of every account that the file means by its id; `live`: the
    accounts by their customers. Raises `RegisterMistakes` with everything that is wrong, that of the reading too.

    The books of a month may begin in the month before it; what lies further ahead is a slip of the keyboard.
    """
    mistakes, found = list(read.mistakes), dict[tuple[str, date], ResultEntry]()
    lines: dict[tuple[str, date], int] = {}
    next_month = date(this_month.year + this_month.month // 12, this_month.month % 12 + 1, 1)
    for row in read.rows:
        entry = row.entry
        if entry.month > next_month:
            mistakes.append(_wrong(row, "month", "future_month", month=f"{entry.month:%Y-%m}"))
        account = _account_meant(row, names, live, mistakes)
        if account is None:
            continue
        first = lines.setdefault((account, entry.month), row.line)
        if first != row.line:
            mistakes.append(_wrong(row, "month", "month_twice", first=first))
        found[account, entry.month] = entry
    if mistakes:
        raise RegisterMistakes(mistakes)
    return found


def _account_meant(
    row: ResultRow, names: Mapping[str, str], live: Mapping[str, str], mistakes: list[Mistake]
) -> str | None:
    """Find the account by its id, else by its customer's name."""
    entry = row.entry
    if entry.account is None:
        if entry.customer is None:
            mistakes.append(_wrong(row, "customer", "account_or_customer"))
        elif entry.customer in live:
            return live[entry.customer]
        else:
            mistakes.append(_wrong(row, "customer", "unknown_customer", customer=shown(entry.customer)))
        return None
    if entry.account not in names:
        mistakes.append(_wrong(row, "account", "unknown_account", account=shown(entry.account)))
        return None
    if entry.customer is not None and entry.customer != names[entry.account]:
        mistakes.append(_wrong(row, "customer", "other_customer", customer=shown(names[entry.account])))
    return entry.account


def _wrong(row: ResultRow, column: str, key: str, /, **params: object) -> Mistake:
    return Mistake.of(row.line, column, key, **params)

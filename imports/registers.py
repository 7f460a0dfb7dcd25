"""The two registers that commerce keeps elsewhere and imports as CSV: background (N4, E2) and projects (N3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from domain.accounts.register_entries import BackgroundEntry, ProjectEntry, RegisteredStatus
from domain.base import Frozen
from domain.names import handed_in
from imports.csv_table import CsvRow, RegisterMistakes, decode_csv, read_rows
from imports.mistakes import Mistake, mistake_of, shown

BACKGROUND_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("客户名称", "名称", "公司名称", "企业名称"),
    "uscc": ("统一社会信用代码", "信用代码"),
    "credit_standing": ("信用状况", "资信情况", "信用情况"),
    "malicious_arrears": ("恶意拖欠", "是否恶意拖欠"),
    "lawsuit_with_us": ("与我司诉讼", "与我公司诉讼", "是否与我司诉讼"),
    "lawsuits": ("诉讼情况", "诉讼"),
    "as_of": ("截止日期", "数据日期", "截至日期"),
    "source": ("来源", "数据来源"),
}
PROJECT_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("项目编号", "编号", "项目号"),
    "name": ("项目名称",),
    "customer_name": ("客户名称", "客户"),
    "customer_uscc": ("客户统一社会信用代码", "客户信用代码"),
    "end_user_name": ("最终用户名称", "最终用户"),
    "end_user_uscc": ("最终用户统一社会信用代码", "最终用户信用代码"),
    "salesperson": ("责任销售", "销售"),
    "status": ("状态", "项目状态"),
    "registered_on": ("登记日期", "报备日期"),
    "closed_on": ("结束日期", "关闭日期"),
    "amount": ("金额", "合同金额"),
    "note": ("备注",),
}
_STATUSES = {
    **{status.value: status for status in RegisteredStatus},
    **{"contract signed": RegisteredStatus.CONTRACT_SIGNED, "签署合同": RegisteredStatus.CONTRACT_SIGNED},
    **{
        "已签合同": RegisteredStatus.CONTRACT_SIGNED,
        "进行中": RegisteredStatus.ACTIVE,
        "有效": RegisteredStatus.ACTIVE,
    },
    **{"项目结束": RegisteredStatus.ENDED, "已结束": RegisteredStatus.ENDED, "结束": RegisteredStatus.ENDED},
    **{"搁置": RegisteredStatus.SHELVED, "已搁置": RegisteredStatus.SHELVED},
}
_YES = frozenset({"yes", "y", "true", "1", "是", "有"})
_NO = frozenset({"no", "n", "false", "0", "否", "无"})
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})-|/([0-9]{1,2})/|\.([0-9]{1,2})\.|年([0-9]{1,2})月)([0-9]{1,2})日?")
_AMOUNT = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")

Entry = TypeVar("Entry", bound=Frozen)


class CellMistake(Exception):
    """A mistake in one cell: the key of a text below `mistake.`, and its parameters."""

    def __init__(self, key: str, /, **params: object) -> None:
        self.key, self.params = key, params


def _yes_or_no(cell: str) -> bool:
    word = plain_cell(cell)
    if word not in _YES | _NO:
        raise CellMistake("yes_or_no", cell=shown(cell))
    return word in _YES


def _day(cell: str) -> date | None:
    if not cell:
        return None
    found = _DATE.fullmatch(plain_cell(cell))
    try:
        if found is None:
            raise ValueError
        year, *months, day = found.groups()
        result = date(int(year), int(next(month for month in months if month)), int(day))
        if not 1900 <= result.year < 2200:
            raise ValueError
    except ValueError:
        raise CellMistake("cell_date", cell=shown(cell)) from None
    return result


def amount_in(cell: str) -> Decimal | None:
    """An amount, with or without separators of thousands; none in an empty cell. Raises `CellMistake`."""
    if not cell:
        return None
    plain = plain_cell(cell)
    if len(plain) > 40 or not _AMOUNT.fullmatch(plain):
        raise CellMistake("cell_amount", cell=shown(cell))
    return Decimal(plain.replace(",", ""))


def _status(cell: str) -> RegisteredStatus:
    status = _STATUSES.get(plain_cell(cell))
    if status is None:
        known = ", ".join(RegisteredStatus)
        raise CellMistake("cell_status", cell=shown(cell), known=known)
    return status


def optional_cell(cell: str) -> str | None:
    """The text, or None for an empty cell."""
    return cell or None


def plain_cell(cell: str) -> str:
    """The cell normalised in width, case and surrounding spaces."""
    return unicodedata.normalize("NFKC", cell[:100]).strip().casefold()


_CONVERT: dict[str, Callable[[str], Any]] = {
    "malicious_arrears": _yes_or_no,
    "lawsuit_with_us": _yes_or_no,
    "as_of": _day,
    "registered_on": _day,
    "closed_on": _day,
    "amount": amount_in,
    "status": _status,
    "end_user_name": optional_cell,
}


def read_background(text: str) -> tuple[BackgroundEntry, ...]:
    """The background register (N4, E2). Raises `RegisterMistakes` with every mistake; an unknown answer is no "no"."""
    mistakes: list[Mistake] = []
    rows = read_rows(text, BACKGROUND_COLUMNS, required_columns(BackgroundEntry), mistakes)
    entries = entries_of(rows, BackgroundEntry, mistakes)
    _once(
        ((row, (entry.uscc or entry.name, entry.source, entry.as_of)) for row, entry in entries),
        "name",
        "entry_twice",
        mistakes,
    )
    if mistakes:
        raise RegisterMistakes(mistakes)
    return tuple(entry for _, entry in entries)


def read_projects(text: str) -> tuple[ProjectEntry, ...]:
    """The project register (N3). Raises `RegisterMistakes` with every mistake."""
    mistakes: list[Mistake] = []
    rows = read_rows(text, PROJECT_COLUMNS, required_columns(ProjectEntry), mistakes)
    entries = entries_of(rows, ProjectEntry, mistakes)
    # Uses the raw cells, so that rows with other mistakes are included.
    ids = ((row, row.cells["id"]) for row in rows if row.cells.get("id"))
    _once(ids, "id", "project_twice", mistakes)
    for row, entry in entries:
        _sense(row, entry, mistakes)
    if mistakes:
        raise RegisterMistakes(mistakes)
    return tuple(entry for _, entry in entries)


def required_columns(model: type[Frozen]) -> list[str]:
    """The required columns."""
    return [name for name, field in model.model_fields.items() if field.is_required()]


def entries_of(
    rows: Iterable[CsvRow],
    model: type[Entry],
    mistakes: list[Mistake],
    convert: Mapping[str, Callable[[str], Any]] = _CONVERT,
) -> list[tuple[CsvRow, Entry]]:
    """The rows that can be read as entries; what is wrong with the others is added to `mistakes`. `convert` reads the
    cells of a column."""
    entries = []
    for row in rows:
        values: dict[str, Any] = {}
        told = set()
        for column, cell in row.cells.items():
            if not cell and model.model_fields[column].is_required():
                mistakes.append(_at(row, column, "missing"))
                told.add(column)
                continue
            try:
                values[column] = convert.get(column, str)(cell)
            except CellMistake as wrong:
                mistakes.append(_at(row, column, wrong.key, **wrong.params))
                told.add(column)
        try:
            entries.append((row, handed_in(model, values)))
        except ValidationError as error:
            for detail in error.errors():
                column = str(detail["loc"][0])
                # A missing column is reported once, for the header.
                if column in row.cells and column not in told:
                    key, params = mistake_of(detail)
                    mistakes.append(_at(row, column, key, **params))
            continue
        if told:
            entries.pop()
    return entries


def _once(keyed: Iterable[tuple[CsvRow, object]], column: str, key_of_text: str, mistakes: list[Mistake]) -> None:
    seen: dict[object, int] = {}
    for row, key in keyed:
        first = seen.setdefault(key, row.line)
        if first != row.line:
            mistakes.append(_at(row, column, key_of_text, first=first))


def _sense(row: CsvRow, entry: ProjectEntry, mistakes: list[Mistake]) -> None:
    """Checks across the cells of a row."""
    if entry.closed_on is not None and entry.closed_on < entry.registered_on:
        mistakes.append(_at(row, "closed_on", "closed_before_registered"))
    if entry.closed_on is not None and entry.status is RegisteredStatus.ACTIVE:
        mistakes.append(_at(row, "closed_on", "closed_but_active"))
    if entry.end_user_uscc is not None and entry.end_user_name is None:
        mistakes.append(_at(row, "end_user_name", "end_user_name"))


def _at(row: CsvRow, column: str, key: str, /, **params: object) -> Mistake:
    return Mistake.of(row.line, column, key, **params)


__all__ = [
    "BackgroundEntry",
    "ProjectEntry",
    "RegisterMistakes",
    "RegisteredStatus",
    "decode_csv",
    "read_background",
    "read_projects",
]

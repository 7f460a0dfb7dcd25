"""Reads CSV files as spreadsheets write them, into rows with line numbers."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imports.mistakes import FileMistakes, Mistake, shown

MAX_BYTES = 50_000_000
"""Maximum number of rows: more than half a million is not a register."""


class RegisterMistakes(FileMistakes):
    """A register was refused. `field` of each mistake is the column, by its English name."""


@dataclass(frozen=True)
class CsvRow:
    """One row: the line it starts in, and its cells by column name, stripped."""

    line: int
    cells: Mapping[str, str]


def decode_csv(content: bytes) -> str:
    """The text of a CSV file in UTF-8, with or without a byte order mark.

    Raises `RegisterMistakes` with the first line that is not UTF-8; GBK, as Chinese spreadsheets save it, is named.
    """
    if len(content) > MAX_BYTES:
        raise _refuse(None, "too_large", limit=MAX_BYTES)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refuse(1, "utf16")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = _line_at(content, error.start)
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        raise _refuse(line, "not_utf8") from None
    raise _refuse(line, "gbk")


def read_rows(
    text: str, columns: Mapping[str, Iterable[str]], required: Iterable[str], mistakes: list[Mistake]
) -> list[CsvRow]:
    """The rows below the header line; what is wrong with the shape of the table is added to `mistakes`.

    `columns` maps each column to its other accepted headings; case, spaces and width of a heading do not count.
    Raises `RegisterMistakes` when no row can be read for want of a usable header.
    """
    records = _records(text, mistakes)
    if not records:
        raise RegisterMistakes(mistakes or [Mistake.of(1, "", "no_header")])
    header_line, header = records[0]
    names = _header(header_line, header, columns, required, mistakes)
    if mistakes and not any(names):
        raise RegisterMistakes(mistakes)
    rows = []
    for line, record in records[1:]:
        cells = [cell.strip() for cell in record]
        if not any(cells):
            continue
        while len(cells) > len(names) and not cells[-1]:
            cells.pop()
        if len(cells) != len(names):
            mistakes.append(Mistake.of(line, "", "row_width", cells=len(cells), headings=len(names)))
            continue
        rows.append(CsvRow(line, {name: cell for name, cell in zip(names, cells, strict=True) if name}))
    return rows


def _records(text: str, mistakes: list[Mistake]) -> list[tuple[int, list[str]]]:
    """Every row with the line it starts in, up to the first one with broken quotes."""
    records: list[tuple[int, list[str]]] = []
    nul = text.find("\0")
    if nul >= 0:
        mistakes.append(Mistake.of(text.count("\n", 0, nul) + 1, "", "nul_character"))
        return records
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            records.append((line, next(reader)))
        except StopIteration:
            break
        except csv.Error as error:
            mistakes.append(Mistake.of(line, "", "broken_csv", why=shown(str(error))))
            break
    while records and not any(cell.strip() for cell in records[0][1]):
        records.pop(0)
    return records


def _header(
    line: int,
    header: list[str],
    columns: Mapping[str, Iterable[str]],
    required: Iterable[str],
    mistakes: list[Mistake],
) -> list[str]:
    """The column name of each heading, "" for unknown ones."""
    known = {_heading(alias): name for name, aliases in columns.items() for alias in (name, *aliases)}
    while header and not header[-1].strip():
        header = header[:-1]
    names: list[str] = []
    for heading in header:
        name = known.get(_heading(heading), "")
        if not name:
            mistakes.append(Mistake.of(line, shown(heading.strip()), "unknown_column", heading=shown(heading)))
        elif name in names:
            mistakes.append(Mistake.of(line, name, "column_twice"))
            name = ""
        names.append(name)
    for name in required:
        if name not in names:
            chinese = next(iter(columns[name]), name)
            mistakes.append(Mistake.of(line, name, "column_missing", heading=chinese, column=name))
    return names


def _heading(text: str) -> str:
    return re.sub(r"[\s_*-]+", "", unicodedata.normalize("NFKC", text).casefold())


def _line_at(content: bytes, position: int) -> int:
    before = content[:position]
    return before.count(b"\n") + before.replace(b"\r\n", b"\n").count(b"\r") + 1


def _refuse(line: int | None, key: str, **params: object) -> RegisterMistakes:
    return RegisterMistakes([Mistake.of(line, "", key, **params)])

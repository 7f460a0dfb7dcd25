"""CSV files as spreadsheets write them, read into rows that know their lines."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imports.mistakes import FileMistakes, Mistake, shown

MAX_BYTES = 50_000_000
"""A register of half a million rows; more is not a register."""


class RegisterMistakes(FileMistakes):
    """A register was refused. `field` of each mistake is the column, by its English name."""


@dataclass(frozen=True)
class Row:
    """One record: the line it starts in and its cells by column name, stripped."""

    line: int
    cells: Mapping[str, str]


def decode_csv(content: bytes) -> str:
    """The text of a CSV file in UTF-8, with or without a byte order mark.

    Raises `RegisterMistakes` with the first line that is not UTF-8; GBK, as Chinese spreadsheets save it, is named.
    """
    if len(content) > MAX_BYTES:
        raise _refuse(None, f"文件过大（上限 {MAX_BYTES} 字节）", f"is too large (at most {MAX_BYTES} bytes)")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refuse(
            1,
            "文件编码为 UTF-16，请另存为“CSV UTF-8（逗号分隔）”",
            "the file is in UTF-16; save it as 'CSV UTF-8 (comma delimited)'",
        )
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = _line_at(content, error.start)
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        raise _refuse(
            line,
            "文件编码不是 UTF-8，请另存为“CSV UTF-8（逗号分隔）”",
            "the file is not in UTF-8; save it as 'CSV UTF-8 (comma delimited)'",
        ) from None
    raise _refuse(
        line,
        "文件编码似为 GBK，请另存为“CSV UTF-8（逗号分隔）”",
        "the file seems to be in GBK; save it as 'CSV UTF-8 (comma delimited)'",
    )


def read_rows(
    text: str, columns: Mapping[str, Iterable[str]], required: Iterable[str], mistakes: list[Mistake]
) -> list[Row]:
    """The rows below the header line; what is wrong with the shape of the table is added to `mistakes`.

    `columns` maps each column to its other accepted headings; case, spaces and width of a heading do not count.
    Raises `RegisterMistakes` when no row can be read for want of a usable header.
    """
    records = _records(text, mistakes)
    if not records:
        raise RegisterMistakes(mistakes or [_mistake(1, "", "文件为空，缺少表头", "the file is empty: no header")])
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
            mistakes.append(
                _mistake(
                    line,
                    "",
                    f"这一行有 {len(cells)} 列，表头有 {len(names)} 列",
                    f"the row has {len(cells)} columns, the header {len(names)}",
                )
            )
            continue
        rows.append(Row(line, {name: cell for name, cell in zip(names, cells, strict=True) if name}))
    return rows


def _records(text: str, mistakes: list[Mistake]) -> list[tuple[int, list[str]]]:
    """Every record with the line it starts in, up to the first one whose quotes are broken."""
    records: list[tuple[int, list[str]]] = []
    nul = text.find("\0")
    if nul >= 0:
        mistakes.append(_mistake(text.count("\n", 0, nul) + 1, "", "含有空字符（NUL）", "contains a NUL character"))
        return records
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            records.append((line, next(reader)))
        except StopIteration:
            break
        except csv.Error as error:
            mistakes.append(
                _mistake(
                    line,
                    "",
                    f"引号或格式有误（{shown(str(error))}），此行起未再读取",
                    f"broken quotes or format ({shown(str(error))}); nothing was read from here on",
                )
            )
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
    """The column name of each heading, "" for one that is not understood."""
    known = {_heading(alias): name for name, aliases in columns.items() for alias in (name, *aliases)}
    while header and not header[-1].strip():
        header = header[:-1]
    names: list[str] = []
    for heading in header:
        name = known.get(_heading(heading), "")
        if not name:
            mistakes.append(
                _mistake(
                    line, shown(heading.strip()), f"没有这一列：{shown(heading)}", f"unknown column {shown(heading)}"
                )
            )
        elif name in names:
            mistakes.append(_mistake(line, name, "这一列出现了两次", "the column stands here twice"))
            name = ""
        names.append(name)
    for name in required:
        if name not in names:
            chinese = next(iter(columns[name]), name)
            mistakes.append(_mistake(line, name, f"缺少列“{chinese}”", f"the column {name} is missing"))
    return names


def _heading(text: str) -> str:
    return re.sub(r"[\s_*-]+", "", unicodedata.normalize("NFKC", text).casefold())


def _line_at(content: bytes, position: int) -> int:
    before = content[:position]
    return before.count(b"\n") + before.replace(b"\r\n", b"\n").count(b"\r") + 1


def _mistake(line: int | None, field: str, zh: str, en: str) -> Mistake:
    return Mistake(line=line, field=field, message_zh=zh, message_en=en)


def _refuse(line: int | None, zh: str, en: str) -> RegisterMistakes:
    return RegisterMistakes([_mistake(line, "", zh, en)])

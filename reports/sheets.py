"""Writes a report as a workbook: typed cells, a filter on each table, a last row of totals, and never a formula."""

from __future__ import annotations

from datetime import UTC
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from domain.reports.report import Report, ReportKind
from reports.tables import Cell, CellKind, ReportTable, tables_of
from texts.catalogue import Texts
from texts.reports.report_parts import report_title_key

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMATS: Final[dict[CellKind, dict[str, Any]]] = {
    CellKind.TEXT: {},
    CellKind.LONG: {"text_wrap": True},
    CellKind.MONEY: {"num_format": '"¥"#,##0.00'},
    CellKind.SHARE: {"num_format": "0.0%"},
    CellKind.NUMBER: {"num_format": "#,##0"},
    CellKind.DAY: {"num_format": "yyyy-mm-dd", "align": "left"},
    CellKind.MOMENT: {"num_format": "yyyy-mm-dd hh:mm", "align": "left"},
}
_WIDTHS: Final = {
    CellKind.TEXT: 18,
    CellKind.LONG: 48,
    CellKind.MONEY: 20,
    CellKind.SHARE: 10,
    CellKind.NUMBER: 10,
    CellKind.DAY: 12,
    CellKind.MOMENT: 17,
}


def workbook(report: Report, texts: Texts, zone: ZoneInfo, part: str, *, proposals: bool = True) -> bytes:
    """The workbook of a report. `part` says whose part of it this is. The same report gives the same bytes (X3).
    `proposals`: whether the reader may see what the system proposes of an account (R4)."""
    import xlsxwriter  # imported here because every server process imports this module, and reports are rare (X3)

    buffer = BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "remove_timezone": True,  # sheets have no time zones; cells contain the time in the company's zone
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        title = f"{texts.text(report_title_key(report.kind, report.period.rhythm))} {report.period.id} · {part}"
        made_at = report.made_at.astimezone(UTC)
        book.set_properties({"title": title, "created": made_at, "comments": made_at.isoformat()})
        formats = _Formats(book)
        for table in tables_of(report, texts, proposals=proposals):
            _write(book.add_worksheet(texts.text(f"report.table.{table.name}")), table, formats, texts, zone, title)
    return buffer.getvalue()


def sheet_name(kind: ReportKind, period: str, department: str | None = None) -> str:
    """The file name."""
    return "-".join((kind.replace("_", "-"), period, *([department] if department else []))) + ".xlsx"


class _Formats:
    """Cell formats by kind, for plain rows and for the row of totals."""

    def __init__(self, book: Any) -> None:
        self.plain = {kind: book.add_format({"valign": "top"} | look) for kind, look in _FORMATS.items()}
        self.total = {kind: book.add_format({"bold": True, "top": 1} | look) for kind, look in _FORMATS.items()}
        self.header = book.add_format(
            {"bold": True, "bg_color": "#E8EDF1", "bottom": 1, "text_wrap": True, "valign": "vcenter"}
        )


def _write(sheet: Any, table: ReportTable, formats: _Formats, texts: Texts, zone: ZoneInfo, title: str) -> None:
    for place, column in enumerate(table.columns):
        sheet.write_string(0, place, texts.text(f"report.column.{column.name}"), formats.header)
        sheet.set_column(place, place, _WIDTHS[column.kind])
    for number, row in enumerate(table.rows, start=1):
        for place, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            _put(sheet, number, place, cell, column.kind, formats.plain, zone)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)
    if any(column.summed for column in table.columns):
        last = len(table.rows) + 1
        sheet.write_string(last, 0, texts.text("report.total"), formats.total[CellKind.TEXT])
        for place, (column, cell) in enumerate(zip(table.columns, table.totals, strict=True)):
            if column.summed:
                _put(sheet, last, place, cell, column.kind, formats.total, zone)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_header("&L" + title.replace("&", "&&")[:200])


def _put(
    sheet: Any, row: int, place: int, cell: Cell, kind: CellKind, looks: dict[CellKind, Any], zone: ZoneInfo
) -> None:
    """Write a cell by the kind of its column, never by the look of its value."""
    look = looks[kind]
    if cell is None:
        sheet.write_blank(row, place, None, look)
    elif kind is CellKind.MOMENT:
        sheet.write_datetime(row, place, cell.astimezone(zone), look)  # type: ignore[union-attr]
    elif kind is CellKind.DAY:
        sheet.write_datetime(row, place, cell, look)
    elif kind in (CellKind.TEXT, CellKind.LONG):
        sheet.write_string(row, place, str(cell), look)
    else:
        sheet.write_number(row, place, cell, look)

"""Sheets, opened by a library that did not write them, and charts (U1, U9, R3, R4, X2, X3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from domain.organisation import LANGUAGES, Language
from domain.reports.report import Report
from domain.reports.totals import account_totals, digest_totals, forecast_totals
from reports.charts import chart
from reports.sheets import sheet_name, workbook
from reports.tables import CellKind, tables_of
from tests.report_samples import ATTACK, digest, forecast, statistics
from texts.catalogue import Texts

SHANGHAI = ZoneInfo("Asia/Shanghai")
REPORTS = (digest(), forecast(), statistics("FY2026-Q3"), statistics("FY2026"))
TYPES: dict[CellKind, set[type]] = {
    CellKind.TEXT: {str},
    CellKind.LONG: {str},
    CellKind.DAY: {datetime},
    CellKind.MOMENT: {datetime},
}
named = pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{report.kind}-{report.period.id}")


def opened(report: Report, language: Language = "en", *, proposals: bool = True) -> Workbook:
    content = workbook(report, Texts(language), SHANGHAI, "全公司", proposals=proposals)
    return openpyxl.load_workbook(BytesIO(content))


def sheets(book: Workbook) -> Iterator[Worksheet]:
    for sheet in book.worksheets:
        assert isinstance(sheet, Worksheet)
        yield sheet


def column(sheet: Worksheet, name: str) -> list[object]:
    """The cells below a header, the last row among them."""
    (place,) = [cell.column for cell in sheet[1] if cell.value == name]
    assert isinstance(place, int)
    return [sheet.cell(row, place).value for row in range(2, sheet.max_row + 1)]


@named
@pytest.mark.parametrize("language", LANGUAGES)
def test_x2_no_cell_is_a_formula_or_a_link_whatever_people_wrote(report: Report, language: Language) -> None:
    book = opened(report, language)
    attacks = 0
    for sheet in sheets(book):
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f", cell.coordinate
                assert cell.hyperlink is None
                attacks += isinstance(cell.value, str) and cell.value.startswith("=")
    assert attacks, "the samples hold a project and a customer that look like a formula"


@named
def test_every_total_of_a_sheet_is_the_sum_of_its_column_and_of_the_right_type(report: Report) -> None:
    book = opened(report)
    tables = tables_of(report, Texts("en"))
    assert len(tables) == len(book.worksheets) > 2
    for sheet, table in zip(sheets(book), tables, strict=True):
        assert sheet.freeze_panes == "B2"
        last = len(table.rows) + 1
        assert sheet.auto_filter.ref == f"A1:{get_column_letter(len(table.columns))}{last}"
        for place, header in enumerate(table.columns, start=1):
            cells = [sheet.cell(row, place) for row in range(2, last + 1)]
            kinds = {type(cell.value) for cell in cells} - {type(None)}
            assert kinds <= TYPES.get(header.kind, {int, float}), header
            if header.summed:
                added = sum(Decimal(str(cell.value)) for cell in cells)
                assert Decimal(str(sheet.cell(last + 1, place).value)) == added, header
                assert sheet.cell(last + 1, place).number_format == cells[0].number_format


def test_u1_u9_r3_the_totals_of_the_sheets_are_those_of_the_report() -> None:
    told = opened(digest())["Projects"]
    assert column(told, "Amount (RMB)")[-1] == pytest.approx(float(digest_totals(digest().rows).amount), abs=0.001)
    projects = opened(forecast())["Projects"]
    assert column(projects, "Weighted (RMB)")[-1] == pytest.approx(
        float(forecast_totals(forecast().rows).weighted), abs=0.001
    )
    report = statistics()
    accounts = opened(report)["Named Accounts"]
    assert column(accounts, "Contracts (RMB)")[-1] == pytest.approx(
        float(account_totals(report.rows, report.near_target).contracts), abs=0.001
    )


def test_times_are_written_in_the_companys_zone() -> None:
    moments = column(opened(digest())["Updates"], "Updated at")
    assert datetime(2026, 11, 25, 11, 0) in moments  # noqa: DTZ001 (a sheet knows no zones)


def test_r4_proposals_are_for_those_who_decide_when_it_is_decided() -> None:
    def headers(report: Report, *, proposals: bool = True) -> set[object]:
        return {cell.value for cell in opened(report, proposals=proposals)["Named Accounts"][1]}

    assert "Proposed (R4)" in headers(statistics())
    assert "Proposed (R4)" not in headers(statistics("FY2026-Q3"))
    assert "Proposed (R4)" not in headers(statistics(), proposals=False)


@named
def test_x3_the_same_report_is_the_same_file(report: Report) -> None:
    assert workbook(report, Texts("zh"), SHANGHAI, "全公司") == workbook(report, Texts("zh"), SHANGHAI, "全公司")


def test_a_report_without_rows_is_still_a_sheet() -> None:
    empty = opened(statistics(count=0))
    assert [sheet.title for sheet in sheets(empty)] == ["Named Accounts", "Missed review steps"]
    assert sheet_name(digest().kind, "2026-W48", "north") == "weekly-digest-2026-W48-north.xlsx"


@pytest.mark.parametrize("language", LANGUAGES)
def test_u9_r3_charts_are_well_formed_and_escape_markup(language: Language) -> None:
    for report in (forecast(), statistics(), forecast(0), statistics(count=0), statistics(count=60)):
        drawn = chart(report, Texts(language), "<b>&")
        assert drawn is not None
        root = ElementTree.fromstring(drawn)
        assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {"svg", "title", "rect", "text"}
        assert all(float(element.get("width", "0")) >= 0 for element in root.iter() if element.tag.endswith("rect"))
    words = " ".join(ElementTree.fromstring(chart(statistics(), Texts(language), "") or "").itertext())
    assert ATTACK[:10] in words
    assert chart(digest(), Texts(language), "") is None

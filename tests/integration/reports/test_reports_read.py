"""GET /reports: who reads which report, how much of it, in which form (U1, U9, R3, R4, X2, X4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.reports import reports
from domain.reports.report import Report
from tests.integration.projects.project_door import ORGANISATION, Call, door, filled
from tests.report_samples import ATTACK, digest, forecast, statistics
from tests.unit.disputes.test_credit import shared_reports

EVERYTHING = {"zhang.wei", "liu.yang", "sun.li", "gao.yuan", "lin.xia", "anna.miller"}
"""Management and commerce."""
NOTHING = {"song.jie", "tang.bo", "peter.wong"}
"""The operator and the product managers."""
KINDS = ("weekly-digest", "forecast", "accounts")


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    """Every kind of report is there, of accounts a month and a year."""
    made: tuple[Report, ...] = (digest(), forecast(), statistics("2026-11"), statistics("FY2026"))
    async with filled(engine) as connection:
        for report in made:
            assert await reports.keep(connection, report)
        await connection.commit()
    async with door(engine, database_url) as asking:
        yield asking


def owners(answer: Any) -> set[tuple[str, str | None]]:
    rows = [*answer["rows"], *answer.get("changes", [])]
    return {(row["salesperson"], row["department"]) for row in rows}


def may_see(person: str, owner: tuple[str, str | None], *, whole: bool) -> bool:
    led = {office.id for office in ORGANISATION.departments if person in (office.gm, office.vp)}
    return whole or owner[0] == person or owner[1] in led


@pytest.mark.parametrize("kind", KINDS)
async def test_x2_everybody_reads_the_rows_that_are_theirs_and_no_other(call: Call, kind: str) -> None:
    everything = owners((await call("zhang.wei", "GET", f"/reports/{kind}")).json())
    assert len(everything) > 3
    seen_by_nobody_else = 0
    for person in ORGANISATION.people:
        answer = await call(person.id, "GET", f"/reports/{kind}")
        if person.id in NOTHING:
            assert answer.status_code == 403
            assert answer.json()["code"] == "may_not_read_reports"
            continue
        assert answer.status_code == 200, answer.text
        yearly = kind == "accounts"
        whole = person.id in EVERYTHING or (yearly and "vp" in person.roles)
        theirs = {owner for owner in everything if may_see(person.id, owner, whole=whole)}
        assert owners(answer.json()) == theirs, person.id
        seen_by_nobody_else += theirs != everything
    assert seen_by_nobody_else > 5


async def test_x2_a_vp_sees_of_a_month_their_departments_and_of_a_year_the_whole_company(call: Call) -> None:
    month = (await call("wang.fang", "GET", "/reports/accounts?period=2026-11")).json()
    year = (await call("wang.fang", "GET", "/reports/accounts?period=FY2026")).json()
    assert {row["department"] for row in month["rows"]} == {"east"}
    assert {row["department"] for row in year["rows"]} == {"north", "east", "finance-industry"}


async def test_x2_reading_a_report_is_recorded(call: Call, engine: AsyncEngine) -> None:
    for path in ("forecast", "forecast.xlsx", "forecast.svg", "weekly-digest?period=2026-W48"):
        assert (await call("zhao.lei", "GET", f"/reports/{path}")).status_code == 200
    async with engine.connect() as connection:
        query = "SELECT subject_id, through FROM reading WHERE subject_type = 'report' AND person = 'zhao.lei'"
        read = {tuple(row) for row in await connection.execute(text(query))}
    assert read == {
        *(("forecast:2026-11", through) for through in ("api", "xlsx", "svg")),
        ("weekly_digest:2026-W48", "api"),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("person", ["zhang.wei", "li.ming", "zhao.lei", "yang.fan"])
async def test_u1_u9_r3_the_totals_of_an_answer_are_the_sums_of_its_own_rows(
    call: Call, kind: str, person: str
) -> None:
    answer = (await call(person, "GET", f"/reports/{kind}")).json()
    rows, totals = answer["rows"], answer["totals"]
    assert rows
    money = {name for name, value in totals.items() if isinstance(value, str)}
    assert money
    for name in money:
        assert Decimal(totals[name]) == sum((Decimal(row[name]) for row in rows), Decimal(0)), name
    for by in (name for name in answer if name.startswith("by_")):
        for name in totals:
            assert sum(Decimal(group["totals"][name]) for group in answer[by]) == Decimal(totals[name]), (by, name)
    if kind == "forecast":
        assert Decimal(answer["change"]) == sum((Decimal(row["amount"]) for row in answer["changes"]), Decimal(0))


async def test_u9_a_report_is_narrowed_to_a_department_by_whoever_may_see_it(call: Call) -> None:
    east = (await call("li.ming", "GET", "/reports/forecast?department=north")).json()
    assert {row["department"] for row in (*east["rows"], *east["changes"], *east["missed"])} == {"north"}
    assert east["department"] == "north"
    whole = (await call("li.ming", "GET", "/reports/forecast")).json()
    assert {row["department"] for row in whole["rows"]} == {"north", "finance-industry"}
    refused = await call("li.ming", "GET", "/reports/forecast?department=east")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_department")
    own = (await call("yang.fan", "GET", "/reports/forecast?department=north")).json()
    assert {row["salesperson"] for row in own["rows"]} == {"yang.fan"}


async def test_u1_u9_r3_without_a_period_it_is_the_newest_and_the_list_names_them_all(call: Call) -> None:
    page = (await call("yang.fan", "GET", "/reports?limit=3")).json()
    more = (await call("yang.fan", "GET", f"/reports?limit=3&cursor={page['next_cursor']}")).json()
    listed = [(report["kind"], report["period"]["id"]) for report in (*page["items"], *more["items"])]
    assert sorted(listed) == [
        *(("accounts", "2026-11"), ("accounts", "FY2026"), ("forecast", "2026-11"), ("weekly-digest", "2026-W48")),
    ]
    assert more["next_cursor"] is None
    forecasts = (await call("yang.fan", "GET", "/reports?kind=forecast")).json()["items"]
    assert [report["period"]["id"] for report in forecasts] == ["2026-11"]
    assert (await call("yang.fan", "GET", "/reports/accounts")).json()["period"]["id"] == "FY2026"
    assert (await call("song.jie", "GET", "/reports")).status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/reports/forecasts", 404, "report_kind_unknown"),
        ("/reports/forecasts.xlsx", 404, "report_kind_unknown"),
        ("/reports?kind=weekly_digest", 404, "report_kind_unknown"),
        ("/reports/forecast?period=2026-13", 422, "fields_wrong"),
        ("/reports/forecast?period=%E0%A4%A", 422, "fields_wrong"),
        ("/reports/weekly-digest?period=2026-W54", 422, "fields_wrong"),
        ("/reports/forecast?period=2026-10", 404, "report_not_made"),
        ("/reports/forecast?period=2026-W48", 404, "report_not_made"),
        ("/reports/forecast?department=west", 422, "fields_wrong"),
        ("/reports/weekly-digest.svg", 404, "report_has_no_chart"),
        ("/reports?cursor=x", 422, "cursor_invalid"),
    ],
)
async def test_x4_missing_reports_are_explained(call: Call, path: str, status: int, code: str) -> None:
    for person in ("zhang.wei", "david.brown"):
        answer = await call(person, "GET", path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["detail"]) > 5


async def test_u9_the_sheet_holds_what_the_answer_holds(call: Call) -> None:
    rows = (await call("zhao.lei", "GET", "/reports/forecast")).json()
    answer = await call("zhao.lei", "GET", "/reports/forecast.xlsx")
    assert answer.headers["content-disposition"] == 'attachment; filename="forecast-2026-11.xlsx"'
    book = openpyxl.load_workbook(BytesIO(answer.content))
    sheet = book["项目"]
    numbers = [sheet.cell(row, 1).value for row in range(2, len(rows["rows"]) + 2)]
    assert numbers == [row["number"] for row in rows["rows"]]
    amounts = [cell.value for cell in next(column for column in sheet.columns if column[0].value == "金额（元）")]
    assert Decimal(str(amounts[-1])) == Decimal(rows["totals"]["amount"])


async def test_r3_r7_the_answer_says_over_which_months_an_account_is_measured(call: Call, engine: AsyncEngine) -> None:
    report = statistics("FY2026-Q4", count=2)
    young, old = (
        row.model_copy(update={"counted": counted}) for row, counted in zip(report.rows, ((), None), strict=True)
    )
    async with engine.begin() as connection:
        assert await reports.keep(connection, report.model_copy(update={"rows": (young, old)}))
    answer = (await call("zhang.wei", "GET", "/reports/accounts?period=FY2026-Q4")).json()
    assert {(row["account"], str(row["counted"]), row["standing"] == "unmeasured") for row in answer["rows"]} == {
        (young.account, "[]", True),
        (old.account, "None", False),
    }
    assert answer["totals"]["unmeasured"] == 1


async def test_d3_x2_whoever_has_a_share_reads_what_they_are_credited_with(call: Call, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM report"))
        for report in shared_reports():
            assert await reports.keep(connection, report)
    for person, shown in {"xu.jing": 1, "chen.jing": 1, "yang.fan": 2, "guo.tao": 0}.items():
        for kind in ("weekly-digest", "forecast"):
            answer = (await call(person, "GET", f"/reports/{kind}")).json()
            assert len(answer["rows"]) == shown, (person, kind)
            told = {
                credit["person"]: credit["amount"] for row in answer["rows"] for credit in row["credits"] if shown == 1
            }
            assert told == ({"yang.fan": "600000.01", "xu.jing": "400000.00"} if shown == 1 else {})
            assert Decimal(answer["totals"]["amount"]) == sum(Decimal(row["amount"]) for row in answer["rows"])
    theirs = (await call("xu.jing", "GET", "/reports/accounts")).json()
    assert theirs["rows"] == [], "the account and its targets are its salesperson's"
    (contract,) = theirs["contracts"]
    assert {credit["person"]: credit["percent"] for credit in contract["credits"]} == {
        "yang.fan": "60",
        "xu.jing": "40",
    }
    whole = (await call("zhang.wei", "GET", "/reports/accounts")).json()
    by_person = {group["key"]: group["totals"]["contracts"] for group in whole["by_salesperson"]}
    assert by_person == {"yang.fan": "600000.01", "xu.jing": "400000.00"}
    assert whole["totals"]["contracts"] == "1000000.01"


async def test_r4_what_is_proposed_is_not_for_the_salesperson(call: Call) -> None:
    decided = (await call("wang.fang", "GET", "/reports/accounts?period=FY2026")).json()["rows"]
    assert "revoke" in {row["proposal"] for row in decided}
    own = (await call("yang.fan", "GET", "/reports/accounts?period=FY2026")).json()["rows"]
    assert own
    assert {row["proposal"] for row in own} == {None}
    month = (await call("wang.fang", "GET", "/reports/accounts?period=2026-11")).json()["rows"]
    assert {row["proposal"] for row in month} == {None}
    book = openpyxl.load_workbook(BytesIO((await call("yang.fan", "GET", "/reports/accounts.xlsx")).content))
    assert not any("R4" in str(cell.value) for cell in book.worksheets[0][1])


async def test_u9_r3_a_chart_is_an_image_that_may_load_and_run_nothing(call: Call) -> None:
    for kind in ("forecast", "accounts"):
        answer = await call("zhang.wei", "GET", f"/reports/{kind}.svg")
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        words = " ".join(ElementTree.fromstring(answer.text).itertext())
        assert (ATTACK[:10] in words) is (kind == "accounts")

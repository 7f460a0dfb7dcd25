"""Reports on a real record: their figures against SQL written another way, made once, mailed to whom they belong
(U1, U9, R2–R4, R6, X3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.accounts import accounts
from db.tables.accounts import account
from domain.projects.project import ProjectStage, ProjectStatus, SalesStage
from domain.reports.report import (
    AccountFigures,
    AccountStatistics,
    Change,
    ReportKind,
    SalesForecast,
    TargetSource,
    WeeklyDigest,
)
from domain.reports.totals import account_totals, digest_totals, forecast_by_salesperson, forecast_totals
from domain.reviews.review import PlanProgress, Proposal
from embedded.servers.mailsink import MailSink
from tests.integration.mails.test_mail_sending import Post, post  # noqa: F401 (a fixture)
from tests.integration.projects.people import EAST_GM, EAST_VP, FAN, FINANCE_GM, JING, LEI, NORTH_GM, NORTH_VP, TAO
from tests.integration.reports.report_ground import ReportGround, at
from tests.integration.tasks.race_ground import KEYS

DIGEST, FORECAST, ACCOUNTS = ReportKind


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[ReportGround]:
    made = ReportGround(engine, KEYS)
    await made.prepare(sellers=0)
    yield made
    await made.record_holds()


MONDAY = at("2026-11-30", "01:00")
"""09:00 in Shanghai, after 2026-W48 (23 to 29 November)."""


async def four_projects(ground: ReportGround) -> None:
    """Two of the north, one of them silent; one of the east, signed in the week; one of finance, lost before it."""
    await ground.project("n1", FAN, "north", approved=at("2026-10-01"), amount="1000000.01")
    await ground.project("n2", LEI, "north", approved=at("2026-09-01"), amount="2000000.02")
    await ground.project("e1", JING, "east", approved=at("2026-10-01"), amount="400000.00")
    await ground.project("f1", TAO, "finance-industry", approved=at("2026-10-01"))
    # The week begins on Sunday 16:00 UTC: one second before and one after, and the last before it ends.
    await ground.is_updated("n1", at("2026-11-22", "15:59"), "上周")
    await ground.is_updated("n1", at("2026-11-22", "16:01"), "本周一")
    await ground.is_updated("n1", at("2026-11-29", "15:59"), "本周日")
    await ground.is_updated("n1", at("2026-11-29", "16:01"), "下周")
    await ground.is_updated("n2", at("2026-11-10"))
    await ground.signs("e1", "380000.00", at("2026-11-25"))
    await ground.ends("f1", ProjectStage.ENDED, at("2026-11-20"))


async def test_u1_a_digest_holds_the_projects_that_were_active_and_the_updates_of_the_local_week(
    ground: ReportGround,
) -> None:
    await four_projects(ground)
    report = await ground.make(DIGEST, "2026-W48", MONDAY)
    assert isinstance(report, WeeklyDigest)
    assert [row.project for row in report.rows] == ["n2", "n1", "e1"], "the silent one on top"
    silent, spoken, signed = report.rows
    assert (silent.silent, silent.silent_days) == (True, 19)
    assert [said.progress for said in spoken.updates] == ["本周一", "本周日"]
    assert (spoken.silent_days, spoken.last_update_at) == (0, at("2026-11-29", "15:59"))
    assert (signed.status, signed.silent) == (ProjectStatus.CONTRACT_SIGNED, False)
    ((amount, updates),) = await ground.rows(
        """
        WITH week AS (SELECT tstzrange('2026-11-23 00:00+08', '2026-11-30 00:00+08') AS span),
        active AS (
            SELECT id, form FROM project, week
            WHERE tstzrange(number_issued_at, CASE WHEN stage = 'active' THEN 'infinity' ELSE stage_since END) && span
        )
        SELECT (SELECT sum((form ->> 'amount')::numeric) FROM active),
            (SELECT count(*) FROM project_update, week WHERE project_id IN (SELECT id FROM active)
                AND span @> recorded_at)
        """
    )
    totals = digest_totals(report.rows)
    assert (totals.amount, totals.updates) == (amount, updates) == (Decimal("3400000.03"), 2)


async def told(ground: ReportGround, kind: str) -> list[str]:
    query = "SELECT person FROM mail WHERE facts->>'kind' = :kind ORDER BY person"
    return [person for (person,) in await ground.rows(query, kind=kind)]


async def test_u1_x3_each_gm_is_sent_their_department_once_however_often_the_report_is_made(
    ground: ReportGround,
) -> None:
    await four_projects(ground)
    first = await ground.make(DIGEST, "2026-W48", MONDAY)
    assert await told(ground, "weekly_digest") == [EAST_GM, NORTH_GM], "finance has nothing to be told"
    await ground.is_updated("n2", at("2026-11-28"))
    assert await ground.make(DIGEST, "2026-W48", MONDAY + timedelta(days=1)) == first, "it stays as it is"
    assert len(await told(ground, "weekly_digest")) == 2
    ((facts,),) = await ground.rows("SELECT facts FROM mail WHERE person = :p", p=NORTH_GM)
    assert "n2" in str(facts)
    assert "e1" not in str(facts)
    events = await ground.rows("SELECT body FROM audit WHERE event = 'report_made'")
    assert [body["rows"] for (body,) in events] == [3]


async def test_u9_a_forecast_is_every_open_project_and_its_changes_add_up(ground: ReportGround) -> None:
    await four_projects(ground)
    await ground.project("e2", JING, "east", approved=at("2026-10-02"), amount="700000.00")
    for project_id in ("e1", "f1"):  # as it was at the end of October
        await ground.ends(project_id, ProjectStage.ACTIVE, at("2026-10-02"))
    before = await ground.make(FORECAST, "2026-10", at("2026-11-02", "01:00"))
    await ground.signs("e1", "380000.00", at("2026-11-25"))
    await ground.ends("f1", ProjectStage.ENDED, at("2026-11-20"))
    await ground.ends("e2", ProjectStage.SHELVED, at("2026-11-21"))
    await ground.changes("n1", given={"amount": Decimal("1500000.00"), "stage": SalesStage.NEGOTIATION})
    await ground.changes("n2", given={"expected_signing": date(2027, 6, 30)}, salesperson=JING, department="east")
    await ground.project("n3", LEI, "north", approved=at("2026-11-05"), amount="50000.00", stage=SalesStage.LEAD)
    await ground.project("held", LEI, "north", approved=at("2026-11-05"), stage=SalesStage.LEAD)
    await ground.ends("held", ProjectStage.SHELVED, at("2026-11-30"))
    report = await ground.make(FORECAST, "2026-11", at("2026-12-01", "01:00"))
    assert isinstance(before, SalesForecast)
    assert isinstance(report, SalesForecast)
    assert {row.project for row in report.rows} == {"n1", "n2", "n3"}
    ((amount, weighted),) = await ground.rows(
        """
        SELECT sum(amount), sum(round(amount * weight, 2)) FROM (
            SELECT (form ->> 'amount')::numeric AS amount, (jsonb_build_object('lead', 0.1, 'requirements', 0.25,
                'solution', 0.4, 'tender', 0.6, 'negotiation', 0.8) ->> (form ->> 'stage'))::numeric AS weight
            FROM project WHERE number IS NOT NULL AND stage = 'active'
        ) AS open_now
        """
    )
    totals = forecast_totals(report.rows)
    assert (totals.amount, totals.weighted) == (amount, weighted)
    changes = {(row.project, row.change): row.amount for row in report.changes if row.change is not Change.HANDED_OVER}
    assert changes == {
        ("e1", Change.SIGNED): Decimal("-400000.00"),
        ("f1", Change.LOST): Decimal("-1000000.00"),
        ("e2", Change.SHELVED): Decimal("-700000.00"),
        ("n1", Change.AMOUNT): Decimal("499999.99"),
        ("n1", Change.STAGE): Decimal(0),
        ("n2", Change.SIGNING): Decimal(0),
        ("n3", Change.NEW): Decimal("50000.00"),
    }
    assert sum(row.amount for row in report.changes) == totals.amount - forecast_totals(before.rows).amount
    everybody = [EAST_GM, FINANCE_GM, NORTH_GM, NORTH_VP, EAST_VP]
    assert await told(ground, "forecast") == sorted(2 * everybody), "finance has lost its only project"


async def test_u9_a_forecast_that_is_made_late_holds_what_was_true_at_its_date(ground: ReportGround) -> None:
    """As after a week of holidays: much has happened between the end of the month and the first working day."""
    end = at("2026-11-30", "16:00")
    for project_id in ("same", "dearer", "signed"):
        await ground.project(project_id, FAN, "north", approved=at("2026-10-01"), amount="100.00")
    await ground.project("late", FAN, "north", approved=end, amount="7.00")
    await ground.project("over", FAN, "north", approved=end, amount="8.00")
    await ground.ends("over", ProjectStage.SHELVED, end + timedelta(days=2))
    await ground.project("gone", FAN, "north", approved=at("2026-10-01"), amount="9.00")
    await ground.ends("gone", ProjectStage.ENDED, end - timedelta(seconds=1))
    await ground.is_updated("dearer", end - timedelta(hours=1), amount=Decimal("200.00"))
    await ground.is_updated("dearer", end, amount=Decimal("999.00"), stage=SalesStage.NEGOTIATION)
    await ground.signs("signed", "90.00", end + timedelta(days=1))
    made = await ground.make(FORECAST, "2026-11", at("2026-12-08", "01:00"))
    assert isinstance(made, SalesForecast)
    assert made.as_of == end
    assert {row.project: (row.amount, row.sales_stage) for row in made.rows} == {
        "same": (Decimal("100.00"), SalesStage.SOLUTION),
        "dearer": (Decimal("200.00"), SalesStage.SOLUTION),
        "signed": (Decimal("100.00"), SalesStage.SOLUTION),
        "late": (Decimal("7.00"), SalesStage.SOLUTION),
    }
    assert [row.project for row in made.rows if row.approved_since] == ["late"], "and it says so"
    following = await ground.make(FORECAST, "2026-12", at("2027-01-04", "01:00"))
    assert isinstance(following, SalesForecast)
    changes = {(row.project, row.change): row.amount for row in following.changes}
    assert changes == {
        ("signed", Change.SIGNED): Decimal("-100.00"),
        ("dearer", Change.AMOUNT): Decimal("799.00"),
        ("dearer", Change.STAGE): Decimal(0),
    }
    ((facts,),) = await ground.rows("SELECT facts FROM mail WHERE person = :p AND key LIKE '%2026-11%'", p=NORTH_GM)
    assert "407.00" in str(facts), "what is in it adds up to this"
    assert "report.section.approved_since" in str(facts)
    assert "999.00" not in str(facts)


async def test_u1_a_project_approved_in_the_week_is_not_silent_and_the_figures_add_up(ground: ReportGround) -> None:
    await four_projects(ground)
    await ground.project("new", LEI, "north", approved=at("2026-11-29", "15:00"))
    report = await ground.make(DIGEST, "2026-W48", MONDAY)
    assert isinstance(report, WeeklyDigest)
    (new,) = [row for row in report.rows if row.project == "new"]
    assert (new.silent, new.new) == (False, True)
    totals = digest_totals(report.rows)
    assert (totals.projects, totals.updated, totals.silent, totals.new, totals.ended) == (4, 1, 1, 1, 1)
    ((facts,),) = await ground.rows("SELECT facts FROM mail WHERE person = :p", p=NORTH_GM)
    assert "report.section.new" in str(facts)


async def test_r3_contracts_count_for_the_day_they_were_received_in_the_companys_zone(ground: ReportGround) -> None:
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    await ground.holds("a-2", JING, "江南纺织测试有限公司")
    signed = {
        # 2026-09-30 16:01 UTC is 1 October in Shanghai.
        "s1": ("a-1", "100.10", at("2026-09-30", "16:01"), None),
        "s2": ("a-1", "200.20", at("2026-09-30", "15:59"), None),
        "s3": ("a-1", "400.40", at("2026-10-05"), date(2026, 9, 30)),
        "s4": ("a-2", "800.80", at("2027-01-03"), date(2026, 12, 31)),
        "s5": ("a-2", "1600.00", at("2026-12-31", "16:00"), None),
    }
    for project_id, (account_id, amount, when, received) in signed.items():
        await ground.project(project_id, LEI, "north", approved=at("2026-05-01"), account_id=account_id)
        await ground.signs(project_id, amount, when, received)
    await ground.project("open", FAN, "north", approved=at("2026-05-01"), account_id="a-1")
    for month, revenue in ((9, "1"), (10, "10"), (12, "100.55")):
        await ground.brings_in("a-1", date(2026, month, 1), "7.07", revenue, "5")
    report = await ground.make(ACCOUNTS, "FY2026-Q4", at("2027-01-04", "01:00"))
    assert isinstance(report, AccountStatistics)
    found = {row.account: row for row in report.rows}
    assert (found["a-1"].signed, found["a-1"].other_contracts) == (Decimal("100.10"), Decimal("14.14"))
    assert (found["a-1"].revenue, found["a-1"].payments) == (Decimal("110.55"), Decimal(10))
    assert (found["a-2"].signed, found["a-2"].revenue) == (Decimal("800.80"), Decimal(0))
    assert (found["a-1"].department, found["a-2"].department) == ("north", "east")
    ((contracts,),) = await ground.rows(
        """
        SELECT sum(amount) FROM (
            SELECT (contract ->> 'amount')::numeric AS amount FROM project
            WHERE stage = 'contract_signed' AND to_char(coalesce((contract ->> 'received_on')::timestamp,
                (contract ->> 'at')::timestamptz AT TIME ZONE 'Asia/Shanghai'), 'YYYYQ') = '20264'
            UNION ALL SELECT other_contracts FROM account_result WHERE to_char(month, 'YYYYQ') = '20264'
        ) AS everything
        """
    )
    assert account_totals(report.rows, report.near_target).contracts == contracts
    management = ["li.ming", "liu.yang", "sun.li", "wang.fang", "zhang.wei"]
    assert await told(ground, "accounts") == management
    await ground.make(ACCOUNTS, "2026-12", at("2027-01-04", "01:00"))
    assert await told(ground, "accounts") == management, "a month is mailed to nobody"


async def test_r3_r7_an_account_is_measured_from_its_first_whole_month_in_targets_and_results_alike(
    ground: ReportGround,
) -> None:
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    async with ground.engine.begin() as connection:  # 30 November in Shanghai
        await connection.execute(account.update().values(activated_at=at("2026-11-30", "02:00")))
    for number, (day, amount) in enumerate(
        {"2026-11-05": "1.00", "2026-11-30": "20.00", "2026-12-31": "300.00"}.items()
    ):
        await ground.project(f"s{number}", FAN, "north", approved=at("2026-05-01"), account_id="a-1")
        await ground.signs(f"s{number}", amount, at("2026-12-31"), date.fromisoformat(day))
        await ground.brings_in("a-1", date(2026, 10 + number, 1), "0.10", "7.00", "0.00")
    await ground.aims("a-1", "FY2026", "1200000.00", "600000.00", "")
    month, quarter = [
        await ground.make(ACCOUNTS, period, at("2027-01-04", "01:00")) for period in ("2026-11", "FY2026-Q4")
    ]
    assert isinstance(month, AccountStatistics)
    assert isinstance(quarter, AccountStatistics)
    (november,), (row,) = month.rows, quarter.rows
    assert (november.counted, november.target_contracts, november.contracts) == ((), Decimal(0), Decimal(0))
    assert november.not_counted == row.not_counted == Decimal("20.00")
    assert (row.counted, row.target_contracts) == (("2026-12",), Decimal("100000.00"))
    assert (row.signed, row.other_contracts, row.revenue) == (Decimal("300.00"), Decimal("0.10"), Decimal("7.00"))
    assert account_totals(month.rows, month.near_target).unmeasured == 1


async def test_r4_targets_plans_and_what_the_vp_said_lead_to_a_proposal(ground: ReportGround) -> None:
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    await ground.holds("a-2", JING, "江南纺织测试有限公司")
    await ground.aims("a-1", "FY2026", "1200000.00", "600000.00", "拓展三家分院")
    await ground.judged("a-1", "2026-10", "failed")
    await ground.judged("a-1", "2026-11", "behind")
    await ground.judged("a-1", "2026-12", "on_track")
    report = await ground.make(ACCOUNTS, "FY2026", at("2027-01-04", "01:00"))
    assert isinstance(report, AccountStatistics)
    mine, theirs = sorted(report.rows, key=lambda row: row.account)
    held = 4  # activated 100 days before 1 December, in August: measured since September (R7)
    assert mine.target_contracts == Decimal(100_000 * held)
    assert (mine.target_revenue, mine.target_source) == (Decimal(50_000 * held), TargetSource.YEAR)
    assert (mine.plan, mine.proposal) == ("拓展三家分院", Proposal.REVOKE)
    assert mine.plan_progress == (PlanProgress.FAILED, PlanProgress.BEHIND, PlanProgress.ON_TRACK)
    assert (theirs.target_source, theirs.proposal) == (TargetSource.APPLICATION, Proposal.UNDECIDED)


async def test_d3_a_split_on_record_is_credited_in_every_report_and_totals_stay_the_whole(ground: ReportGround) -> None:
    shares = [{"person": FAN, "percent": "66.67"}, {"person": JING, "percent": "33.33"}]
    agreement = {"how": "agreed", "cooperation": "共同投标", "split": shares, "at": at("2026-10-01").isoformat()}
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    await ground.project("n1", FAN, "north", approved=at("2026-10-01"), amount="100.01", agreement=agreement)
    await ground.project("e1", JING, "east", approved=at("2026-10-01"), amount="50.00")
    await ground.project("s1", FAN, "north", approved=at("2026-10-01"), account_id="a-1", agreement=agreement)
    await ground.signs("s1", "1000.00", at("2026-11-25"))
    digest = await ground.make(DIGEST, "2026-W48", MONDAY)
    forecast = await ground.make(FORECAST, "2026-11", at("2026-12-01", "01:00"))
    accounts_told = await ground.make(ACCOUNTS, "2026-11", at("2026-12-01", "01:00"))
    assert isinstance(digest, WeeklyDigest)
    assert isinstance(forecast, SalesForecast)
    assert isinstance(accounts_told, AccountStatistics)
    for rows in (digest.rows, forecast.rows):
        (shared,) = [row for row in rows if row.project == "n1"]
        assert {(credit.person, credit.amount) for credit in shared.credits} == {
            (FAN, Decimal("66.68")),
            (JING, Decimal("33.33")),
        }
    assert forecast_totals(forecast.rows).amount == Decimal("150.01")
    by_person = {group.key: group.totals.amount for group in forecast_by_salesperson(forecast.rows)}
    assert by_person == {FAN: Decimal("66.68"), JING: Decimal("83.33")}
    (row,), (contract,) = accounts_told.rows, accounts_told.contracts
    assert (row.contracts, contract.amount) == (Decimal("1000.00"), Decimal("1000.00"))
    assert {(credit.person, credit.amount) for credit in row.credits} == {
        (FAN, Decimal("666.70")),
        (JING, Decimal("333.30")),
    }
    ((facts,),) = await ground.rows(
        "SELECT facts FROM mail WHERE person = :p AND facts->>'kind' = 'forecast'", p=EAST_GM
    )
    assert "33.33" in str(facts)
    assert "n1" in str(facts), "the department of whoever has a share is told of it"


async def test_r4_an_account_revoked_in_the_period_is_listed_for_the_last_time(ground: ReportGround) -> None:
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    await ground.revoked("a-1")  # on 1 December
    december = await ground.make(ACCOUNTS, "2026-12", at("2027-01-04", "01:00"))
    january = await ground.make(ACCOUNTS, "2027-01", at("2027-02-01", "01:00"))
    assert [len(report.rows) for report in (december, january)] == [1, 0]


async def test_r5_results_after_the_month_of_a_revocation_count_for_no_account(ground: ReportGround) -> None:
    """So that the months of every account add up to its quarter."""
    await ground.holds("a-1", FAN, "北方重工测试有限公司")
    async with ground.engine.begin() as connection:
        await accounts.revoke(connection, "a-1", at("2026-11-30", "15:59"))  # in Shanghai still November
    for number, day in enumerate(("2026-10-31", "2026-11-30", "2026-12-01"), start=1):
        await ground.project(f"s{number}", FAN, "north", approved=at("2026-05-01"), account_id="a-1")
        await ground.signs(f"s{number}", f"{10**number}.00", at(day))
        await ground.brings_in("a-1", date.fromisoformat(day).replace(day=1), "1.00", "2.00", "4.00")
    quarter = await ground.make(ACCOUNTS, "FY2026-Q4", at("2027-01-04", "01:00"))
    months = [await ground.make(ACCOUNTS, f"2026-{month}", at("2027-01-04", "01:00")) for month in (10, 11, 12)]
    assert [len(report.rows) for report in months] == [1, 1, 0]
    (row,) = quarter.rows
    assert isinstance(row, AccountFigures)
    assert [row.signed, row.other_contracts, row.revenue, row.payments] == [
        Decimal(amount) for amount in (110, 2, 4, 8)
    ]


async def test_r6_what_was_missed_shows_in_the_next_report_of_that_rhythm_and_not_again(ground: ReportGround) -> None:
    done = {"weekly_update": (LEI, "missed"), "weekly_review": (NORTH_GM, "answered")}
    await ground.reviewed("weekly", "2026-W47", "north", MONDAY, tasks=done)
    still_open = {"weekly_update": (JING, "open"), "weekly_review": (EAST_GM, "withdrawn")}
    await ground.reviewed("weekly", "2026-W47", "east", MONDAY, tasks=still_open)
    later = {"weekly_update": (FAN, "open")}
    await ground.reviewed("weekly", "2026-W48", "north", MONDAY + timedelta(days=7), tasks=later)
    monthly = {"monthly_review": (NORTH_VP, "missed")}
    await ground.reviewed("monthly", "2026-10", NORTH_VP, MONDAY, tasks=monthly)
    first = await ground.make(DIGEST, "2026-W48", MONDAY)
    assert {(step.salesperson, step.department, step.review) for step in first.missed} == {
        (LEI, "north", "2026-W47-north"),
        (JING, "east", "2026-W47-east"),
    }
    second = await ground.make(DIGEST, "2026-W49", MONDAY + timedelta(days=7))
    assert {step.salesperson for step in second.missed} == {FAN}
    forecast = await ground.make(FORECAST, "2026-11", at("2026-12-01", "01:00"))
    assert [(step.salesperson, step.department) for step in forecast.missed] == [(NORTH_VP, None)]


def read(wire: bytes) -> EmailMessage:
    message = message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_u1_a_digest_leaves_with_the_sheet_of_the_department_alone_week_under_week(
    ground: ReportGround,
    post: Post,  # noqa: F811
) -> None:
    await four_projects(ground)
    await ground.make(DIGEST, "2026-W48", MONDAY)
    await ground.make(DIGEST, "2026-W49", MONDAY + timedelta(days=7))
    with MailSink(post.folder, port=post.port) as sink:
        while await post.sender.send_due():
            pass
        mails = [read(path.read_bytes()) for path in sorted(post.folder.glob("**/*.eml"))]
        assert len(sink.mails(f"{NORTH_GM}@example.com")) == 2
    mine = [mail for mail in mails if NORTH_GM in str(mail["To"])]
    assert [str(mail["Subject"]) for mail in mine] == ["【周汇总】2026-W48 · 北方区", "【周汇总】2026-W49 · 北方区"]
    assert len({str(mail["References"]) for mail in mine}) == 1
    (sheet,) = mine[0].iter_attachments()
    assert sheet.get_filename() == "weekly-digest-2026-W48-north.xlsx"
    content: Any = sheet.get_content()
    book = openpyxl.load_workbook(BytesIO(content))
    cells = {cell.value for row in book["项目"].iter_rows() for cell in row}
    assert {"=n1+1", "=n2+1"} <= cells
    assert "=e1+1" not in cells
    assert not any(cell.data_type == "f" for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)
    async with post.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM mail WHERE sent_at IS NULL")) == 0

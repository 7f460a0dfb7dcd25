"""D3: a split is worth something: what each person is credited with, in every report."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.reports.models import DigestView, ForecastView, report_view
from domain.access import Scope
from domain.accounts.figures import MonthResults, Results, contract_row, figures_of
from domain.disputes.credit import divide, shares_in_words, shares_of
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.reports.making import changes_between, make_digest, make_forecast, make_statistics
from domain.reports.report import AccountStatistics, Change, ForecastRow, Report, SalesForecast, part_for
from domain.reports.totals import forecast_by_department, forecast_by_salesperson, forecast_totals
from domain.reviews.periods import read_period
from reports.tables import tables_of
from tests.report_samples import BOUNDS, COMPANY, MADE_AT, MONTH, REVIEWS, WEEK, project, said
from tests.unit.accounts.test_account_figures import HELD, signed
from texts.catalogue import Texts
from texts.mails.facts import MailFacts
from texts.mails.mail import render_mail
from texts.reports.report_lines import report_part

FAN, JING, TAO = "yang.fan", "xu.jing", "guo.tao"


def split(**percents: str) -> dict[str, Any]:
    """An agreement as the record has it (D1, D2)."""
    shares = [{"person": person.replace("_", "."), "percent": percent} for person, percent in percents.items()]
    return {"how": "agreed", "split": shares}


@given(
    st.decimals(0, 10**12, places=2),
    st.lists(st.integers(1, 9_999), min_size=1, max_size=8).filter(lambda some: sum(some) < 10_000),
)
def test_d3_the_parts_of_an_amount_add_up_to_the_whole_whatever_the_shares(amount: Decimal, some: list[int]) -> None:
    percents = [Decimal(hundredths) / 100 for hundredths in (*some, 10_000 - sum(some))]
    parts = divide(amount, percents)
    assert sum(parts) == amount
    for part, percent in zip(parts, percents, strict=True):
        assert abs(part - amount * percent / 100) < Decimal("0.01")


def test_d3_an_odd_cent_goes_to_whoever_was_cut_off_the_most() -> None:
    thirds = [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")]
    assert divide(Decimal("0.01"), thirds) == (Decimal("0.00"), Decimal("0.00"), Decimal("0.01"))
    assert divide(Decimal("100.01"), [Decimal(50), Decimal(50)]) == (Decimal("50.01"), Decimal("50.00"))


def test_d3_without_a_split_all_of_it_is_the_responsible_salespersons() -> None:
    for agreement in (None, {}, {"how": "decided", "split": []}):
        assert [(share.person, share.percent) for share in shares_of(agreement, FAN)] == [(FAN, Decimal(100))]
    kept = ForecastRow.model_validate(made(project(0)).rows[0].model_dump(exclude={"credits"}))
    assert [(credit.person, credit.amount, credit.weighted) for credit in kept.credited] == [
        (FAN, kept.amount, kept.weighted)
    ]


def made(*projects: Any) -> SalesForecast:
    return make_forecast(MONTH, MADE_AT, projects, None, {}, (), COMPANY, REVIEWS)


SHARED = project(0, amount=Decimal("1000000.01"), agreement=split(yang_fan="60", xu_jing="40"))


def test_d3_a_forecast_credits_each_with_their_share_and_its_total_stays_the_whole() -> None:
    report = made(SHARED, project(4, amount=Decimal(500_000)))
    shared = next(row for row in report.rows if row.divided)
    assert [(credit.person, credit.department, credit.percent, credit.amount) for credit in shared.credits] == [
        (FAN, "north", Decimal(60), Decimal("600000.01")),
        (JING, "east", Decimal(40), Decimal("400000.00")),
    ]
    assert sum(credit.weighted or 0 for credit in shared.credits) == shared.weighted
    assert shares_in_words(shared.credits) == "杨帆 60% · 徐静 40%"
    people = {group.key: group.totals for group in forecast_by_salesperson(report.rows)}
    assert (people[FAN].projects, people[FAN].amount) == (2, Decimal("1100000.01"))
    assert (people[JING].projects, people[JING].amount) == (0, Decimal("400000.00"))
    whole = forecast_totals(report.rows)
    for groups in (forecast_by_salesperson(report.rows), forecast_by_department(report.rows)):
        for name in ("projects", "amount", "weighted"):
            assert sum(getattr(group.totals, name) for group in groups) == getattr(whole, name)


def test_d3_x2_whoever_has_a_share_sees_the_project_and_so_does_their_department() -> None:
    report = made(SHARED, project(1))
    for scope in (Scope(person=JING), Scope(person="chen.jing", departments=frozenset({"east"}))):
        assert [row.project for row in part_for(report, scope).rows] == ["p-0"]
    assert part_for(report, Scope(person=TAO)).rows == ()
    assert [row.project for row in part_for(report, Scope(person="-", everything=True), "east").rows] == ["p-0"]


def test_d3_u9_another_split_is_a_change_and_the_changes_of_everybody_add_up() -> None:
    before = made(SHARED, project(4), project(5))
    now = made(
        SHARED.model_copy(update={"agreement": split(yang_fan="50", guo_tao="50")}),
        project(4, amount=Decimal("777.77"), agreement=None),
        project(5, agreement=split(guo_tao="100")),
    )
    changed = now.model_copy(update={"changes": changes_between(before.rows, now.rows, {})})
    told = [row for row in changed.changes if row.project == "p-0"]
    assert [(row.change, row.before, row.after) for row in told] == [
        (Change.SPLIT, "杨帆 60% · 徐静 40%", "杨帆 50% · 郭涛 50%")
    ] * 2
    for scope in (
        *(Scope(person=person) for person in (FAN, JING, TAO, "huang.lei")),
        Scope(person="-", everything=True),
    ):
        here, there = part_for(changed, scope), part_for(before, scope)
        difference = forecast_totals(here.rows).amount - forecast_totals(there.rows).amount
        assert sum((row.amount for row in here.changes), Decimal(0)) == difference
    for person in (FAN, JING, TAO):
        credited = [
            sum((credit.amount for row in rows for credit in row.credited if credit.person == person), Decimal(0))
            for rows in (before.rows, now.rows, changed.changes)
        ]
        assert credited[1] - credited[0] == credited[2], person


def shared_reports() -> list[Report]:
    """One of each kind, with one project or contract of which 徐静 has 40 %."""
    week = make_digest(WEEK, MADE_AT, BOUNDS, [SHARED, project(4)], {"p-0": [said("方案已交")]}, {}, (), COMPANY)
    contract = signed(date(2026, 11, 3), "1000000.01", agreement=SHARED.agreement)
    quarter = read_period("FY2026-Q4", REVIEWS)
    row = figures_of(HELD, quarter, {}, Results(contracts=(contract,)), COMPANY, REVIEWS)
    contracts = [contract_row(contract, COMPANY)]
    accounts = make_statistics(quarter, MADE_AT, [row], contracts, (), COMPANY, REVIEWS)
    return [week, made(SHARED, project(4)), accounts]


@pytest.mark.parametrize("report", shared_reports(), ids=lambda report: str(report.kind))
def test_d3_sheet_and_mail_of_every_report_say_what_each_is_credited_with(report: Report) -> None:
    scope = Scope(person="zhang.wei", everything=True)
    for language in LANGUAGES:
        part = report_part(report, scope, COMPANY)
        facts = MailFacts(kind=Notice(report.kind), language=language, subject_id="report", report=part)
        written = render_mail(facts)
        for words in ("杨帆", "徐静", "¥600,000.01", "¥400,000"):
            assert words in written.text, (language, words)
            assert words in written.html
    (table,) = [table for table in tables_of(report, Texts("zh")) if table.name == "credits"]
    names = [column.name for column in table.columns]
    credited = [(row[names.index("credited")], row[names.index("credit")]) for row in table.rows]
    assert {("杨帆", Decimal("600000.01")), ("徐静", Decimal("400000.00"))} <= set(credited)
    whole = sum(row.whole for row in (report.contracts if isinstance(report, AccountStatistics) else report.rows))
    assert table.totals[names.index("credit")] == whole


def test_d3_u1_u9_a_department_reads_what_its_people_are_credited_with_beside_the_whole() -> None:
    east = Scope(person="chen.jing", departments=frozenset({"east"}))
    for report in shared_reports()[:2]:
        theirs = part_for(report, east)
        shown = report_view(theirs, east, None, proposals=False)
        assert isinstance(shown, DigestView | ForecastView)
        assert (shown.totals.amount, shown.credited) == (Decimal("1000000.01"), Decimal("400000.00"))
        part = report_part(theirs, east, COMPANY)
        assert part is not None
        told = {headline.label_key: headline.figure.value for headline in part.headlines}
        assert told["report.headline.credited"] == "400000.00"
        everything = Scope(person="zhang.wei", everything=True)
        whole = report_part(report, everything, COMPANY)
        assert whole is not None
        assert "report.headline.credited" not in {headline.label_key for headline in whole.headlines}


NEW = {"credits", "contracts", "counted", "not_counted", "requirements", "new", "as_of"}
"""Fields that a report of before has not kept."""


def without_news(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_news(inner) for name, inner in value.items() if name not in NEW}
    return [without_news(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("report", shared_reports(), ids=lambda report: str(report.kind))
def test_x3_a_report_that_was_kept_before_reads_as_it_did(report: Report) -> None:
    old: Report = TypeAdapter(Report).validate_python(without_news(report.model_dump(mode="json")))
    assert report_part(old, Scope(person="zhang.wei", everything=True), COMPANY) is not None
    assert "credits" not in {table.name for table in tables_of(old, Texts("en"))}
    shown = report_view(old, Scope(person="zhang.wei", everything=True), None, proposals=True).model_dump(mode="json")
    for row in shown["rows"]:
        assert [credit["person"] for credit in row["credits"]] == [row["salesperson"]]
    mine = part_for(old, Scope(person=FAN))
    assert mine.rows == old.rows
    assert part_for(old, Scope(person=JING)).rows == ()


def test_d3_r3_contracts_of_an_account_are_credited_by_their_splits_and_the_account_has_them_whole() -> None:
    results = Results(
        contracts=(
            signed(date(2026, 11, 3), "1000.01", agreement=split(yang_fan="50", xu_jing="50")),
            signed(date(2026, 11, 9), "10.00"),
        ),
        months={date(2026, 11, 1): MonthResults(other_contracts=Decimal("5.00"))},
    )
    found = figures_of(HELD, read_period("2026-11", REVIEWS), {}, results, COMPANY, REVIEWS)
    assert found.contracts == Decimal("1015.01")
    assert [(credit.person, credit.amount) for credit in found.credits] == [
        (FAN, Decimal("515.01")),
        (JING, Decimal("500.00")),
    ]

"""The mails that bring a report: the figures in the text, in both languages (U1, U9, R3, R4, R6, X4)."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from domain.access import Scope
from domain.notices import Notice
from domain.organisation import LANGUAGES, Language
from domain.reports.report import AccountStatistics, Report, SalesForecast, WeeklyDigest, part_for
from domain.reports.totals import account_totals, digest_totals, forecast_totals
from tests.report_samples import ATTACK, COMPANY, digest, forecast, statistics
from texts.catalogue import Texts
from texts.mails.facts import MailFacts
from texts.mails.mail import RenderedMail, render_mail
from texts.reports.report_lines import LINES, report_part

EVERYTHING = Scope(person="zhang.wei", everything=True)
NORTH = Scope(person="zhao.lei", departments=frozenset({"north"}))
REPORTS = (digest(), forecast(), statistics("FY2026-Q3"), statistics("FY2026-H1"), statistics("FY2026"))


def mail(report: Report, language: Language, scope: Scope = EVERYTHING, department: str | None = None) -> RenderedMail:
    part = report_part(part_for(report, scope, department), scope, COMPANY, department)
    assert part is not None
    facts = MailFacts(kind=Notice(report.kind), language=language, subject_id="report", report=part)
    return render_mail(MailFacts.model_validate_json(facts.model_dump_json(exclude_defaults=True)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{report.kind}-{report.period.id}")
def test_x4_every_report_is_a_mail_in_both_languages_with_its_figures_in_the_text(
    report: Report, language: Language
) -> None:
    written = mail(report, language)
    texts = Texts(language)
    match report:
        case WeeklyDigest(rows=rows):
            figures = [digest_totals(rows).amount, Decimal(digest_totals(rows).silent)]
        case SalesForecast(rows=open_now):
            figures = [forecast_totals(open_now).amount, forecast_totals(open_now).weighted]
        case AccountStatistics(rows=accounts):
            totals = account_totals(accounts, report.near_target)
            figures = [totals.contracts, totals.revenue, totals.payments]
    for figure in figures:
        shown = str(figure) if figure < 1000 else texts.money(figure)
        assert shown in written.text
        assert shown in written.html
    assert report.period.id in written.subject
    assert "{" not in written.text
    assert "<script" not in written.html
    assert ATTACK in written.text
    assert len(written.html) < 100_000  # beyond it some mail programs cut


def test_x4_the_subject_says_what_of_when_and_of_whom() -> None:
    assert mail(digest(), "zh", NORTH, "north").subject == "【周汇总】2026-W48 · 北方区"
    assert mail(digest(), "en", NORTH, "north").subject == "Weekly digest 2026-W48 · 北方区"
    assert mail(statistics(), "zh").subject == "【大客户年度统计】FY2026 · 全公司"


def test_u1_silent_projects_come_before_updates_in_a_digest_mail() -> None:
    text = mail(digest(), "zh").text
    silent, updated, missed = (text.index(words) for words in ("本周没有更新的项目", "\n本周更新\n", "未完成的回顾"))
    assert silent < updated < missed
    assert text.index("天未更新") < updated
    assert "投标文件已提交" in text


def test_u1_a_mail_lists_only_so_many_and_says_how_many_more_the_sheet_has() -> None:
    many = digest(120)
    silent = sum(row.silent for row in many.rows)
    text = mail(many, "en").text
    assert len(re.findall("no update for", text)) == LINES
    assert f"and {silent - LINES} more items in the attached sheet" in text


def test_u9_a_forecast_shows_what_has_changed_and_draws_the_months() -> None:
    html = mail(forecast(), "zh").html
    assert "与上次预测相比的变化" in html
    assert re.search(r'width="100%" style="height:10px[^"]*background-color:#2b7a9e', html), "the longest bar"
    assert "2026年12月" in html


def test_u9_no_bar_is_longer_than_its_amount_beside_the_others() -> None:
    part = report_part(forecast(60), EVERYTHING, COMPANY)
    assert part is not None
    assert part.bars is not None
    longest = max(part.bars.bars, key=lambda bar: Decimal(bar.figure.value))
    assert part.bars.bars[-1].label.value == "report.later"
    for bar in part.bars.bars:
        assert bar.share == pytest.approx(
            Decimal(bar.figure.value) / Decimal(longest.figure.value), abs=Decimal("0.001")
        )
    added = sum(Decimal(bar.figure.value) for bar in part.bars.bars)
    assert added == forecast_totals(forecast(60).rows).weighted


def test_r4_proposed_revocations_are_listed_with_reasons_when_they_are_decided() -> None:
    yearly, quarterly = mail(statistics(), "zh").text, mail(statistics("FY2026-Q3"), "zh").text
    assert "系统建议撤销资格" in yearly
    assert "落后于计划 · 未完成计划" in yearly
    assert "系统建议撤销资格" not in quarterly


def test_r6_what_was_missed_is_in_the_next_report() -> None:
    text = mail(digest(), "zh", NORTH, "north").text
    assert "黄磊：2026-W47" in text
    assert "李明" not in text  # the VP's month is no matter of the department


def test_empty_reports_are_not_mailed() -> None:
    nothing = part_for(digest(), Scope(person="nobody"))
    assert report_part(nothing, Scope(person="nobody"), COMPANY) is None

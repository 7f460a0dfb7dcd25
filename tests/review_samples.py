"""Reviews as their tasks, pages and mails show them: samples for the tests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from domain.reports.report import AccountFigures, TargetSource
from domain.reviews.notes import AccountNote, ReviewNote, SaidOfAccount
from domain.reviews.periods import Period, Rhythm
from domain.reviews.review import PlanProgress, Proposal
from domain.tasks.task import TaskKind

WEEK = Period(rhythm=Rhythm.WEEKLY, id="2026-W48", first=date(2026, 11, 23), last=date(2026, 11, 29))
MONTH = Period(rhythm=Rhythm.MONTHLY, id="2026-11", first=date(2026, 11, 1), last=date(2026, 11, 30))
YEAR = Period(rhythm=Rhythm.YEARLY, id="FY2026", first=date(2026, 1, 1), last=date(2026, 12, 31))
PERIODS = {
    TaskKind.WEEKLY_UPDATE: WEEK,
    TaskKind.WEEKLY_REVIEW: WEEK,
    TaskKind.MONTHLY_REVIEW: MONTH,
    TaskKind.START_REVIEW: YEAR,
    TaskKind.ANNUAL_REVIEW: YEAR,
}
CLOSES = datetime(2026, 12, 7, 1, 0, tzinfo=UTC)
SAID_AT = datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
CUSTOMERS = ("北方电信<b>", "华东精密", "渤海能源集团", "Müller & Sons", "西南轨道交通建设投资有限公司")


def figures(number: int = 0, **changes: Any) -> AccountFigures:
    given: dict[str, Any] = {
        "salesperson": "yang.fan",
        "salesperson_name": "杨帆",
        "department": "north",
        "department_name": "北方区",
        "account": f"a{number}",
        "customer": CUSTOMERS[number % len(CUSTOMERS)],
        "target_contracts": Decimal("8000000"),
        "target_revenue": Decimal("2000000"),
        "target_source": TargetSource.APPLICATION,
        "signed": Decimal("2600000.00"),
        "other_contracts": Decimal("600000"),
        "revenue": Decimal("1900000.50"),
        "payments": Decimal("1500000"),
        "plan": "上半年完成核心网扩容投标\n下半年进入运维框架",
        "plan_progress": (PlanProgress.BEHIND, PlanProgress.ON_TRACK, PlanProgress.FAILED),
        "proposal": Proposal.REVOKE,
    }
    return AccountFigures.model_validate({**given, **changes})


def note(kind: TaskKind, count: int = 3, **changes: Any) -> ReviewNote:
    """What whoever is asked has before them."""
    with_figures = kind in (TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW)
    said_in = TaskKind.MONTHLY_REVIEW if kind is TaskKind.ANNUAL_REVIEW else TaskKind.WEEKLY_UPDATE
    said = {
        TaskKind.WEEKLY_UPDATE: {
            "work": "拜访信息中心主任",
            "progress": "已提交方案\n等待答复",
            "problems": "预算未批<i>",
        },
        TaskKind.MONTHLY_REVIEW: {
            "plan_progress": "behind",
            "action_plan": "补齐资质",
            "target_contracts": "900000.00",
        },
    }[said_in]
    accounts = tuple(
        AccountNote(
            account=f"a{number}",
            customer=CUSTOMERS[number % len(CUSTOMERS)],
            salesperson="yang.fan",
            salesperson_name="杨帆",
            plan="" if number == 1 else "完成方案评审，约见分管领导",
            said=()
            if number == 1
            else (SaidOfAccount(task=said_in, period="2026-W48", person_name="杨帆", at=SAID_AT, fields=said),),
            figures=figures(number, proposal=tuple(Proposal)[number % 3]) if with_figures else None,
        )
        for number in range(0 if kind is TaskKind.START_REVIEW else count)
    )
    whole = ReviewNote(period=PERIODS[kind], closes_at=CLOSES, accounts=accounts)
    return whole.model_copy(update=changes)

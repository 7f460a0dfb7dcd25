"""Reports of a small company, for tests of what is made of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from domain.policy import load_policy
from domain.projects.project import ProjectStage, SalesStage
from domain.reports.making import Missed, ProjectNow, make_digest, make_forecast, make_statistics
from domain.reports.report import AccountFigures, AccountStatistics, Said, SalesForecast, TargetSource, WeeklyDigest
from domain.reviews.periods import read_period
from domain.reviews.review import PlanProgress, Proposal
from domain.tasks.task import TaskKind
from embedded.welcome import sample_organisation

REVIEWS = load_policy().reviews
COMPANY = sample_organisation()
WEEK = read_period("2026-W48", REVIEWS)
MONTH = read_period("2026-11", REVIEWS)
MADE_AT = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
BOUNDS = (datetime(2026, 11, 22, 16, tzinfo=UTC), datetime(2026, 11, 29, 16, tzinfo=UTC))
"""Of the week, in Shanghai."""
ATTACK = '=1+1<script>alert("x")</script>'

PEOPLE = (("yang.fan", "north"), ("huang.lei", "north"), ("xu.jing", "east"), ("guo.tao", "finance-industry"))
NAMES = ("核心网扩容", "数据中心建设", "智慧园区", ATTACK, "云平台迁移", "灾备系统")
CUSTOMERS = ("北方电信", "华东精密", "国泰银行", "江南制造")


def project(number: int, **changed: object) -> ProjectNow:
    salesperson, department = PEOPLE[number % len(PEOPLE)]
    values: dict[str, object] = {
        "id": f"p-{number}",
        "number": f"P2026-{number:05}",
        "name": f"{NAMES[number % len(NAMES)]}{number}",
        "customer": CUSTOMERS[number % len(CUSTOMERS)],
        "salesperson": salesperson,
        "department": department,
        "stage": ProjectStage.ACTIVE,
        "stage_since": BOUNDS[0] - timedelta(days=60),
        "number_issued_at": BOUNDS[0] - timedelta(days=60),
        "sales_stage": list(SalesStage)[number % len(SalesStage)],
        "amount": Decimal(1_250_000 + 333_333 * number) + Decimal("0.37"),
        "expected_signing": date(2026, 12, 15) + timedelta(days=23 * (number % 20)),
    }
    return ProjectNow.model_validate(values | changed)


def said(words: str, day: int = 25) -> Said:
    return Said(
        at=datetime(2026, 11, day, 3, tzinfo=UTC), progress=words, problems="预算待批", next_steps="安排技术交流"
    )


MISSED = (
    Missed(
        task=TaskKind.WEEKLY_UPDATE, review="2026-W47-north", period="2026-W47", person="huang.lei", department="north"
    ),
    Missed(task=TaskKind.MONTHLY_REVIEW, review="2026-10-li.ming", period="2026-10", person="li.ming", department=None),
)


def digest(count: int = 24) -> WeeklyDigest:
    projects = [project(number) for number in range(count)]
    projects[1:2] = [project(1, stage=ProjectStage.CONTRACT_SIGNED, stage_since=BOUNDS[0] + timedelta(days=2))]
    updates = {
        project.id: (said("客户已确认方案"), said(f"{project.name}：投标文件已提交", 27)) for project in projects[::2]
    }
    last = {
        project.id: BOUNDS[1] - timedelta(days=3 if project.id in updates else 12 + 7 * n)
        for n, project in enumerate(projects)
    }
    return make_digest(WEEK, MADE_AT, BOUNDS, projects, updates, last, MISSED, COMPANY)


def forecast(count: int = 24) -> SalesForecast:
    """With an earlier one: some are new, signed, lost, shelved, handed over, dearer, further, later."""
    earlier = make_forecast(
        read_period("2026-10", REVIEWS),
        MADE_AT - timedelta(days=30),
        [project(number) for number in range(count)],
        None,
        {},
        (),
        COMPANY,
        REVIEWS,
    )
    now = {number: project(number) for number in range(5, count + 3)}
    now[5] = project(5, amount=Decimal("999999.99"))
    now[6] = project(6, sales_stage=SalesStage.NEGOTIATION, expected_signing=date(2027, 1, 31))
    now[7] = project(7, salesperson="yang.fan", department="north")
    gone = {
        "p-0": project(0, stage=ProjectStage.CONTRACT_SIGNED, contract_amount=Decimal("1200000.00")),
        "p-1": project(1, stage=ProjectStage.ENDED),
        "p-2": project(2, stage=ProjectStage.SHELVED),
    }
    return make_forecast(MONTH, MADE_AT, now.values(), earlier, gone, MISSED, COMPANY, REVIEWS)


def figures(number: int, **changed: object) -> AccountFigures:
    salesperson, department = PEOPLE[number % len(PEOPLE)]
    office = COMPANY.departments_by_id[department]
    values: dict[str, object] = {
        "account": f"a-{number}",
        "customer": f"{CUSTOMERS[number % len(CUSTOMERS)]}{number}" if number else ATTACK,
        "salesperson": salesperson,
        "salesperson_name": COMPANY.name_of(salesperson),
        "department": department,
        "department_name": office.name,
        "target_contracts": Decimal(3_000_000),
        "target_revenue": Decimal(2_000_000),
        "target_source": list(TargetSource)[number % len(TargetSource)],
        "signed": Decimal(400_000) * number,
        "other_contracts": Decimal("12345.60"),
        "revenue": Decimal(260_000) * number,
        "payments": Decimal(210_000) * number,
        "plan": '每月拜访一次\n=HYPERLINK("http://x")',
        "plan_progress": (PlanProgress.BEHIND, PlanProgress.FAILED) if number < 4 else (PlanProgress.ON_TRACK,),
        "proposal": Proposal.REVOKE if number < 4 else Proposal.KEEP,
    }
    return AccountFigures.model_validate(values | changed)


def statistics(period: str = "FY2026", count: int = 12) -> AccountStatistics:
    rows = [figures(number) for number in range(count)]
    return make_statistics(read_period(period, REVIEWS), MADE_AT, rows, (), MISSED, COMPANY, REVIEWS)

"""A small company's projects and accounts on a real record, of which reports are made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.reports.reports import make_report
from activities.steps import ReportsMade, Step
from activities.unit_of_work import Recorder, UnitOfWork
from crypto.keyring import Keyring
from db.projects import projects
from db.projects.projects import ProjectRow, UpdateRow
from db.reports import reports
from db.tables.accounts import account_result
from db.tables.reviews import account_review, account_target, review, review_period
from db.tables.tasks import task, task_person
from domain.projects.project import ProjectForm, ProjectStage, SalesStage
from domain.reports.report import Report, ReportKind
from domain.reviews.periods import read_period
from tests.integration.projects.project_ground import ProjectGround
from tests.samples import project_form


def at(day: str, clock: str = "03:00") -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00")


class ReportGround(ProjectGround):
    """A record that reports are made of."""

    def __init__(self, engine: AsyncEngine, keys: Keyring) -> None:
        super().__init__(engine, keys)
        self.recorder = Recorder(engine, self.facts, keys)
        self._keys = itertools.count(1)
        self._numbers: Iterator[int] = itertools.count(1)

    async def make(self, kind: ReportKind, period: str, now: datetime) -> Report:
        """The report of a period, made twice over, which is making it once (X3)."""
        named = read_period(period, self.facts.policy.reviews)

        async def work(work: UnitOfWork) -> ReportsMade:
            organisation, calendar = await work.facts.of_now(work.connection)
            await make_report(work, kind, named, organisation, work.facts.policy, calendar)
            return ReportsMade()

        async def step(step: Step) -> ReportsMade:
            return await self.recorder.once(step, ReportsMade, work)

        for _ in range(2):
            await self.run(step, Step(key=f"report:{next(self._keys)}", now=now), f"period-{period}")
        found = await self.kept(kind, period)
        assert found is not None
        return found

    async def kept(self, kind: ReportKind, period: str) -> Report | None:
        async with self.engine.connect() as connection:
            return await reports.find(connection, kind, period)

    async def project(
        self,
        project_id: str,
        salesperson: str,
        department: str | None,
        *,
        approved: datetime,
        amount: str = "1000000.00",
        stage: SalesStage = SalesStage.SOLUTION,
        signing: date = date(2027, 3, 31),
        **columns: Any,
    ) -> None:
        """An approved project, active unless `columns` say otherwise."""
        given = project_form(
            f"{project_id}的客户",
            name=f"={project_id}+1",
            amount=Decimal(amount),
            stage=stage,
            expected_signing=signing,
        )
        row = ProjectRow.model_validate(
            {
                "id": project_id,
                "workflow_id": f"project-{project_id}",
                "applicant": salesperson,
                "salesperson": salesperson,
                "department": department,
                "stage": ProjectStage.ACTIVE,
                "round": 1,
                "form": given,
                "policy_digest": self.facts.digest,
                "registered_at": approved,
                "stage_since": approved,
                "number": f"P2026-{next(self._numbers):05}",
                "number_issued_at": approved,
                "updated_at": approved,
                **columns,
            }
        )
        async with self.engine.begin() as connection:
            await projects.add(connection, row)

    async def changes(self, project_id: str, *, given: dict[str, Any] | None = None, **columns: Any) -> None:
        """Columns of a project change; `given`: fields of its form."""
        async with self.engine.begin() as connection:
            if given:
                row = await projects.find(connection, project_id)
                assert row is not None
                columns["form"] = ProjectForm.model_validate(row.form.model_dump() | given)
            await projects.change(connection, project_id, **columns)

    async def ends(self, project_id: str, stage: ProjectStage, when: datetime, **columns: Any) -> None:
        await self.changes(project_id, stage=stage, stage_since=when, **columns)

    async def signs(self, project_id: str, amount: str, when: datetime, received: date | None = None) -> None:
        """U7."""
        contract = {
            "amount": amount,
            "contract_number": "",
            "received_on": received.isoformat() if received else None,
            "by": "gao.yuan",
            "at": when.isoformat(),
        }
        await self.ends(project_id, ProjectStage.CONTRACT_SIGNED, when, contract=contract)

    async def is_updated(self, project_id: str, when: datetime, words: str = "客户已确认", **news: Any) -> None:
        """U1. `news`: the stage, amount or day of signing that it changes."""
        if news:
            await self.changes(project_id, given=news)
        async with self.engine.begin() as connection:
            number = await projects.last_update_number(connection, project_id) + 1
            await projects.add_update(
                connection,
                UpdateRow(
                    project_id=project_id,
                    number=number,
                    message_id=f"update-{next(self._keys)}",
                    person="yang.fan",
                    said_at=when,
                    recorded_at=when,
                    progress=words,
                    problems="",
                    next_steps="下周再访",
                    **news,
                ),
            )

    async def brings_in(self, account_id: str, month: date, other: str, revenue: str, payments: str) -> None:
        values = {"other_contracts": Decimal(other), "revenue": Decimal(revenue), "payments": Decimal(payments)}
        row = {"account_id": account_id, "month": month, "imported_at": at("2026-01-01"), "imported_by": "lin.xia"}
        await self.insert({account_result: [row | values]})

    async def reviewed(
        self, rhythm: str, period: str, unit: str, closes: datetime, *, tasks: dict[str, tuple[str, str]]
    ) -> str:
        """A review with its tasks: `tasks` are (person, status) by kind."""
        named = f"{period}-{unit}" if unit else period
        known = await self.rows("SELECT 1 FROM review_period WHERE rhythm = :r AND period = :p", r=rhythm, p=period)
        same = {"rhythm": rhythm, "period": period, "closes_at": closes, "policy_digest": self.facts.digest}
        opened = closes - timedelta(days=5)
        if not known:
            await self.insert({review_period: [{**same, "workflow_id": f"period-{period}", "opens_at": opened}]})
        row = {"id": named, "workflow_id": f"review-{named}", "unit": unit, "stage": "missed"}
        await self.insert({review: [{**same, **row, "stage_since": opened, "opened_at": opened}]})
        for kind, (person, status) in tasks.items():
            await self._review_task(named, kind, person, status, opened)
        return named

    async def judged(self, account_id: str, month: str, progress: str) -> None:
        """R2: what the VP says of a month's plan."""
        (task_id,) = await self._answered(account_id, month)
        row = {"task_id": task_id, "account_id": account_id, "review_id": f"{month}-{account_id}", "period": month}
        said = {"kind": "monthly_review", "person": "li.ming", "fields": {"plan_progress": progress}}
        await self.insert({account_review: [row | said | {"at": at("2026-12-01")}]})

    async def aims(self, account_id: str, period: str, contracts: str, revenue: str, plan: str) -> None:
        (task_id,) = await self._answered(account_id, f"aims-{period}")
        row = {"account_id": account_id, "period": period, "task_id": task_id, "set_by": "li.ming"}
        values = {"contracts": Decimal(contracts), "revenue": Decimal(revenue), "action_plan": plan}
        await self.insert({account_target: [row | values | {"set_at": at("2026-01-05")}]})

    async def _answered(self, account_id: str, month: str) -> tuple[str]:
        review_id = await self.reviewed("monthly", month, account_id, at("2026-01-01"), tasks={})
        task_id = f"{review_id}-monthly_review"
        await self._review_task(review_id, "monthly_review", "li.ming", "answered", at("2026-01-01"))
        return (task_id,)

    async def _review_task(self, review_id: str, kind: str, person: str, status: str, opened: datetime) -> None:
        task_id = f"{review_id}-{kind}"
        row = {
            "id": task_id,
            "workflow_id": f"review-{review_id}",
            "subject_type": "review",
            "subject_id": review_id,
            "kind": kind,
            "slot": person,
            "round": 1,
            "status": status,
            "choices": [],
            "opened_at": opened,
            "due_at": opened,
            "due_provisional": False,
        }
        asked = {
            "task_id": task_id,
            "person": person,
            "capacity": "holder",
            "link_id": f"link-{task_id}",
            "link_expires_at": opened,
            "asked_at": opened,
        }
        delegate = {**asked, "person": "aa.delegate", "capacity": "delegate", "on_behalf_of": person}
        await self.insert({task: [row]})
        await self.insert({task_person: [{"on_behalf_of": None, **asked}, {**delegate, "link_id": f"l2-{task_id}"}]})

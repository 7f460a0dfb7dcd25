"""The company of the simulated year: its people, its accounts and projects, and how a week changes them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.projects import projects
from db.projects.projects import ProjectRow, UpdateRow
from db.tables.accounts import account_result
from db.tables.projects import project
from domain.accounts.application import ApplicationForm, Stage
from domain.organisation import Department, Organisation, Person, Role
from domain.projects.project import ProjectForm, ProjectStage, SalesStage, Track
from embedded.welcome import FORM_FILE, PROJECT_FILE

SALESPEOPLE, ACCOUNTS, PROJECTS, DEPARTMENTS = 40, 120, 600, 4
NEW_A_WEEK = 4
UPDATED, SIGNED, LOST, SHELVED = 0.75, 0.006, 0.004, 0.002
"""The weekly fate of an active project."""
SHARED = 0.1
"""The share of projects split with another salesperson (D3)."""

_FORM = ApplicationForm.model_validate_json(FORM_FILE.read_text(encoding="utf-8"))
_PROJECT = ProjectForm.model_validate_json(PROJECT_FILE.read_text(encoding="utf-8"))
_PEOPLE: tuple[tuple[str, Role], ...] = (
    ("chief", Role.GENERAL_MANAGER),
    ("coo", Role.COO),
    ("vp.one", Role.VP),
    ("vp.two", Role.VP),
    ("commerce", Role.COMMERCE_MANAGER),
    ("clerk", Role.COMMERCE_CLERK),
)


def department(number: int) -> str:
    return f"department.{number}"


def company() -> Organisation:
    """Four departments under two VPs, ten salespeople each."""
    people = [_person(name, role) for name, role in _PEOPLE]
    people += [_person(f"gm.{n}", Role.DEPARTMENT_GM, department(n)) for n in range(DEPARTMENTS)]
    people += [_person(seller(n), Role.SALESPERSON, department(n % DEPARTMENTS)) for n in range(SALESPEOPLE)]
    offices = tuple(
        Department(id=department(n), name=f"第{n + 1}事业部", gm=f"gm.{n}", vp=("vp.one", "vp.two")[n % 2])
        for n in range(DEPARTMENTS)
    )
    return Organisation(
        company="模拟集成有限公司", people=tuple(people), departments=offices, sales_vps=("vp.one", "vp.two")
    )


def seller(number: int) -> str:
    return f"seller.{number:02}"


def _person(name: str, role: Role, office: str | None = None) -> Person:
    shown = f"{name.title()}"
    return Person(
        id=name, name=shown, email=f"{name}@example.com", login=name, roles=frozenset({role}), department=office
    )


@dataclass(frozen=True)
class Held:
    """A Named Account of the simulation."""

    id: str
    salesperson: str
    department: str


class Business:
    """Writes everything outside the reviews directly into the record: it is not what is measured here."""

    def __init__(self, policy_digest: str, seed: int) -> None:
        self._digest = policy_digest
        self._chance = random.Random(seed)
        self._projects = 0
        self.held: list[Held] = []

    async def begin(self, tx: AsyncConnection, now: datetime) -> None:
        """Create the accounts, and projects that are already approved."""
        for number in range(ACCOUNTS):
            person = number % SALESPEOPLE
            held = Held(f"account-{number:03}", seller(person), department(person % DEPARTMENTS))
            await self._activate(tx, held, number, now - timedelta(days=200))
            self.held.append(held)
        for _ in range(PROJECTS):
            await self._approve(tx, now - timedelta(days=self._chance.randrange(10, 60)))

    async def week(self, tx: AsyncConnection, now: datetime) -> None:
        """One week of business: updates, signatures, losses, new projects."""
        active = (await tx.execute(select(project).where(project.c.stage == "active"))).all()
        for row in active:
            fate = self._chance.random()
            if fate < SIGNED:
                contract = {"amount": row.form["amount"], "at": now.isoformat(), "by": "clerk"}
                await self._end(tx, row.id, ProjectStage.CONTRACT_SIGNED, now, contract=contract)
            elif fate < SIGNED + LOST:
                loss = {"reason": "价格", "by": row.salesperson, "at": now.isoformat()}
                await self._end(tx, row.id, ProjectStage.ENDED, now, loss=loss)
            elif fate < SIGNED + LOST + SHELVED:
                await self._end(tx, row.id, ProjectStage.SHELVED, now)
            elif fate < UPDATED:
                at = now - timedelta(hours=self._chance.randrange(10, 110))
                await self._update(tx, ProjectRow.model_validate(row._mapping), at)
        for _ in range(NEW_A_WEEK):
            await self._approve(tx, now - timedelta(hours=1))

    async def results(self, tx: AsyncConnection, month: date, now: datetime) -> None:
        """The results register of a month."""
        rows = [
            {
                "account_id": held.id,
                "month": month,
                "other_contracts": self._money(0, 300_000),
                "revenue": self._money(0, 900_000),
                "payments": self._money(0, 800_000),
                "imported_at": now,
                "imported_by": "commerce",
            }
            for held in self.held
        ]
        await tx.execute(insert(account_result), rows)

    async def _activate(self, tx: AsyncConnection, held: Held, number: int, at: datetime) -> None:
        name = f"模拟客户{number:03}有限公司"
        form = _FORM.model_copy(
            update={
                "customer": _FORM.customer.model_copy(
                    update={"name": name, "uscc": None, "related_parties": (), "aliases": ()}
                )
            }
        )
        row = ApplicationRow(
            id=held.id,
            workflow_id=f"application-{held.id}",
            applicant=held.salesperson,
            department=held.department,
            stage=Stage.ACTIVE,
            round=1,
            form=form,
            policy_digest=self._digest,
            submitted_at=at,
            stage_since=at,
        )
        await applications.add(tx, row)
        account = AccountRow(
            id=held.id,
            application_id=held.id,
            salesperson=held.salesperson,
            department=held.department,
            form=form,
            slot=accounts.free_slot(await accounts.slots_taken(tx, held.salesperson)),
            account_limit=5,
            gm_decision=None,
            activated_at=at,
        )
        await accounts.activate(tx, account, ())

    async def _approve(self, tx: AsyncConnection, at: datetime) -> None:
        number, held = self._projects, self._chance.choice(self.held)
        self._projects += 1
        form = _PROJECT.model_copy(
            update={
                "name": f"模拟项目{number:04}",
                "amount": self._money(50_000, 3_000_000),
                "stage": self._chance.choice(list(SalesStage)),
                "expected_signing": (at + timedelta(days=self._chance.randrange(20, 300))).date(),
            }
        )
        row = ProjectRow(
            id=f"project-{number:04}",
            workflow_id=f"project-project-{number:04}",
            applicant=held.salesperson,
            salesperson=held.salesperson,
            department=held.department,
            stage=ProjectStage.ACTIVE,
            round=1,
            form=form,
            policy_digest=self._digest,
            registered_at=at,
            stage_since=at,
            track=Track.OWN_ACCOUNT,
            account_id=held.id,
            number=f"P{at.year}-{number:05}",
            number_issued_at=at,
            updated_at=at,
            agreement=self._split(held.salesperson),
        )
        await projects.add(tx, row)

    def _split(self, salesperson: str) -> dict[str, Any] | None:
        """D3: some projects are shared with another salesperson, in shares that leave odd cents."""
        other = seller(self._chance.randrange(SALESPEOPLE))
        if other == salesperson or self._chance.random() > SHARED:
            return None
        percent = Decimal(self._chance.randrange(1, 10_000)) / 100
        shares = {salesperson: percent, other: 100 - percent}
        return {"how": "agreed", "split": [{"person": who, "percent": str(part)} for who, part in shares.items()]}

    async def _update(self, tx: AsyncConnection, row: ProjectRow, at: datetime) -> None:
        number = await projects.last_update_number(tx, row.id) + 1
        said = UpdateRow(
            project_id=row.id,
            number=number,
            message_id=f"update-{row.id}-{number}",
            person=row.salesperson,
            said_at=at,
            recorded_at=at,
            progress="进展正常",
            next_steps="继续跟进",
        )
        await projects.add_update(tx, said)
        news: dict[str, Any] = {"updated_at": max(at, row.updated_at or at)}
        if self._chance.random() < 0.1:
            changed = {"amount": self._money(50_000, 3_000_000), "stage": self._chance.choice(list(SalesStage))}
            news["form"] = row.form.model_copy(update=changed)
        await projects.change(tx, row.id, **news)

    async def _end(self, tx: AsyncConnection, project_id: str, stage: ProjectStage, at: datetime, **why: Any) -> None:
        values = {"stage": stage.value, "stage_since": at, **why}
        await tx.execute(update(project).where(project.c.id == project_id).values(**values))

    def _money(self, least: int, most: int) -> Decimal:
        return Decimal(self._chance.randrange(least * 100, most * 100)) / 100

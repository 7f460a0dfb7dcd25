"""Rows of project registrations: their rounds, their weekly updates and their numbers (P, U)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.rows import first, read_all, values_of
from db.tables.projects import project, project_number, project_round, project_update
from domain.base import Wire
from domain.conflicts.project_match import Match
from domain.disputes.credit import Credit, credits_for, shares_of
from domain.disputes.dispute import agreement_waits
from domain.organisation import Organisation
from domain.projects.judgements import ProjectFacts
from domain.projects.project import PROJECT_ENDED, ProjectForm, ProjectStage, SalesStage, Track

# Built once: building a statement costs more than sending it (measured).
_PROJECT = select(project).where(project.c.id == bindparam("project"))
_PROJECT_LOCKED = _PROJECT.with_for_update()
_BY_NUMBER = select(project).where(project.c.number == bindparam("number"))
_OPEN_OF = (
    select(project)
    .where(project.c.salesperson == bindparam("salesperson"))
    .where(project.c.stage.not_in(sorted(stage.value for stage in PROJECT_ENDED)))
    .order_by(project.c.registered_at, project.c.id)
)
_ROUNDS = (
    select(project_round.c.round, project_round.c.submitted_at, project_round.c.form)
    .where(project_round.c.project_id == bindparam("project"))
    .order_by(project_round.c.round)
)
_MATCHES = select(project_round.c.matches, project_round.c.weaker_matches, project_round.c.not_compared).where(
    project_round.c.project_id == bindparam("project"), project_round.c.round == bindparam("number")
)
_ADD = insert(project)
_ADD_ROUND = insert(project_round)
_CHANGE = update(project).where(project.c.id == bindparam("project"))
_ADD_UPDATE = insert(project_update)
_UPDATES = (
    select(project_update)
    .where(project_update.c.project_id == bindparam("project"))
    .order_by(project_update.c.number.desc())
)
_LAST_UPDATE = select(func.max(project_update.c.number)).where(project_update.c.project_id == bindparam("project"))
_NEXT_NUMBER = (
    upsert(project_number)
    .values(year=bindparam("of_year"), last=1)
    .on_conflict_do_update(index_elements=["year"], set_={"last": project_number.c.last + 1})
    .returning(project_number.c.last)
)


class ProjectRow(Wire):
    """One registration as the record has it."""

    id: str
    workflow_id: str
    applicant: str
    salesperson: str
    """Who is responsible now: the applicant, until a dispute or a reassignment says otherwise."""
    department: str | None
    stage: ProjectStage
    round: int
    form: ProjectForm
    policy_digest: str
    registered_at: datetime
    """A5: the order of registration. For a resumption, when commerce accepted it (U6)."""
    stage_since: datetime
    track: Track | None = None
    account_id: str | None = None
    """The Named Account it is registered under (P1, P3)."""
    number: str | None = None
    """P9: given in the transaction that approves, together with `number_issued_at`; never changed."""
    number_issued_at: datetime | None = None
    resumes: str | None = None
    """U6: the shelved project that goes on in this one."""
    resumption: dict[str, Any] | None = None
    agreement: dict[str, Any] | None = None
    """D1, D2: how the dispute ended for this project, with the split."""
    refusal: dict[str, Any] | None = None
    objection: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    contract_application: dict[str, Any] | None = None
    """U7: what the salesperson has handed in last; `sent_back` says that commerce did so, and why."""
    contract: dict[str, Any] | None = None
    """U7: what commerce has received, with every amount it has corrected."""
    end_reason: dict[str, Any] | None = None
    updated_at: datetime | None = None
    silences: int = 0
    """How many of the three things that follow from silence have happened since `updated_at` (U2–U4)."""
    named_since: datetime | None = None
    """Since when it goes by its name and tender number, where that is later than its registration (P2, A5)."""

    @property
    def place(self) -> datetime:
        """A5: its place among projects of the same name."""
        return self.named_since or self.registered_at

    @property
    def customer_name(self) -> str:
        return self.form.customer.name

    @property
    def contract_with_commerce(self) -> bool:
        """U7: commerce has an application to record or send back."""
        handed_in = self.contract_application is not None and "sent_back" not in self.contract_application
        return handed_in and self.stage is ProjectStage.ACTIVE and self.contract is None

    @property
    def live(self) -> bool:
        """P10: takes part in conflict detection."""
        return self.stage.live

    @property
    def statement_facts(self) -> ProjectFacts:
        """What statements about it are judged by."""
        return ProjectFacts(
            stage=self.stage,
            applicant=self.applicant,
            salesperson=self.salesperson,
            lost=bool(self.loss),
            contract_received=bool(self.contract),
            contract_with_commerce=self.contract_with_commerce,
            withdrawn=bool(self.end_reason),
            objected=bool(self.objection),
            objection_until=datetime.fromisoformat(str(self.refusal["objection_until"])) if self.refusal else None,
            agreement_waits=agreement_waits(self.agreement) is not None,
        )

    def credits(self, organisation: Organisation) -> tuple[Credit, ...]:
        """D3: who is credited with which part of the contract, or of the expected amount while there is none."""
        amount = Decimal(str(self.contract["amount"])) if self.contract else self.form.amount
        shares = shares_of(self.agreement, self.salesperson)
        return credits_for(shares, amount, organisation, department=self.department, responsible=self.salesperson)


class UpdateRow(Wire):
    """U1: one weekly update. What it does not name stayed as it was."""

    project_id: str
    number: int
    message_id: str
    person: str
    said_at: datetime
    recorded_at: datetime
    progress: str
    problems: str = ""
    next_steps: str
    stage: SalesStage | None = None
    amount: Decimal | None = None
    expected_signing: date | None = None


class AlreadyResumed(Exception):
    """Another registration resumes this shelved project, or has resumed it (U6)."""


async def add(connection: AsyncConnection, row: ProjectRow) -> None:
    """Register a new project and its first round.

    Raises `AlreadyResumed`, and leaves nothing behind, when what it resumes has been resumed.
    """
    values = values_of(row, project)
    if row.resumes is None:
        await connection.execute(_ADD, values)
    else:
        try:
            async with connection.begin_nested():
                await connection.execute(_ADD, values)
        except IntegrityError as error:
            if "uq_project_resumes" in str(error.orig):
                raise AlreadyResumed(row.resumes) from error
            raise
    await add_round(connection, row.id, row.round, row.form, row.registered_at)


async def add_round(connection: AsyncConnection, project_id: str, number: int, form: ProjectForm, at: datetime) -> None:
    """Keep the form of a new round of a registration."""
    row = {"project_id": project_id, "round": number, "form": form, "submitted_at": at}
    await connection.execute(_ADD_ROUND, row)


async def find(connection: AsyncConnection, project_id: str, *, lock: bool = False) -> ProjectRow | None:
    """One registration; `lock` keeps others from changing it until the transaction ends."""
    return first(ProjectRow, await connection.execute(_PROJECT_LOCKED if lock else _PROJECT, {"project": project_id}))


async def by_number(connection: AsyncConnection, number: str) -> ProjectRow | None:
    """The registration that bears this project number (P9)."""
    return first(ProjectRow, await connection.execute(_BY_NUMBER, {"number": number}))


async def by_ids(connection: AsyncConnection, project_ids: Sequence[str]) -> tuple[ProjectRow, ...]:
    """These registrations, the first registered first (A5)."""
    if not project_ids:
        return ()
    rows = await connection.execute(
        select(project).where(project.c.id.in_(project_ids)).order_by(project.c.registered_at, project.c.id)
    )
    return read_all(ProjectRow, rows)


async def open_of(connection: AsyncConnection, salesperson: str) -> tuple[ProjectRow, ...]:
    """What a salesperson is responsible for and has not ended, the first registered first."""
    return read_all(ProjectRow, await connection.execute(_OPEN_OF, {"salesperson": salesperson}))


async def change(connection: AsyncConnection, project_id: str, **values: Any) -> None:
    """Set columns of one registration; models become JSON."""
    await connection.execute(_CHANGE, {"project": project_id, **values})


async def rounds(connection: AsyncConnection, project_id: str) -> tuple[dict[str, Any], ...]:
    """Every round's form as it was submitted. Without what was found: that is for those who decide (X2)."""
    return tuple(row._asdict() for row in await connection.execute(_ROUNDS, {"project": project_id}))


async def form_before(connection: AsyncConnection, project_id: str, number: int) -> ProjectForm | None:
    """The form of the round before round `number`; None in the first."""
    if number == 1:
        return None
    query = select(project_round.c.form).where(
        project_round.c.project_id == project_id, project_round.c.round == number - 1
    )
    return ProjectForm.model_validate(await connection.scalar(query))


async def keep_matches(
    connection: AsyncConnection,
    project_id: str,
    number: int,
    matches: Sequence[Match],
    *,
    weaker: int | None = None,
    not_compared: Sequence[str] | None = None,
) -> None:
    """Keep what the registration may be in conflict with in this round, in place of what was found before.

    Args:
        weaker: how many further ones the list leaves out; as before when left out.
        not_compared: the companies that nothing near was looked for; as before when left out.
    """
    found: dict[str, Any] = {"matches": matches}
    if weaker is not None:
        found["weaker_matches"] = weaker
    if not_compared is not None:
        found["not_compared"] = list(not_compared)
    mine = (project_round.c.project_id == project_id, project_round.c.round == number)
    await connection.execute(update(project_round).where(*mine).values(**found))


async def matches_of(connection: AsyncConnection, project_id: str, number: int) -> tuple[Match, ...]:
    """What was found in one round, in the order it was kept."""
    row = (await connection.execute(_MATCHES, {"project": project_id, "number": number})).one_or_none()
    return tuple(Match.model_validate(match) for match in row.matches) if row else ()


async def weaker_matches(connection: AsyncConnection, project_id: str, number: int) -> int:
    """How many weaker matches the list of that round leaves out."""
    row = (await connection.execute(_MATCHES, {"project": project_id, "number": number})).one_or_none()
    return int(row.weaker_matches) if row else 0


async def not_compared(connection: AsyncConnection, project_id: str, number: int) -> tuple[str, ...]:
    """The companies of that round that were looked for only by their name and code: too many are like them."""
    row = (await connection.execute(_MATCHES, {"project": project_id, "number": number})).one_or_none()
    return tuple(row.not_compared) if row else ()


async def add_update(connection: AsyncConnection, row: UpdateRow) -> None:
    """Keep an update of a project (U1)."""
    await connection.execute(_ADD_UPDATE, values_of(row, project_update))


async def updates_of(
    connection: AsyncConnection, project_id: str, *, limit: int | None = None
) -> tuple[UpdateRow, ...]:
    """The updates of one project, newest first; with a `limit`, no more than that are read."""
    query = _UPDATES if limit is None else _UPDATES.limit(limit)
    rows = await connection.execute(query, {"project": project_id})
    return read_all(UpdateRow, rows)


async def last_updates(connection: AsyncConnection, project_ids: Sequence[str]) -> dict[str, UpdateRow]:
    """The newest update of each of these projects that has one."""
    if not project_ids:
        return {}
    newest = (
        select(project_update)
        .where(project_update.c.project_id.in_(project_ids))
        .ext(distinct_on(project_update.c.project_id))
        .order_by(project_update.c.project_id, project_update.c.number.desc())
    )
    return {row.project_id: row for row in read_all(UpdateRow, await connection.execute(newest))}


async def last_update_number(connection: AsyncConnection, project_id: str) -> int:
    """How many updates a project has had."""
    return int(await connection.scalar(_LAST_UPDATE, {"project": project_id}) or 0)


async def next_number(connection: AsyncConnection, year: int) -> int:
    """P9: the next in the sequence of a year, from 1.

    Others who ask for the same year wait until this transaction ends; when it is rolled back, they get the same one.
    """
    return int((await connection.execute(_NEXT_NUMBER, {"of_year": year})).scalar_one())

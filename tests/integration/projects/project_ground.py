"""Registrations of projects on a real record, moved step by step as their process moves them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.conflicts.collisions import keyed_parties
from activities.projects.steps import ProjectSteps
from activities.unit_of_work import Recorder
from crypto.keyring import Keyring
from db.accounts import accounts, applications, registers
from db.accounts.accounts import AccountRow
from db.accounts.registers import EarlierProjectRow
from db.tables.accounts import account
from db.tables.conflicts import claim, party
from db.tables.projects import project, project_round
from db.tables.tasks import decision, task, task_person
from domain.accounts.application import Stage
from domain.projects.project import ProjectForm, ProjectStage
from domain.projects.rules import project_choices
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.projects.people import (
    CLERK,
    EAST_VP,
    EAST_VPS_DELEGATE,
    FAN,
    JING,
    NORTH_VP,
    OTHER_CLERK,
)
from tests.integration.projects.registration import Registration
from tests.integration.tasks.race_ground import NOW, Ground, Racer
from tests.samples import application_form, project_form


class ProjectGround(Ground):
    """A record with registrations of projects."""

    def __init__(self, engine: AsyncEngine, keys: Keyring) -> None:
        super().__init__(engine, keys)
        self.project_steps = ProjectSteps(Recorder(engine, self.facts, keys))
        self.numbers = itertools.count(1)

    def registration(self, project_id: str, now: datetime = NOW) -> Registration:
        return Registration(self, project_id, now)

    async def registered(
        self, project_id: str, person: str, given: ProjectForm, now: datetime = NOW, **said: Any
    ) -> Registration:
        """A registration that has just begun."""
        made = self.registration(project_id, now)
        assert (await made.registers(person, given, **said)).accepted
        return made

    async def in_approval(self, project_id: str, person: str, given: ProjectForm, now: datetime = NOW) -> Registration:
        """P4, P6: under no account, without a conflict, before the VP."""
        made = await self.registered(project_id, person, given, now)
        await made.routes()
        await made.is_checked()
        assert (await made.answers(CLERK, AnswerChoice.CLEAR)).accepted
        await made.asks_vp()
        return made

    async def active(self, project_id: str, person: str, given: ProjectForm, now: datetime = NOW) -> Registration:
        made = await self.in_approval(project_id, person, given, now)
        await made.is_approved()
        return made

    async def holds(self, account_id: str, salesperson: str, *names: str, **more: Any) -> None:
        """A Named Account of a customer, known by all of `names`. `more`: of `race_ground.form`."""
        given = application_form(names[0], aliases=names[1:], **more)
        racer = Racer(id=account_id, applicant=salesperson, form=given, approved=False, stage=Stage.ACTIVE)
        await self.register([racer])
        async with self.engine.begin() as connection:
            row = AccountRow(
                id=account_id,
                application_id=account_id,
                salesperson=salesperson,
                department=None,
                form=given,
                slot=accounts.free_slot(await accounts.slots_taken(connection, salesperson)),
                account_limit=5,
                gm_decision=None,
                activated_at=NOW - timedelta(days=100),
            )
            parties = keyed_parties(given)
            await accounts.activate(connection, row, parties)
            since = row.activated_at
            await applications.set_parties(connection, "account", account_id, parties, since=since, live=True)

    async def revoked(self, account_id: str) -> None:
        """R5: the customer is nobody's account any more."""
        async with self.engine.begin() as connection:
            await connection.execute(account.update().where(account.c.id == account_id).values(revoked_at=NOW))
            await connection.execute(claim.update().where(claim.c.account_id == account_id).values(live=False))
            await applications.set_live(connection, "account", account_id, False)

    async def imported(self, row: EarlierProjectRow, given: ProjectForm) -> None:
        """A project of the register that there was before."""
        async with self.engine.begin() as connection:
            await registers.keep_earlier_projects(connection, [row])
            await applications.set_parties(
                connection,
                "earlier_project",
                row.id,
                keyed_parties(given),
                since=row.registered_at,
                live=row.status == "active",
            )

    async def stand(
        self, stage: ProjectStage, project_ids: Iterable[str], *, approved: bool = False, **columns: Any
    ) -> tuple[Registration, ...]:
        """Many registrations of 杨帆 at once, as they stand just before a race.

        In APPROVAL with the VP's task, open or `approved`; in CONFLICT_CONFIRMATION with that of 徐静's VP, who is
        away, and her delegate; with a `contract_application` with that of commerce.
        """
        made = tuple(self.registration(project_id) for project_id in project_ids)
        rows: dict[Any, list[dict[str, Any]]] = {t: [] for t in (project, project_round, party, task, task_person)}
        rows[decision] = []
        for registration in made:
            given = project_form(f"{registration.id}客户")
            document = given.model_dump(mode="json")
            rows[project].append(
                {
                    "id": registration.id,
                    "workflow_id": registration.workflow_id,
                    "applicant": FAN,
                    "salesperson": FAN,
                    "department": "north",
                    "stage": stage.value,
                    "round": 1,
                    "form": document,
                    "policy_digest": self.facts.digest,
                    "registered_at": NOW,
                    "stage_since": NOW,
                    "track": "non_named",
                    **columns,
                }
            )
            rows[project_round].append(
                {"project_id": registration.id, "round": 1, "form": document, "submitted_at": NOW}
            )
            rows[party] += [
                {
                    "subject_type": "project",
                    "subject_id": registration.id,
                    "live": stage.live,
                    "since": NOW,
                    **p.model_dump(),
                }
                for p in keyed_parties(given)
            ]
            if stage is ProjectStage.APPROVAL:
                vp = (NORTH_VP, "holder", None)
                self._add_task(
                    rows,
                    registration,
                    TaskKind.PROJECT_APPROVAL,
                    FAN,
                    vp,
                    choice=AnswerChoice.APPROVE if approved else "",
                )
            elif "contract_application" in columns:
                clerks = ((CLERK, "holder", None), (OTHER_CLERK, "holder", None))
                self._add_task(rows, registration, TaskKind.CONTRACT_REVIEW, "", *clerks)
            elif stage is ProjectStage.CONFLICT_CONFIRMATION:
                clerk = (CLERK, "holder", None)
                self._add_task(rows, registration, TaskKind.CONFLICT_CHECK, CLERK, clerk, choice=AnswerChoice.SUSPECT)
                vp, delegate = (EAST_VP, "holder", None), (EAST_VPS_DELEGATE, "delegate", EAST_VP)
                self._add_task(rows, registration, TaskKind.CONFLICT_CONFIRMATION, JING, vp, delegate)
        await self.insert(rows)
        return made

    def _add_task(
        self,
        rows: dict[Any, list[dict[str, Any]]],
        registration: Registration,
        kind: TaskKind,
        slot: str,
        *asked: tuple[str, str, str | None],
        choice: str = "",
    ) -> None:
        """A task, answered with `choice` by the first of `asked`, or open."""
        task_id = registration.task_id(kind)
        rows[task].append(
            {
                "id": task_id,
                "workflow_id": registration.workflow_id,
                "subject_type": "project",
                "subject_id": registration.id,
                "kind": kind.value,
                "slot": slot,
                "round": 1,
                "status": "answered" if choice else "open",
                "choices": [c.model_dump(mode="json") for c in project_choices(kind)],
                "opened_at": NOW,
                "due_at": NOW + timedelta(days=5),
                "due_provisional": False,
            }
        )
        for person, capacity, on_behalf_of in asked:
            rows[task_person].append(
                {
                    "task_id": task_id,
                    "person": person,
                    "capacity": capacity,
                    "on_behalf_of": on_behalf_of,
                    "link_id": f"{task_id}-{person}",
                    "link_expires_at": NOW + timedelta(days=60),
                    "asked_at": NOW,
                }
            )
        if choice:
            rows[decision].append(
                {
                    "task_id": task_id,
                    "message_id": f"m-{task_id}",
                    "person": asked[0][0],
                    "capacity": "holder",
                    "choice": choice,
                    "special": False,
                    "reason": "",
                    "fields": {},
                    "said_at": NOW,
                    "decided_at": NOW,
                }
            )

    async def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the record holds beside its own trace of what was tried."""
        names = ("project", "project_round", "project_update", "project_number", "party", "task", "task_person")
        return {
            name: await self.rows(f"SELECT to_jsonb({name}) FROM {name} ORDER BY to_jsonb({name})::text")
            for name in (*names, "decision", "mail")
        }

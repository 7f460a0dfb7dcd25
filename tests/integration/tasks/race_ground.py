"""A record full of applications that are about to race, and an engine that retries steps as Temporal does."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import SecretBytes
from sqlalchemy import Table, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import ActivityEnvironment

from activities.accounts.evidence import EvidenceGathering
from activities.accounts.steps import AccountSteps
from activities.conflicts.collisions import keyed_parties
from activities.steps import Activated, ActivateStep, Step
from activities.tasks.records import Records
from activities.tasks.reminders import Reminders
from activities.unit_of_work import Recorder
from crypto.keyring import Keyring
from crypto.seal import head_seal_holds, seal
from db import audit
from db.reference_data import ReferenceData, import_organisation
from db.tables.accounts import account, application, application_round
from db.tables.conflicts import party
from db.tables.tasks import decision, task, task_person
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.named_account import choices_for
from domain.organisation import Delegation, Person, Role
from domain.policy import load_policy
from domain.statements import Statement
from domain.subject import Subject, SubjectType
from domain.tasks.task import TaskKind
from embedded.welcome import sample_organisation
from workflows.messages import application_workflow_id

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
VPS = ("li.ming", "wang.fang")
DELEGATE = "sun.li"
"""Decides for 王芳 all day long."""
GENERAL_MANAGER = "zhang.wei"
CLERKS = ("gao.yuan", "anna.miller")
PAUSE = 0.005
"""Seconds before the first new attempt; a twentieth of what the process waits."""
ATTEMPTS = 8

R = TypeVar("R")
S = TypeVar("S", bound=Statement)


def salesperson(number: int) -> str:
    return f"seller.{number:04d}"


@dataclasses.dataclass(frozen=True)
class Racer:
    """One application that both VPs have approved, unless it is given open tasks instead."""

    id: str
    applicant: str
    form: ApplicationForm
    submitted_at: datetime = NOW
    approved: bool = True
    special: bool = True
    gm_approved: bool = False
    open_tasks: tuple[tuple[TaskKind, str, tuple[dict[str, Any], ...]], ...] = ()
    """Kind, slot, and who is asked (columns of `task_person`)."""
    stage: Stage = Stage.VP_REVIEW
    parties_since: datetime | None = None
    """When its parties were named, if later than the application (a later round named them)."""

    @property
    def subject(self) -> Subject:
        return Subject(type=SubjectType.APPLICATION, id=self.id)

    @property
    def workflow_id(self) -> str:
        return application_workflow_id(self.id)

    @property
    def gm_decision(self) -> str | None:
        return f"{self.id}-gm" if self.gm_approved else None

    def task_id(self, kind: TaskKind, slot: str = "") -> str:
        return f"{self.id}-{kind.value}-{slot}"


class Ground:
    """The activities on one database."""

    def __init__(self, engine: AsyncEngine, keys: Keyring) -> None:
        self.engine = engine
        self.keys = keys
        self.facts = ReferenceData(load_policy())
        recorder = Recorder(engine, self.facts, keys)
        self.records = Records(recorder)
        self.account_steps = AccountSteps(recorder)
        self.evidence = EvidenceGathering(recorder)
        self.chasing = Reminders(recorder)
        self.retried: Counter[type[Exception]] = Counter()
        self._messages = itertools.count(1)
        self._slots = asyncio.Semaphore(18)

    async def prepare(self, sellers: int) -> None:
        """The sample company with many salespeople, and a VP who is away."""
        company = sample_organisation()
        people = tuple(
            Person(
                id=salesperson(number),
                name=f"销售{number}",
                email=f"{salesperson(number)}@example.com",
                login=salesperson(number),
                roles=frozenset({Role.SALESPERSON}),
                department="north",
            )
            for number in range(sellers)
        )
        away = Delegation(person=VPS[1], delegate=DELEGATE, start=NOW - timedelta(days=1), end=NOW + timedelta(days=1))
        company = company.model_copy(update={"people": company.people + people, "delegations": (away,)})
        async with self.engine.begin() as connection:
            await import_organisation(connection, company, now=NOW, by="test")
            await self.facts.pin_policy(connection)

    async def register(self, racers: Iterable[Racer]) -> None:
        """Put applications into the record as they stand just before the race."""
        rows: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (application, application_round, party, task, task_person, decision)
        }
        for racer in racers:
            document = racer.form.model_dump(mode="json")
            rows[application].append(
                {
                    "id": racer.id,
                    "workflow_id": racer.workflow_id,
                    "applicant": racer.applicant,
                    "department": "north",
                    "stage": racer.stage.value,
                    "round": 1,
                    "form": document,
                    "policy_digest": self.facts.digest,
                    "submitted_at": racer.submitted_at,
                    "stage_since": racer.submitted_at,
                }
            )
            rows[application_round].append(
                {"application_id": racer.id, "round": 1, "form": document, "submitted_at": racer.submitted_at}
            )
            rows[party] += [
                {
                    "subject_type": "application",
                    "subject_id": racer.id,
                    "live": racer.stage.live,
                    "since": racer.parties_since or racer.submitted_at,
                    **named.model_dump(),
                }
                for named in keyed_parties(racer.form)
            ]
            if racer.approved:
                for slot in VPS:
                    task_id = racer.task_id(TaskKind.VP_REVIEW, slot)
                    rows[task].append(self._task(racer, task_id, TaskKind.VP_REVIEW, slot, "answered"))
                    rows[decision].append(self._decision(task_id, slot, special=racer.special))
            if racer.gm_decision:
                rows[task].append(self._task(racer, racer.gm_decision, TaskKind.GM_APPROVAL, "", "answered"))
                rows[decision].append(self._decision(racer.gm_decision, GENERAL_MANAGER, special=False))
            for kind, slot, asked in racer.open_tasks:
                task_id = racer.task_id(kind, slot)
                rows[task].append(self._task(racer, task_id, kind, slot, "open"))
                rows[task_person] += [
                    {
                        "task_id": task_id,
                        "on_behalf_of": None,
                        "link_id": f"{task_id}-{person['person']}",
                        "link_expires_at": NOW + timedelta(days=60),
                        "asked_at": NOW,
                        **person,
                    }
                    for person in asked
                ]
        await self.insert(rows)

    async def general_manager_approves(self, racers: Iterable[Racer]) -> None:
        chosen = list(racers)
        await self.insert(
            {
                task: [self._task(r, f"{r.id}-gm", TaskKind.GM_APPROVAL, "", "answered") for r in chosen],
                decision: [self._decision(f"{r.id}-gm", GENERAL_MANAGER, special=False) for r in chosen],
            }
        )

    async def hold(self, racers: Iterable[Racer], slots: Iterable[int]) -> None:
        """Give applicants accounts they hold already, without a race."""
        rows = [
            {
                "id": racer.id,
                "application_id": racer.id,
                "salesperson": racer.applicant,
                "department": "north",
                "form": racer.form.model_dump(mode="json"),
                "slot": slot,
                "account_limit": 5,
                "activated_at": NOW,
            }
            for racer, slot in zip(racers, slots, strict=True)
        ]
        await self.insert({account: rows})

    async def insert(self, rows: dict[Table, list[dict[str, Any]]]) -> None:
        async with self.engine.begin() as connection:
            for table, values in rows.items():
                if values:
                    await connection.execute(insert(table), values)

    def _task(self, racer: Racer, task_id: str, kind: TaskKind, slot: str, status: str) -> dict[str, Any]:
        return {
            "id": task_id,
            "workflow_id": racer.workflow_id,
            "subject_type": "application",
            "subject_id": racer.id,
            "kind": kind.value,
            "slot": slot,
            "round": 1,
            "status": status,
            "choices": [choice.model_dump(mode="json") for choice in choices_for(kind)],
            "opened_at": NOW,
            "due_at": NOW + timedelta(days=5),
            "due_provisional": False,
        }

    def _decision(self, task_id: str, person: str, *, special: bool) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "message_id": f"m-{task_id}",
            "person": person,
            "capacity": "holder",
            "choice": "approve",
            "special": special,
            "reason": "重点客户" if special else "",
            "fields": {},
            "said_at": NOW,
            "decided_at": NOW,
        }

    def says(self, kind: type[S], racer: Racer, person: str, **said: Any) -> S:
        """A statement sealed as the front door does."""
        statement = kind.model_validate(
            {
                "message_id": f"said-{next(self._messages)}",
                "workflow_id": racer.workflow_id,
                "person": person,
                "said_at": NOW,
                "channel": "api",
                "body_hash": "0" * 64,
                **said,
            }
        )
        return seal(statement, self.keys)

    async def run(
        self,
        method: Callable[[Any], Awaitable[R]],
        step: Step,
        workflow_id: str,
        *,
        final: tuple[type[Exception], ...] = (),
    ) -> R:
        """One step as the engine runs it: whatever it raises, it is tried again, until it is done.

        `final`: what says that it will never be done; the engine would go on for ever.
        """
        for attempt in range(1, ATTEMPTS + 1):
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(
                environment.info, workflow_id=workflow_id, attempt=attempt, is_local=True
            )
            try:
                async with self._slots:  # no more at once than there are connections
                    return await environment.run(method, step)
            except Exception as error:
                if attempt == ATTEMPTS or isinstance(error, final):
                    raise
                self.retried[type(error)] += 1
                await asyncio.sleep(PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    async def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(query), values)]

    async def record_holds(self) -> int:
        """X1: prove the record; the number of entries."""
        async with self.engine.begin() as connection:
            proof = await audit.verify(
                connection, lambda seq, digest, sealed: head_seal_holds(seq, digest, sealed, self.keys)
            )
        assert proof.faults == ()
        return proof.entries


async def race(*contenders: Awaitable[Any]) -> list[Any]:
    """All at once."""
    return list(await asyncio.gather(*contenders))


ROUNDS = 200
KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
OPEN_VP = (TaskKind.VP_REVIEW, VPS[0], ({"person": VPS[0], "capacity": "holder"},))


async def activate(
    ground: Ground,
    racer: Racer,
    *,
    key: str = "activate:1",
    gm: str | None = None,
    final: tuple[type[Exception], ...] = (),
) -> Activated:
    step = ActivateStep(key=key, now=NOW, application_id=racer.id, gm_decision=gm or racer.gm_decision)
    return await ground.run(ground.account_steps.activate_account, step, racer.workflow_id, final=final)

"""Registrations of projects on a real record, moved step by step as their process moves them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.conflicts.collisions import keyed_parties
from activities.projects.steps import ProjectSteps
from activities.steps import (
    ApprovedProject,
    ApproveProjectStep,
    Moved,
    MoveStep,
    OpenTask,
    Recorded,
    RecordStep,
    Registered,
    RegisterStep,
    Reminded,
    Routed,
    RouteStep,
    SilenceStep,
    Step,
    Suspects,
    SuspectsStep,
)
from activities.tasks.context import IllegalTransition
from activities.unit_of_work import Recorder
from crypto.keyring import Keyring
from crypto.seal import seal
from db.accounts import accounts, applications, registers
from db.accounts.accounts import AccountRow
from db.accounts.registers import EarlierProjectRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tables.accounts import account
from db.tables.conflicts import claim, party
from db.tables.projects import project, project_round
from db.tables.tasks import decision, task, task_person
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.accounts.application import Stage
from domain.base import Wire
from domain.notices import Notice
from domain.projects.project import ProjectForm, ProjectStage, Resumption
from domain.projects.rules import project_choices
from domain.projects.silence import Silence
from domain.statements import AnswerTask, RegisterProject, Statement
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from tests.integration.tasks.race_ground import NOW, Ground, Racer
from tests.samples import application_form, project_form

FAN, LEI, MIN = "yang.fan", "huang.lei", "zhou.min"
"""Salespeople of 北方区: its general manager is 赵磊, its VP 李明."""
JING = "xu.jing"
"""Of 华东区: 陈静, 王芳."""
TAO = "guo.tao"
"""Of 金融行业部: David Brown, 李明."""
NORTH_GM, EAST_GM, FINANCE_GM = "zhao.lei", "chen.jing", "david.brown"
NORTH_VP, EAST_VP, EAST_VPS_DELEGATE = "li.ming", "wang.fang", "sun.li"
GENERAL_MANAGER, COMMERCE, CLERK, OTHER_CLERK = "zhang.wei", "lin.xia", "gao.yuan", "anna.miller"
PRODUCTS = ("peter.wong", "tang.bo")
WHY = Resumption(why_silent="客户机构调整，半年没有进展", why_resume="预算已恢复")

R = TypeVar("R", bound=Wire)
S = TypeVar("S", bound=Statement)


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


class Registration:
    """One registration, moved as its process moves it. Each step is done twice, which is doing it once (X3)."""

    def __init__(self, ground: ProjectGround, project_id: str, now: datetime) -> None:
        self.ground = ground
        self.id = project_id
        self.workflow_id = f"project-{project_id}"
        self.now = now
        self.tasks: tuple[OpenTask, ...] = ()

    @property
    def subject(self) -> Subject:
        return Subject(type=SubjectType.PROJECT, id=self.id)

    def task_id(self, kind: TaskKind) -> str:
        """Of a task that `ProjectGround.stand` has made."""
        return f"{self.id}-{kind.value}"

    async def registers(self, person: str, given: ProjectForm, **said: Any) -> Registered:
        statement = self.says(RegisterProject, person, **{"project_id": self.id, "form": given, **said})
        return await self.is_told(statement)

    async def resumes(self, old: Registration, person: str = FAN, **said: Any) -> Registered:
        """U6: a new registration that a shelved project is to go on in."""
        given = (await old.row()).form
        return await self.registers(person, given, **{"resumes": old.id, "resumption": WHY, **said})

    async def is_told(self, statement: RegisterProject) -> Registered:
        step = RegisterStep(key=self._key("register"), now=self.now, statement=statement)
        return await self.run(self.ground.project_steps.register_project, step)

    async def routes(self) -> Routed:
        step = RouteStep(key=self._key("route"), now=self.now, subject=self.subject)
        return await self.run(self.ground.project_steps.route_project, step)

    async def is_checked(self, clerk: str = CLERK) -> Moved:
        """P4: the commerce manager assigns a clerk, who is asked to look for conflicts."""
        await self.moves(ProjectStage.ASSIGNMENT, (TaskKind.ASSIGN_CLERK, ""))
        assigned = await self.answers(COMMERCE, AnswerChoice.ASSIGN, clerk=clerk)
        assert assigned.decision is not None
        return await self.moves(ProjectStage.CONFLICT_CHECK, (TaskKind.CONFLICT_CHECK, assigned.decision.names[0]))

    async def asks_vp(self, of: str | None = None) -> Moved:
        slot = of or (await self.row()).salesperson
        return await self.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, slot))

    async def is_approved(self) -> ApprovedProject:
        """By the VP who is asked."""
        assert (await self.answers(self.asked()[0], AnswerChoice.APPROVE)).accepted
        return await self.approves()

    async def approves(self) -> ApprovedProject:
        return await self.run(self.ground.project_steps.approve_project, self.approve_step())

    def approve_step(self, key: str = "") -> ApproveProjectStep:
        return ApproveProjectStep(key=key or self._key("approve"), now=self.now, subject=self.subject)

    async def suspects(self, task_id: str) -> Suspects:
        step = SuspectsStep(key=self._key("suspects"), now=self.now, subject=self.subject, task_id=task_id)
        return await self.run(self.ground.project_steps.find_suspects, step)

    async def reminds(self, silence: Silence) -> Reminded:
        step = SilenceStep(key=self._key("silence"), now=self.now, subject=self.subject, silence=silence)
        return await self.run(self.ground.project_steps.remind_of_silence, step)

    async def moves(self, stage: ProjectStage, *asks: tuple[TaskKind, str], notices: Sequence[Notice] = ()) -> Moved:
        moved = await self.run(self.ground.records.move, self.move_step(stage, *asks, notices=notices))
        self.tasks = moved.tasks
        return moved

    def move_step(self, stage: ProjectStage, *asks: tuple[TaskKind, str], notices: Sequence[Notice] = ()) -> MoveStep:
        return MoveStep(
            key=self._key(f"move:{stage}"),
            now=self.now,
            subject=self.subject,
            stage=stage.value,
            asks=tuple(Ask(kind=kind, slot=slot) for kind, slot in asks),
            notices=tuple(notices),
        )

    async def answers(
        self, person: str, choice: str, reason: str = "", *, slot: str | None = None, **fields: Any
    ) -> Recorded:
        """Somebody answers the open task; `slot` where there are several."""
        open_now = [task for task in self.tasks if slot is None or task.slot == slot]
        assert len(open_now) == 1, [task.slot for task in self.tasks]
        return await self.hears(
            self.says(AnswerTask, person, task_id=open_now[0].id, choice=choice, reason=reason, fields=fields)
        )

    async def say(self, kind: type[Statement], person: str, **said: Any) -> Recorded:
        return await self.hears(self.says(kind, person, **said))

    async def hears(self, statement: Statement) -> Recorded:
        return await self.run(self.ground.records.record_statement, self.record_step(statement))

    def record_step(self, statement: Statement) -> RecordStep:
        return RecordStep.model_validate(
            {
                "key": f"record:{type(statement).__name__}:{statement.fingerprint}",
                "now": self.now,
                "subject": self.subject,
                "statement": statement,
            }
        )

    def says(self, kind: type[S], person: str, **said: Any) -> S:
        """A statement sealed as the front door does."""
        statement = kind.model_validate(
            {
                "message_id": f"told-{next(self.ground.numbers)}",
                "workflow_id": self.workflow_id,
                "person": person,
                "said_at": self.now,
                "channel": "api",
                "body_hash": "0" * 64,
                **said,
            }
        )
        return seal(statement, self.ground.keys)

    async def run(self, method: Callable[[Any], Awaitable[R]], step: Step) -> R:
        first = await self.once(method, step)
        assert await self.once(method, step) == first
        return first

    async def once(self, method: Callable[[Any], Awaitable[R]], step: Step) -> R:
        return await self.ground.run(method, step, self.workflow_id, final=(IllegalTransition,))

    async def row(self) -> ProjectRow:
        async with self.ground.engine.connect() as connection:
            row = await projects.find(connection, self.id)
        assert row is not None
        return row

    async def stage(self) -> ProjectStage:
        return (await self.row()).stage

    async def live(self) -> bool:
        """P10: whether its parties take part in conflict detection."""
        query = "SELECT DISTINCT live FROM party WHERE subject_type = 'project' AND subject_id = :id"
        ((live,),) = await self.ground.rows(query, id=self.id)
        return bool(live)

    async def task(self, slot: str | None = None) -> TaskRow:
        (known,) = [task for task in self.tasks if slot is None or task.slot == slot]
        async with self.ground.engine.connect() as connection:
            row = await tasks.find(connection, known.id)
        assert row is not None
        return row

    def asked(self, slot: str | None = None) -> list[str]:
        (known,) = [task for task in self.tasks if slot is None or task.slot == slot]
        return [person.person for person in known.asked]

    async def told(self, kind: str) -> list[str]:
        """Who was sent a mail of this kind, once each mail."""
        query = "SELECT person FROM mail WHERE facts->>'kind' = :kind AND subject_id = :id ORDER BY person"
        return [person for (person,) in await self.ground.rows(query, kind=kind, id=self.id)]

    async def mail(self, kind: str, person: str) -> dict[str, Any]:
        """The facts of the one mail of this kind that somebody was sent."""
        query = "SELECT facts FROM mail WHERE facts->>'kind' = :kind AND subject_id = :id AND person = :person"
        ((facts,),) = await self.ground.rows(query, kind=kind, id=self.id, person=person)
        assert isinstance(facts, dict)
        return facts

    async def receipt(self, statement: Statement) -> dict[str, Any]:
        query = "SELECT result FROM receipt WHERE message_id = :message"
        ((result,),) = await self.ground.rows(query, message=statement.message_id)
        assert isinstance(result, dict)
        return result

    async def events(self) -> list[str]:
        query = "SELECT event FROM audit WHERE workflow_id = :workflow ORDER BY seq"
        return [event for (event,) in await self.ground.rows(query, workflow=self.workflow_id)]

    def _key(self, name: str) -> str:
        return f"{name}:{next(self.ground.numbers)}"

"""One registration of a project, moved step by step as its process moves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

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
from crypto.seal import seal
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.base import Wire
from domain.notices import Notice
from domain.projects.project import ProjectForm, ProjectStage
from domain.projects.silence import Silence
from domain.statements import AnswerTask, RegisterProject, Statement
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from tests.integration.projects.people import (
    CLERK,
    COMMERCE,
    FAN,
    WHY,
)

if TYPE_CHECKING:
    from tests.integration.projects.project_ground import ProjectGround

R = TypeVar("R", bound=Wire)
S = TypeVar("S", bound=Statement)


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

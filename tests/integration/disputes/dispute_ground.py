"""Disputed projects on a real record, and the steps of their disputes as the process takes them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.conflicts.collisions import keyed_parties
from activities.projects.steps import ProjectSteps
from activities.steps import DisputeOpened, Moved, MoveStep, OpenDisputeStep, OpenTask, Recorded, RecordStep, Step
from activities.tasks.context import IllegalTransition, SubjectOver
from activities.unit_of_work import Recorder
from crypto.keyring import Keyring
from crypto.seal import seal
from db.accounts import applications
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tables.tasks import decision, task
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.conflicts.project_match import Match
from domain.disputes.dispute import Claimant, DisputeStage, MeetingCall, Origin
from domain.notices import Notice
from domain.projects.project import ProjectForm, ProjectStage, Track
from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting, Said, Statement, Withdraw
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, Ask, TaskKind
from tests.integration.tasks.race_ground import NOW, Ground
from tests.samples import PROJECT_FORM
from tests.verdicts import verdict

APPLICANT, HOLDER, THIRD = "yang.fan", "xu.jing", "emily.clark"
"""Salespeople of 北方区, 华东区 and 金融行业部; the VP of the first and the last is 李明, of the second 王芳."""
APPLICANTS_VP, HOLDERS_VP, HOLDERS_VPS_DELEGATE = "li.ming", "wang.fang", "sun.li"
GENERAL_MANAGER, COO, COMMERCE = "zhang.wei", "liu.yang", "lin.xia"
APPLICANTS_GM, HOLDERS_GM = "zhao.lei", "chen.jing"

R = TypeVar("R")
S = TypeVar("S", bound=Statement)


def split(**percent: str) -> list[dict[str, str]]:
    """Shares by the last name in a login: `fan`, `jing`, `clark`."""
    full = {person.rpartition(".")[2]: person for person in (APPLICANT, HOLDER, THIRD)}
    return [{"person": full.get(name, name), "percent": share} for name, share in percent.items()]


def text(
    cooperation: str = "联合投标，客户关系由徐静负责", responsible: str = APPLICANT, **percent: str
) -> dict[str, Any]:
    """D1: a text as somebody sends it."""
    shares = split(**(percent or {"fan": "60", "jing": "40"}))
    return {"responsible": responsible, "cooperation": cooperation, "split": shares}


def meeting(**changed: Any) -> dict[str, Any]:
    called = {
        "starts_at": "2026-12-03T09:30:00+08:00",
        "duration_minutes": 90,
        "place": "总部三楼会议室",
        "participants": [APPLICANTS_GM, HOLDERS_GM, APPLICANTS_VP, HOLDERS_VP, COO, GENERAL_MANAGER],
        "note": "请带报备材料",
    }
    return called | changed


def ruling(**changed: Any) -> dict[str, Any]:
    return {"responsible": HOLDER, "split": split(fan="30", jing="70"), "summary": "由徐静负责，杨帆配合"} | changed


class DisputeGround(Ground):
    """A record with disputed projects."""

    def __init__(self, engine: AsyncEngine, keys: Keyring) -> None:
        super().__init__(engine, keys)
        self.project_steps = ProjectSteps(Recorder(engine, self.facts, keys))
        self.numbers = itertools.count(1)

    async def disputed(
        self,
        project_id: str,
        *holders: str,
        origin: Origin = Origin.OTHER_ACCOUNT,
        form: ProjectForm = PROJECT_FORM,
        **columns: Any,
    ) -> Dispute:
        """A project at the beginning of a dispute with the salespeople of what was found for it."""
        kind = "account" if origin is Origin.OTHER_ACCOUNT else "project"
        found = [
            Match(
                subject_type=kind,
                subject_id=f"{project_id}-of-{holder}",
                name=f"{holder} 的登记",
                salesperson=holder,
                status="active",
                since=NOW - timedelta(days=90),
                verdict=verdict("same_name"),
                earlier=True,
            )
            for holder in holders or (HOLDER,)
        ]
        row = self.project(project_id, form=form, track=_TRACKS[origin], stage=ProjectStage.DISPUTED, **columns)
        async with self.engine.begin() as connection:
            await projects.add(connection, row)
            await applications.set_parties(connection, "project", row.id, keyed_parties(form), since=NOW, live=True)
            await projects.keep_matches(connection, row.id, 1, found)
            for match in found if kind == "project" else ():
                theirs = self.project(match.subject_id, applicant=match.salesperson, salesperson=match.salesperson)
                await projects.add(connection, theirs)
        claimants = tuple(
            Claimant(person=m.salesperson, subject_type=kind, subject_id=m.subject_id, since=m.since) for m in found
        )
        return Dispute(self, row.id, claimants, origin)

    def project(self, project_id: str, **columns: Any) -> ProjectRow:
        values = {
            "id": project_id,
            "workflow_id": f"project-{project_id}",
            "applicant": APPLICANT,
            "salesperson": APPLICANT,
            "department": "north",
            "stage": ProjectStage.ACTIVE,
            "round": 1,
            "form": PROJECT_FORM,
            "policy_digest": self.facts.digest,
            "registered_at": NOW - timedelta(days=1),
            "stage_since": NOW,
        }
        return ProjectRow.model_validate(values | columns)

    async def registered(self, row: ProjectRow) -> None:
        async with self.engine.begin() as connection:
            await projects.add(connection, row)

    async def project_now(self, project_id: str) -> ProjectRow:
        async with self.engine.connect() as connection:
            row = await projects.find(connection, project_id)
        assert row is not None
        return row

    async def objection_reviewed(self, project_id: str) -> None:
        """P5, P8: the conflicts are confirmed, and the applicant's VP has reviewed the objection and has the meeting
        called."""
        async with self.engine.connect() as connection:
            found = await projects.matches_of(connection, project_id, 1)
        for match in found:
            await self.confirmed(project_id, match.salesperson, match.subject_id)
        await self.decided(project_id, TaskKind.OBJECTION_REVIEW, APPLICANT, AnswerChoice.CALL_MEETING, APPLICANTS_VP)

    async def confirmed(
        self, project_id: str, slot: str, *suspects: str, choice: str = AnswerChoice.CONFLICT, by: str = HOLDERS_VP
    ) -> None:
        """P5: what the VP of a salesperson's registrations has said of the conflict with them."""
        kind = TaskKind.CONFLICT_CONFIRMATION
        await self.decided(project_id, kind, slot, choice, by, note={"suspects": list(suspects)})

    async def decided(
        self,
        project_id: str,
        kind: TaskKind,
        slot: str,
        choice: str,
        by: str,
        *,
        note: dict[str, Any] | None = None,
    ) -> None:
        """An answer to a task of the project's own process, on record."""
        task_id = f"{project_id}-{kind}-{slot}"
        asked: dict[str, Any] = {
            "id": task_id,
            "workflow_id": f"project-{project_id}",
            "subject_type": "project",
            "subject_id": project_id,
            "kind": kind.value,
            "slot": slot,
            "round": 1,
            "status": "answered",
            "choices": [],
            "note": note,
            "opened_at": NOW,
            "due_at": NOW,
            "due_provisional": False,
        }
        said = {
            "task_id": task_id,
            "message_id": f"m-{task_id}",
            "person": by,
            "capacity": "holder",
            "choice": choice,
            "special": False,
            "reason": "",
            "fields": {},
            "said_at": NOW,
            "decided_at": NOW,
        }
        await self.insert({task: [asked], decision: [said]})

    async def withdraw(self, project_id: str) -> Recorded:
        """The applicant takes the project back: its own process hears that."""
        workflow_id = f"project-{project_id}"
        said = Withdraw(
            message_id=f"withdraw-{project_id}",
            workflow_id=workflow_id,
            person=APPLICANT,
            said_at=NOW,
            channel="api",
            reason="客户取消预算",
        )
        subject = Subject(type=SubjectType.PROJECT, id=project_id)
        step = RecordStep(key="record:withdraw", now=NOW, subject=subject, statement=seal(said, self.keys))
        return await self.run(self.records.record_statement, step, workflow_id)

    async def project_hears(
        self, project_id: str, kind: type[S], person: str, *, now: datetime = NOW, **said: Any
    ) -> Recorded:
        """Somebody says something to the project's own process."""
        statement = kind.model_validate(
            {
                "message_id": f"said-{next(self.numbers)}",
                "workflow_id": f"project-{project_id}",
                "person": person,
                "said_at": NOW,
                "channel": "api",
                **said,
            }
        )
        sealed = seal(statement, self.keys)
        subject = Subject(type=SubjectType.PROJECT, id=project_id)
        step = RecordStep.model_validate(
            {"key": f"record:{sealed.fingerprint}", "now": now, "subject": subject, "statement": sealed}
        )
        return await self.run(self.records.record_statement, step, f"project-{project_id}", final=(IllegalTransition,))

    async def project_moves(self, project_id: str, stage: ProjectStage, *asks: Ask) -> Moved:
        """The project's own process goes to a stage."""
        number = next(self.numbers)
        step = MoveStep(
            key=f"move:{stage}:{number}",
            now=NOW + timedelta(seconds=number),  # a stage is passed more than once, but not in the same moment
            subject=Subject(type=SubjectType.PROJECT, id=project_id),
            stage=stage.value,
            asks=asks,
        )
        final = (IllegalTransition, SubjectOver)
        return await self.run(self.records.move, step, f"project-{project_id}", final=final)

    async def told(self, kind: str, project_id: str) -> list[str]:
        """Who was sent a mail of this kind, once each mail."""
        query = "SELECT person FROM mail WHERE facts->>'kind' = :kind AND subject_id = :project ORDER BY person"
        return [person for (person,) in await self.rows(query, kind=kind, project=project_id)]

    async def mail(self, kind: str, project_id: str, person: str) -> dict[str, Any]:
        """The facts of the one mail of this kind that somebody was sent."""
        query = "SELECT facts FROM mail WHERE facts->>'kind' = :kind AND subject_id = :project AND person = :person"
        ((facts,),) = await self.rows(query, kind=kind, project=project_id, person=person)
        assert isinstance(facts, dict)
        return facts


class Dispute:
    """One dispute, moved as its process moves it."""

    def __init__(
        self, ground: DisputeGround, project_id: str, claimants: tuple[Claimant, ...], origin: Origin, number: int = 1
    ) -> None:
        self.ground = ground
        self.project_id = project_id
        self.id = f"{project_id}-{number}"
        self.workflow_id = f"dispute-{self.id}"
        self.claimants = claimants
        self.origin = origin
        self.tasks: dict[str, OpenTask] = {}
        """The open task of each slot."""
        self.now: datetime = NOW

    async def opens(self, **changed: Any) -> DisputeOpened:
        step = OpenDisputeStep(
            key="open",
            now=self.now,
            dispute_id=self.id,
            project_id=self.project_id,
            origin=self.origin,
            claimants=self.claimants,
        ).model_copy(update=changed)
        return await self._run(self.ground.project_steps.open_dispute, step)

    async def negotiates(self) -> DisputeOpened:
        """D1: opened, and both sides are asked."""
        opened = await self.opens()
        await self.asks(*opened.sides)
        return opened

    async def asks(self, *people: str) -> None:
        await self.moves(DisputeStage.NEGOTIATION, asks=[(TaskKind.AGREE_SPLIT, person) for person in people])

    async def wants_meeting(self) -> None:
        await self.moves(
            DisputeStage.CALLING_MEETING,
            asks=[(TaskKind.CALL_MEETING, "")],
            notices=[Notice.MEETING_WANTED],
        )

    async def meets(self, decides: str = HOLDER) -> None:
        await self.moves(
            DisputeStage.MEETING, asks=[(TaskKind.RECORD_MEETING, decides)], notices=[Notice.MEETING_CALLED]
        )

    async def moves(
        self,
        stage: DisputeStage,
        *,
        asks: Sequence[tuple[TaskKind, str]] = (),
        notices: Sequence[Notice] = (),
    ) -> Moved:
        step = MoveStep(
            key=f"move:{stage}:{next(self.ground.numbers)}",
            now=self.now,
            subject=Subject(type=SubjectType.DISPUTE, id=self.id),
            stage=stage.value,
            asks=tuple(Ask(kind=kind, slot=slot) for kind, slot in asks),
            notices=tuple(notices),
        )
        moved = await self._run(self.ground.records.move, step)
        self.tasks = {opened.slot: opened for opened in moved.tasks}
        return moved

    async def answers(
        self, slot: str, choice: str, fields: dict[str, Any] | None = None, *, person: str = "", reason: str = ""
    ) -> Recorded:
        """Somebody answers the open task of a slot: the slot itself, or who is asked for it."""
        said = self.says(
            AnswerTask,
            person or slot,
            task_id=self.tasks[slot].id,
            choice=choice,
            reason=reason,
            fields=fields or {},
        )
        return await self.hears(said)

    async def agrees(self, slot: str, fields: dict[str, Any] | None = None) -> Recorded:
        return await self.answers(slot, AnswerChoice.AGREE, fields)

    async def calls_for_meeting(self, person: str) -> Recorded:
        return await self.hears(self.says(CallForMeeting, person, reason="双方分歧较大"))

    def says(self, kind: type[S], person: str, **said: Any) -> S:
        """A statement sealed as the front door does."""
        statement = kind.model_validate(
            {
                "message_id": f"said-{next(self.ground.numbers)}",
                "workflow_id": self.workflow_id,
                "person": person,
                "said_at": self.now,
                "channel": "api",
                "body_hash": "0" * 64,
                **said,
            }
        )
        return seal(statement, self.ground.keys)

    async def moves_meeting(self, fields: dict[str, Any], *, person: str = COMMERCE) -> Recorded:
        """D5."""
        call = MeetingCall.model_validate(fields)
        return await self.hears(self.says(MoveMeeting, person, meeting=call, reason="总经理出差"))

    async def calls_meeting_off(self, *, person: str = COMMERCE) -> Recorded:
        """D5."""
        return await self.hears(self.says(CallOffMeeting, person, reason="双方愿意再谈"))

    async def hears(self, said: Said) -> Recorded:
        step = RecordStep(
            key=f"record:{said.fingerprint}",
            now=self.now,
            subject=Subject(type=SubjectType.DISPUTE, id=self.id),
            statement=said,
        )
        return await self._run(self.ground.records.record_statement, step)

    async def row(self) -> DisputeRow:
        async with self.ground.engine.connect() as connection:
            row = await disputes.find(connection, self.id)
        assert row is not None
        return row

    async def task(self, slot: str) -> TaskRow:
        async with self.ground.engine.connect() as connection:
            row = await tasks.find(connection, self.tasks[slot].id)
        assert row is not None
        return row

    async def note(self, slot: str) -> dict[str, Any]:
        note = (await self.task(slot)).note
        assert note is not None
        return dict(note)

    async def events(self) -> list[str]:
        query = "SELECT event FROM audit WHERE workflow_id = :workflow ORDER BY seq"
        return [event for (event,) in await self.ground.rows(query, workflow=self.workflow_id)]

    async def _run(self, method: Callable[[Any], Awaitable[R]], step: Step) -> R:
        return await self.ground.run(method, step, self.workflow_id, final=(IllegalTransition,))


_TRACKS = {Origin.OTHER_ACCOUNT: Track.OTHER_ACCOUNT, Origin.OBJECTION: Track.NON_NAMED}

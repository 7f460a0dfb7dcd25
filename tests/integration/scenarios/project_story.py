"""One registration of a project on either side."""

from __future__ import annotations

from typing import Any

from activities.steps import (
    ApprovedProject,
    ApproveProjectStep,
    Recorded,
    Registered,
    RegisterStep,
    Reminded,
    Routed,
    RouteStep,
    SilenceStep,
)
from domain.projects.project import Loss, ProjectStage, ProjectUpdate
from domain.projects.silence import Silence
from domain.statements import ObjectToRefusal, Reassign, RegisterProject, ReportLoss, UpdateProject
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.sides import Side
from tests.integration.scenarios.subject_story import SubjectStory
from tests.samples import CLARA, MONA, OPERATOR, SAM, TESS, VERA, project_form
from workflows.messages import project_workflow_id

CUSTOMER = "苏州测试精密制造有限公司"


class RegistrationStory(SubjectStory):
    """A project that nobody has registered yet."""

    def __init__(self, side: Side) -> None:
        super().__init__(side, Subject(type=SubjectType.PROJECT, id="B-1"), project_workflow_id("B-1"))

    def registration(self, person: str = SAM) -> RegisterProject:
        return self.sealed(RegisterProject, person, project_id=self.id, form=project_form(CUSTOMER))

    async def registers(self, said: RegisterProject | None = None) -> Registered:
        step = RegisterStep(**self.key("register"), statement=said or self.registration())
        registered: Registered = await self.side.run("register_project", step, self.workflow_id)
        return registered

    async def routes(self) -> Routed:
        step = RouteStep(**self.key("route"), subject=self.subject)
        routed: Routed = await self.side.run("route_project", step, self.workflow_id)
        return routed

    async def is_approved(self) -> ApprovedProject:
        step = ApproveProjectStep(**self.key("approve"), subject=self.subject)
        approved: ApprovedProject = await self.side.run("approve_project", step, self.workflow_id)
        return approved

    async def is_reminded(self, silence: Silence) -> Reminded:
        step = SilenceStep(**self.key("silence"), subject=self.subject, silence=silence)
        reminded: Reminded = await self.side.run("remind_of_silence", step, self.workflow_id)
        return reminded

    async def updates(self, person: str = SAM, **news: Any) -> Recorded:
        update = ProjectUpdate(progress="tender published", next_steps="answer it", **news)
        return await self.says(UpdateProject, person, update=update)

    async def is_lost(self, person: str = SAM) -> Recorded:
        return await self.says(ReportLoss, person, loss=Loss(reason="price"))

    async def objects(self, person: str = SAM) -> Recorded:
        return await self.says(ObjectToRefusal, person, reason="another site")

    async def is_handed_on(self, to: str = TESS, person: str = OPERATOR) -> Recorded:
        return await self.says(Reassign, person, to=to)

    # The ways to a stage.

    async def to_routing(self) -> None:
        assert (await self.registers()).accepted

    async def to_assignment(self) -> None:
        await self.to_routing()
        await self.routes()
        await self.moves(ProjectStage.ASSIGNMENT, TaskKind.ASSIGN_CLERK)

    async def to_check(self) -> None:
        await self.to_assignment()
        assert (await self.answers(MONA, AnswerChoice.ASSIGN, clerk=CLARA)).accepted
        await self.moves(ProjectStage.CONFLICT_CHECK, (TaskKind.CONFLICT_CHECK, CLARA))

    async def to_approval(self) -> None:
        """P1: it is their own account."""
        await self.side.holds_customer(SAM, CUSTOMER)
        await self.to_routing()
        await self.routes()
        await self.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, SAM))

    async def to_held(self) -> None:
        await self.to_approval()
        assert (await self.answers(VERA, AnswerChoice.HOLD, "which vendor?")).accepted
        await self.moves(ProjectStage.HELD, (TaskKind.SUPPLY_INFORMATION, SAM))

    async def to_active(self) -> None:
        await self.to_approval()
        assert (await self.answers(VERA, AnswerChoice.APPROVE)).accepted
        await self.is_approved()

    async def to_rejected(self) -> None:
        await self.to_approval()
        assert (await self.answers(VERA, AnswerChoice.REJECT, "no margin")).accepted
        await self.moves(ProjectStage.REJECTED)

    async def to_withdrawn(self) -> None:
        await self.to_assignment()
        assert (await self.withdraws()).accepted
        await self.moves(ProjectStage.WITHDRAWN)

    async def to_lost(self) -> None:
        await self.to_active()
        assert (await self.is_lost()).accepted
        await self.moves(ProjectStage.ENDED)

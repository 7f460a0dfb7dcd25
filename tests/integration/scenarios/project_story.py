"""One registration of a project on either side."""

from __future__ import annotations

from typing import Any

from activities.steps import (
    ApprovedProject,
    ApproveProjectStep,
    ContractCorrected,
    CorrectContractStep,
    Recorded,
    Registered,
    RegisterStep,
    Reminded,
    Routed,
    RouteStep,
    SilenceStep,
    Suspects,
    SuspectsStep,
)
from db.projects.projects import ProjectRow
from domain.disputes.dispute import Claimant
from domain.projects.project import (
    ContractCorrection,
    ContractReview,
    Loss,
    ProjectStage,
    ProjectUpdate,
    Resumption,
)
from domain.projects.silence import Silence
from domain.statements import (
    CallForMeeting,
    CorrectContract,
    ObjectToRefusal,
    Reassign,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    UpdateProject,
)
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.sides import Side
from tests.integration.scenarios.subject_story import SubjectStory
from tests.samples import CLARA, MONA, OPERATOR, SAM, SUE, TESS, VERA, VIKTOR, project_form
from workflows.messages import correction_workflow_id, project_workflow_id

CUSTOMER = "苏州测试精密制造有限公司"


class RegistrationStory(SubjectStory):
    """A project that nobody has registered yet."""

    def __init__(self, side: Side, project_id: str = "B-1") -> None:
        super().__init__(side, Subject(type=SubjectType.PROJECT, id=project_id), project_workflow_id(project_id))
        self.claimants: tuple[Claimant, ...] = ()
        """Whose accounts or registrations it meets."""
        self.others: dict[str, RegistrationStory] = {}
        """P5: the registrations of others that it meets, by who has made them."""

    def registration(self, person: str = SAM, **said: Any) -> RegisterProject:
        return self.sealed(RegisterProject, person, project_id=self.id, form=project_form(CUSTOMER), **said)

    async def registers(self, said: RegisterProject | None = None) -> Registered:
        step = RegisterStep(**self.key("register"), statement=said or self.registration())
        registered: Registered = await self.side.run("register_project", step, self.workflow_id)
        return registered

    async def routes(self) -> Routed:
        step = RouteStep(**self.key("route"), subject=self.subject)
        routed: Routed = await self.side.run("route_project", step, self.workflow_id)
        self.claimants = routed.claimants
        return routed

    async def suspects(self) -> Suspects:
        """P5: whose the registrations are that the clerk has just suspected."""
        step = SuspectsStep(**self.key("suspects"), subject=self.subject, task_id=self.task().id)
        found: Suspects = await self.side.run("find_suspects", step, self.workflow_id)
        self.claimants = found.claimants
        return found

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

    def objection(self, person: str = SAM) -> ObjectToRefusal:
        return self.sealed(ObjectToRefusal, person, reason="another site")

    async def objects(self, person: str = SAM) -> Recorded:
        return await self.sends(self.objection(person))

    async def hands_in(self, person: str = SAM, **given: Any) -> Recorded:
        """U7: by its salesperson; or commerce records it, received on paper."""
        contract = ContractReview.model_validate({"amount": "1150000.00"} | given)
        return await self.says(ReceiveContract, person, contract=contract)

    def correction(self, person: str, amount: str, reason: str = "a slip of the pen") -> CorrectContract:
        """U7: a statement to a process of its own."""
        given = ContractCorrection.model_validate({"amount": amount, "reason": reason})
        workflow_id = correction_workflow_id(f"{self.id}-{amount}")
        return self.sealed(CorrectContract, person, project_id=self.id, correction=given, workflow_id=workflow_id)

    async def is_corrected(self, said: CorrectContract) -> ContractCorrected:
        step = CorrectContractStep(**self.key("correct"), statement=said)
        corrected: ContractCorrected = await self.side.run("correct_contract", step, said.workflow_id)
        return corrected

    async def steps_in(self, person: str) -> Recorded:
        """D4: after the agreement, it is the registration that hears it."""
        return await self.says(CallForMeeting, person, reason="too large to leave to two")

    async def resumes(self, old: RegistrationStory, person: str = SAM) -> tuple[Registered, str]:
        """U6: what becomes of the registration in which a shelved one is to go on, and why it is refused."""
        self.now = old.now
        why = Resumption(why_silent="no budget", why_resume="budget found")
        said = self.registration(person, resumes=old.id, resumption=why)
        return await self.registers(said), await self.side.refusal(said.message_id)

    async def row(self) -> ProjectRow:
        return await self.side.project(self.id)

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

    async def to_shelved(self) -> None:
        """U4: nobody has updated it."""
        await self.to_active()
        self.later(days=120)
        await self.moves(ProjectStage.SHELVED)

    async def to_contract_review(self) -> None:
        """U7: its salesperson has handed the application in."""
        await self.to_active()
        assert (await self.hands_in()).asks_commerce
        await self.moves(ProjectStage.ACTIVE, TaskKind.CONTRACT_REVIEW)

    async def to_sent_back(self) -> None:
        await self.to_contract_review()
        assert (await self.answers(CLARA, AnswerChoice.SEND_BACK, "a page is missing")).accepted
        await self.moves(ProjectStage.ACTIVE)

    async def to_signed(self) -> None:
        await self.to_contract_review()
        received = {"number": "C-1", "amount": "1150000.00"}
        assert (await self.answers(CLARA, AnswerChoice.RECEIVED, **received)).accepted
        await self.moves(ProjectStage.CONTRACT_SIGNED)

    async def to_confirmation(self, *others: str) -> None:
        """P5: the clerk suspects the registrations `B-…` that these salespeople have made the day before."""
        for person in others or (SUE,):
            self.others[person] = other = RegistrationStory(self.side, f"B-{person}")
            other.later(days=-1)
            assert (await other.registers(other.registration(person))).accepted
            await self.side.finds(person, other.id)
        suspected = [other.id for other in self.others.values()]
        await self.to_check()
        assert (await self.answers(CLARA, AnswerChoice.SUSPECT, "the same tender", suspects=suspected)).accepted
        people = dict.fromkeys(claimant.person for claimant in (await self.suspects()).claimants)
        asks = [(TaskKind.CONFLICT_CONFIRMATION, person) for person in people]
        await self.moves(ProjectStage.CONFLICT_CONFIRMATION, *asks)

    async def to_refused(self) -> None:
        """P7."""
        await self.to_confirmation()
        assert (await self.answers(VIKTOR, AnswerChoice.CONFLICT, "the same tender")).accepted
        await self.moves(ProjectStage.REFUSED)

    async def to_objection(self) -> None:
        await self.to_refused()
        assert (await self.objects()).accepted
        await self.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, SAM))

    async def to_upheld(self) -> None:
        await self.to_objection()
        assert (await self.answers(VERA, AnswerChoice.UPHOLD_REFUSAL, "it is the same tender")).accepted
        await self.moves(ProjectStage.CLOSED_REFUSED)

    async def to_disputed(self) -> None:
        """P3: under the account of another."""
        await self.side.holds_customer(SUE, CUSTOMER)
        await self.to_routing()
        await self.routes()
        await self.moves(ProjectStage.DISPUTED)

    async def to_disputed_by_objection(self, *others: str) -> None:
        """P8: the VP has the meeting called."""
        await self.to_confirmation(*others)
        assert (await self.answers(VIKTOR, AnswerChoice.CONFLICT, "the same tender", slot=SUE)).accepted
        await self.moves(ProjectStage.REFUSED)
        assert (await self.objects()).accepted
        await self.moves(ProjectStage.OBJECTION, (TaskKind.OBJECTION_REVIEW, SAM))
        assert (await self.answers(VERA, AnswerChoice.CALL_MEETING)).accepted
        await self.moves(ProjectStage.DISPUTED)

    async def to_resume_review(self) -> RegistrationStory:
        """U6: commerce is asked about the registration in which this one, shelved, is to go on."""
        await self.to_shelved()
        resumption = RegistrationStory(self.side, "B-2")
        assert (await resumption.resumes(self))[0].accepted
        await resumption.moves(ProjectStage.RESUME_REVIEW, TaskKind.RESUME_REVIEW)
        return resumption

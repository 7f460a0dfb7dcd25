"""One dispute over a project on either side."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from activities.steps import BrokenDispute, BrokenDisputeStep, DisputeOpened, Moved, OpenDisputeStep, Recorded
from db.disputes.disputes import DisputeRow
from domain.disputes.dispute import Claimant, DisputeOutcome, DisputeStage, MeetingCall, Origin
from domain.projects.project import ProjectStage
from domain.statements import CallForMeeting, CallOffMeeting, MoveMeeting, Reassign
from domain.subject import Subject, SubjectType
from domain.tasks.task import AnswerChoice, TaskKind
from tests.integration.scenarios.project_story import RegistrationStory
from tests.integration.scenarios.subject_story import SubjectStory
from tests.samples import CARL, DIRK, DORA, GINA, MONA, OPERATOR, SAM, SUE, VERA, VIKTOR
from workflows.messages import dispute_workflow_id

EVERY_SEAT = (DORA, DIRK, VERA, VIKTOR, CARL, GINA)
"""D5: the department GMs and VPs of sam and sue, the COO and the general manager."""


def text(sam: int = 60, **changed: Any) -> dict[str, Any]:
    """D1: a text that gives sam so many percent."""
    return {"responsible": SAM, "cooperation": "sam sells, sue serves", "split": shares(sam)} | changed


def shares(sam: int) -> list[dict[str, str]]:
    return [{"person": SAM, "percent": str(sam)}, {"person": SUE, "percent": str(100 - sam)}]


class DisputeStory(SubjectStory):
    """A dispute that nobody has opened yet, over a registration that comes to it by one of the ways."""

    def __init__(self, project: RegistrationStory, number: int = 1) -> None:
        dispute_id = f"{project.id}-{number}"
        subject = Subject(type=SubjectType.DISPUTE, id=dispute_id)
        super().__init__(project.side, subject, dispute_workflow_id(dispute_id))
        self.project = project
        self.now = project.now

    def later(self, **length: float) -> None:
        super().later(**length)
        self.project.now = self.now

    async def opens(
        self, origin: Origin = Origin.OTHER_ACCOUNT, claimants: tuple[Claimant, ...] | None = None, **changed: Any
    ) -> DisputeOpened:
        sides = self.project.claimants if claimants is None else claimants
        step = OpenDisputeStep(
            **self.key("open"), dispute_id=self.id, project_id=self.project.id, origin=origin, claimants=sides
        ).model_copy(update=changed)
        opened: DisputeOpened = await self.side.run("open_dispute", step, self.workflow_id)
        return opened

    async def is_left_alone(self, slot: str) -> None:
        """U10: nobody answers, whatever the process does about it, until the matter is over."""
        task = self.task(slot)
        while not task.lapsed:
            self.later(seconds=(task.next_step.at - self.now).total_seconds())
            task = await self.is_chased(task)

    async def is_broken_off(self) -> BrokenDispute:
        """X3: its process was ended by hand; that of its project asks what has become of it."""
        project = self.project
        step = BrokenDisputeStep(**project.key("broken"), subject=project.subject, dispute_id=self.id)
        broken: BrokenDispute = await self.side.run("end_broken_dispute", step, project.workflow_id)
        return broken

    async def asks(self, *people: str) -> None:
        await self.moves(DisputeStage.NEGOTIATION, *((TaskKind.AGREE_SPLIT, person) for person in people))

    async def agrees(self, person: str, **given: Any) -> Recorded:
        return await self.answers(person, AnswerChoice.AGREE, slot=person, **given)

    async def disagrees(self, person: str) -> Recorded:
        return await self.answers(person, AnswerChoice.DISAGREE, "my customer", slot=person)

    async def wants_meeting(self, person: str) -> Recorded:
        return await self.says(CallForMeeting, person, reason="no agreement in sight")

    def meeting(self, **changed: Any) -> dict[str, Any]:
        """D2, D5: the meeting with everybody who belongs in it, a week from now."""
        starts_at = (self.now + timedelta(days=7)).isoformat()
        return {"starts_at": starts_at, "place": "Room 3", "participants": list(EVERY_SEAT)} | changed

    async def calls(self, person: str = MONA, **changed: Any) -> Recorded:
        return await self.answers(person, AnswerChoice.CALLED, **self.meeting(**changed))

    async def moves_meeting(self, person: str = MONA, **changed: Any) -> Recorded:
        call = MeetingCall.model_validate(self.meeting(**changed))
        return await self.says(MoveMeeting, person, meeting=call, reason="gina is abroad")

    async def calls_off(self, person: str = MONA) -> Recorded:
        return await self.says(CallOffMeeting, person, reason="they talk again")

    async def records(self, person: str = VIKTOR, sam: int = 30, **changed: Any) -> Recorded:
        """D2: what the meeting has decided."""
        outcome = {"responsible": SUE, "split": shares(sam), "summary": "sue knows the customer"} | changed
        return await self.answers(person, AnswerChoice.RECORD, **outcome)

    async def is_handed_on(self, was: str, to: str, person: str = OPERATOR) -> Recorded:
        """A6: a side."""
        return await self.says(Reassign, person, was=was, to=to, reason="has left")

    async def row(self) -> DisputeRow:
        return await self.side.dispute(self.id)

    async def confirmed(self) -> set[str]:
        """D1: who has confirmed the text on the table."""
        return set(((await self.row()).proposal or {}).get("confirmed", ()))

    # The ways to a stage.

    async def to_negotiation(self) -> None:
        """P3, D1: both sides are asked."""
        await self.project.to_disputed()
        await self.asks(*(await self.opens()).sides)

    async def to_proposal(self) -> None:
        """D1: sam has put a text on the table, and sue is asked."""
        await self.to_negotiation()
        proposed = await self.agrees(SAM, **text())
        assert proposed.decision is not None
        await self.asks(*proposed.decision.names)

    async def to_agreed(self) -> DisputeOutcome:
        await self.to_proposal()
        assert (await self.agrees(SUE)).accepted
        return outcome_of(await self.moves(DisputeStage.AGREED))

    async def to_approval(self) -> None:
        """D1: both have agreed, and the VP of whoever is responsible is asked."""
        outcome = await self.to_agreed()
        await self.project.moves(ProjectStage.APPROVAL, (TaskKind.PROJECT_APPROVAL, outcome.decided_by_vp_of))

    async def to_calling(self) -> None:
        """D2: commerce is asked to call the meeting."""
        await self.to_negotiation()
        assert (await self.disagrees(SUE)).accepted
        await self.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)

    async def to_meeting(self) -> None:
        await self.to_calling()
        await self.is_called(SUE)

    async def to_meeting_by_objection(self, *others: str) -> None:
        """P8: of sam and whoever has registered the same before, the meeting is called."""
        await self.project.to_disputed_by_objection(*others)
        await self.opens(Origin.OBJECTION)
        await self.moves(DisputeStage.CALLING_MEETING, TaskKind.CALL_MEETING)
        await self.is_called(SAM)

    async def is_called(self, decides: str, **changed: Any) -> None:
        assert (await self.calls(**changed)).accepted
        await self.moves(DisputeStage.MEETING, (TaskKind.RECORD_MEETING, decides))

    async def to_decided(self) -> DisputeOutcome:
        await self.to_meeting()
        assert (await self.records()).accepted
        return outcome_of(await self.moves(DisputeStage.DECIDED))

    async def to_withdrawn(self) -> None:
        await self.to_negotiation()
        assert (await self.project.withdraws()).accepted
        await self.moves(DisputeStage.WITHDRAWN)


def outcome_of(moved: Moved) -> DisputeOutcome:
    assert moved.outcome is not None
    return moved.outcome

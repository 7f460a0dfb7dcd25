"""A dispute over a project: both salespeople agree, or a coordination meeting decides (rules D1–D3, P8)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    is_cancelled_exception,
)
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.projects.steps import ProjectSteps
    from activities.steps import OpenDisputeStep
    from domain.disputes.dispute import DisputeOutcome, DisputeStage, Origin, deciding_salesperson
    from domain.notices import Notice
    from domain.projects.project import ProjectStage
    from domain.statements import AnswerTask, CallForMeeting, CallOffMeeting, MoveMeeting, Reassign
    from domain.subject import Subject, SubjectType
    from domain.tasks.task import AnswerChoice, AnswerOutcome, Ask, RecordedDecision, TaskKind
    from texts.operators import static_summary
    from workflows.desk import Desk, HistoryFull, StoodStill, execute
    from workflows.messages import (
        HAND_BACK,
        TASK_QUEUE,
        DeskState,
        DisputeState,
        FactsChanged,
        ProcessStatus,
        StartDispute,
        dispute_workflow_id,
        signals,
    )


MEETING_CHANGES = "meetings-are-moved-and-called-off"
"""Patch id: signals of these kinds sent to an earlier release were never answered, and stay so when replayed."""
HEARS = signals(
    answer_task=AnswerTask,
    call_for_meeting=CallForMeeting,
    move_meeting=MoveMeeting,
    call_off_meeting=CallOffMeeting,
    reassign=Reassign,
) | {HAND_BACK: HAND_BACK}
LATER = {"move_meeting": MEETING_CHANGES, "call_off_meeting": MEETING_CHANGES, HAND_BACK: "handed-back"}


@workflow.defn
class ProjectDispute:
    """Who does a project and how its performance is split; child of the registration it is about."""

    @workflow.init
    def __init__(self, start: StartDispute) -> None:
        kept = start.state
        self._start = start
        self._applicant = kept.applicant if kept else ""
        self._outcome: DisputeOutcome | None = None
        self._desk = Desk[DisputeStage](
            subject=Subject(type=SubjectType.DISPUTE, id=start.dispute_id),
            title=kept.title if kept else "",
            stage=kept.stage if kept else DisputeStage.NEGOTIATION,
            since=kept.since if kept else workflow.now(),
            kept=kept.desk if kept else DeskState(),
        )
        self._desk.round = kept.round if kept else 1

    @workflow.run
    async def run(self, start: StartDispute) -> DisputeOutcome | DisputeState:
        """How it ended; or where it stands, when the registration has asked for it back to go on in a new run."""
        try:
            try:
                if start.state is None:
                    await self._open()
                if self._desk.stage is DisputeStage.NEGOTIATION:
                    await self._both_sides_negotiate()  # D1
                while not self._desk.stage.ended:
                    if self._desk.stage is DisputeStage.CALLING_MEETING:
                        await self._commerce_calls_meeting()  # D2
                    await self._vp_records_meeting()  # D2
            except StoodStill:  # U10: its project is shelved with it
                self._outcome = (await self._desk.move(DisputeStage.SHELVED)).outcome
        except (asyncio.CancelledError, FailureError) as error:  # of the engine, where it came upon a step
            if not is_cancelled_exception(error):
                raise
            await self._ends_with_the_project()
            raise
        except HistoryFull as full:
            if self._desk.hands_back:
                self._desk.drop_alarm()
                return self._handed_back()
            workflow.continue_as_new(
                start.model_copy(update={"state": self._state()}), search_attributes=full.attributes
            )
        await self._desk.close()
        assert self._outcome is not None
        # D4: received together with the end, and on record; the project acts on it.
        stepped_in = self._desk.stage is DisputeStage.AGREED and self._desk.heard(CallForMeeting) is not None
        return self._outcome.model_copy(update={"stepped_in": True}) if stepped_in else self._outcome

    async def _ends_with_the_project(self) -> None:
        """The project was withdrawn: there is nothing to settle any more."""
        await self._desk.hear_the_rest()
        if self._desk.title:  # otherwise nobody has been asked yet
            with contextlib.suppress(ApplicationError):  # ended by hand: its project goes on, and closes it
                await self._desk.move(DisputeStage.WITHDRAWN)
        await self._desk.hear_the_rest()
        self._desk.show()

    async def _open(self) -> None:
        """P3, P8: the two sides, and what each has registered when."""
        step = OpenDisputeStep(
            key="open",
            now=workflow.now(),
            dispute_id=self._start.dispute_id,
            project_id=self._start.project_id,
            origin=self._start.origin,
            claimants=self._start.claimants,
        )
        opened = await execute(ProjectSteps.open_dispute, step, "open")
        self._desk.title, self._applicant = opened.title, opened.applicant
        # P8: the VP has asked for the meeting. D4: somebody has stepped in after an agreement.
        if self._start.origin is Origin.OBJECTION or opened.meeting_wanted:
            await self._call_for_meeting()
        else:
            await self._ask_for_agreement(*opened.sides)

    async def _both_sides_negotiate(self) -> None:
        """D1: until both salespeople have confirmed the same text, or somebody wants the meeting (D2)."""
        while self._desk.stage is DisputeStage.NEGOTIATION:
            decisions = await self._desk.wait_for_decisions(self._something_follows)
            if self._desk.heard(CallForMeeting) or any(
                decision.choice == AnswerChoice.DISAGREE for decision in decisions
            ):
                await self._call_for_meeting()
            elif decisions[-1].outcome == AnswerOutcome.AGREED:
                agreed = await self._desk.move(DisputeStage.AGREED, notices=[Notice.AGREED])
                self._outcome = agreed.outcome
            else:
                # A text is on the table; whoever put it there has confirmed it, and the others are asked.
                await self._ask_for_agreement(*decisions[-1].names)

    def _something_follows(self, decided: Sequence[RecordedDecision]) -> bool:
        return self._desk.has_heard(CallForMeeting) or any(
            decision.outcome != AnswerOutcome.CONFIRMED for decision in decided
        )

    async def _ask_for_agreement(self, *people: str) -> None:
        asks = [Ask(kind=TaskKind.AGREE_SPLIT, slot=person) for person in people]
        await self._desk.move(DisputeStage.NEGOTIATION, asks=asks)

    async def _call_for_meeting(self) -> None:
        """D2: commerce is asked to call the coordination meeting."""
        await self._desk.move(
            DisputeStage.CALLING_MEETING,
            asks=[Ask(kind=TaskKind.CALL_MEETING)],
            notices=[Notice.MEETING_WANTED],
        )

    async def _commerce_calls_meeting(self) -> None:
        """D2: department GMs, VPs, COO and general manager are invited."""
        await self._desk.one_answer()
        decides = deciding_salesperson(self._start.origin, self._applicant, self._start.claimants)
        await self._desk.move(
            DisputeStage.MEETING,
            asks=[Ask(kind=TaskKind.RECORD_MEETING, slot=decides)],
            notices=[Notice.MEETING_CALLED],
        )

    async def _vp_records_meeting(self) -> None:
        """D2, D3: who is responsible, and a split that adds up to exactly 100. D5: or the meeting is called off, and
        commerce is asked to call another."""
        await self._desk.wait_for_decisions(lambda decided: len(decided) == 1 or self._desk.has_heard(CallOffMeeting))
        if self._desk.heard(CallOffMeeting):
            await self._desk.move(DisputeStage.CALLING_MEETING, asks=[Ask(kind=TaskKind.CALL_MEETING)])
            return
        decided = await self._desk.move(DisputeStage.DECIDED, notices=[Notice.MEETING_RECORDED])
        self._outcome = decided.outcome

    def _handed_back(self) -> DisputeState:
        """Changes before it runs again cannot be signalled to it, so it refreshes when it starts."""
        state = self._state()
        unread = (*state.desk.unread, FactsChanged())
        return state.model_copy(update={"desk": state.desk.model_copy(update={"unread": unread})})

    def _state(self) -> DisputeState:
        return DisputeState(
            title=self._desk.title,
            applicant=self._applicant,
            stage=self._desk.stage,
            since=self._desk.since,
            round=self._desk.round,
            desk=self._desk.state,
        )

    @workflow.signal(
        dynamic=True, description="Sealed statements (answer_task, call_for_meeting, reassign, …); facts_changed."
    )
    def hear(self, signal: str, sent: Sequence[RawValue]) -> None:
        self._desk.hear(HEARS, signal, sent, later=LATER)

    @workflow.query(description="Where the dispute stands, whom it waits for, what happens next.")
    def status(self) -> ProcessStatus:
        return self._desk.status()


class DisputeEndedByHand(Exception):
    """Somebody with access to the engine has ended the process of a dispute early."""


async def settle_in_a_process_of_its_own(
    desk: Desk[ProjectStage], start: StartDispute
) -> DisputeOutcome | DisputeState:
    """Run a dispute as a child of the registration at `desk`, which goes on reading messages meanwhile.

    Returns how it ended; or where it stands, when the registration's history was long enough to ask for it back. Raises
    `DisputeEndedByHand`, and what the desk raises while it waits.
    """
    dispute = await workflow.start_child_workflow(
        ProjectDispute.run,
        start,
        id=dispute_workflow_id(start.dispute_id),
        task_queue=TASK_QUEUE,
        parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
        static_summary=static_summary(SubjectType.DISPUTE, start.dispute_id, "", None),
    )

    async def ask_back() -> bool:
        """Whether the dispute has been asked for where it stands: it may have ended, or be flooded itself."""
        try:
            await dispute.signal(HAND_BACK)
        except ApplicationError:
            return False
        return True

    try:
        await desk.wait_while_serving(dispute, when_full=ask_back)
    except ChildWorkflowError as error:
        if not isinstance(error.cause, TerminatedError | CancelledError):
            raise
        raise DisputeEndedByHand from error
    return dispute.result()

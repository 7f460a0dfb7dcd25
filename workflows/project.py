"""The registration of a project and its life, from form to contract, loss or shelf (rules P1–P10, U1–U8)."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.projects.steps import ProjectSteps
    from activities.steps import (
        ApproveProjectStep,
        BrokenDisputeStep,
        RegisterStep,
        RouteStep,
        SilenceStep,
        SuspectsStep,
    )
    from domain.disputes.dispute import DisputeOutcome, DisputeStage, Origin
    from domain.notices import Notice
    from domain.projects.project import ProjectStage, Track
    from domain.projects.silence import Silence, SilenceDue
    from domain.statements import (
        AnswerTask,
        CallForMeeting,
        ObjectToRefusal,
        Reassign,
        ReceiveContract,
        ReportLoss,
        UpdateProject,
        Withdraw,
    )
    from domain.subject import Subject, SubjectType
    from domain.tasks.task import AnswerChoice, AnswerOutcome, Ask, RecordedDecision, TaskKind
    from workflows.desk import Desk, HistoryFull, StoodStill, Withdrawn, ended_outside, execute
    from workflows.dispute import DisputeEndedByHand, settle_in_a_process_of_its_own
    from workflows.messages import DisputeState, ProcessStatus, ProjectState, StartDispute, StartProject, signals

LIFE_HISTORY = 60
"""Events after which the run of an active project continues as new. Updates come weekly, long after the worker has
evicted the process, and each then replays the whole history."""


STEPS_IN = "stepping-in-after-an-agreement"
"""Patch id: a signal of this kind sent to an earlier release was never answered, and stays so when it is replayed."""
HEARS = signals(
    answer_task=AnswerTask,
    withdraw=Withdraw,
    update=UpdateProject,
    report_loss=ReportLoss,
    receive_contract=ReceiveContract,
    object_to_refusal=ObjectToRefusal,
    call_for_meeting=CallForMeeting,
    reassign=Reassign,
)
LATER = {"call_for_meeting": STEPS_IN}


@workflow.defn
class ProjectRegistration:
    """One salesperson's registration of one project.

    Signals carry statements; the signal gateway seals them and the record checks the seal, so a signal sent by hand
    changes nothing. The query `status` is for operators.
    """

    @workflow.init
    def __init__(self, start: StartProject | None = None) -> None:
        start = start or StartProject()
        kept = start.state or ProjectState(
            project_id=start.registration.project_id,
            title="",
            applicant=start.registration.person,
            salesperson=start.registration.person,
            decides=start.registration.person,
            stage=ProjectStage.ROUTING,
            since=workflow.now(),
        )
        self._applicant = kept.applicant
        self._salesperson = kept.salesperson
        self._decides = kept.decides
        self._disputes = kept.disputes
        self._origin = kept.origin
        self._claimants = kept.claimants
        self._handed_back = kept.dispute
        self._until = kept.until
        self._ahead = kept.ahead
        self._desk = Desk[ProjectStage](
            subject=Subject(type=SubjectType.PROJECT, id=kept.project_id),
            title=kept.title,
            stage=kept.stage,
            since=kept.since,
            kept=kept.desk,
        )
        self._desk.round = kept.round
        self._desk.updated_at = kept.updated_at

    @workflow.run
    async def run(self, start: StartProject | None = None) -> str:
        start = start or StartProject()  # started by hand without input: ends in a recorded refusal
        if start.state is None and not await self._registered(start):
            self._desk.arrived(ProjectStage.CLOSED_REFUSED)
        try:
            while not self._desk.stage.ended:
                try:
                    await self._next_stage()
                except StoodStill:  # U10
                    await self._shelve_what_stands_still()
        except Withdrawn:
            await self._desk.move(ProjectStage.WITHDRAWN, notices=[Notice.PROJECT_WITHDRAWN])
        except FailureError as error:  # D6: merged into another registration by the outcome of that one's dispute
            if not ended_outside(error):
                raise
            self._desk.arrived(ProjectStage(ended_outside(error)))
        except HistoryFull as full:
            workflow.continue_as_new(StartProject(state=self._state()), search_attributes=full.attributes)
        await self._desk.close()
        return self._desk.stage.value

    async def _next_stage(self) -> None:
        match self._desk.stage:
            case ProjectStage.RESUME_REVIEW:
                await self._commerce_reviews_resumption()  # U6
            case ProjectStage.ROUTING:
                await self._find_its_way()  # P1, P3, P4
            case ProjectStage.ASSIGNMENT:
                await self._commerce_manager_assigns()  # P4
            case ProjectStage.CONFLICT_CHECK:
                await self._clerk_checks_for_conflicts()  # P4
            case ProjectStage.CONFLICT_CONFIRMATION:
                await self._registered_projects_vps_confirm()  # P5
            case ProjectStage.DISPUTED:
                await self._dispute_is_settled()  # D1, D2
            case ProjectStage.APPROVAL:
                await self._vp_decides()  # P1, P2, P6
            case ProjectStage.HELD:
                await self._salesperson_completes()  # P2
            case ProjectStage.REFUSED:
                await self._salesperson_may_object()  # P8
            case ProjectStage.OBJECTION:
                await self._vp_reviews_objection()  # P8
            case ProjectStage.ACTIVE:
                await self._live_on()  # U1–U5, U7, U8
            case ended:
                raise AssertionError(f"{ended} has no next stage")

    async def _registered(self, start: StartProject) -> bool:
        """P1, P4: the form is complete; the registration exists, with its place in time, from here on."""
        step = RegisterStep(key="register", now=workflow.now(), statement=start.registration)
        registered = await execute(ProjectSteps.register_project, step, "register")
        self._desk.title = registered.title
        if registered.accepted and registered.resumes:
            await self._desk.move(ProjectStage.RESUME_REVIEW, asks=[Ask(kind=TaskKind.RESUME_REVIEW)])
        return registered.accepted

    async def _commerce_reviews_resumption(self) -> None:
        """U6: commerce accepts the reasons, and the project is registered anew; or it stays on the shelf."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.ACCEPT:
            await self._desk.move(ProjectStage.ROUTING)
        else:
            await self._desk.move(ProjectStage.REJECTED, notices=[Notice.RESUME_REJECTED])

    async def _find_its_way(self) -> None:
        """P1: under the salesperson's own account. P3: under another's. P4: under none."""
        step = RouteStep(key=f"route:{self._desk.round}", now=workflow.now(), subject=self._desk.subject)
        routed = await execute(ProjectSteps.route_project, step, "whose customer it is")
        self._claimants, self._decides = routed.claimants, self._responsible()
        match routed.track:
            case Track.OWN_ACCOUNT:
                await self._ask_vp()
            case Track.OTHER_ACCOUNT:
                self._origin = Origin.OTHER_ACCOUNT
                await self._desk.move(ProjectStage.DISPUTED, notices=[Notice.REGISTERED_UNDER_ACCOUNT])
            case Track.NON_NAMED:
                await self._desk.move(ProjectStage.ASSIGNMENT, asks=[Ask(kind=TaskKind.ASSIGN_CLERK)])

    async def _commerce_manager_assigns(self) -> None:
        """P4: the commerce manager assigns a clerk, or does the check."""
        decision = await self._desk.one_answer()
        await self._desk.move(
            ProjectStage.CONFLICT_CHECK, asks=[Ask(kind=TaskKind.CONFLICT_CHECK, slot=decision.names[0])]
        )

    async def _clerk_checks_for_conflicts(self) -> None:
        """P4: over customer, related parties, end user and project."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.CLEAR:
            await self._ask_vp()  # P6
            return
        key = self._desk.next_key("suspects")
        step = SuspectsStep(key=key, now=workflow.now(), subject=self._desk.subject, task_id=decision.task_id)
        self._claimants = (await execute(ProjectSteps.find_suspects, step, "whose registrations")).claimants
        people = dict.fromkeys(claimant.person for claimant in self._claimants)
        asks = [Ask(kind=TaskKind.CONFLICT_CONFIRMATION, slot=person) for person in people]
        await self._desk.move(ProjectStage.CONFLICT_CONFIRMATION, asks=asks)

    async def _registered_projects_vps_confirm(self) -> None:
        """P5: the VP of the project registered before confirms the conflict, or says that there is none."""
        asked = len(self._desk.tasks) + len(self._desk.decisions)

        def enough(decided: Sequence[RecordedDecision]) -> bool:
            return len(decided) >= asked or any(decision.choice == AnswerChoice.CONFLICT for decision in decided)

        decisions = await self._desk.wait_for_decisions(enough)
        if any(decision.choice == AnswerChoice.CONFLICT for decision in decisions):  # P7
            refused = await self._desk.move(ProjectStage.REFUSED, notices=[Notice.CONFLICT_REFUSED])
            self._until = refused.until
        else:
            await self._ask_vp()  # P6

    async def _dispute_is_settled(self) -> None:
        """D1, D2: until both sides agree or the coordination meeting has decided."""
        outcome = None
        while outcome is None or self._stepped_in(outcome):
            outcome = await self._outcome_of_dispute()
        if outcome.stage is DisputeStage.SHELVED:  # U10
            await self._shelve_what_stands_still()
            return
        self._responsible()  # whoever was named before the outcome; the outcome stands
        self._salesperson = outcome.responsible
        self._decides = outcome.decided_by_vp_of
        if outcome.merged_into:  # D6
            await self._desk.move(ProjectStage.MERGED)
        else:
            await self._ask_vp()

    def _stepped_in(self, outcome: DisputeOutcome | None = None) -> bool:
        """D4: whether a VP or the general manager wants the meeting in spite of the agreement, which then waits."""
        wanted = outcome is not None and outcome.stepped_in
        while self._desk.heard(CallForMeeting):
            wanted = True
        return wanted

    async def _shelve_what_stands_still(self) -> None:
        """U10: held or disputed, and nobody has answered in time."""
        await self._desk.move(ProjectStage.SHELVED, notices=[Notice.SHELVED_STANDING])

    async def _outcome_of_dispute(self) -> DisputeOutcome | None:
        """From a process of its own. None when that continues from where it stood, or when somebody with access to the
        engine has ended it early.

        The registration is its parent in one run only. When the history of that run is long enough, the dispute is
        asked for where it stands, and the next run begins it again there, under the same id.
        """
        stood, self._handed_back = self._handed_back, None
        if stood is None:
            self._disputes += 1
        start = StartDispute(
            dispute_id=f"{self._desk.subject.id}-{self._disputes}",
            project_id=self._desk.subject.id,
            origin=self._origin,
            claimants=self._claimants,
            state=stood,
        )
        try:
            ended = await settle_in_a_process_of_its_own(self._desk, start)
        except DisputeEndedByHand:
            step = BrokenDisputeStep(
                key=f"broken:{start.dispute_id}",
                now=workflow.now(),
                subject=self._desk.subject,
                dispute_id=start.dispute_id,
            )
            return (await execute(ProjectSteps.end_broken_dispute, step, "dispute ended by hand")).outcome
        if isinstance(ended, DisputeState):
            self._handed_back = ended
            if not self._desk.has_heard(CallForMeeting):  # D4: that does not go along to the next run
                self._desk.hand_over()
            return None
        return ended

    async def _ask_vp(self) -> None:
        """P1, P6, D1, D2: the VP of the salesperson whose project it is, or of whoever a dispute has named."""
        self._responsible()
        await self._desk.move(ProjectStage.APPROVAL, asks=[Ask(kind=TaskKind.PROJECT_APPROVAL, slot=self._decides)])

    def _responsible(self) -> str:
        """The responsible salesperson, after any reassignment by an operator in the meantime."""
        while heard := self._desk.heard(Reassign):
            reassigned, _ = heard
            if self._decides == self._salesperson:
                self._decides = reassigned.to
            self._salesperson = reassigned.to
        return self._salesperson

    async def _vp_decides(self) -> None:
        """P2: approve, hold for more information, or reject; unless somebody steps in before (D4)."""
        decisions = await self._desk.wait_for_decisions(self._decided_or_stepped_in)
        if self._stepped_in():
            await self._desk.move(ProjectStage.DISPUTED)
            return
        (decision,) = decisions
        match decision.choice:
            case AnswerChoice.APPROVE:
                await self._approve()
            case AnswerChoice.HOLD:
                await self._desk.move(ProjectStage.HELD, asks=[Ask(kind=TaskKind.SUPPLY_INFORMATION)])
            case _:
                await self._desk.move(ProjectStage.REJECTED, notices=[Notice.PROJECT_REJECTED])

    def _decided_or_stepped_in(self, decided: Sequence[RecordedDecision]) -> bool:
        return len(decided) == 1 or self._desk.has_heard(CallForMeeting)

    async def _approve(self) -> None:
        """P9: the project number is issued and the project becomes active, in one transaction."""
        step = ApproveProjectStep(
            key=self._desk.next_key("approve"),
            now=workflow.now(),
            subject=self._desk.subject,
            settles=self._desk.settle(),
        )
        approved = await execute(ProjectSteps.approve_project, step, "project number")
        self._ahead = approved.ahead
        self._desk.updated_at = approved.updated_at or workflow.now()
        self._desk.arrived(ProjectStage.ACTIVE)

    async def _salesperson_completes(self) -> None:
        """P2: what was missing is supplied; the project goes back to the VP, by its way again if a company changed."""
        decisions = await self._desk.wait_for_decisions(self._decided_or_stepped_in)
        if self._stepped_in():
            await self._desk.move(ProjectStage.DISPUTED)
            return
        (decision,) = decisions
        if decision.outcome == AnswerOutcome.REROUTE:
            await self._desk.move(ProjectStage.ROUTING)
        else:
            await self._ask_vp()

    async def _salesperson_may_object(self) -> None:
        """P8: an objection with reasons, in time; otherwise the refusal stands."""
        objection = None
        if self._until:
            says = "operators.objection_until"
            objection = await self._desk.wait_for_statement(ObjectToRefusal, until=self._until, until_says=says)
        if objection:
            asks = [Ask(kind=TaskKind.OBJECTION_REVIEW, slot=self._responsible())]
            await self._desk.move(ProjectStage.OBJECTION, asks=asks)
        else:
            await self._desk.move(ProjectStage.CLOSED_REFUSED, notices=[Notice.OBJECTION_LAPSED])

    async def _vp_reviews_objection(self) -> None:
        """P8: the applicant's VP has commerce call a coordination meeting, or upholds the refusal."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.CALL_MEETING:
            self._origin = Origin.OBJECTION
            await self._desk.move(ProjectStage.DISPUTED)
        else:
            await self._desk.move(ProjectStage.CLOSED_REFUSED, notices=[Notice.REFUSAL_UPHELD])

    async def _live_on(self) -> None:
        """U1: updates restart the clocks (U5). U2–U4: silence. U7, U8: contract or loss end it.

        What is `ahead` comes from the record; nothing is while commerce has the contract review application.
        """
        while True:
            due = self._ahead[0] if self._ahead else None
            heard = await self._desk.wait_for_statement(
                UpdateProject,
                ReportLoss,
                ReceiveContract,
                until=due.at if due else None,
                until_says=f"operators.silence_{due.silence.value}" if due else "",
                or_answer=True,
            )
            if heard is None and self._desk.decisions:
                if self._desk.decisions[-1].choice == AnswerChoice.RECEIVED:  # U7
                    await self._desk.move(ProjectStage.CONTRACT_SIGNED, notices=[Notice.CONTRACT_SIGNED])
                    return
                await self._stay_active(notices=[Notice.CONTRACT_SENT_BACK])
                continue
            if heard is None:
                assert due is not None
                if due.silence is Silence.THREE_MONTHS:  # U4
                    await self._desk.move(ProjectStage.SHELVED, notices=[Notice.SHELVED])
                    return
                await self._remind(due)
                continue
            said, recorded = heard
            match said:
                case UpdateProject():
                    self._ahead = recorded.ahead or self._ahead
                    self._desk.updated_at = recorded.updated_at or workflow.now()
                    self._desk.full_history = LIFE_HISTORY  # from here on: silence alone hands nothing over
                case ReportLoss():  # U8
                    await self._desk.move(ProjectStage.ENDED, notices=[Notice.LOST])
                    return
                case ReceiveContract() if recorded.asks_commerce:  # U7: never so in runs from before commerce was asked
                    await self._stay_active(asks=[Ask(kind=TaskKind.CONTRACT_REVIEW)])
                case ReceiveContract():  # U7
                    await self._desk.move(ProjectStage.CONTRACT_SIGNED, notices=[Notice.CONTRACT_SIGNED])
                    return

    async def _stay_active(self, *, asks: Sequence[Ask] = (), notices: Sequence[Notice] = ()) -> None:
        """U7: the contract review application goes to commerce, or comes back from there; the clocks follow the
        record."""
        moved = await self._desk.move(ProjectStage.ACTIVE, asks=asks, notices=notices)
        self._ahead = moved.ahead or ()
        self._desk.updated_at = moved.updated_at or self._desk.updated_at

    async def _remind(self, due: SilenceDue) -> None:
        """U2: the salesperson and the department GM are reminded. U3: the VP as well."""
        step = SilenceStep(
            key=f"silence:{due.silence.value}:{due.at:%Y%m%dT%H%M%S}",
            now=workflow.now(),
            subject=self._desk.subject,
            silence=due.silence,
        )
        left = (await execute(ProjectSteps.remind_of_silence, step, due.silence.value)).ahead
        self._ahead = self._ahead[1:] if left is None else left  # None in histories recorded up to 0.2

    def _state(self) -> ProjectState:
        return ProjectState(
            project_id=self._desk.subject.id,
            title=self._desk.title,
            applicant=self._applicant,
            salesperson=self._responsible(),  # may change who decides
            decides=self._decides,
            stage=self._desk.stage,
            since=self._desk.since,
            round=self._desk.round,
            disputes=self._disputes,
            origin=self._origin,
            claimants=self._claimants,
            until=self._until,
            ahead=self._ahead,
            updated_at=self._desk.updated_at,
            dispute=self._handed_back,
            desk=self._desk.state,
        )

    @workflow.signal(dynamic=True, description="Sealed statements (answer_task, withdraw, update, …); facts_changed.")
    def hear(self, signal: str, sent: Sequence[RawValue]) -> None:
        self._desk.hear(HEARS, signal, sent, later=LATER)

    @workflow.query(description="Where the registration stands, whom it waits for, what happens next.")
    def status(self) -> ProcessStatus:
        return self._desk.status()

"""The Named Account application, from form to account (rules N1–N15)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.accounts.evidence import EvidenceGathering
    from activities.accounts.steps import AccountSteps
    from activities.steps import ActivateStep, GatherStep, SubmitStep
    from domain.accounts.application import Stage
    from domain.accounts.named_account import Obstacle, approvals_without_special_reason
    from domain.notices import Notice
    from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Withdraw
    from domain.subject import Subject, SubjectType
    from domain.tasks.task import AnswerChoice, Ask, Decision, Review, TaskKind, review_outcome
    from texts.operators import in_both_languages
    from workflows.desk import STEP_RETRIES, Desk, HistoryFull, StoodStill, Withdrawn, execute
    from workflows.messages import ApplicationState, DeskState, ProcessStatus, StartApplication, signals


HEARS = signals(answer_task=AnswerTask, withdraw=Withdraw, appeal=AppealRejection, gather_evidence=GatherEvidence)


@workflow.defn
class NamedAccountApplication:
    """One salesperson's application for one customer.

    Signals `answer_task`, `withdraw`, `appeal` and `gather_evidence` carry what people say; the gateway seals them
    and the record checks the seal, so a signal sent by hand changes nothing. `facts_changed` says that the organisation
    or the calendar is new. The query `status` is for operators.
    """

    @workflow.init
    def __init__(self, start: StartApplication | None = None) -> None:
        start = start or StartApplication()
        kept = start.state
        self._approvals: tuple[Decision, ...] = kept.approvals if kept else ()
        self._gm_decision = kept.gm_decision if kept else None
        self._appeal_until = kept.appeal_until if kept else None
        self._patience = timedelta(seconds=kept.source_patience_seconds if kept else 0)
        application_id = kept.application_id if kept else start.submission.application_id
        self._desk = Desk[Stage](
            subject=Subject(type=SubjectType.APPLICATION, id=application_id),
            title=kept.title if kept else "",
            stage=kept.stage if kept else Stage.EVIDENCE,
            since=kept.since if kept else workflow.now(),
            kept=kept.desk if kept else DeskState(),
        )
        self._desk.round = kept.round if kept else 1

    @workflow.run
    async def run(self, start: StartApplication | None = None) -> str:
        start = start or StartApplication()  # started by hand with nothing: ends in a recorded refusal
        if start.state is None and not await self._submitted(start):
            self._desk.arrived(Stage.REFUSED)
        try:
            while not self._desk.stage.ended:
                try:
                    await self._next_stage()
                except StoodStill:  # U10: sent back, and not completed in time
                    await self._desk.move(Stage.LAPSED, notices=[Notice.LAPSED])
        except Withdrawn:  # N13
            await self._desk.move(Stage.WITHDRAWN, notices=[Notice.WITHDRAWN])
        except HistoryFull as full:
            workflow.continue_as_new(StartApplication(state=self._state()), search_attributes=full.attributes)
        await self._desk.close()
        return self._desk.stage.value

    async def _next_stage(self) -> None:
        match self._desk.stage:
            case Stage.EVIDENCE:
                await self._gather_evidence()  # N3, N4
            case Stage.COMMERCE_CHECK:
                await self._commerce_checks()  # N2, N5
            case Stage.RETURNED:
                await self._salesperson_completes()  # N5
            case Stage.VP_REVIEW:
                await self._both_vps_review()  # N6, N7, N9
            case Stage.GM_APPROVAL:
                await self._general_manager_approves()  # N8
            case Stage.REJECTED:
                await self._salesperson_may_appeal()  # N10
            case Stage.GM_APPEAL:
                await self._general_manager_hears_appeal()  # N10
            case ended:
                raise AssertionError(f"{ended} has no next stage")

    async def _submitted(self, start: StartApplication) -> bool:
        """N1: the form is complete and honest; the application exists from here on."""
        step = SubmitStep(key="submit", now=workflow.now(), statement=start.submission)
        submitted = await execute(AccountSteps.submit_application, step, "submit")
        self._desk.title = submitted.title
        self._patience = timedelta(seconds=submitted.source_patience_seconds)
        return submitted.accepted

    async def _gather_evidence(self) -> None:
        """N3, N4: everything the record and the sources know, side by side; then commerce is asked (N2)."""
        gathering = (EvidenceGathering.gather_registrations, EvidenceGathering.gather_background)
        gathered = await asyncio.gather(
            *(execute(gather, self._gather_step(gather.__name__), gather.__name__) for gather in gathering)
        )
        if any(answer.ask_outside for answer in gathered):
            await self._ask_outside_sources()
        await self._desk.move(Stage.COMMERCE_CHECK, asks=[Ask(kind=TaskKind.COMMERCE_CHECK)])

    async def _ask_outside_sources(self) -> None:
        """N4: credit and litigation from a source outside; one that stays silent is marked, and people go on."""
        answer = workflow.start_activity_method(
            EvidenceGathering.ask_outside_sources,
            self._gather_step("ask_outside_sources"),
            start_to_close_timeout=timedelta(minutes=1),
            schedule_to_close_timeout=self._patience,
            retry_policy=STEP_RETRIES,
            summary=in_both_languages("operators.outside_sources"),
        )
        try:
            await self._desk.wait_while_serving(answer)
        except ActivityError:
            step = self._gather_step("outside_sources_unavailable")
            await execute(EvidenceGathering.mark_outside_sources_unavailable, step)

    async def _commerce_checks(self) -> None:
        """N5: a clerk confirms, corrects or adds, then passes the application on or sends it back."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.PASS:
            await self._ask_vps()
        else:
            await self._desk.move(Stage.RETURNED, asks=[Ask(kind=TaskKind.SUPPLY_INFORMATION)])

    async def _salesperson_completes(self) -> None:
        """N5: what was missing is supplied; a new round begins and the links of the old one are dead."""
        await self._desk.one_answer()
        self._approvals = ()
        await self._desk.move(Stage.EVIDENCE)

    async def _ask_vps(self, again: tuple[Decision, ...] = ()) -> None:
        """N6: each VP by themselves. `again`: only those who now owe a special reason (N8), in place of their first."""
        self._approvals = tuple(d for d in self._approvals if d not in again)
        slots = [decision.slot for decision in again] if again else [""]
        await self._desk.move(Stage.VP_REVIEW, asks=[Ask(kind=TaskKind.VP_REVIEW, slot=slot) for slot in slots])

    async def _both_vps_review(self) -> None:
        """N7: both approve. N9: one rejection is enough, and the other VP's open request is withdrawn."""
        asked = len(self._desk.tasks) + len(self._desk.decisions)
        decisions = await self._desk.wait_for_decisions(
            lambda decided: review_outcome(decided, asked) is not Review.PENDING
        )
        if review_outcome(decisions, asked) is Review.REJECTED:
            await self._reject()
            return
        self._approvals += decisions
        await self._activate()

    async def _activate(self) -> None:
        """N7, N8, N14: the count and the claims are taken at this moment, in one transaction."""
        step = ActivateStep(
            key=self._desk.next_key("activate"),
            now=workflow.now(),
            application_id=self._desk.subject.id,
            gm_decision=self._gm_decision,
            settles=self._desk.settle(),
        )
        activated = await execute(AccountSteps.activate_account, step, "activate")
        match activated.obstacle:
            case None:
                self._desk.arrived(Stage.ACTIVE)
            case Obstacle.ABOVE_LIMIT:
                owed = approvals_without_special_reason(self._approvals)
                if owed:
                    await self._ask_vps(again=owed)
                else:
                    await self._desk.move(Stage.GM_APPROVAL, asks=[Ask(kind=TaskKind.GM_APPROVAL)])
            case obstacle:
                await self._desk.move(Stage.REFUSED, notices=[Notice.REFUSED], obstacle=obstacle)

    async def _general_manager_approves(self) -> None:
        """N8: above the limit the general manager must approve as well."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.APPROVE:
            self._gm_decision = decision.task_id
            await self._activate()
        else:
            await self._reject()

    async def _reject(self) -> None:
        """N9: the salesperson is told the reason, and until when they may appeal."""
        self._appeal_until = (await self._desk.move(Stage.REJECTED, notices=[Notice.REJECTED])).until

    async def _salesperson_may_appeal(self) -> None:
        """N10: one appeal, in time; otherwise the rejection stands."""
        until = self._appeal_until
        if until and await self._desk.wait_for_statement(
            AppealRejection, until=until, until_says="operators.appeal_until"
        ):
            await self._desk.move(Stage.GM_APPEAL, asks=[Ask(kind=TaskKind.GM_APPEAL)], notices=[Notice.APPEAL_FILED])
        else:
            lapsed = [Notice.CLOSED_REJECTED] if until else []
            await self._desk.move(Stage.CLOSED_REJECTED, notices=lapsed)

    async def _general_manager_hears_appeal(self) -> None:
        """N10: the general manager's decision is final."""
        decision = await self._desk.one_answer()
        if decision.choice == AnswerChoice.REJECT:
            await self._desk.move(Stage.CLOSED_REJECTED, notices=[Notice.CLOSED_REJECTED])
        else:
            self._gm_decision = decision.task_id
            await self._activate()

    def _gather_step(self, key: str) -> GatherStep:
        return GatherStep(
            key=f"{key}:{self._desk.round}",
            now=workflow.now(),
            application_id=self._desk.subject.id,
            round=self._desk.round,
        )

    def _state(self) -> ApplicationState:
        return ApplicationState(
            application_id=self._desk.subject.id,
            title=self._desk.title,
            stage=self._desk.stage,
            since=self._desk.since,
            round=self._desk.round,
            source_patience_seconds=int(self._patience.total_seconds()),
            approvals=self._approvals,
            gm_decision=self._gm_decision,
            appeal_until=self._appeal_until,
            desk=self._desk.state,
        )

    @workflow.signal(
        dynamic=True,
        description="What people say (answer_task, withdraw, appeal, gather_evidence), sealed; facts_changed.",
    )
    def hear(self, signal: str, sent: Sequence[RawValue]) -> None:
        self._desk.hear(HEARS, signal, sent)

    @workflow.query(description="Where the application stands, whom it waits for, what happens next.")
    def status(self) -> ProcessStatus:
        return self._desk.status()

"""Steps that only registrations and their disputes have. Each is one transaction."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from temporalio import activity

from activities.conflicts.collisions import keyed_parties
from activities.disputes.broken import end_broken_dispute
from activities.disputes.opening import open_dispute
from activities.projects.contract_corrections import correct_contract
from activities.projects.matches import accounts_concerned, accounts_touched, claimants_of, find_matches
from activities.projects.notices import notify_people, said_of_silence
from activities.projects.process import ProjectContext
from activities.projects.record import row_of
from activities.steps import (
    ApprovedProject,
    ApproveProjectStep,
    BrokenDispute,
    BrokenDisputeStep,
    ContractCorrected,
    CorrectContractStep,
    DisputeOpened,
    OpenDisputeStep,
    Registered,
    RegisterStep,
    Reminded,
    Routed,
    RouteStep,
    SilenceStep,
    Suspects,
    SuspectsStep,
)
from activities.tasks.context import IllegalTransition
from activities.tasks.outlook import steps_ahead
from activities.tasks.receipts import give_receipt
from activities.unit_of_work import Recorder, UnitOfWork
from crypto.seal import seal_holds
from db import messages
from db.accounts import applications
from db.projects import projects
from db.projects.projects import AlreadyResumed
from db.tasks import tasks
from domain.notices import Notice
from domain.projects.judgements import judge_registration
from domain.projects.project import ProjectStage, Track
from domain.projects.rules import named_suspects, track_of
from domain.projects.silence import Silence, reminder_problem
from domain.projects.transitions import approval_problem
from domain.refusals import RefusalCode, Refused
from domain.statements import RegisterProject
from domain.tasks.outlook import project_asks
from domain.tasks.task import AnswerChoice, Ask, TaskKind

_REMINDERS = {
    Silence.TWO_WEEKS: Notice.SILENT_TWO_WEEKS,
    Silence.ONE_MONTH: Notice.SILENT_ONE_MONTH,
}


class ProjectSteps:
    """Writes what happens to registrations alone."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn
    async def register_project(self, step: RegisterStep) -> Registered:
        """P1, P4, U6: the registration exists, with its place in time, unless its seal is broken."""

        async def apply(uow: UnitOfWork) -> Registered:
            said = step.statement
            uow.subject_id = said.project_id or None
            sealed = seal_holds(said, self._recorder.seal_keys) and said.workflow_id == uow.workflow_id
            if not sealed or said.form is None:
                uow.note("statement_unsealed", kind=type(said).__name__, claimed_person=said.person[:63])
                return Registered(accepted=False, project_id=said.project_id)
            organisation = await uow.facts.organisation(uow.connection)
            resumed = await projects.find(uow.connection, said.resumes, lock=True) if said.resumes else None
            try:
                person = judge_registration(
                    said,
                    organisation.person(said.person),
                    resumed=(resumed.stage, resumed.salesperson) if resumed else None,
                )
            except Refused as refusal:
                return await self._refuse(uow, said, refusal.code)
            row = row_of(
                said,
                said.form,
                workflow_id=uow.workflow_id,
                department=person.department,
                policy_digest=await uow.facts.pin_policy(uow.connection),
                now=uow.now,
            )
            try:
                await projects.add(uow.connection, row)
            except AlreadyResumed:
                return await self._refuse(uow, said, RefusalCode.RESUME_RUNNING)
            parties = keyed_parties(said.form)
            await applications.set_parties(
                uow.connection, "project", row.id, parties, since=uow.now, live=row.stage.live
            )
            if said.resumes:
                context = await ProjectContext.load_for_update(uow, row.id)
                asks = ((Ask(kind=TaskKind.RESUME_REVIEW),),)
                await notify_people(context, Notice.RESUME_SUBMITTED, key=step.key, ahead=steps_ahead(context, asks))
            uow.note(
                "project_registered",
                person.id,
                resumes=said.resumes,
                channel=said.channel,
                policy=uow.facts.policy.version,
            )
            receipt = {
                "id": row.id,
                "workflow_id": row.workflow_id,
                "status": row.stage.status.value,
                "stage": row.stage.value,
                "resumes": said.resumes,
            }
            await give_receipt(uow, said, True, receipt)
            named = uow.facts.policy.privacy.customer_name_in_engine
            return Registered(
                accepted=True,
                project_id=row.id,
                title=f"{row.id} · {person.name}" + (f" · {said.form.customer.name}" if named else ""),
                salesperson=person.id,
                resumes=said.resumes is not None,
            )

        return await self._recorder.once(step, Registered, apply)

    async def _refuse(self, uow: UnitOfWork, said: RegisterProject, code: str) -> Registered:
        uow.note("registration_refused", said.person, code=code)
        await give_receipt(uow, said, False, {"status": "refused", "code": code, "problems": []})
        return Registered(accepted=False, project_id=said.project_id)

    @activity.defn
    async def route_project(self, step: RouteStep) -> Routed:
        """P1, P3, P4: whose customer it is; and everything else registered for it, with what A5 weighs."""

        async def apply(uow: UnitOfWork) -> Routed:
            context = await ProjectContext.load_for_update(uow, step.subject.id)
            context.goes_on()
            row = context.row
            if row.stage is not ProjectStage.ROUTING:
                raise IllegalTransition(f"{row.id} is not looking for its way: {row.stage.value}")
            matches = await find_matches(context)
            accounts = accounts_touched(matches)
            track = track_of(row.salesperson, [match.salesperson for match in accounts])
            await context.change(track=track, account_id=accounts[0].subject_id if accounts else None)
            uow.note("project_routed", track=track.value, accounts=[match.subject_id for match in accounts])
            if matches:
                uow.note("matches_found", found=[[match.subject_type, match.subject_id] for match in matches])
            claimants = await accounts_concerned(context) if track is Track.OTHER_ACCOUNT else ()
            asks = project_asks(track, row.salesperson, [claimant.person for claimant in claimants])
            await notify_people(context, Notice.PROJECT_SUBMITTED, key=step.key, ahead=steps_ahead(context, asks))
            return Routed(track=track, claimants=claimants)

        return await self._recorder.once(step, Routed, apply)

    @activity.defn
    async def find_suspects(self, step: SuspectsStep) -> Suspects:
        """P5: the registrations that the clerk suspects, and whose they are."""

        async def apply(uow: UnitOfWork) -> Suspects:
            context = await ProjectContext.load_for_update(uow, step.subject.id)
            context.goes_on()
            task = await tasks.find(uow.connection, step.task_id)
            decision = await tasks.decision_on(uow.connection, step.task_id)
            own = task is not None and task.workflow_id == uow.workflow_id
            if not own or decision is None or decision.choice != AnswerChoice.SUSPECT:
                raise IllegalTransition(f"{context.row.id}: nobody has suspected a conflict")
            named = named_suspects(decision.fields)
            await find_matches(context)  # whose they are now: one may have been handed on since the registration
            uow.note("conflict_suspected", decision.person, suspects=named, rule="P5")
            return Suspects(claimants=await claimants_of(context, named))

        return await self._recorder.once(step, Suspects, apply)

    @activity.defn
    async def approve_project(self, step: ApproveProjectStep) -> ApprovedProject:
        """P9: the number is issued in the transaction that makes the project active, so that no year has a gap."""

        async def apply(uow: UnitOfWork) -> ApprovedProject:
            context = await ProjectContext.load_for_update(uow, step.subject.id)
            context.goes_on()
            row = context.row
            approved = [
                decision
                for number, decision in context.docket.decided
                if number == row.round
                and decision.kind is TaskKind.PROJECT_APPROVAL
                and decision.choice == AnswerChoice.APPROVE
            ]
            problem = approval_problem(row.stage, approved=bool(approved), withdrawn=bool(row.end_reason))
            if problem:
                raise IllegalTransition(f"{row.id}: {problem}")
            year = uow.now.astimezone(ZoneInfo(context.policy.time_zone)).year
            # Last of all rows: everybody who approves waits for this one until the transaction ends.
            number = context.policy.projects.number(year, await projects.next_number(uow.connection, year))
            await context.change(
                stage=ProjectStage.ACTIVE,
                stage_since=uow.now,
                number=number,
                number_issued_at=uow.now,
                updated_at=uow.now,
                silences=0,
            )
            uow.note("project_approved", approved[-1].person, number=number, rule="P9")
            await notify_people(context, Notice.PROJECT_APPROVED, key=step.key, by=approved[-1].person)
            await messages.settle(uow.connection, step.settles)
            return ApprovedProject(number=number, ahead=context.ahead(), updated_at=uow.now)

        return await self._recorder.once(step, ApprovedProject, apply)

    @activity.defn
    async def remind_of_silence(self, step: SilenceStep) -> Reminded:
        """U2: the salesperson and the department GM. U3: the VP as well. Once each, until the next update."""

        async def apply(uow: UnitOfWork) -> Reminded:
            context = await ProjectContext.load_for_update(uow, step.subject.id)
            context.goes_on()
            row, ahead = context.row, context.ahead()
            problem = reminder_problem(ahead, step.silence, uow.now)
            if row.stage is not ProjectStage.ACTIVE or problem:
                raise IllegalTransition(f"{row.id}: {problem or row.stage.value}")
            left = ahead[1:]
            await context.change(silences=row.silences + 1)
            silence = await said_of_silence(context, left)
            await notify_people(context, _REMINDERS[step.silence], key=step.key, **silence)
            uow.note("silence_reminded", silence=step.silence.value, rule=step.silence.rule)
            return Reminded(ahead=left)

        return await self._recorder.once(step, Reminded, apply)

    @activity.defn
    async def correct_contract(self, step: CorrectContractStep) -> ContractCorrected:
        """U7: commerce corrects the amount of a contract on record; what stood there before is kept."""
        keys = self._recorder.seal_keys
        return await self._recorder.once(step, ContractCorrected, lambda uow: correct_contract(uow, step, keys))

    @activity.defn
    async def open_dispute(self, step: OpenDisputeStep) -> DisputeOpened:
        """D1, D2: the two sides of a dispute, and what each has registered when (A5)."""
        return await self._recorder.once(step, DisputeOpened, lambda uow: open_dispute(uow, step))

    @activity.defn
    async def end_broken_dispute(self, step: BrokenDisputeStep) -> BrokenDispute:
        """D1, D2: a dispute whose process was ended by hand is closed, unless it had come to its end."""

        async def apply(uow: UnitOfWork) -> BrokenDispute:
            context = await ProjectContext.load_for_update(uow, step.subject.id)
            context.goes_on()
            return await end_broken_dispute(context, step.dispute_id)

        return await self._recorder.once(step, BrokenDispute, apply)

"""The steps of a process: submitted, answered, moved, activated. Each is one transaction."""

from __future__ import annotations

from temporalio import activity

from activities.accounts.applications import ApplicationContext, name_parties, own_application
from activities.conflicts.collisions import colliding, keyed_parties
from activities.steps import (
    Activated,
    ActivateStep,
    Moved,
    MoveStep,
    Recorded,
    RecordStep,
    Sifted,
    SiftStep,
    SubmitStep,
    Submitted,
)
from activities.tasks.answers import StatementTaking
from activities.tasks.context import ForeignStep
from activities.tasks.mail_outbox import Letters
from activities.tasks.receipts import give_receipt
from activities.tasks.stage_move import move
from activities.unit_of_work import Recorder, Work
from crypto.seal import seal_holds
from db import messages
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow, ClaimTaken
from db.accounts.applications import ApplicationRow
from domain.accounts.application import Stage
from domain.accounts.eligibility import refusals
from domain.accounts.named_account import Notice, Obstacle, above_limit, told
from texts.mails.mail import MailKind

_OBSTACLES = {"application": Obstacle.APPLICATION, "account": Obstacle.ACCOUNT}
"""N14: what may stand in the way of an account, by its type."""


class Records:
    """Writes what happens to the subjects of processes. Nothing else writes these tables."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._statements = StatementTaking(recorder)

    @activity.defn
    async def submit_application(self, step: SubmitStep) -> Submitted:
        """N1: register the application, unless its seal is broken or a rule refuses it (E2, E3); then answer the
        applicant."""

        async def work(work: Work) -> Submitted:
            said, form = step.statement, step.statement.form
            work.subject_id = said.application_id or None
            sealed = seal_holds(said, self._recorder.seal_keys) and said.workflow_id == work.workflow_id
            if not sealed or form is None:
                work.note("statement_unsealed", kind=type(said).__name__, claimed_person=said.person[:63])
                return Submitted(accepted=False, application_id=said.application_id)
            organisation = await work.facts.organisation(work.tx)
            person = organisation.person(said.person)
            policy = work.facts.policy
            refused = refusals(form, policy.eligibility)
            if refused or person is None or not person.active:
                work.note("submission_refused", said.person, rules=list(refused))
                await give_receipt(work, said, False, {"rules": list(refused)})
                return Submitted(accepted=False, application_id=said.application_id)
            row = ApplicationRow(
                id=said.application_id,
                workflow_id=work.workflow_id,
                applicant=person.id,
                department=person.department,
                stage=Stage.EVIDENCE,
                round=1,
                form=form,
                policy_digest=await work.facts.pin_policy(work.tx),
                submitted_at=work.now,
                stage_since=work.now,
            )
            await applications.add(work.tx, row)
            await name_parties(work, row.id, form)
            work.note("application_submitted", person.id, round=1, policy=policy.version, channel=said.channel)
            named = policy.privacy.customer_name_in_engine
            return Submitted(
                accepted=True,
                application_id=row.id,
                title=f"{row.id} · {person.name}" + (f" · {form.customer.name}" if named else ""),
                source_patience_seconds=policy.evidence.give_up_after_minutes * 60,
                to_be_answered=True,
            )

        async def answer(work: Work) -> Submitted:
            said = step.statement
            context = await ApplicationContext.of(work, await own_application(work, said.application_id, lock=False))
            row, standing = context.row, await context.tell_at_submission()
            await give_receipt(
                work,
                said,
                True,
                {
                    "id": row.id,
                    "workflow_id": row.workflow_id,
                    "stage": row.stage.value,
                    "conflicts": [
                        {"kind": one.subject_type, "since": one.since.isoformat(), "rule": "N14"} for one in standing
                    ],
                },
            )
            return submitted

        submitted = await self._recorder.once(step, Submitted, work)
        if submitted.to_be_answered:
            # N14: not before it is recorded, when whoever was recorded earlier is to be seen.
            await self._recorder.once(step.model_copy(update={"key": f"{step.key}:answer"}), Submitted, answer)
        return submitted

    @activity.defn
    async def record_statement(self, step: RecordStep) -> Recorded:
        """Take what somebody said to a process: an answer to a task, a withdrawal, an update, …; or say why not."""
        return await self._recorder.once(step, Recorded, lambda work: self._statements.hear(work, step))

    @activity.defn
    async def sift_messages(self, step: SiftStep) -> Sifted:
        """Give up what nobody sealed among many messages; those to be read are recorded one by one, as ever."""
        return await self._recorder.once(step, Sifted, lambda work: self._statements.sift(work, step))

    @activity.defn
    async def move(self, step: MoveStep) -> Moved:
        """Go to a stage: close what is open, open what is asked, tell who must be told."""
        return await self._recorder.once(step, Moved, lambda work: move(work, step))

    @activity.defn
    async def activate_account(self, step: ActivateStep) -> Activated:
        """N7, N8, N14: count, claims and account in one transaction; constraints hold what timing cannot."""

        async def work(work: Work) -> Activated:
            context = await ApplicationContext.own(work, step.application_id)
            row = context.row
            if context.over:
                raise ForeignStep(f"{row.id} is over: {row.stage.value}")
            approved = await context.approvals_on_record(step.gm_decision)
            applicant = context.organisation.person(row.applicant)
            if applicant is None or not applicant.active:
                work.note("applicant_left", because=Obstacle.APPLICANT_LEFT.value, rule=Obstacle.APPLICANT_LEFT.rule)
                return Activated(obstacle=Obstacle.APPLICANT_LEFT)
            taken = await accounts.slots_taken(work.tx, row.applicant, lock=True)
            if above_limit(len(taken), context.policy.accounts.limit) and step.gm_decision is None:
                work.note("account_limit_reached", held=len(taken), limit=context.policy.accounts.limit, rule="N8")
                return Activated(obstacle=Obstacle.ABOVE_LIMIT)
            # A likeness is for people to judge, who have seen it: what refuses by itself is a name or a code.
            others = await colliding(
                work, context.subject, row.form, tuple(_OBSTACLES), bounds=context.policy.matching, near=False
            )
            standing = next((one for one in others if one.stands), None)
            if standing:
                obstacle = _OBSTACLES[standing.subject_type]
                work.note("claim_refused", because=obstacle.value, rule="N14")
                return Activated(obstacle=obstacle)
            account = AccountRow(
                id=row.id,
                application_id=row.id,
                salesperson=row.applicant,
                department=row.department,
                form=row.form,
                slot=accounts.free_slot(taken),
                account_limit=context.policy.accounts.limit,
                gm_decision=step.gm_decision,
                activated_at=work.now,
            )
            parties = keyed_parties(row.form)
            try:
                await accounts.activate(work.tx, account, parties)
            except ClaimTaken:
                work.note("claim_refused", because=Obstacle.ACCOUNT.value, rule="N14")
                return Activated(obstacle=Obstacle.ACCOUNT)
            await applications.set_live(work.tx, "application", row.id, False)
            await applications.set_parties(work.tx, "account", account.id, parties, since=work.now, live=True)
            await applications.change(work.tx, row.id, stage=Stage.ACTIVE.value, stage_since=work.now)
            work.note("account_activated", account=account.id, slot=account.slot, approvals=approved, rule="N7")
            context.row = row.model_copy(update={"stage": Stage.ACTIVE})
            people = told(
                Notice.ACTIVATED,
                context.organisation,
                applicant=row.applicant,
                department=row.department,
                involved=(),
            )
            await Letters(context).notice(MailKind.ACTIVATED, people, key=str(row.round))
            await messages.settle(work.tx, step.settles)
            return Activated(account_id=account.id)

        return await self._recorder.once(step, Activated, work)

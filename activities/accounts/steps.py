"""The steps at both ends of an application: it is submitted (N1), and it becomes an account (N7, N8, N14)."""

from __future__ import annotations

from temporalio import activity

from activities.accounts.process import ApplicationContext
from activities.accounts.record import load_application, name_parties, row_of
from activities.conflicts.collisions import colliding, keyed_parties
from activities.steps import Activated, ActivateStep, SubmitStep, Submitted
from activities.tasks.context import IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import give_receipt
from activities.unit_of_work import Recorder, UnitOfWork
from crypto.seal import seal_holds
from db import messages
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow, ClaimTaken
from domain.accounts.application import Stage
from domain.accounts.eligibility import refusals
from domain.accounts.named_account import Obstacle, above_limit, recipients_of
from domain.accounts.transitions import approvals
from domain.notices import Notice

_OBSTACLES = {"application": Obstacle.APPLICATION, "account": Obstacle.ACCOUNT}
"""N14: what may stand in the way of an account, by its type."""


class AccountSteps:
    """Registers applications and activates accounts."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @activity.defn
    async def submit_application(self, step: SubmitStep) -> Submitted:
        """N1: register the application, unless its seal is broken or a rule refuses it (E2, E3); then answer the
        applicant."""

        async def apply(uow: UnitOfWork) -> Submitted:
            said, form = step.statement, step.statement.form
            uow.subject_id = said.application_id or None
            sealed = seal_holds(said, self._recorder.seal_keys) and said.workflow_id == uow.workflow_id
            if not sealed or form is None:
                uow.note("statement_unsealed", kind=type(said).__name__, claimed_person=said.person[:63])
                return Submitted(accepted=False, application_id=said.application_id)
            organisation = await uow.facts.organisation(uow.connection)
            person = organisation.person(said.person)
            policy = uow.facts.policy
            refused = refusals(form, policy.eligibility)
            if refused or person is None or not person.active:
                uow.note("submission_refused", said.person, rules=list(refused))
                await give_receipt(uow, said, False, {"rules": list(refused)})
                return Submitted(accepted=False, application_id=said.application_id)
            row = row_of(
                said,
                form,
                workflow_id=uow.workflow_id,
                department=person.department,
                policy_digest=await uow.facts.pin_policy(uow.connection),
                now=uow.now,
            )
            await applications.add(uow.connection, row)
            await name_parties(uow, row.id, form)
            uow.note("application_submitted", person.id, round=1, policy=policy.version, channel=said.channel)
            named = policy.privacy.customer_name_in_engine
            return Submitted(
                accepted=True,
                application_id=row.id,
                title=f"{row.id} · {person.name}" + (f" · {form.customer.name}" if named else ""),
                source_patience_seconds=policy.evidence.give_up_after_minutes * 60,
                to_be_answered=True,
            )

        async def answer(uow: UnitOfWork) -> Submitted:
            said = step.statement
            context = await ApplicationContext.of(uow, await load_application(uow, said.application_id, lock=False))
            row, standing = context.row, await context.notify_at_submission()
            own = await context.own_accounts() if standing else frozenset()
            await give_receipt(
                uow,
                said,
                True,
                {
                    "id": row.id,
                    "workflow_id": row.workflow_id,
                    "stage": row.stage.value,
                    "conflicts": [
                        {
                            "kind": match.subject_type,
                            "since": match.since.isoformat(),
                            "rule": "N14",
                            "own": match.subject_id in own,
                        }
                        for match in standing
                    ],
                },
            )
            return submitted

        submitted = await self._recorder.once(step, Submitted, apply)
        if submitted.to_be_answered:
            # N14: not before it is recorded, when whoever was recorded earlier is to be seen.
            await self._recorder.once(step.model_copy(update={"key": f"{step.key}:answer"}), Submitted, answer)
        return submitted

    @activity.defn
    async def activate_account(self, step: ActivateStep) -> Activated:
        """N7, N8, N14: count, claims and account in one transaction; constraints hold what timing cannot."""

        async def apply(uow: UnitOfWork) -> Activated:
            context = await ApplicationContext.load_for_update(uow, step.application_id)
            row = context.row
            if context.over:
                raise IllegalTransition(f"{row.id} is over: {row.stage.value}")
            # Not by the engine's state: whoever can write there can invent approvals, but no decisions under seal.
            approved = [decision.task_id for decision in approvals(context.facts, step.gm_decision)]
            applicant = context.organisation.person(row.applicant)
            if applicant is None or not applicant.active:
                uow.note("applicant_left", because=Obstacle.APPLICANT_LEFT.value, rule=Obstacle.APPLICANT_LEFT.rule)
                return Activated(obstacle=Obstacle.APPLICANT_LEFT)
            taken = await accounts.slots_taken(uow.connection, row.applicant, lock=True)
            if above_limit(len(taken), context.policy.accounts.limit) and step.gm_decision is None:
                uow.note("account_limit_reached", held=len(taken), limit=context.policy.accounts.limit, rule="N8")
                return Activated(obstacle=Obstacle.ABOVE_LIMIT)
            # A likeness is for people to judge, who have seen it: only a name or a code refuses automatically.
            others = await colliding(
                uow, context.subject, row.form, tuple(_OBSTACLES), bounds=context.policy.matching, near=False
            )
            standing = next((match for match in others if match.stands), None)
            if standing:
                obstacle = _OBSTACLES[standing.subject_type]
                uow.note("claim_refused", because=obstacle.value, rule="N14")
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
                activated_at=uow.now,
            )
            parties = keyed_parties(row.form)
            try:
                await accounts.activate(uow.connection, account, parties)
            except ClaimTaken:
                uow.note("claim_refused", because=Obstacle.ACCOUNT.value, rule="N14")
                return Activated(obstacle=Obstacle.ACCOUNT)
            await applications.set_live(uow.connection, "application", row.id, False)
            await applications.set_parties(uow.connection, "account", account.id, parties, since=uow.now, live=True)
            await applications.change(uow.connection, row.id, stage=Stage.ACTIVE.value, stage_since=uow.now)
            uow.note("account_activated", account=account.id, slot=account.slot, approvals=approved, rule="N7")
            context.row = row.model_copy(update={"stage": Stage.ACTIVE})
            people = recipients_of(
                Notice.ACTIVATED,
                context.organisation,
                applicant=row.applicant,
                department=row.department,
                involved=(),
            )
            await MailOutbox(context).notice(Notice.ACTIVATED, people, key=str(row.round))
            await messages.settle(uow.connection, step.settles)
            return Activated(account_id=account.id)

        return await self._recorder.once(step, Activated, apply)

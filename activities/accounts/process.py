"""What a Named Account application does in a step: whom it asks, what it accepts, whom it notifies (N1–N15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from activities.accounts.record import SHOWN_WITH_EVIDENCE, ApplicationRecord, name_parties
from activities.conflicts.rulings import clerks_rulings
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept
from activities.unit_of_work import SYSTEM
from db.accounts import applications
from db.tasks.tasks import DecisionRow, TaskRow
from domain.accounts.application import Stage
from domain.accounts.evidence import EvidenceKind
from domain.accounts.judgements import (
    judge_appeal,
    judge_gathering,
    judge_supplied_form,
    judge_withdrawal,
    ruled_out,
    stage_refuses,
)
from domain.accounts.named_account import above_limit, choices_for, recipients_of, stage_rule
from domain.accounts.transitions import rejection, transition_problem
from domain.conflicts.rulings import MATCHES_FIELD, Ruled
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Statement, Withdraw
from domain.tasks.asking import slots_of, vp_slots
from domain.tasks.task import AnswerChoice, Ask, Choice, TaskKind
from texts.catalogue import Texts
from texts.tasks.deciding import DecidingFacts, application_facts
from texts.tasks.decisions import decision_lines

_DECIDED_BY_EVIDENCE = frozenset({Stage.VP_REVIEW, Stage.GM_APPROVAL, Stage.GM_APPEAL})
"""N15: stages whose decisions rest on the evidence of the moment in which they are asked for."""


class ApplicationContext(ApplicationRecord):
    """One application in one step."""

    async def check_transition(self, stage: str) -> None:
        problem = transition_problem(self.facts, Stage(stage))
        if problem:
            raise IllegalTransition(f"{self.row.id} does not go to {stage}: {problem}")

    async def enter(self, step: MoveStep) -> Moved:
        uow, row, stage = self.uow, self.row, Stage(step.stage)
        update: dict[str, object] = {"stage": stage, "stage_since": uow.now}
        if stage is Stage.REJECTED:
            update["rejection"] = rejection(self.rejections, self.organisation, self.policy, self.calendar, uow.now)
        if stage is Stage.LAPSED:
            update["end_reason"] = {"rule": stage_rule(stage)}
        if step.obstacle:
            update["end_reason"] = {"code": step.obstacle.value, "rule": step.obstacle.rule}
        if stage.live is not row.stage.live:
            await applications.set_live(uow.connection, "application", row.id, stage.live)
        await applications.change(uow.connection, row.id, **{**update, "stage": stage.value})
        uow.note(
            "stage_moved",
            stage_from=row.stage.value,
            stage=stage.value,
            rule=step.obstacle.rule if step.obstacle else stage_rule(stage),
            round=row.round,
            obstacle=step.obstacle.value if step.obstacle else None,
        )
        self.row = row.model_copy(update=update)
        if stage in _DECIDED_BY_EVIDENCE:
            await self.gather_again()
        return Moved(until=self.row.rejection.appeal_until if self.row.rejection else None)

    async def warn(self, task: TaskRow, until: datetime) -> None:
        row, kind = self.row, Notice.APPLICATION_STANDING_STILL
        people = recipients_of(kind, self.organisation, applicant=row.applicant, department=row.department, involved=())
        await MailOutbox(self).notice(kind, people, key=task.id, until=until)

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        row = self.row
        people = recipients_of(
            notice, self.organisation, applicant=row.applicant, department=row.department, involved=involved
        )
        reason, by, appealable = "", "", None
        reasons: dict[str, str] = {}
        if notice in (Notice.REJECTED, Notice.CLOSED_REJECTED) and row.rejection:
            reason, by = self.rejections[-1].reason, self.rejections[-1].person
            appealable = row.rejection.appeal_until if notice is Notice.REJECTED else None
        elif notice is Notice.APPEAL_FILED and row.appeal:
            reason, by = str(row.appeal["reason"]), row.applicant
        elif notice is Notice.WITHDRAWN and row.end_reason:
            reason, by = str(row.end_reason.get("reason", "")), row.applicant
        elif notice is Notice.REFUSED and row.end_reason:
            because = f"end_reason.{row.end_reason['code']}"
            reasons = {language: Texts(language).text(because) for language in LANGUAGES}
        await MailOutbox(self).notice(
            notice, people, key=step.key, reason=reason, reasons=reasons, by=by, appeal_until=appealable
        )

    def slots(self, ask: Ask) -> Sequence[str]:
        """A review without a slot is one task for each sales VP (N6)."""
        return slots_of(ask, self.organisation)

    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        """N8 asks for more once the salesperson holds as many as the limit. N5: a clerk says what each match is."""
        del slot  # the same for everybody who is asked
        above = False
        if kind is TaskKind.COMMERCE_CHECK:
            return choices_for(kind, matches=[finding.subject_id for finding in await self.matches()])
        if kind is TaskKind.VP_REVIEW:
            above = above_limit(await self.count_held(), self.policy.accounts.limit)
        return choices_for(kind, above_limit=above)

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        """Why the form was sent back, or why the applicant appeals."""
        if ask.kind is TaskKind.SUPPLY_INFORMATION:
            returned = [d for _, d in self.docket.decided if d.choice == AnswerChoice.RETURN]
            return {"reason": returned[-1].reason} if returned else None
        if ask.kind is TaskKind.GM_APPEAL and self.row.appeal:
            return {"reason": str(self.row.appeal["reason"])}
        return None

    async def deciding(self, task: TaskRow, reader: str) -> DecidingFacts:
        del reader  # everybody who is asked sees the same
        row, weighs = self.row, task.kind in SHOWN_WITH_EVIDENCE
        before = await applications.form_before(self.uow.connection, row.id, row.round) if weighs else None
        return application_facts(
            task.kind,
            row.form,
            before,
            round=row.round,
            applicant=row.applicant,
            evidence=await self.evidence() if weighs else (),
            organisation=self.organisation,
            held=await self.count_held() if weighs else 0,
            limit=self.policy.accounts.limit,
            decisions=decision_lines(self.docket.decided, self.organisation),
            appeal=str((row.appeal or {}).get("reason", "")) if task.kind is TaskKind.GM_APPEAL else "",
            deadline=self.deadline_of(task),
        )

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        others = (
            other.slot
            for other in self.docket.tasks
            if other.kind is TaskKind.VP_REVIEW and other.round == task.round and other.slot != task.slot
        )
        reviews = (
            decision
            for number, decision in self.docket.decided
            if number == task.round and decision.kind is TaskKind.VP_REVIEW
        )
        return ruled_out(task.kind, task.slot, other_slots=others, reviews=reviews, vps=vp_slots(self.organisation))

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        if task.kind is TaskKind.SUPPLY_INFORMATION:
            judge_supplied_form(said.fields, self.policy.eligibility)

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        if task.kind is TaskKind.COMMERCE_CHECK:
            await self.keep_notes(decision, await self._rule_on_matches(decision))
        return Answered(round=await self._begin_round(said) if decision.choice == AnswerChoice.SUPPLY else None)

    async def judge(self, said: Statement) -> Recorded:
        match said:
            case Withdraw():
                return await self._withdraw(said)
            case AppealRejection():
                return await self._appeal(said)
            case GatherEvidence():
                return await self._gather_for_commerce(said)
            case _:
                raise stage_refuses(self.row.stage)

    async def _withdraw(self, withdrawal: Withdraw) -> Recorded:
        """N13."""
        judge_withdrawal(self.statement_facts, withdrawal)
        uow, reason = self.uow, withdrawal.reason
        await applications.change(uow.connection, self.row.id, end_reason={"reason": reason, "rule": "N13"})
        uow.note("application_withdrawn", withdrawal.person, reason=reason, channel=withdrawal.channel, rule="N13")
        await accept(uow, withdrawal)
        return Recorded(accepted=True)

    async def _appeal(self, appeal: AppealRejection) -> Recorded:
        """N10."""
        uow = self.uow
        judge_appeal(self.statement_facts, appeal, uow.now)
        kept = {"reason": appeal.reason, "at": uow.now.isoformat()}
        await applications.change(uow.connection, self.row.id, appeal=kept)
        uow.note("appeal_accepted", appeal.person, reason=appeal.reason, channel=appeal.channel, rule="N10")
        await accept(uow, appeal)
        return Recorded(accepted=True)

    async def _gather_for_commerce(self, wish: GatherEvidence) -> Recorded:
        """N15: commerce asks what is so at this moment; those who are asked to decide see it too."""
        judge_gathering(self.statement_facts, wish, self.organisation)
        changed = await self._gather_for_those_asked(by=wish.person)
        await accept(self.uow, wish, settled=True, changed=[kind.value for kind in changed])
        return Recorded(accepted=True, settled=True)

    async def look_again(self, kind: TaskKind) -> None:
        if kind in SHOWN_WITH_EVIDENCE:
            await self._gather_for_those_asked()

    async def _gather_for_those_asked(self, by: str = SYSTEM) -> tuple[EvidenceKind, ...]:
        """N15: what is found while people are being asked is theirs to see, and to rule on."""
        changed = await self.gather_again(since_asked=True, by=by)
        for task in self.docket.open_tasks:
            choices = await self.choices_now(task.kind, task.slot)
            if choices != task.choices:
                await self.docket.change(task, choices=choices)
        return changed

    async def _rule_on_matches(self, decision: DecisionRow) -> dict[str, Ruled]:
        """N3, N14: what the clerk has said of single matches, by the id of what was found."""
        if not decision.fields.get(MATCHES_FIELD):
            return {}
        shown = {finding.subject_id: (finding.subject_type, finding) for finding in await self.matches()}
        return await clerks_rulings(self, decision, shown)

    async def _begin_round(self, said: AnswerTask) -> int:
        """N5: the corrected form begins a new round."""
        uow, row, number = self.uow, self.row, self.row.round + 1
        form = judge_supplied_form(said.fields, self.policy.eligibility)
        await applications.add_round(uow.connection, row.id, number, form, uow.now)
        await applications.change(uow.connection, row.id, form=form, round=number)
        await name_parties(uow, row.id, form)
        uow.note("round_begun", said.person, round=number)
        self.row = row.model_copy(update={"form": form, "round": number})
        return number

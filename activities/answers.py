"""Statements become decisions here, or are refused and told why: the seal, the task, the person, the first answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from activities.asking import Context, choices_now, people_of
from activities.collisions import keyed_parties, tell_of_earlier
from activities.moving import own_application
from activities.steps import RecordAnswerStep, RecordAppealStep, Recorded, RecordWithdrawalStep
from activities.transaction import Recorder, Work
from crypto.seal import seal_holds
from db import applications, messages, tasks
from db.applications import ApplicationRow
from db.messages import Receipt
from db.tasks import AskedRow, DecisionRow, TaskRow
from domain.access import can_still_withdraw
from domain.application import ApplicationForm, Stage
from domain.eligibility import refusals
from domain.evidence import EvidenceKind
from domain.named_account import FORM_FIELD, appeal_in_time, note_field
from domain.statements import AnswerTask, AppealRejection, Statement, Withdraw
from domain.tasks import APPROVE, SUPPLY, Choice, Decision, Problem, TaskKind, TaskStatus, answer_problems

S = TypeVar("S", bound=Statement)


class Refused(Exception):
    """A statement changes nothing, and this is why: a text key under `error.` and what belongs to it."""

    def __init__(self, code: str, *, problems: tuple[Problem, ...] = (), **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.facts = facts


class AnswerTaking:
    """Judges what people say, in the transaction that records it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def answer(self, work: Work, step: RecordAnswerStep) -> Recorded:
        """First answer wins; the others learn what was decided, by whom and when."""
        return await self._hear(work, step.application_id, step.statement, self._take_answer)

    async def withdrawal(self, work: Work, step: RecordWithdrawalStep) -> Recorded:
        """N13: by the applicant, at any time before the end."""
        return await self._hear(work, step.application_id, step.statement, self._take_withdrawal)

    async def appeal(self, work: Work, step: RecordAppealStep) -> Recorded:
        """N10: once, by the applicant, in time."""
        return await self._hear(work, step.application_id, step.statement, self._take_appeal)

    async def _hear(
        self, work: Work, application_id: str, said: S, take: Callable[[Work, ApplicationRow, S], Awaitable[Recorded]]
    ) -> Recorded:
        """Check the seal, then `take` what was said; what is refused leaves its trace and changes nothing."""
        row = await own_application(work, application_id)
        try:
            # The seal covers the workflow id, so that a sealed statement cannot be replayed into another process.
            if not seal_holds(said, self._recorder.seal_keys) or said.workflow_id != work.workflow_id:
                raise Refused("unsealed")
            return await self._heard_before(work, said) or await take(work, row, said)
        except Refused as refusal:
            return await _refuse(work, said, refusal)

    async def _take_answer(self, work: Work, row: ApplicationRow, said: AnswerTask) -> Recorded:
        context = await Context.of(work, row)
        task = await tasks.find(work.tx, said.task_id, lock=True)
        if task is None or task.subject_id != row.id:
            raise Refused("unknown_task")
        asked = await self._may_answer(work, context, task, said.person)
        choices = await self._check_form(work, context, task, said)
        decision = await self._decide(work, task.model_copy(update={"choices": choices}), asked, said)
        number = await self._begin_round(work, context, said) if decision.choice == SUPPLY else None
        if task.kind is TaskKind.COMMERCE_CHECK:
            await _keep_notes(work, row, decision)
        if decision.on_behalf_of:
            await context.letters(work).decided_for(decision)
        work.note(
            "answer_accepted",
            said.person,
            task=task.id,
            kind=task.kind.value,
            choice=decision.choice,
            reason=decision.reason,
            on_behalf_of=decision.on_behalf_of,
            capacity=decision.capacity.value,
            channel=said.channel,
            message=said.message_id,
        )
        still_asked = await tasks.of_subject(work.tx, row.id, open_only=True)
        waits_for_others = bool(still_asked) and decision.choice == APPROVE
        await _accept(work, said, settled=waits_for_others, task=task.id, choice=decision.choice)
        return Recorded(accepted=True, decision=_plain(decision), round=number)

    async def _take_withdrawal(self, work: Work, row: ApplicationRow, said: Withdraw) -> Recorded:
        if said.person != row.applicant:
            raise Refused("not_applicant")
        if not can_still_withdraw(row.stage):
            raise Refused("stage_does_not_allow", stage=row.stage.value)
        await applications.change(work.tx, row.id, end_reason={"reason": said.reason, "rule": "N13"})
        work.note("application_withdrawn", said.person, reason=said.reason, channel=said.channel, rule="N13")
        await _accept(work, said)
        return Recorded(accepted=True)

    async def _take_appeal(self, work: Work, row: ApplicationRow, said: AppealRejection) -> Recorded:
        until = row.rejection.appeal_until if row.rejection else None
        if said.person != row.applicant:
            raise Refused("not_applicant")
        if row.appeal:
            raise Refused("appeal_used")
        if row.stage is not Stage.REJECTED or until is None:
            raise Refused("stage_does_not_allow", stage=row.stage.value)
        if not appeal_in_time(said.said_at, work.now, until):
            raise Refused("appeal_too_late", until=until.isoformat())
        appeal = {"reason": said.reason, "at": work.now.isoformat()}
        await applications.change(work.tx, row.id, appeal=appeal)
        work.note("appeal_accepted", said.person, reason=said.reason, channel=said.channel, rule="N10")
        await _accept(work, said)
        return Recorded(accepted=True)

    async def _heard_before(self, work: Work, said: Statement) -> Recorded | None:
        """A retry of the front door signals again under the same message id; it changes nothing."""
        if await messages.find_receipt(work.tx, said.message_id) is None:
            return None
        decided = next(
            (d for _, d in await tasks.decisions_of(work.tx, work.subject_id or "") if d.message_id == said.message_id),
            None,
        )
        return Recorded(accepted=False, code="duplicate", decision=_plain(decided) if decided else None)

    async def _may_answer(self, work: Work, context: Context, task: TaskRow, person: str) -> AskedRow:
        """Whether this person is asked by this task at this moment; delegations are judged now, not when asked."""
        if task.status is not TaskStatus.OPEN:
            raise Refused(
                "already_answered" if task.status is TaskStatus.ANSWERED else "task_withdrawn",
                **await outcome_of(work, context, task),
            )
        if person == context.row.applicant and task.kind is not TaskKind.SUPPLY_INFORMATION:
            raise Refused("own_application")
        before = (await tasks.asked_by(work.tx, [task.id]))[task.id]
        asked = await people_of(work, task, context, already=before)
        mine = next((one for one in asked if one.person == person), None)
        if mine is None:
            raise Refused("not_asked")
        return mine

    async def _check_form(self, work: Work, context: Context, task: TaskRow, said: AnswerTask) -> tuple[Choice, ...]:
        """What the answer must carry is judged by the count of this moment (N8), not of the moment of asking."""
        choices = await choices_now(work, context, task.kind)
        if choices != task.choices:
            await tasks.change(work.tx, task.id, choices=choices)
        problems = answer_problems(choices, choice=said.choice, reason=said.reason, fields=said.fields)
        if problems:
            raise Refused(problems[0].key, problems=problems)
        if said.choice == SUPPLY:
            self._supplied_form(context, said)
        return choices

    def _supplied_form(self, context: Context, said: AnswerTask) -> ApplicationForm:
        try:
            form = ApplicationForm.model_validate(said.fields[FORM_FIELD])
        except ValidationError:
            raise Refused("unreadable") from None
        refused = refusals(form, context.policy.eligibility)
        if refused:
            raise Refused("E3" if "E3" in refused else "E2_legal_person")
        return form

    async def _decide(self, work: Work, task: TaskRow, asked: AskedRow, said: AnswerTask) -> DecisionRow:
        chosen = next(choice for choice in task.choices if choice.choice == said.choice)
        decision = DecisionRow(
            task_id=task.id,
            kind=task.kind,
            slot=task.slot,
            message_id=said.message_id,
            person=said.person,
            capacity=asked.capacity,
            on_behalf_of=asked.on_behalf_of,
            choice=said.choice,
            special=chosen.special_reason,
            reason=said.reason.strip(),
            fields=_without_form(said.fields),
            said_at=said.said_at,
            decided_at=work.now,
        )
        if not await tasks.decide(work.tx, decision):
            raise Refused("already_answered")
        await tasks.close(work.tx, [task.id], TaskStatus.ANSWERED, at=work.now, because=said.choice)
        return decision

    async def _begin_round(self, work: Work, context: Context, said: AnswerTask) -> int:
        """N5: the corrected form begins a new round."""
        row, number = context.row, context.row.round + 1
        form = self._supplied_form(context, said)
        await applications.add_round(work.tx, row.id, number, form, work.now)
        await applications.change(work.tx, row.id, form=form, round=number)
        await applications.set_parties(work.tx, "application", row.id, keyed_parties(form), since=work.now, live=True)
        work.note("round_begun", said.person, round=number)
        context.row = row.model_copy(update={"form": form, "round": number})
        await tell_of_earlier(work, context)
        return number


async def outcome_of(work: Work, context: Context, task: TaskRow) -> dict[str, Any]:
    """What was decided on a closed task, by whom and when."""
    decision = await tasks.decision_on(work.tx, task.id)
    if decision is None:
        return {"closed_because": task.closed_because, "at": task.closed_at.isoformat() if task.closed_at else None}
    return {
        "choice": decision.choice,
        "by": context.organisation.name_of(decision.person),
        "at": decision.decided_at.isoformat(),
    }


async def _refuse(work: Work, said: Statement, refusal: Refused) -> Recorded:
    """Record that a statement changed nothing. One without a seal leaves no receipt: nobody is known to wait."""
    if refusal.code == "unsealed":
        work.note("statement_unsealed", kind=type(said).__name__, claimed_person=said.person[:63])
        return Recorded(accepted=False, code=refusal.code)
    work.note("answer_refused", said.person, code=refusal.code, message=said.message_id, **refusal.facts)
    result = {
        "status": "refused",
        "code": refusal.code,
        "problems": [problem.model_dump(mode="json") for problem in refusal.problems],
        **refusal.facts,
    }
    await give_receipt(work, said.message_id, said.person, said.body_hash, False, result)
    return Recorded(accepted=False, code=refusal.code)


async def give_receipt(
    work: Work,
    message_id: str,
    person: str,
    body_hash: str,
    accepted: bool,
    result: dict[str, Any],
    *,
    settled: bool = True,
) -> None:
    """Say what became of a message. Unsettled: the step that follows from it is still to be recorded."""
    await messages.give_receipt(
        work.tx,
        Receipt(
            message_id=message_id,
            workflow_id=work.workflow_id,
            person=person,
            body_hash=body_hash,
            accepted=accepted,
            result=result,
            recorded_at=work.now,
            settled=settled,
        ),
    )


async def _accept(work: Work, said: Statement, *, settled: bool = False, **facts: Any) -> None:
    """The receipt of an accepted statement; unsettled while a move of the process follows from it."""
    result = {"status": "accepted", **facts}
    await give_receipt(work, said.message_id, said.person, said.body_hash, True, result, settled=settled)


async def _keep_notes(work: Work, row: ApplicationRow, decision: DecisionRow) -> None:
    """N5: what the clerk confirmed, corrected or added goes with the evidence."""
    notes = {kind: str(decision.fields.get(note_field(kind)) or "").strip() for kind in EvidenceKind}
    found = await applications.evidence_of(work.tx, row.id, row.round)
    noted = [
        item.model_copy(update={"note": notes[item.kind], "note_by": decision.person})
        for item in found
        if notes[item.kind]
    ]
    if noted:
        await applications.keep_evidence(work.tx, row.id, row.round, noted)
        work.note("evidence_noted", decision.person, kinds=[item.kind.value for item in noted])


def _without_form(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # The form itself is kept as a round of the application.
    return {name: value for name, value in fields.items() if name != FORM_FIELD}


def _plain(decision: DecisionRow) -> Decision:
    return Decision(**decision.model_dump(include=set(Decision.model_fields)))

"""Statements become decisions here, or are refused and told why: the seal, the task, the person, the first answer."""

from __future__ import annotations

import asyncio
from collections import Counter

from pydantic import JsonValue

from activities.steps import Recorded, RecordStep, Sifted, SiftStep
from activities.tasks.asking import people_of
from activities.tasks.context import Context
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept, give_receipt
from activities.tasks.stage_move import load_for_update
from activities.unit_of_work import Recorder, UnitOfWork
from crypto.seal import seal_holds
from db import messages
from db.tasks import tasks
from db.tasks.closings import closing_of, no_longer_asked
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.accounts.named_account import FORM_FIELD
from domain.disputes.dispute import DisputeStage
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.refusals import RefusalCode, Refused
from domain.reviews.review import SAID_ALONE
from domain.statements import AnswerTask, Statement, statement_of
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import AnswerChoice, AnswerOutcome, Choice, Decision, RecordedDecision, TaskStatus

_ALONE = frozenset({AnswerChoice.APPROVE, AnswerChoice.NO_CONFLICT}) | SAID_ALONE
AT_A_TIME = 100
"""Messages that are looked at before others of this worker get their turn."""
MOST_NAMED = 20
"""People whom the record names when many messages are given up at once."""


class StatementTaking:
    """Judges what people say, in the transaction that records it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def hear(self, uow: UnitOfWork, step: RecordStep) -> Recorded:
        """Check the seal, then take what was said; what is refused leaves its trace and changes nothing."""
        context, said = await load_for_update(uow, step.subject), step.statement
        try:
            if not self._sealed(uow, said):
                raise Refused(RefusalCode.UNSEALED)
            heard = await _heard_before(context, said)
            if heard is not None:
                return heard
            return await self._take_answer(context, said) if isinstance(said, AnswerTask) else await context.judge(said)
        except Refused as refusal:
            return await record_refusal(uow, said, refusal)

    async def sift(self, uow: UnitOfWork, step: SiftStep) -> Sifted:
        """Note what is given up, all of it together; what the front door sealed is still to be heard, each once."""
        await load_for_update(uow, step.subject)
        sealed: dict[str, int] = {}
        unsealed: Counter[str] = Counter()
        claimed: set[str] = set()
        unreadable = 0
        for position, sent in enumerate(step.messages):
            if position % AT_A_TIME == 0:
                await asyncio.sleep(0)  # the worker has others to serve
            said = statement_of(sent.kind, sent.text)
            if self._sealed(uow, said):
                sealed.setdefault(said.fingerprint, position)
                continue
            unsealed[sent.kind] += 1
            unreadable += said.unreadable
            if said.person and len(claimed) < MOST_NAMED:
                claimed.add(said.person[:63])
        number = unsealed.total()
        if number:
            uow.note(
                "statements_unsealed",
                number=number,
                kinds=dict(unsealed),
                unreadable=unreadable,
                claimed_persons=sorted(claimed),
            )
        return Sifted(sealed=tuple(sealed.values()))

    def _sealed(self, uow: UnitOfWork, said: Statement) -> bool:
        # The seal covers the workflow id, so that a sealed statement cannot be replayed into another process.
        return said.workflow_id == uow.workflow_id and seal_holds(said, self._recorder.seal_keys)

    async def _take_answer(self, context: Context, said: AnswerTask) -> Recorded:
        """First answer wins; the others learn what was decided, by whom and when."""
        uow = context.uow
        task = context.docket.find(said.task_id)
        if task is None or task.workflow_id != uow.workflow_id:
            raise Refused(RefusalCode.UNKNOWN_TASK)
        asked = await self._may_answer(context, task, said.person)
        task = task.model_copy(update={"choices": await self._check_form(context, task, said)})
        decision = await self._decide(context, task, asked, said)
        answered = await context.answered(task, decision, said)
        if decision.on_behalf_of:
            await MailOutbox(context).decided_for(decision)
        uow.note(
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
        still_asked = context.docket.open_tasks
        alone_decides_nothing = decision.choice in _ALONE or answered.outcome == AnswerOutcome.CONFIRMED
        waits_for_others = bool(still_asked) and alone_decides_nothing
        await accept(uow, said, settled=waits_for_others, task=task.id, choice=decision.choice)
        taken = _taken(decision, outcome=answered.outcome, names=answered.names)
        return Recorded(accepted=True, decision=taken, round=answered.round)

    async def _may_answer(self, context: Context, task: TaskRow, person: str) -> AskedRow:
        """Whether this person is asked by this task at this moment; delegations are judged now, not when asked."""
        if task.status is TaskStatus.WITHDRAWN and task.closed_because == DisputeStage.NEGOTIATION:  # D1
            newer = await tasks.newer_text(context.uow.connection, task, person)
            raise Refused(RefusalCode.AGREEMENT_SUPERSEDED, newer_task=newer.task_id if newer else None)
        once = next((one for one in context.docket.asked_before(task.id) if one.person == person), None)
        if task.status is not TaskStatus.OPEN:
            code = {TaskStatus.ANSWERED: "already_answered", TaskStatus.MISSED: "task_missed"}
            closing = (await closing_of(context.uow.connection, task)).told_to(once)
            told = {"task_kind": task.kind.value, **closing.facts(context.organisation)}
            raise Refused(code.get(task.status, "task_withdrawn"), **told)
        if person == context.applicant and not context.answers_own(task.kind):
            raise Refused(RefusalCode.OWN_APPLICATION)
        asked = await people_of(task, context, already=context.docket.asked_before(task.id))
        mine = next((one for one in asked if one.person == person), None)
        if mine is None:
            reason, told = no_longer_asked(once, context.organisation, context.uow.now)
            raise Refused(reason, **told)
        return mine

    async def _check_form(self, context: Context, task: TaskRow, said: AnswerTask) -> tuple[Choice, ...]:
        """What the answer must carry is judged by the record of this moment (N8), not of the moment of asking."""
        choices = await context.choices_now(task.kind, task.slot)
        if choices != task.choices:
            await context.docket.change(task, choices=choices)
        problems = answer_problems(choices, choice=said.choice, reason=said.reason, fields=said.fields)
        if problems:
            raise Refused(problems[0].key, problems=problems)
        await context.check(task, said)
        return choices

    async def _decide(self, context: Context, task: TaskRow, asked: AskedRow, said: AnswerTask) -> DecisionRow:
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
            fields=context.kept(_without_form(said.fields)),
            said_at=said.said_at,
            decided_at=context.uow.now,
        )
        if not await context.docket.decide(task, decision):
            raise Refused(RefusalCode.ALREADY_ANSWERED)
        return decision


async def _heard_before(context: Context, said: Statement) -> Recorded | None:
    """A retry of the front door signals again under the same message id; it changes nothing."""
    if await messages.find_receipt(context.uow.connection, said.message_id) is None:
        return None
    decided = next((d for _, d in context.docket.decided if d.message_id == said.message_id), None)
    return Recorded(accepted=False, code="duplicate", decision=_taken(decided) if decided else None)


async def record_refusal(uow: UnitOfWork, said: Statement, refusal: Refused) -> Recorded:
    """Record that a statement changed nothing. One without a seal leaves no receipt: nobody is known to wait."""
    if refusal.code == "unsealed":
        unreadable = {"unreadable": True} if said.unreadable else {}
        uow.note("statement_unsealed", kind=type(said).__name__, claimed_person=said.person[:63], **unreadable)
        return Recorded(accepted=False, code=refusal.code)
    uow.note("answer_refused", said.person, code=refusal.code, message=said.message_id, **refusal.facts)
    result = {
        "status": "refused",
        "code": refusal.code,
        "problems": [problem.model_dump(mode="json") for problem in refusal.problems],
        **refusal.facts,
    }
    await give_receipt(uow, said, False, result)
    return Recorded(accepted=False, code=refusal.code)


def _without_form(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # The form itself is kept as a round of its subject.
    return {name: value for name, value in fields.items() if name not in (FORM_FIELD, PROJECT_FORM_FIELD)}


def _taken(decision: DecisionRow, *, outcome: str = "", names: tuple[str, ...] = ()) -> RecordedDecision:
    return RecordedDecision(**decision.model_dump(include=set(Decision.model_fields)), outcome=outcome, names=names)

"""Records what people say to a process: the seal is checked, the domain judges, the decision or refusal is stored."""

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
from db.tasks.closings import closing_of
from db.tasks.tasks import DecisionRow, TaskRow
from domain.accounts.named_account import FORM_FIELD
from domain.disputes.dispute import DisputeStage
from domain.projects.rules import PROJECT_FORM_FIELD
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, Statement, statement_of
from domain.tasks.judgements import AnswerFacts, judge_form, judge_respondent, waits_for_others
from domain.tasks.task import Asked, Choice, Decision, RecordedDecision, TaskStatus

AT_A_TIME = 100
"""Messages that are looked at before others of this worker get their turn."""
MOST_NAMED = 20
"""People whom the record names when many messages are given up at once."""


class Statements:
    """Judges what people say, in the transaction that records it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def hear(self, uow: UnitOfWork, step: RecordStep) -> Recorded:
        """Check the seal, then judge what was said; what is refused leaves its trace and changes nothing."""
        context, said = await load_for_update(uow, step.subject), step.statement
        try:
            if not self._sealed(uow, said):
                raise Refused(RefusalCode.UNSEALED)
            heard = await _heard_before(context, said)
            if heard is not None:
                return heard
            return await (self._judge_answer(context, said) if isinstance(said, AnswerTask) else context.judge(said))
        except Refused as refusal:
            return await record_refusal(uow, said, refusal)

    async def sift(self, uow: UnitOfWork, step: SiftStep) -> Sifted:
        """Note what is given up, all of it together; what the gateway sealed is still to be read, each once."""
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

    async def _judge_answer(self, context: Context, answer: AnswerTask) -> Recorded:
        """First answer wins; the others learn what was decided, by whom and when."""
        uow = context.uow
        task = context.docket.find(answer.task_id)
        if task is not None and task.workflow_id != uow.workflow_id:
            task = None
        facts = await _facts_of(context, task, answer.person) if task else None
        asked = judge_respondent(facts, answer.person, context.organisation, uow.now)
        assert task is not None  # one that does not exist has been refused
        task = await _with_choices_now(context, task)
        chosen = judge_form(task.choices, answer)
        await context.check(task, answer)
        decision = await self._decide(context, task, asked, chosen, answer)
        answered = await context.answered(task, decision, answer)
        if decision.on_behalf_of:
            await MailOutbox(context).decided_for(decision)
        uow.note(
            "answer_accepted",
            answer.person,
            task=task.id,
            kind=task.kind.value,
            choice=decision.choice,
            reason=decision.reason,
            on_behalf_of=decision.on_behalf_of,
            capacity=decision.capacity.value,
            channel=answer.channel,
            message=answer.message_id,
        )
        still_asked = bool(context.docket.open_tasks)
        settled = waits_for_others(decision.choice, answered.outcome, still_asked=still_asked)
        await accept(uow, answer, settled=settled, task=task.id, choice=decision.choice)
        recorded = _recorded(decision, outcome=answered.outcome, names=answered.names)
        return Recorded(accepted=True, decision=recorded, round=answered.round)

    async def _decide(
        self, context: Context, task: TaskRow, asked: Asked, chosen: Choice, answer: AnswerTask
    ) -> DecisionRow:
        decision = DecisionRow(
            task_id=task.id,
            kind=task.kind,
            slot=task.slot,
            message_id=answer.message_id,
            person=answer.person,
            capacity=asked.capacity,
            on_behalf_of=asked.on_behalf_of,
            choice=answer.choice,
            special=chosen.special_reason,
            reason=answer.reason.strip(),
            fields=context.kept(_without_form(answer.fields)),
            said_at=answer.said_at,
            decided_at=context.uow.now,
        )
        if not await context.docket.decide(task, decision):
            raise Refused(RefusalCode.ALREADY_ANSWERED)
        return decision


async def _facts_of(context: Context, task: TaskRow, person: str) -> AnswerFacts:
    """What the record holds of the task that `person` answers."""
    connection, already = context.uow.connection, context.docket.asked_before(task.id)
    before = next((asked for asked in already if asked.person == person), None)
    facts = AnswerFacts(status=task.status, before=before)
    if task.status is TaskStatus.WITHDRAWN and task.closed_because == DisputeStage.NEGOTIATION:
        newer = await tasks.newer_text(connection, task, person)
        return facts.model_copy(update={"superseded": True, "newer_task": newer.task_id if newer else None})
    if task.status is not TaskStatus.OPEN:
        closing = (await closing_of(connection, task)).told_to(before)
        told = {"task_kind": task.kind.value, **closing.facts(context.organisation)}
        return facts.model_copy(update={"closing": told})
    if person == context.applicant and not context.answers_own(task.kind):
        return facts.model_copy(update={"own": True})
    return facts.model_copy(update={"asked": await people_of(task, context, already=already)})


async def _with_choices_now(context: Context, task: TaskRow) -> TaskRow:
    """What the answer must carry, by the record of this moment (N8), not of the moment of asking."""
    choices = await context.choices_now(task.kind, task.slot)
    return task if choices == task.choices else await context.docket.change(task, choices=choices)


async def _heard_before(context: Context, said: Statement) -> Recorded | None:
    """A retry of the gateway signals again under the same message id; it changes nothing."""
    if await messages.find_receipt(context.uow.connection, said.message_id) is None:
        return None
    decided = next((d for _, d in context.docket.decided if d.message_id == said.message_id), None)
    return Recorded(accepted=False, code=RefusalCode.DUPLICATE, decision=_recorded(decided) if decided else None)


async def record_refusal(uow: UnitOfWork, said: Statement, refusal: Refused) -> Recorded:
    """Record that a statement changed nothing. One without a seal leaves no receipt: nobody is known to wait."""
    if refusal.code == RefusalCode.UNSEALED:
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


def _recorded(decision: DecisionRow, *, outcome: str = "", names: tuple[str, ...] = ()) -> RecordedDecision:
    return RecordedDecision(**decision.model_dump(include=set(Decision.model_fields)), outcome=outcome, names=names)

"""Answers at the same moment, and the same step twice, on a real PostgreSQL (N6, N7, N13, X3)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from activities.steps import (
    ActivateStep,
    GatherStep,
    MoveStep,
    Recorded,
    RecordStep,
    SubmitStep,
)
from domain.accounts.application import Stage
from domain.accounts.transitions import NotApproved
from domain.statements import AnswerTask, SubmitApplication, Withdraw
from domain.tasks.task import Ask, TaskKind
from tests.integration.tasks.race_ground import (
    CLERKS,
    DELEGATE,
    NOW,
    OPEN_VP,
    ROUNDS,
    VPS,
    Ground,
    Racer,
    activate,
    race,
    salesperson,
)
from tests.samples import application_form

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(300)]
"""Hundreds of steps at once, in code that other files cover."""

# ---- Answers ------------------------------------------------------------------------------------------------------


async def answer(ground: Ground, racer: Racer, said: AnswerTask) -> Recorded:
    step = RecordStep(key=f"record:{said.fingerprint}", now=NOW, subject=racer.subject, statement=said)
    return await ground.run(ground.records.record_statement, step, racer.workflow_id)


async def receipts(ground: Ground, *said: AnswerTask | Withdraw) -> list[tuple[bool, dict[str, Any]]]:
    found = await ground.rows(
        "SELECT message_id, accepted, result FROM receipt WHERE message_id = ANY(:ids)",
        ids=[statement.message_id for statement in said],
    )
    by_id = {row[0]: (row[1], row[2]) for row in found}
    return [by_id[statement.message_id] for statement in said]


async def test_n6_x3_two_people_answer_one_task_at_once_and_the_second_is_told_who_decided(ground: Ground) -> None:
    """Clerk against clerk; a VP against the delegate who decides on their behalf."""
    names = {
        person.id: person.name
        for person in (await ground_company(ground)).people
        if person.id in (*CLERKS, VPS[1], DELEGATE)
    }
    clerks = (TaskKind.COMMERCE_CHECK, "", tuple({"person": p, "capacity": "holder"} for p in CLERKS))
    deputies = (
        TaskKind.VP_REVIEW,
        VPS[1],
        (
            {"person": VPS[1], "capacity": "holder"},
            {"person": DELEGATE, "capacity": "delegate", "on_behalf_of": VPS[1]},
        ),
    )
    racers = [
        Racer(
            id=f"t{r:03}",
            applicant=salesperson(r),
            form=application_form(f"答复客户{r:03}"),
            approved=False,
            open_tasks=(clerks if r % 2 else deputies,),
            stage=Stage.COMMERCE_CHECK if r % 2 else Stage.VP_REVIEW,
        )
        for r in range(ROUNDS)
    ]
    await ground.register(racers)

    async def one_round(r: int, racer: Racer) -> None:
        both: tuple[str, ...] = CLERKS if r % 2 else (VPS[1], DELEGATE)
        people = both[:: 1 if r % 4 < 2 else -1]  # each starts first half the time
        choices = ("pass", "return") if r % 2 else ("approve", "reject")
        kind, slot = (TaskKind.COMMERCE_CHECK, "") if r % 2 else (TaskKind.VP_REVIEW, VPS[1])
        said = [
            ground.says(AnswerTask, racer, person, task_id=racer.task_id(kind, slot), choice=choice, reason="理由")
            for person, choice in zip(people, choices, strict=True)
        ]
        outcomes = await race(*(answer(ground, racer, statement) for statement in said))
        (winner,) = (n for n, outcome in enumerate(outcomes) if outcome.accepted)
        decided, told = outcomes[winner].decision, await receipts(ground, *said)
        assert decided
        assert (decided.person, decided.choice) == (people[winner], choices[winner])
        assert decided.on_behalf_of == (VPS[1] if people[winner] == DELEGATE else None)
        assert outcomes[1 - winner].code == "already_answered"
        accepted, result = told[1 - winner]
        first = result["decided"]
        assert (accepted, first["choice"], first["by"]) == (False, choices[winner], names[people[winner]])
        assert first["at"] == NOW.isoformat()

    await asyncio.gather(*(one_round(r, racer) for r, racer in enumerate(racers)))
    assert await ground.rows("SELECT count(*) FROM decision") == [(ROUNDS,)]
    assert await ground.rows("SELECT count(*) FROM task WHERE status = 'answered'") == [(ROUNDS,)]
    assert await ground.rows("SELECT accepted, count(*) FROM receipt GROUP BY 1 ORDER BY 1") == [
        (False, ROUNDS),
        (True, ROUNDS),
    ]


async def ground_company(ground: Ground) -> Any:
    async with ground.engine.connect() as connection:
        return await ground.facts.organisation(connection)


async def withdraw(ground: Ground, racer: Racer, said: Withdraw) -> Recorded:
    step = RecordStep(key=f"record:{said.fingerprint}", now=NOW, subject=racer.subject, statement=said)
    return await ground.run(ground.records.record_statement, step, racer.workflow_id)


async def test_n13_an_answer_and_a_withdrawal_at_once_are_each_recorded_and_each_get_their_receipt(
    ground: Ground,
) -> None:
    racers = [
        Racer(
            id=f"v{r:03}",
            applicant=salesperson(r),
            form=application_form(f"撤回客户{r:03}"),
            approved=False,
            open_tasks=(OPEN_VP,),
        )
        for r in range(ROUNDS)
    ]
    await ground.register(racers)

    async def one_round(racer: Racer) -> None:
        approves = ground.says(
            AnswerTask, racer, VPS[0], task_id=racer.task_id(TaskKind.VP_REVIEW, VPS[0]), choice="approve"
        )
        gives_up = ground.says(Withdraw, racer, racer.applicant, reason="客户取消")
        answered, withdrawn = await race(answer(ground, racer, approves), withdraw(ground, racer, gives_up))
        assert (answered.accepted, withdrawn.accepted) == (True, True)
        # What the process does next, whichever of the two it reads first: the application is over.
        move = MoveStep(key="move:1", now=NOW, subject=racer.subject, stage=Stage.WITHDRAWN)
        late = ground.says(
            AnswerTask, racer, VPS[0], task_id=racer.task_id(TaskKind.VP_REVIEW, VPS[0]), choice="reject", reason="晚"
        )
        _, refused = await race(ground.run(ground.records.move, move, racer.workflow_id), answer(ground, racer, late))
        assert refused.code == "already_answered"

    await asyncio.gather(*(one_round(racer) for racer in racers))
    assert await ground.rows("SELECT stage, count(*) FROM application GROUP BY 1") == [("withdrawn", ROUNDS)]
    assert await ground.rows("SELECT count(*), count(DISTINCT task_id) FROM decision") == [(ROUNDS, ROUNDS)]


async def test_n7_n13_a_withdrawal_and_an_activation_at_once_never_both_succeed(ground: Ground) -> None:
    """A step of an earlier attempt, or one that an operator sent back in time, meets what was recorded meanwhile."""
    racers = [
        Racer(id=f"q{r:03}", applicant=salesperson(r), form=application_form(f"末步客户{r:03}")) for r in range(ROUNDS)
    ]
    await ground.register(racers)

    async def activated(racer: Racer) -> bool:
        try:
            return (await activate(ground, racer, final=(NotApproved,))).account_id is not None
        except NotApproved:
            return False

    async def one_round(r: int, racer: Racer) -> None:
        said = ground.says(Withdraw, racer, racer.applicant, reason="客户取消")
        contenders: list[Any] = [withdraw(ground, racer, said), activated(racer)]
        outcomes = await race(*(contenders if r % 2 else reversed(contenders)))
        withdrawn, active = outcomes if r % 2 else reversed(outcomes)
        assert withdrawn.accepted is not active

    await asyncio.gather(*(one_round(r, racer) for r, racer in enumerate(racers)))
    active = await ground.rows("SELECT count(*) FROM account")
    withdrawn = await ground.rows("SELECT count(*) FROM application WHERE end_reason IS NOT NULL")
    assert active[0][0] + withdrawn[0][0] == ROUNDS


# ---- The same step twice --------------------------------------------------------------------------------------------


async def test_x3_a_step_delivered_several_times_at_once_has_one_effect_and_one_result(ground: Ground) -> None:
    copies = 2
    task_id = TaskKind.COMMERCE_CHECK
    asked = (task_id, "", tuple({"person": p, "capacity": "holder"} for p in CLERKS))

    def racer(r: int, name: str, **more: Any) -> Racer:
        return Racer(id=f"{name}{r:03}", applicant=salesperson(r), form=application_form(f"{name}客户{r:03}"), **more)

    kinds = ("submit", "answer", "move", "activate", "gather")
    by_kind = {
        "submit": [racer(r, "s") for r in range(0, ROUNDS, 5)],
        "answer": [
            racer(r, "a", approved=False, open_tasks=(asked,), stage=Stage.COMMERCE_CHECK) for r in range(1, ROUNDS, 5)
        ],
        "move": [
            # Another stage than it goes to: only then is whoever was asked told that the task is withdrawn.
            racer(r, "m", approved=False, open_tasks=(asked,), stage=Stage.EVIDENCE)
            for r in range(2, ROUNDS, 5)
        ],
        "activate": [racer(r, "c") for r in range(3, ROUNDS, 5)],
        "gather": [racer(r, "g", approved=False, stage=Stage.EVIDENCE) for r in range(4, ROUNDS, 5)],
    }
    await ground.register([application for kind in kinds[1:] for application in by_kind[kind]])

    async def delivered(kind: str, application: Racer) -> None:
        step: Any
        match kind:
            case "submit":
                said = ground.says(
                    SubmitApplication,
                    application,
                    application.applicant,
                    application_id=application.id,
                    form=application.form,
                )
                method: Any = ground.account_steps.submit_application
                step = SubmitStep(key="submit", now=NOW, statement=said)
            case "answer":
                answered = ground.says(
                    AnswerTask, application, CLERKS[0], task_id=application.task_id(task_id), choice="pass"
                )
                method = ground.records.record_statement
                key = f"record:{answered.fingerprint}"
                step = RecordStep(key=key, now=NOW, subject=application.subject, statement=answered)
            case "move":
                method = ground.records.move
                asks = (Ask(kind=TaskKind.COMMERCE_CHECK),)
                step = MoveStep(
                    key="move:1", now=NOW, subject=application.subject, stage=Stage.COMMERCE_CHECK, asks=asks
                )
            case "activate":
                method = ground.account_steps.activate_account
                step = ActivateStep(key="activate:1", now=NOW, application_id=application.id)
            case _:
                method = ground.evidence.gather_background
                step = GatherStep(key="gather:1", now=NOW, application_id=application.id, round=1)
        results = await race(*(ground.run(method, step, application.workflow_id) for _ in range(copies)))
        assert all(result == results[0] for result in results), kind
        assert getattr(results[0], "accepted", True), kind
        later = await ground.run(
            method, step.model_copy(update={"now": NOW + timedelta(days=3)}), application.workflow_id
        )
        assert later == results[0], f"{kind}: the same result also much later"

    await asyncio.gather(*(delivered(kind, application) for kind in kinds for application in by_kind[kind]))
    each = ROUNDS // 5
    events = dict(await ground.rows("SELECT event, count(*) FROM audit GROUP BY 1"))
    assert events.pop("mails_queued") == 3 * each  # the submission, the move and the activation
    assert events == {
        "application_submitted": each,
        "answer_accepted": each,
        "stage_moved": each,
        "task_withdrawn": each,
        "task_opened": each,
        "account_activated": each,
        "evidence_gathered": each,
    }
    # A submission is answered in a transaction of its own (N14).
    assert await ground.rows("SELECT count(*) FROM step") == [(ROUNDS + each,)]
    mails = await ground.rows(
        "SELECT facts->>'kind', count(*), count(DISTINCT (subject_id, person)) FROM mail GROUP BY 1"
    )
    assert {kind for kind, _, _ in mails} == {"submitted", "task", "task_withdrawn", "activated"}
    assert [kind for kind, count, people in mails if count != people] == []

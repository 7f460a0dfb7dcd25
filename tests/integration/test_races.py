"""Many at the same moment, on a real PostgreSQL: whoever wins, the outcome is one the regulation allows (N8, N14, X3).

Steps are run as the engine runs them: one that loses to a lock or a constraint is tried again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from pydantic import SecretBytes
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.collisions import keyed_parties
from activities.moving import NotApproved
from activities.steps import (
    Activated,
    ActivateStep,
    GatherStep,
    MoveStep,
    RecordAnswerStep,
    Recorded,
    RecordWithdrawalStep,
    SubmitStep,
)
from crypto.keyring import Keyring
from db import accounts
from db.accounts import AccountRow, ClaimTaken
from domain.application import Stage
from domain.named_account import Obstacle
from domain.statements import AnswerTask, SubmitApplication, WithdrawApplication
from domain.tasks import Ask, TaskKind
from tests.integration.race_ground import (
    CLERKS,
    DELEGATE,
    NOW,
    VPS,
    Ground,
    Racer,
    form,
    race,
    salesperson,
    uscc,
)

ROUNDS = 200
KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
OPEN_VP = (TaskKind.VP_REVIEW, VPS[0], ({"person": VPS[0], "capacity": "holder"},))


@pytest.fixture
async def ground(engine: AsyncEngine, superuser: asyncpg.Connection) -> AsyncIterator[Ground]:
    name = await superuser.fetchval("SELECT current_database()")
    # Two that wait for each other are found at once instead of after a second; what then happens is the same.
    await superuser.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    made = Ground(engine, KEYS)
    await made.prepare(sellers=2 * ROUNDS)
    yield made
    assert all(issubclass(error, DBAPIError | NotApproved) for error in made.retried), made.retried
    await made.record_holds()


async def activate(
    ground: Ground,
    racer: Racer,
    *,
    key: str = "activate:1",
    gm: str | None = None,
    final: tuple[type[Exception], ...] = (),
) -> Activated:
    step = ActivateStep(key=key, now=NOW, application_id=racer.id, gm_decision=gm or racer.gm_decision)
    return await ground.run(ground.records.activate_account, step, racer.workflow_id, final=final)


# ---- N8: the count ------------------------------------------------------------------------------------------------


async def test_n8_of_several_approved_at_once_one_becomes_the_fifth_account_and_the_others_go_to_the_general_manager(
    ground: Ground,
) -> None:
    fields = [
        [Racer(id=f"r{r:03}-{n}", applicant=salesperson(r), form=form(f"客户{r:03}之{n}")) for n in range(3)]
        for r in range(ROUNDS)
    ]
    held = [
        Racer(
            id=f"h{r:03}-{slot}",
            applicant=salesperson(r),
            form=form(f"老客户{r:03}之{slot}"),
            approved=False,
            stage=Stage.ACTIVE,
        )
        for r in range(ROUNDS)
        for slot in range(1, 5)
    ]
    await ground.register([*held, *(racer for field in fields for racer in field)])
    await ground.hold(held, [1, 2, 3, 4] * ROUNDS)

    async def one_round(r: int, field: Sequence[Racer]) -> None:
        outcomes = await race(*(activate(ground, racer) for racer in field))
        assert Counter(outcome.obstacle for outcome in outcomes) == {None: 1, Obstacle.ABOVE_LIMIT: 2}
        if r % 4 == 0:
            await one_more_with_the_general_manager(field, outcomes)

    async def one_more_with_the_general_manager(field: Sequence[Racer], outcomes: Sequence[Activated]) -> None:
        """The general manager approves one of the two: that one activates, the other still may not."""
        left = [racer for racer, outcome in zip(field, outcomes, strict=True) if outcome.obstacle]
        await ground.general_manager_approves(left[:1])
        again = await race(
            activate(ground, left[0], key="activate:2", gm=f"{left[0].id}-gm"),
            activate(ground, left[1], key="activate:2"),
        )
        assert [outcome.obstacle for outcome in again] == [None, Obstacle.ABOVE_LIMIT]

    await asyncio.gather(*(one_round(r, field) for r, field in enumerate(fields)))
    # Held before: 4. By two VPs: 1. With the general manager: 1, and it says so.
    slots = await ground.rows(
        "SELECT slots, by_gm, count(*) FROM (SELECT array_agg(slot ORDER BY slot) AS slots,"
        " array_agg(slot) FILTER (WHERE gm_decision IS NOT NULL) AS by_gm"
        " FROM account WHERE revoked_at IS NULL GROUP BY salesperson) AS held GROUP BY 1, 2 ORDER BY 3"
    )
    assert slots == [([1, 2, 3, 4, 5, 6], [6], ROUNDS // 4), ([1, 2, 3, 4, 5], None, ROUNDS * 3 // 4)]
    reached = await ground.rows("SELECT count(*) FROM audit WHERE event = 'account_limit_reached'")
    assert reached == [(2 * ROUNDS + ROUNDS // 4,)]


async def test_n8_a_sixth_account_past_the_general_manager_is_refused_by_the_table_itself(ground: Ground) -> None:
    holder, other = salesperson(0), salesperson(1)
    racers = [Racer(id=f"d{n}", applicant=holder, form=form(f"直写客户{n}"), gm_approved=n == 8) for n in range(9)]
    await ground.register(racers)
    await ground.hold(racers[:5], range(1, 6))
    for slot in (0, 6, 100):
        with pytest.raises(IntegrityError, match="ck_account_limit_needs_gm"):
            await ground.hold(racers[5:6], [slot])
    for slot in range(1, 6):
        with pytest.raises(IntegrityError, match="uq_account_salesperson_slot"):
            await ground.hold(racers[5:6], [slot])
    with pytest.raises(IntegrityError, match="fk_account_gm_decision_decision"):
        async with ground.engine.begin() as tx:
            await accounts.activate(tx, account_row(racers[6], slot=6, gm_decision="never-taken"), ())
    # Written by hand at the same moment, without the count and its lock.
    more = [Racer(id=f"w{n}", applicant=other, form=form(f"手写客户{n}")) for n in range(12)]
    await ground.register(more)
    written = await asyncio.gather(
        *(ground.hold([racer], [1 + n % 6]) for n, racer in enumerate(more)), return_exceptions=True
    )
    assert [one for one in written if one is not None and not isinstance(one, IntegrityError)] == []
    assert await ground.rows("SELECT salesperson, count(*) FROM account GROUP BY salesperson ORDER BY 1") == [
        (holder, 5),
        (other, 5),
    ]


# ---- N14: the claims ----------------------------------------------------------------------------------------------


def rivals(r: int) -> tuple[Racer, Racer]:
    """Two applications of two salespeople for one customer, told by another thing each time."""
    code = uscc(r)
    name = f"对手客户{r:03}有限公司"
    first, second = [
        (form(name), form(name, code=code)),
        (form(f"甲{r}", code=code), form(f"乙{r}", code=code)),
        (form(name, related=[(f"子公司{r}", None)]), form(f"丙{r}", related=[(f"子公司{r}", code)])),
        (form(f"丁{r}", related=[("某甲", code)]), form(f"戊{r}", code=code)),
        (form(f"己{r}", aliases=[name]), form(f"庚{r}", related=[(name, None)])),
    ][r % 5]
    return (
        Racer(id=f"a{r:03}", applicant=salesperson(2 * r), form=first),
        Racer(
            id=f"b{r:03}",
            applicant=salesperson(2 * r + 1),
            form=second,
            submitted_at=NOW + timedelta(seconds=1 + r % 2),
        ),
    )


async def test_n14_of_two_applications_for_one_customer_activated_at_once_the_earlier_becomes_the_account(
    ground: Ground,
) -> None:
    pairs = [rivals(r) for r in range(ROUNDS)]
    await ground.register([racer for pair in pairs for racer in pair])

    async def one_round(pair: tuple[Racer, Racer], *, later_first: bool) -> None:
        outcomes = await race(*(activate(ground, racer) for racer in (reversed(pair) if later_first else pair)))
        earlier, later = reversed(outcomes) if later_first else outcomes
        assert earlier.account_id == pair[0].id
        assert later.obstacle in (Obstacle.APPLICATION, Obstacle.ACCOUNT)

    await asyncio.gather(*(one_round(pair, later_first=r % 2 == 0) for r, pair in enumerate(pairs)))
    assert await ground.rows("SELECT count(*), count(*) FILTER (WHERE id LIKE 'a%') FROM account") == [(ROUNDS, ROUNDS)]
    assert await ground.rows("SELECT count(*) FROM account WHERE id NOT IN (SELECT account_id FROM claim)") == [(0,)]


async def test_n14_of_two_that_name_a_company_in_later_rounds_the_one_that_named_it_first_stands(
    ground: Ground,
) -> None:
    # The second to be submitted was the first to name the disputed company.
    pairs = [
        tuple(
            Racer(
                id=f"{side}{r:03}",
                applicant=salesperson(2 * r + n),
                form=form(f"{side}{r}", related=[(f"争议公司{r}", None), (f"另一公司{r}", None)][:: 1 - 2 * n]),
                submitted_at=NOW + timedelta(seconds=n),
                parties_since=NOW + timedelta(hours=2 - n),
            )
            for n, side in enumerate("ab")
        )
        for r in range(ROUNDS)
    ]
    await ground.register([racer for pair in pairs for racer in pair])

    async def one_round(pair: Sequence[Racer]) -> None:
        later, first = await race(*(activate(ground, racer) for racer in pair))
        assert first.obstacle is None
        assert later.obstacle in (Obstacle.APPLICATION, Obstacle.ACCOUNT)

    await asyncio.gather(*(one_round(pair) for pair in pairs))
    assert await ground.rows("SELECT count(*) FROM account") == [(ROUNDS,)]


def account_row(racer: Racer, *, slot: int = 1, gm_decision: str | None = None) -> AccountRow:
    return AccountRow(
        id=racer.id,
        application_id=racer.id,
        salesperson=racer.applicant,
        department="north",
        form=racer.form,
        slot=slot,
        account_limit=5,
        gm_decision=gm_decision,
        activated_at=NOW,
    )


async def test_n14_claims_written_at_once_without_any_lock_of_ours_let_one_account_through(ground: Ground) -> None:
    # A ring: the first and second share a name, the second and third a code, the third and first an alias.
    rings = [
        (
            Racer(
                id=f"x{r:03}", applicant=salesperson(r), form=form(f"环{r}", related=[(f"链{r}", None)]), approved=False
            ),
            Racer(
                id=f"y{r:03}",
                applicant=salesperson(r),
                form=form(f"环{r}", related=[(f"扣{r}", uscc(r))]),
                approved=False,
            ),
            Racer(
                id=f"z{r:03}",
                applicant=salesperson(r),
                form=form(f"末{r}", code=uscc(r), aliases=[f"链{r}"]),
                approved=False,
            ),
        )
        for r in range(ROUNDS)
    ]
    await ground.register([racer for ring in rings for racer in ring])
    at_once = asyncio.Semaphore(6)

    async def insert(racer: Racer, slot: int) -> str:
        while True:
            try:
                async with ground.engine.begin() as tx:
                    await accounts.activate(tx, account_row(racer, slot=slot), keyed_parties(racer.form))
            except ClaimTaken:
                return "taken"
            except DBAPIError as error:
                if "deadlock detected" not in str(error):
                    raise
            else:
                return "written"

    async def one_round(ring: Sequence[Racer]) -> None:
        async with at_once:
            outcomes = await race(*(insert(racer, slot) for slot, racer in enumerate(ring, start=1)))
        # x holds the name and 链, so y and z collide with it; y and z collide by the code: never two of them.
        assert sorted(outcomes) == ["taken", "taken", "written"]

    await asyncio.gather(*(one_round(ring) for ring in rings))
    assert await ground.rows("SELECT count(DISTINCT account_id), count(*) FROM claim WHERE live") == [
        (ROUNDS, (await ground.rows("SELECT count(*) FROM claim"))[0][0])
    ]
    assert await ground.rows("SELECT count(*) FROM account") == [(ROUNDS,)]


async def test_n14_two_companies_of_one_name_with_different_codes_do_not_collide(ground: Ground) -> None:
    pair = [
        Racer(id=f"n{n}", applicant=salesperson(n), form=form("同名公司", code=uscc(n + 1)), submitted_at=NOW)
        for n in range(2)
    ]
    await ground.register(pair)
    outcomes = await race(*(activate(ground, racer) for racer in pair))
    assert [outcome.account_id for outcome in outcomes] == ["n0", "n1"]


# ---- Answers ------------------------------------------------------------------------------------------------------


async def answer(ground: Ground, racer: Racer, said: AnswerTask) -> Recorded:
    step = RecordAnswerStep(key=f"record:{said.fingerprint}", now=NOW, application_id=racer.id, statement=said)
    return await ground.run(ground.records.record_answer, step, racer.workflow_id)


async def receipts(ground: Ground, *said: AnswerTask | WithdrawApplication) -> list[tuple[bool, dict[str, Any]]]:
    found = await ground.rows(
        "SELECT message_id, accepted, result FROM receipt WHERE message_id = ANY(:ids)",
        ids=[one.message_id for one in said],
    )
    by_id = {row[0]: (row[1], row[2]) for row in found}
    return [by_id[one.message_id] for one in said]


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
            form=form(f"答复客户{r}"),
            approved=False,
            open_tasks=(clerks if r % 2 else deputies,),
            stage=Stage.COMMERCE_CHECK if r % 2 else Stage.VP_REVIEW,
        )
        for r in range(ROUNDS)
    ]
    await ground.register(racers)
    winners: Counter[str] = Counter()

    async def one_round(r: int, racer: Racer) -> None:
        people = CLERKS if r % 2 else (VPS[1], DELEGATE)
        choices = ("pass", "return") if r % 2 else ("approve", "reject")
        kind, slot = (TaskKind.COMMERCE_CHECK, "") if r % 2 else (TaskKind.VP_REVIEW, VPS[1])
        said = [
            ground.says(AnswerTask, racer, person, task_id=racer.task_id(kind, slot), choice=choice, reason="理由")
            for person, choice in zip(people, choices, strict=True)
        ]
        outcomes = await race(*(answer(ground, racer, one) for one in said))
        (winner,) = (n for n, outcome in enumerate(outcomes) if outcome.accepted)
        winners[people[winner]] += 1
        decided, told = outcomes[winner].decision, await receipts(ground, *said)
        assert decided
        assert (decided.person, decided.choice) == (people[winner], choices[winner])
        assert decided.on_behalf_of == (VPS[1] if people[winner] == DELEGATE else None)
        assert outcomes[1 - winner].code == "already_answered"
        accepted, result = told[1 - winner]
        assert (accepted, result["choice"], result["by"]) == (False, choices[winner], names[people[winner]])
        assert result["at"] == NOW.isoformat()

    await asyncio.gather(*(one_round(r, racer) for r, racer in enumerate(racers)))
    assert len(winners) == 4, f"it is no race when the same always wins: {winners}"
    assert await ground.rows("SELECT count(*) FROM decision") == [(ROUNDS,)]
    assert await ground.rows("SELECT count(*) FROM task WHERE status = 'answered'") == [(ROUNDS,)]
    assert await ground.rows("SELECT accepted, count(*) FROM receipt GROUP BY 1 ORDER BY 1") == [
        (False, ROUNDS),
        (True, ROUNDS),
    ]


async def ground_company(ground: Ground) -> Any:
    async with ground.engine.connect() as tx:
        return await ground.facts.organisation(tx)


async def withdraw(ground: Ground, racer: Racer, said: WithdrawApplication) -> Recorded:
    step = RecordWithdrawalStep(key=f"record:{said.fingerprint}", now=NOW, application_id=racer.id, statement=said)
    return await ground.run(ground.records.record_withdrawal, step, racer.workflow_id)


async def test_n13_an_answer_and_a_withdrawal_at_once_are_each_recorded_and_each_get_their_receipt(
    ground: Ground,
) -> None:
    racers = [
        Racer(
            id=f"v{r:03}",
            applicant=salesperson(r),
            form=form(f"撤回客户{r}"),
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
        gives_up = ground.says(WithdrawApplication, racer, racer.applicant, reason="客户取消")
        answered, withdrawn = await race(answer(ground, racer, approves), withdraw(ground, racer, gives_up))
        assert (answered.accepted, withdrawn.accepted) == (True, True)
        # What the process does next, whichever of the two it reads first: the application is over.
        move = MoveStep(key="move:1", now=NOW, application_id=racer.id, stage=Stage.WITHDRAWN)
        late = ground.says(
            AnswerTask, racer, VPS[0], task_id=racer.task_id(TaskKind.VP_REVIEW, VPS[0]), choice="reject", reason="晚"
        )
        _, refused = await race(
            ground.run(ground.records.move_application, move, racer.workflow_id), answer(ground, racer, late)
        )
        assert refused.code == "already_answered"

    await asyncio.gather(*(one_round(racer) for racer in racers))
    assert await ground.rows("SELECT stage, count(*) FROM application GROUP BY 1") == [("withdrawn", ROUNDS)]
    assert await ground.rows("SELECT count(*), count(DISTINCT task_id) FROM decision") == [(ROUNDS, ROUNDS)]


async def test_n7_n13_a_withdrawal_and_an_activation_at_once_never_both_succeed(ground: Ground) -> None:
    """A step of an earlier attempt, or one that an operator sent back in time, meets what was recorded meanwhile."""
    racers = [Racer(id=f"q{r:03}", applicant=salesperson(r), form=form(f"末步客户{r}")) for r in range(ROUNDS)]
    await ground.register(racers)
    ends: Counter[str] = Counter()

    async def activated(racer: Racer) -> bool:
        try:
            return (await activate(ground, racer, final=(NotApproved,))).account_id is not None
        except NotApproved:
            return False

    async def one_round(r: int, racer: Racer) -> None:
        said = ground.says(WithdrawApplication, racer, racer.applicant, reason="客户取消")
        contenders: list[Any] = [withdraw(ground, racer, said), activated(racer)]
        outcomes = await race(*(contenders if r % 2 else reversed(contenders)))
        withdrawn, active = outcomes if r % 2 else reversed(outcomes)
        assert withdrawn.accepted is not active
        ends["active" if active else "withdrawn"] += 1

    await asyncio.gather(*(one_round(r, racer) for r, racer in enumerate(racers)))
    assert len(ends) == 2, f"it is no race when the same always wins: {ends}"


# ---- The same step twice --------------------------------------------------------------------------------------------


async def test_x3_a_step_delivered_several_times_at_once_has_one_effect_and_one_result(ground: Ground) -> None:
    copies = 2
    task_id = TaskKind.COMMERCE_CHECK
    asked = (task_id, "", tuple({"person": p, "capacity": "holder"} for p in CLERKS))

    def racer(r: int, name: str, **more: Any) -> Racer:
        return Racer(id=f"{name}{r:03}", applicant=salesperson(r), form=form(f"{name}客户{r}"), **more)

    kinds = ("submit", "answer", "move", "activate", "gather")
    by_kind = {
        "submit": [racer(r, "s") for r in range(0, ROUNDS, 5)],
        "answer": [
            racer(r, "a", approved=False, open_tasks=(asked,), stage=Stage.COMMERCE_CHECK) for r in range(1, ROUNDS, 5)
        ],
        "move": [
            racer(r, "m", approved=False, open_tasks=(asked,), stage=Stage.COMMERCE_CHECK) for r in range(2, ROUNDS, 5)
        ],
        "activate": [racer(r, "c") for r in range(3, ROUNDS, 5)],
        "gather": [racer(r, "g", approved=False, stage=Stage.EVIDENCE) for r in range(4, ROUNDS, 5)],
    }
    await ground.register([one for kind in kinds[1:] for one in by_kind[kind]])

    async def delivered(kind: str, one: Racer) -> None:
        step: Any
        match kind:
            case "submit":
                said = ground.says(SubmitApplication, one, one.applicant, application_id=one.id, form=one.form)
                method: Any = ground.records.submit_application
                step = SubmitStep(key="submit", now=NOW, statement=said)
            case "answer":
                answered = ground.says(AnswerTask, one, CLERKS[0], task_id=one.task_id(task_id), choice="pass")
                method = ground.records.record_answer
                key = f"record:{answered.fingerprint}"
                step = RecordAnswerStep(key=key, now=NOW, application_id=one.id, statement=answered)
            case "move":
                method = ground.records.move_application
                asks = (Ask(kind=TaskKind.COMMERCE_CHECK),)
                step = MoveStep(key="move:1", now=NOW, application_id=one.id, stage=Stage.COMMERCE_CHECK, asks=asks)
            case "activate":
                method = ground.records.activate_account
                step = ActivateStep(key="activate:1", now=NOW, application_id=one.id)
            case _:
                method = ground.evidence.gather_accounts_held
                step = GatherStep(key="gather:1", now=NOW, application_id=one.id, round=1)
        results = await race(*(ground.run(method, step, one.workflow_id) for _ in range(copies)))
        assert all(result == results[0] for result in results), kind
        assert getattr(results[0], "accepted", True), kind
        later = await ground.run(method, step.model_copy(update={"now": NOW + timedelta(days=3)}), one.workflow_id)
        assert later == results[0], f"{kind}: the same result also much later"

    await asyncio.gather(*(delivered(kind, one) for kind in kinds for one in by_kind[kind]))
    each = ROUNDS // 5
    events = dict(await ground.rows("SELECT event, count(*) FROM audit GROUP BY 1"))
    assert events.pop("mails_queued") == 2 * each  # the move and the activation
    assert events == {
        "application_submitted": each,
        "answer_accepted": each,
        "stage_moved": each,
        "task_withdrawn": each,
        "task_opened": each,
        "account_activated": each,
        "evidence_gathered": each,
    }
    assert await ground.rows("SELECT count(*) FROM step") == [(ROUNDS,)]
    mails = await ground.rows(
        "SELECT facts->>'kind', count(*), count(DISTINCT (subject_id, person)) FROM mail GROUP BY 1"
    )
    assert {kind for kind, _, _ in mails} == {"task", "task_withdrawn", "activated"}
    assert [kind for kind, count, people in mails if count != people] == []

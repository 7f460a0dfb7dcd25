"""Many at the same moment, on a real PostgreSQL: whoever wins, the outcome is one the regulation allows (N8, N14, X3).

Steps are run as the engine runs them: one that loses to a lock or a constraint is tried again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from activities.conflicts.collisions import keyed_parties
from activities.steps import (
    Activated,
)
from db.accounts import accounts
from db.accounts.accounts import AccountRow, ClaimTaken
from db.conflicts import rulings
from domain.accounts.application import Stage
from domain.accounts.named_account import Obstacle
from domain.conflicts.rulings import LearnedAlias
from domain.tasks.task import TaskKind
from matching.names.names import name_key
from tests.integration.tasks.race_ground import NOW, ROUNDS, VPS, Ground, Racer, activate, race, salesperson
from tests.samples import application_form, uscc

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(300)]
"""Hundreds of steps at once, in code that other files cover."""

# ---- N8: the count ------------------------------------------------------------------------------------------------


async def test_n8_of_several_approved_at_once_one_becomes_the_fifth_account_and_the_others_go_to_the_general_manager(
    ground: Ground,
) -> None:
    fields = [
        [
            Racer(id=f"r{r:03}-{n}", applicant=salesperson(r), form=application_form(f"客户{r:03}之{n}"))
            for n in range(3)
        ]
        for r in range(ROUNDS)
    ]
    held = [
        Racer(
            id=f"h{r:03}-{slot}",
            applicant=salesperson(r),
            form=application_form(f"老客户{r:03}之{slot}"),
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
    racers = [
        Racer(id=f"d{n}", applicant=holder, form=application_form(f"直写客户{n:02}"), gm_approved=n == 8)
        for n in range(9)
    ]
    await ground.register(racers)
    await ground.hold(racers[:5], range(1, 6))
    for slot in (0, 6, 100):
        with pytest.raises(IntegrityError, match="ck_account_limit_needs_gm"):
            await ground.hold(racers[5:6], [slot])
    for slot in range(1, 6):
        with pytest.raises(IntegrityError, match="uq_account_salesperson_slot"):
            await ground.hold(racers[5:6], [slot])
    with pytest.raises(IntegrityError, match="fk_account_gm_decision_decision"):
        async with ground.engine.begin() as connection:
            await accounts.activate(connection, account_row(racers[6], slot=6, gm_decision="never-taken"), ())
    # Written by hand at the same moment, without the count and its lock.
    more = [Racer(id=f"w{n}", applicant=other, form=application_form(f"手写客户{n:02}")) for n in range(12)]
    await ground.register(more)
    written = await asyncio.gather(
        *(ground.hold([racer], [1 + n % 6]) for n, racer in enumerate(more)), return_exceptions=True
    )
    assert [outcome for outcome in written if outcome is not None and not isinstance(outcome, IntegrityError)] == []
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
        (application_form(name), application_form(name, code=code)),
        (application_form(f"甲{r}", code=code), application_form(f"乙{r}", code=code)),
        (
            application_form(name, related=[(f"子公司{r}", None)]),
            application_form(f"丙{r}", related=[(f"子公司{r}", code)]),
        ),
        (application_form(f"丁{r}", related=[("某甲", code)]), application_form(f"戊{r}", code=code)),
        (application_form(f"己{r}", aliases=[name]), application_form(f"庚{r}", related=[(name, None)])),
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
                form=application_form(
                    f"{side}{r}", related=[(f"争议公司{r}", None), (f"另一公司{r}", None)][:: 1 - 2 * n]
                ),
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
                id=f"x{r:03}",
                applicant=salesperson(r),
                form=application_form(f"环{r}", related=[(f"链{r}", None)]),
                approved=False,
            ),
            Racer(
                id=f"y{r:03}",
                applicant=salesperson(r),
                form=application_form(f"环{r}", related=[(f"扣{r}", uscc(r))]),
                approved=False,
            ),
            Racer(
                id=f"z{r:03}",
                applicant=salesperson(r),
                form=application_form(f"末{r}", code=uscc(r), aliases=[f"链{r}"]),
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
                async with ground.engine.begin() as connection:
                    await accounts.activate(connection, account_row(racer, slot=slot), keyed_parties(racer.form))
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


async def test_n14_a_likeness_alone_refuses_no_account_and_a_name_that_people_know_to_be_one_company_does(
    ground: Ground,
) -> None:
    """N3, N14: people saw that the names are near and decided; what a clerk has found to be one company counts."""
    names = ("中石油", "中国石油天然气集团有限公司"), ("贵州茅台", "贵州茅台酒股份有限公司")
    pairs = [
        tuple(
            Racer(
                id=f"{side}{r}",
                applicant=salesperson(2 * r + n),
                form=application_form(pair[n]),
                submitted_at=NOW + timedelta(seconds=n),
            )
            for n, side in enumerate("kl")
        )
        for r, pair in enumerate(names)
    ]
    await ground.register([racer for pair in pairs for racer in pair])
    (known, other), _ = names
    async with ground.engine.begin() as connection:
        sides = sorted((name_key(name), name) for name in (known, other))
        alias = LearnedAlias(
            name_key=sides[0][0],
            name=sides[0][1],
            other_key=sides[1][0],
            other=sides[1][1],
            person=VPS[0],
            at=NOW,
            reason="同一家公司",
            subject_id="k0",
            task_id=pairs[0][0].task_id(TaskKind.VP_REVIEW, VPS[0]),
        )
        await rulings.learn(connection, [alias])
    of_one_company, of_near_names = [await activate(ground, pair[1]) for pair in pairs]
    assert of_one_company.obstacle is Obstacle.APPLICATION
    assert of_near_names.account_id == "l1"


@pytest.mark.parametrize(
    ("customer_code", "other"),
    [
        (uscc(1), "320594000000101"),
        ("320594000000101", None),
        ("320594000000101", "320594000000101"),
    ],
)
async def test_n14_a_registration_number_and_a_credit_code_do_not_tell_two_customers_of_one_name_apart(
    ground: Ground, customer_code: str, other: str | None
) -> None:
    """Neither by the look before it nor by the constraint alone."""
    pair = [
        Racer(id=f"r{n}", applicant=salesperson(n), form=application_form("同名公司", code=code), submitted_at=NOW)
        for n, code in enumerate((customer_code, other))
    ]
    await ground.register(pair)
    outcomes = await race(*(activate(ground, racer) for racer in pair))
    assert sum(outcome.account_id is not None for outcome in outcomes) == 1
    beaten = next(racer for racer, outcome in zip(pair, outcomes, strict=True) if outcome.account_id is None)
    with pytest.raises(ClaimTaken):
        async with ground.engine.begin() as connection:
            await accounts.activate(connection, account_row(beaten, slot=1), keyed_parties(beaten.form))
    assert await ground.rows("SELECT count(DISTINCT account_id) FROM claim WHERE live") == [(1,)]


TWO_CODES = [(uscc(1), uscc(2)), ("320594000000101", "320594000000208")]


@pytest.mark.parametrize("codes", TWO_CODES)
async def test_n14_one_full_name_with_two_valid_codes_becomes_one_account_until_commerce_has_said_which_is_right(
    ground: Ground, codes: tuple[str, str]
) -> None:
    pair = [
        Racer(id=f"n{n}", applicant=salesperson(n), form=application_form("同名公司", code=code), submitted_at=NOW)
        for n, code in enumerate(codes)
    ]
    await ground.register(pair)
    outcomes = await race(*(activate(ground, racer) for racer in pair))
    assert [outcome.account_id for outcome in outcomes] == ["n0", None]
    assert outcomes[1].obstacle in (Obstacle.APPLICATION, Obstacle.ACCOUNT)
    again = await activate(ground, pair[1], key="activate:2")
    assert again.obstacle is Obstacle.ACCOUNT

"""People change while somebody is asked: who is asked then, by which mail, and who no longer is (N6, N8, N10, N12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta

import pytest
from pydantic import SecretBytes
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import OpenTask, Recorded, RecordStep, RefreshStep, ReminderStep
from crypto.keyring import Keyring
from db.reference_data import import_organisation
from db.tables.accounts import application
from db.tables.tasks import task, task_person
from domain.organisation import Delegation, Organisation
from domain.statements import AnswerTask
from domain.tasks.task import AssigneeCapacity, TaskKind
from embedded.welcome import sample_organisation
from tests.integration.tasks.race_ground import (
    GENERAL_MANAGER,
    NOW,
    VPS,
    Ground,
    Racer,
    salesperson,
)
from tests.samples import application_form

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
SUCCESSOR, OTHER_SUCCESSOR = "liu.yang", "sun.li"
MINUTE = timedelta(minutes=1)
REMINDED, REMINDED_AGAIN, STOOD_IN = (NOW + timedelta(days=days) for days in (2, 6, 7))
"""2, 4 and 5 working days after a Tuesday morning."""


def asked_in(*slots: str) -> Racer:
    """An application whose review is open in `slots`."""
    return Racer(
        id="changing",
        applicant=salesperson(0),
        form=application_form("人事变动客户"),
        approved=False,
        open_tasks=tuple((TaskKind.VP_REVIEW, slot, ({"person": slot, "capacity": "holder"},)) for slot in slots),
    )


BOTH = asked_in(*VPS)


def review(slot: str) -> str:
    return BOTH.task_id(TaskKind.VP_REVIEW, slot)


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[Ground]:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=1)
    yield made
    assert not made.retried
    await made.record_holds()


class Company:
    """The company as somebody imports it."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def changes(
        self,
        *,
        sales_vps: tuple[str, ...] = VPS,
        gone: Iterable[str] = (),
        delegations: Iterable[tuple[str, str, datetime]] = (),
        at: datetime = NOW,
    ) -> Organisation:
        """Import it anew; a delegation is (who, to whom, until when)."""
        company = sample_organisation()
        async with self._ground.engine.begin() as connection:
            now = await self._ground.facts.organisation(connection)
            company = company.model_copy(
                update={
                    "people": tuple(p.model_copy(update={"active": p.id not in gone}) for p in now.people),
                    "sales_vps": sales_vps,
                    "delegations": tuple(
                        Delegation(person=p, delegate=d, start=NOW - timedelta(days=1), end=end)
                        for p, d, end in delegations
                    ),
                }
            )
            await import_organisation(connection, company, now=at, by="test")
        return company


async def refresh(ground: Ground, *, at: datetime = NOW) -> dict[str, dict[str, AssigneeCapacity]]:
    """Who is asked by each open task, by slot, and in which capacity."""
    step = RefreshStep(key=f"refresh:{at.isoformat()}", now=at, subject=BOTH.subject)
    refreshed = await ground.run(ground.chasing.refresh_tasks, step, BOTH.workflow_id)
    return {task.slot: capacities(task) for task in refreshed.tasks}


async def chase(ground: Ground, task_id: str, *, at: datetime) -> OpenTask:
    step = ReminderStep(key=f"chase:{task_id}:{at.isoformat()}", now=at, subject=BOTH.subject, task_id=task_id)
    return await ground.run(ground.chasing.remind_or_escalate, step, BOTH.workflow_id)


def capacities(task: OpenTask) -> dict[str, AssigneeCapacity]:
    return {assignee.person: assignee.capacity for assignee in task.asked}


async def approves(ground: Ground, person: str, task_id: str, *, at: datetime = NOW) -> Recorded:
    said = ground.says(AnswerTask, BOTH, person, task_id=task_id, choice="approve")
    step = RecordStep(key=f"record:{said.fingerprint}", now=at, subject=BOTH.subject, statement=said)
    return await ground.run(ground.records.record_statement, step, BOTH.workflow_id)


async def mails(ground: Ground, kind: str) -> list[str]:
    rows = await ground.rows("SELECT person FROM mail WHERE facts->>'kind' = :kind ORDER BY id", kind=kind)
    return [person for (person,) in rows]


# ---- N6: who takes the slot of a VP who has left --------------------------------------------------------------------


@pytest.mark.parametrize("named", [(VPS[0], SUCCESSOR), (SUCCESSOR, VPS[0])])
async def test_n6_the_vp_who_has_approved_keeps_their_slot_and_the_successor_is_asked_in_the_other(
    ground: Ground, named: tuple[str, str]
) -> None:
    await ground.register([BOTH])
    assert (await approves(ground, VPS[0], review(VPS[0]))).accepted
    await Company(ground).changes(sales_vps=named, gone={VPS[1]})
    assert await refresh(ground) == {SUCCESSOR: {SUCCESSOR: AssigneeCapacity.HOLDER}}
    assert await mails(ground, "task") == [SUCCESSOR]
    assert (await approves(ground, VPS[0], review(VPS[1]))).code == "not_asked"
    assert (await approves(ground, SUCCESSOR, review(VPS[1]))).accepted


async def test_n6_n8_asked_again_for_a_special_reason_successors_follow_in_the_slots_that_are_open(
    ground: Ground,
) -> None:
    """Both have approved without a special reason: those answers no longer count, and take no slot from anybody."""
    first = Racer(id=BOTH.id, applicant=BOTH.applicant, form=BOTH.form, special=False)
    await ground.register([first])
    again = {slot: f"again-{slot}" for slot in VPS}
    later = NOW + MINUTE
    await ground.insert(
        {
            task: [
                ground._task(BOTH, again[slot], TaskKind.VP_REVIEW, slot, "open") | {"opened_at": later} for slot in VPS
            ],
            task_person: [
                {
                    "task_id": again[slot],
                    "person": slot,
                    "capacity": "holder",
                    "link_id": again[slot],
                    "link_expires_at": NOW + timedelta(days=60),
                    "asked_at": later,
                }
                for slot in VPS
            ],
        }
    )
    company = Company(ground)
    await company.changes(sales_vps=(SUCCESSOR, VPS[1]), gone={VPS[0]}, at=later)
    assert await refresh(ground, at=later) == {
        SUCCESSOR: {SUCCESSOR: AssigneeCapacity.HOLDER},
        VPS[1]: {VPS[1]: AssigneeCapacity.HOLDER},
    }
    await company.changes(sales_vps=(SUCCESSOR, OTHER_SUCCESSOR), gone=VPS, at=later + MINUTE)
    assert [*await refresh(ground, at=later + MINUTE)] == [SUCCESSOR, OTHER_SUCCESSOR]
    await company.changes(sales_vps=(VPS[0], OTHER_SUCCESSOR), at=later + 2 * MINUTE)  # back again
    assert [*await refresh(ground, at=later + 2 * MINUTE)] == [VPS[0], OTHER_SUCCESSOR]


# ---- N12: whether a stand-in is due ---------------------------------------------------------------------------------


async def test_n12_a_general_manager_asked_as_delegate_is_still_asked_as_stand_in_when_the_delegation_ends(
    ground: Ground,
) -> None:
    await ground.register([BOTH])
    ends = STOOD_IN + timedelta(days=1)
    await Company(ground).changes(delegations=[(VPS[0], GENERAL_MANAGER, ends)])
    assert (await refresh(ground))[VPS[0]] == {
        VPS[0]: AssigneeCapacity.HOLDER,
        GENERAL_MANAGER: AssigneeCapacity.DELEGATE,
    }
    for moment in (REMINDED, REMINDED_AGAIN, STOOD_IN):
        last = await chase(ground, review(VPS[0]), at=moment)
    assert (last.chased, capacities(last)[GENERAL_MANAGER]) == (3, AssigneeCapacity.DELEGATE)
    after = await refresh(ground, at=ends)
    assert after[VPS[0]] == {VPS[0]: AssigneeCapacity.HOLDER, GENERAL_MANAGER: AssigneeCapacity.STAND_IN}
    assert (await approves(ground, GENERAL_MANAGER, review(VPS[0]), at=ends + MINUTE)).accepted
    assert await ground.rows("SELECT capacity FROM decision") == [("stand_in",)]


async def test_n12_a_general_manager_asked_for_want_of_the_vp_is_taken_off_when_a_successor_is_named(
    ground: Ground,
) -> None:
    await ground.register([BOTH])
    company = Company(ground)
    await company.changes(gone={VPS[0]})
    assert (await refresh(ground))[VPS[0]] == {GENERAL_MANAGER: AssigneeCapacity.STAND_IN}
    await company.changes(sales_vps=(SUCCESSOR, VPS[1]), gone={VPS[0]}, at=NOW + MINUTE)
    assert (await refresh(ground, at=NOW + MINUTE))[SUCCESSOR] == {SUCCESSOR: AssigneeCapacity.HOLDER}
    assert await mails(ground, "task_withdrawn") == [GENERAL_MANAGER]
    assert (await approves(ground, GENERAL_MANAGER, review(VPS[0]), at=NOW + MINUTE)).code == "not_asked"
    for moment in (REMINDED, REMINDED_AGAIN, STOOD_IN):
        last = await chase(ground, review(VPS[0]), at=moment)
    assert capacities(last) == {SUCCESSOR: AssigneeCapacity.HOLDER, GENERAL_MANAGER: AssigneeCapacity.STAND_IN}
    await company.changes(sales_vps=(OTHER_SUCCESSOR, VPS[1]), gone={VPS[0]}, at=STOOD_IN)
    assert (await refresh(ground, at=STOOD_IN))[OTHER_SUCCESSOR] == {
        OTHER_SUCCESSOR: AssigneeCapacity.HOLDER,
        GENERAL_MANAGER: AssigneeCapacity.STAND_IN,
    }


# ---- N8, N10: the general manager's delegate ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
async def test_n8_n10_a_vp_who_is_the_general_managers_delegate_does_not_decide_on_what_they_reviewed(
    ground: Ground, kind: TaskKind
) -> None:
    general = (kind, "", ({"person": GENERAL_MANAGER, "capacity": "holder"},))
    await ground.register([Racer(id=BOTH.id, applicant=BOTH.applicant, form=BOTH.form, open_tasks=(general,))])
    for_ever = NOW + timedelta(days=99)
    await Company(ground).changes(
        delegations=[(GENERAL_MANAGER, VPS[0], for_ever), (GENERAL_MANAGER, SUCCESSOR, for_ever)]
    )
    assert await refresh(ground) == {
        "": {GENERAL_MANAGER: AssigneeCapacity.HOLDER, SUCCESSOR: AssigneeCapacity.DELEGATE}
    }
    assert (await approves(ground, VPS[0], BOTH.task_id(kind))).code == "not_asked"
    assert (await approves(ground, GENERAL_MANAGER, BOTH.task_id(kind))).accepted


# ---- What people are told, and once ---------------------------------------------------------------------------------


async def mail_links(ground: Ground, kind: str, person: str) -> list[str | None]:
    rows = await ground.rows(
        "SELECT link_id FROM mail WHERE facts->>'kind' = :kind AND person = :person ORDER BY id",
        kind=kind,
        person=person,
    )
    return [link for (link,) in rows]


async def test_whoever_is_asked_again_gets_a_mail_with_the_new_link_each_time(ground: Ground) -> None:
    await ground.register([BOTH])
    company = Company(ground)
    links = []
    for number in range(3):
        moment = NOW + (2 * number + 1) * MINUTE
        await company.changes(delegations=[(VPS[0], SUCCESSOR, STOOD_IN)], at=moment)
        await refresh(ground, at=moment)
        links += await ground.rows("SELECT link_id FROM task_person WHERE person = :person", person=SUCCESSOR)
        await company.changes(at=moment + MINUTE)
        await refresh(ground, at=moment + MINUTE)
    assert len(set(links)) == 3
    assert await mail_links(ground, "task", SUCCESSOR) == [link for (link,) in links]
    assert await mails(ground, "task_withdrawn") == [SUCCESSOR] * 3
    noted = await ground.rows("SELECT jsonb_array_elements_text(body->'mails') FROM audit WHERE event = 'mails_queued'")
    assert noted == await ground.rows("SELECT key FROM mail ORDER BY id")


async def test_the_record_names_only_mails_that_were_really_queued(ground: Ground) -> None:
    await ground.register([BOTH])
    for again in range(2):  # the second has another key, as after a repair by hand, and tells nobody anything new
        async with ground.engine.begin() as connection:
            await connection.execute(update(task).values(chased=0))
        await chase(ground, review(VPS[0]), at=REMINDED + again * MINUTE)
    noted = await ground.rows("SELECT body->'mails' FROM audit WHERE event = 'mails_queued'")
    assert [len(keys) for (keys,) in noted] == [1]
    assert await mails(ground, "reminder") == [VPS[0]]


async def test_n12_whoever_a_delegation_brings_together_with_the_stand_in_is_written_to_as_well(
    ground: Ground,
) -> None:
    await ground.register([BOTH])
    await Company(ground).changes(delegations=[(GENERAL_MANAGER, SUCCESSOR, STOOD_IN + timedelta(days=9))])
    for moment in (REMINDED, REMINDED_AGAIN, STOOD_IN):
        await chase(ground, review(VPS[0]), at=moment)
    assert (await mails(ground, "stand_in"), await mails(ground, "task")) == ([GENERAL_MANAGER], [SUCCESSOR])


# ---- A chase that comes too late ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["answered", "withdrawn"])
async def test_n12_nobody_is_reminded_of_a_task_that_is_closed(ground: Ground, status: str) -> None:
    await ground.register([BOTH])
    async with ground.engine.begin() as connection:
        await connection.execute(update(task).values(status=status, closed_at=NOW))
    left = await chase(ground, review(VPS[0]), at=STOOD_IN)
    assert left.next_step.at > STOOD_IN  # a process that does not know would otherwise come back at once, for ever
    assert capacities(left) == {VPS[0]: AssigneeCapacity.HOLDER}
    assert await ground.rows("SELECT count(*) FROM mail") == [(0,)]
    assert await ground.rows("SELECT sum(chased) FROM task") == [(0,)]


async def test_x3_a_chase_waits_for_the_application_before_it_holds_the_task_as_an_answer_does(ground: Ground) -> None:
    """The other way round, a reminder and an answer at the same moment would each wait for the other."""
    await ground.register([BOTH])
    async with ground.engine.begin() as answering:
        await answering.execute(select(application).where(application.c.id == BOTH.id).with_for_update())
        chasing = asyncio.create_task(chase(ground, review(VPS[0]), at=REMINDED))
        for _ in range(1000):
            if await ground.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                break
            await asyncio.sleep(0.01)
        free = select(task).where(task.c.id == review(VPS[0])).with_for_update(nowait=True)
        await answering.execute(free)
    assert (await chasing).chased == 1

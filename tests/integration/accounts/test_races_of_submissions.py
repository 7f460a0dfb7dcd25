"""Many apply for one customer in the same moment, on a real PostgreSQL: whoever is later is told, and commerce sees it
(N14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import GatherStep, SubmitStep
from domain.accounts.application import ApplicationForm
from domain.statements import SubmitApplication
from tests.integration.tasks.race_ground import KEYS, NOW, ROUNDS, Ground, Racer, race, salesperson
from tests.samples import application_form, uscc

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(300)]
"""Hundreds of steps at once, in code that other files cover."""


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[Ground]:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=2 * ROUNDS)
    yield made
    await made.record_holds()


def one_customer(number: int) -> tuple[ApplicationForm, ApplicationForm]:
    """Two forms for one customer: by name, by code, by another name, and by a related party."""
    name, code = f"同时申请{number:03}有限公司", uscc(number)
    return [
        (application_form(name), application_form(name)),
        (application_form(name, code=code), application_form(f"又名{number:03}", code=code)),
        (application_form(name), application_form(f"别家{number:03}", aliases=[name])),
        (application_form(name), application_form(f"母公司{number:03}", related=[(name, None)])),
        (
            application_form(f"甲方{number:03}", related=[(name, code)]),
            application_form(f"乙方{number:03}", related=[(name, code)]),
        ),
    ][number % 5]


async def submit(ground: Ground, racer: Racer, now: datetime) -> None:
    """The application is registered, and then its evidence gathered, as its process does one after the other."""
    said = ground.says(SubmitApplication, racer, racer.applicant, application_id=racer.id, form=racer.form)
    await ground.run(
        ground.account_steps.submit_application, SubmitStep(key="submit", now=now, statement=said), racer.workflow_id
    )
    gather = GatherStep(key="gather", now=now + timedelta(seconds=1), application_id=racer.id, round=1)
    await ground.run(ground.evidence.gather_registrations, gather, racer.workflow_id)


async def told(ground: Ground) -> dict[str, tuple[int, list[str], set[str], bool]]:
    """Of each application: what its answer, its view and commerce's evidence name, and whether a mail was queued."""
    rows = await ground.rows(
        """
        SELECT application.id,
            (SELECT jsonb_array_length(receipt.result -> 'conflicts') FROM receipt
             WHERE receipt.workflow_id = application.workflow_id),
            ARRAY(SELECT found ->> 1 FROM audit, jsonb_array_elements(audit.body -> 'found') AS found
                  WHERE audit.subject_id = application.id AND audit.event = 'earlier_found'),
            ARRAY(SELECT finding ->> 'subject_id' FROM evidence, jsonb_array_elements(document -> 'findings') AS finding
                  WHERE evidence.application_id = application.id AND kind = 'applications'
                    AND (finding ->> 'grave')::boolean),
            EXISTS (SELECT FROM mail WHERE mail.subject_id = application.id AND person = application.applicant
                    AND facts ->> 'conflict_note' <> '')
        FROM application"""
    )
    return {id_: (answer, sorted(view), set(evidence), mailed) for id_, answer, view, evidence, mailed in rows}


async def order(ground: Ground) -> list[str]:
    """Who stands before whom, as the record has it."""
    rows = await ground.rows(
        "SELECT subject_id FROM party WHERE subject_type = 'application' GROUP BY 1 ORDER BY min(since), 1"
    )
    return [id_ for (id_,) in rows]


async def test_n14_of_two_that_are_submitted_at_once_the_later_is_told_in_every_way_and_shown_to_commerce(
    ground: Ground,
) -> None:
    pairs = []
    for number in range(ROUNDS):
        forms = one_customer(number)
        pair = [
            Racer(id=f"{side}{number:03}", applicant=salesperson(2 * number + place), form=forms[place])
            for place, side in enumerate("ab")
        ]
        pairs.append(pair)

    async def one_round(number: int, pair: list[Racer]) -> None:
        # The one that its process dates first is sometimes recorded last: a worker may be slow.
        times = [NOW, NOW + timedelta(milliseconds=number % 3)]
        await race(
            *(submit(ground, racer, now) for racer, now in zip(pair, times[:: 1 - 2 * (number % 2)], strict=True))
        )

    await asyncio.gather(*(one_round(number, pair) for number, pair in enumerate(pairs)))
    places = {id_: place for place, id_ in enumerate(await order(ground))}
    known = await told(ground)
    for pair in pairs:
        earlier, later = sorted((racer.id for racer in pair), key=places.__getitem__)
        answer, view, evidence, mailed = known[later]
        assert (later, answer, view, mailed) == (later, 1, [earlier], True)
        assert earlier in evidence
        assert known[earlier][0] == 0
        assert known[earlier][1] == []


async def test_n14_of_sixteen_within_one_second_everybody_knows_of_all_that_came_before(ground: Ground) -> None:
    racers = [
        Racer(id=f"m{n:02}", applicant=salesperson(n), form=application_form("众人申请有限公司")) for n in range(16)
    ]
    await race(*(submit(ground, racer, NOW + timedelta(milliseconds=60 * (n % 7))) for n, racer in enumerate(racers)))
    known, before = await told(ground), list[str]()
    for id_ in await order(ground):
        answer, view, evidence, mailed = known[id_]
        assert (id_, answer, view, mailed) == (id_, len(before), sorted(before), bool(before))
        assert evidence >= set(before)
        before.append(id_)
    assert len(before) == 16

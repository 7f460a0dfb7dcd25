"""Whoever decides, decides on what is so at that moment (N14, N15, E2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import ReminderStep
from db.accounts import registers
from db.accounts.registers import BackgroundRow
from domain.accounts.application import Stage
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate
from domain.accounts.evidence import EvidenceKind
from domain.accounts.named_account import Obstacle
from domain.accounts.register_entries import BackgroundEntry
from domain.statements import GatherEvidence
from domain.tasks.task import AnswerChoice, TaskKind
from matching.names.names import name_key
from tests.integration.accounts.application_ground import CLERK, Applying, account_of
from tests.integration.tasks.race_ground import GENERAL_MANAGER, KEYS, NOW, VPS, Ground, salesperson
from tests.samples import application_form, uscc
from texts.catalogue import Texts

CUSTOMER = "远洋控股集团有限公司"


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[Ground]:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=3)
    yield made
    await made.record_holds()


async def applied(ground: Ground, **given: Any) -> Applying:
    made = Applying(ground, "mine", salesperson(0), application_form(CUSTOMER, **given))
    await made.submit()
    return await made.to_commerce()


async def known(ground: Ground, name: str, *, lawsuit: bool = False, arrears: bool = False, **more: Any) -> None:
    """Commerce's register knows a company."""
    entry = BackgroundEntry(
        name=name, lawsuit_with_us=lawsuit, malicious_arrears=arrears, as_of=date(2026, 11, 1), source="法务部", **more
    )
    row = BackgroundRow(
        name=name,
        name_key=name_key(name),
        uscc=entry.uscc,
        source=entry.source,
        document=entry.model_dump(mode="json"),
    )
    async with ground.engine.begin() as connection:
        await registers.keep_background(connection, [row])


async def e2(mine: Applying) -> dict[str, bool | None]:
    """The clauses of E2 as whoever decides reads them."""
    found = [await mine.evidence(kind) for kind in (EvidenceKind.CREDIT, EvidenceKind.LITIGATION)]
    judged = evaluate(mine.racer.form, background_of(found), mine.ground.facts.policy.eligibility)
    return {name: judged.clause(name).passed for name in ("E2-lawsuit", "E2-arrears")}


async def test_n15_an_appeal_heard_weeks_later_shows_who_holds_the_customer_by_then(ground: Ground) -> None:
    mine = await applied(ground)
    await mine.to_vps()
    assert (await mine.evidence(EvidenceKind.ACCOUNTS)).findings == ()
    asked = mine.now
    mine.later(days=21)
    await mine.rejected()  # makes room at once: another takes the customer before the appeal
    await account_of(ground, "theirs", salesperson(1), application_form(CUSTOMER))
    await mine.to_appeal()
    item = await mine.evidence(EvidenceKind.ACCOUNTS)
    assert [(finding.subject_id, finding.grave, finding.changed) for finding in item.findings] == [
        ("theirs", True, True)
    ]
    assert (item.changed_since, item.gathered_at) == (asked, mine.now)
    kind, facts = (await mine.mails_to(GENERAL_MANAGER))[-1]
    assert kind == "task"
    (line,) = [evidence_line for evidence_line in facts["evidence_lines"] if evidence_line["kind"] == "accounts"]
    assert line["grave"] == 1
    assert line["changed_since"]
    # The applicant is told as well, by mail and in the view, and nothing of whose it is.
    kind, facts = (await mine.mails_to(salesperson(0)))[-1]
    assert kind == "earlier_found"
    assert "N14" in facts["conflict_note"]
    assert await _earlier(ground) == [["account", "theirs"]]


async def _earlier(ground: Ground) -> list[list[str]]:
    rows = await ground.rows(
        "SELECT body -> 'found' FROM audit WHERE subject_id = 'mine' AND event = 'earlier_found' ORDER BY seq"
    )
    return [subject for (found,) in rows for subject in found]


async def test_n15_the_vps_see_what_has_come_since_commerce_looked_and_it_is_marked(ground: Ground) -> None:
    mine = await applied(ground)
    await known(ground, CUSTOMER, lawsuit=True)
    mine.later(days=2)
    await mine.to_vps(note_litigation="已致电法务")
    item = await mine.evidence(EvidenceKind.LITIGATION)
    assert [(finding.name, finding.grave, finding.changed) for finding in item.findings] == [(CUSTOMER, True, True)]
    assert (item.changed_since, item.note) == (NOW, "已致电法务")
    assert await e2(mine) == {"E2-lawsuit": False, "E2-arrears": True}
    assert (await mine.evidence(EvidenceKind.ACCOUNTS)).changed_since is None


async def test_n15_commerce_has_the_evidence_gathered_again_whenever_they_ask_and_nobody_else_does(
    ground: Ground,
) -> None:
    mine = await applied(ground)
    await mine.to_vps()
    other = Applying(ground, "theirs", salesperson(1), application_form("另一公司", related=[(CUSTOMER, None)]))
    await other.submit()
    mine.later(hours=3)
    for stranger in (salesperson(0), VPS[0], "nobody"):
        refused = await mine.say(GatherEvidence, stranger)
        assert (refused.accepted, refused.code) == (False, "only_commerce_gathers")
    assert (await mine.evidence(EvidenceKind.APPLICATIONS)).findings == ()
    said = await mine.say(GatherEvidence, CLERK)
    assert (said.accepted, said.settled) == (True, True)
    item = await mine.evidence(EvidenceKind.APPLICATIONS)
    assert [(finding.subject_id, finding.changed) for finding in item.findings] == [("theirs", True)]
    assert item.gathered_at == mine.now
    ((receipt,),) = await ground.rows("SELECT result FROM receipt WHERE result -> 'changed' IS NOT NULL")
    assert receipt["changed"] == ["applications"]
    await mine.approve()
    await mine.activate()
    over = await mine.say(GatherEvidence, CLERK)
    assert (over.accepted, over.code) == (False, "stage_does_not_allow")


async def test_n15_what_commerce_has_found_again_can_be_ruled_on_in_the_task_that_is_open(ground: Ground) -> None:
    mine = await applied(ground)
    other = Applying(ground, "theirs", salesperson(1), application_form(CUSTOMER, code=uscc(1)))
    await other.submit()
    assert (await mine.say(GatherEvidence, CLERK)).accepted
    ((choices,),) = await ground.rows("SELECT choices FROM task WHERE subject_id = 'mine' AND status = 'open'")
    (options,) = [spec["options"] for spec in choices[0]["fields"] if spec["name"] == "matches"]
    assert options == ["theirs"]


async def test_n15_a_stand_in_is_asked_on_what_is_so_when_they_are_asked(ground: Ground) -> None:
    """N12, N15: the general manager in the place of a silent VP."""
    mine = await applied(ground)
    await mine.to_vps()
    await known(ground, CUSTOMER, arrears=True)
    ((task_id,), *_) = await ground.rows(
        "SELECT id FROM task WHERE kind = 'vp_review' AND status = 'open' ORDER BY slot"
    )
    for number in range(3):
        mine.later(days=10)
        step = ReminderStep(key=f"chase:{number}", now=mine.now, subject=mine.racer.subject, task_id=task_id)
        await ground.run(ground.chasing.remind_or_escalate, step, mine.racer.workflow_id)
    kind, facts = (await mine.mails_to(GENERAL_MANAGER))[-1]
    assert kind == "stand_in"
    (line,) = [evidence_line for evidence_line in facts["evidence_lines"] if evidence_line["kind"] == "credit"]
    assert line["grave"] == 1
    assert line["changed_since"]


async def test_n4_and_n15_a_related_partys_lawsuits_and_arrears_are_looked_up_too(ground: Ground) -> None:
    await known(ground, CUSTOMER)
    await known(ground, "远洋水产有限公司", lawsuit=True, uscc=uscc(7))
    await known(ground, "无关公司", lawsuit=True, uscc=uscc(8))
    mine = await applied(ground, related=[("远洋水产", uscc(7)), ("远洋物流", None)])
    item = await mine.evidence(EvidenceKind.LITIGATION)
    assert [(finding.name, finding.related, finding.grave) for finding in item.findings] == [
        (CUSTOMER, False, False),
        ("远洋水产有限公司", True, True),
    ]
    assert item.findings[1].detail["related_party"] == "子公司"
    # Never "met" while a related party has one; arrears are met, because the customer is known to have none.
    assert await e2(mine) == {"E2-lawsuit": None, "E2-arrears": True}


async def test_e2_and_n15_a_company_that_no_register_knows_is_no_information_until_a_clerk_says_what_is_so(
    ground: Ground,
) -> None:
    mine = await applied(ground)
    assert await e2(mine) == {"E2-lawsuit": None, "E2-arrears": None}
    alone = await mine.answer(CLERK, "pass", lawsuit_with_us="no")
    assert not alone.accepted
    ((problems,),) = await ground.rows("SELECT result -> 'problems' FROM receipt WHERE NOT accepted")
    assert [problem["field"] for problem in problems] == ["fields.lawsuit_with_us_source"]
    mine.later(hours=1)
    await mine.to_vps(
        lawsuit_with_us="no",
        lawsuit_with_us_source="裁判文书网",
        malicious_arrears="yes",
        malicious_arrears_source="财务部台账",
    )
    assert await e2(mine) == {"E2-lawsuit": True, "E2-arrears": False}
    said = (await mine.evidence(EvidenceKind.CREDIT)).corrected
    assert said is not None
    assert (said.value, said.source, said.by, said.at) == (True, "财务部台账", CLERK, mine.now)
    ((corrected,),) = await ground.rows("SELECT body -> 'corrected' FROM audit WHERE event = 'evidence_noted'")
    assert corrected["malicious_arrears"] == {"value": True, "source": "财务部台账"}


async def test_n5_what_a_clerk_has_corrected_stands_in_the_next_round_of_the_same_customer(ground: Ground) -> None:
    mine = await applied(ground)
    fields = {"lawsuit_with_us": "no", "lawsuit_with_us_source": "裁判文书网"}
    assert (await mine.answer(CLERK, AnswerChoice.RETURN, reason="请补充", **fields)).accepted
    await mine.move(Stage.RETURNED, TaskKind.SUPPLY_INFORMATION)
    supplied = mine.racer.form.model_dump(mode="json")
    assert (await mine.answer(salesperson(0), AnswerChoice.SUPPLY, application=supplied)).round == 2
    await mine.to_commerce()
    assert await e2(mine) == {"E2-lawsuit": True, "E2-arrears": None}


async def test_a2_whoever_applies_for_their_own_account_is_told_that_it_is_theirs(ground: Ground) -> None:
    """A2, N14: no conflict with somebody else; the mail says so as well."""
    await account_of(ground, "theirs", salesperson(0), application_form(CUSTOMER, code=uscc(1)))
    mine = Applying(ground, "mine", salesperson(0), application_form(CUSTOMER, code=uscc(1)))
    (conflict,) = (await mine.submit())["conflicts"]
    assert (conflict["kind"], conflict["own"]) == ("account", True)
    _, told = (await mine.mails_to(salesperson(0)))[-1]
    assert told["conflict_note"] == Texts("zh").error("own_account")
    other = Applying(ground, "other", salesperson(2), application_form(CUSTOMER, code=uscc(1)))
    assert (await other.submit())["conflicts"][0]["own"] is False


async def test_n14_one_full_name_with_another_code_is_told_shown_and_refused_until_commerce_has_said(
    ground: Ground,
) -> None:
    """N14: at submission, as evidence, at activation; and no more once commerce has found two companies."""
    await account_of(ground, "theirs", salesperson(1), application_form(CUSTOMER, code=uscc(1)))
    mine = Applying(ground, "mine", salesperson(0), application_form(CUSTOMER, code=uscc(2)))
    answer = await mine.submit()
    assert [conflict["kind"] for conflict in answer["conflicts"]] == ["account"]
    await mine.to_commerce()
    (finding,) = (await mine.evidence(EvidenceKind.ACCOUNTS)).findings
    assert (finding.subject_id, finding.grave, finding.code_in_doubt) == ("theirs", True, True)
    await mine.to_vps()
    await mine.approve()
    assert (await mine.activate()).obstacle is Obstacle.ACCOUNT
    await mine.move(Stage.REFUSED)
    again = Applying(ground, "again", salesperson(2), application_form(CUSTOMER, code=uscc(2)))
    assert [conflict["kind"] for conflict in (await again.submit())["conflicts"]] == ["account"]
    await again.to_commerce()
    ruled = {"id": "theirs", "ruling": "cleared", "reason": "工商登记核实，两家公司同名"}
    await again.to_vps(matches=[ruled])
    (finding,) = (await again.evidence(EvidenceKind.ACCOUNTS)).findings
    assert (finding.grave, finding.cleared) == (False, True)
    await again.approve()
    assert (await again.activate()).account_id == "again"
    ((live,),) = await ground.rows("SELECT count(*) FROM account WHERE revoked_at IS NULL")
    assert live == 2


async def test_n14_an_application_recorded_late_is_later_whatever_its_process_dated_it(ground: Ground) -> None:
    """The order is that of the record: nobody who was not told can turn out to be the later one."""
    first = Applying(ground, "theirs", salesperson(1), application_form(CUSTOMER)).later(seconds=5)
    assert (await first.submit())["conflicts"] == []
    mine = Applying(ground, "mine", salesperson(0), application_form(CUSTOMER))
    assert [conflict["kind"] for conflict in (await mine.submit())["conflicts"]] == ["application"]
    ((since,),) = await ground.rows("SELECT since FROM party WHERE subject_id = 'mine'")
    assert since == first.now + timedelta(microseconds=1)


async def test_n14_one_of_a_near_name_that_was_not_to_be_seen_at_submission_is_told_before_commerce_is_asked(
    ground: Ground,
) -> None:
    """Near names share nothing to wait for: the look before commerce is asked finds what the first one missed."""
    mine = Applying(ground, "mine", salesperson(0), application_form("中石油")).later(seconds=5)
    assert (await mine.submit())["conflicts"] == []
    other = Applying(ground, "theirs", salesperson(1), application_form("中国石油天然气集团有限公司"))
    assert (await other.submit())["conflicts"] == []  # dated before the other one, so it is the earlier one
    await mine.to_commerce()
    assert await _earlier(ground) == [["application", "theirs"]]
    assert [kind for kind, _ in await mine.mails_to(salesperson(0))] == ["submitted", "earlier_found"]
    assert [finding.grave for finding in (await mine.evidence(EvidenceKind.APPLICATIONS)).findings] == [True]
    mine.later(days=1)
    await mine.to_vps()
    assert [kind for kind, _ in await mine.mails_to(salesperson(0))] == ["submitted", "earlier_found"]  # once is enough

"""Months in seconds: a process's own clock is moved on the real engine, and silence does what it does (U2–U6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from embedded.demo.driver import until
from tests.e2e.support.console import Console
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, Journey
from tests.e2e.support.project_journey import EAST_GM, EAST_VP, ProjectJourney, new_project
from tests.e2e.support.stack import Stack

SELLER, RIVAL = "hu.bin", "ma.chao"
A_MINUTE = timedelta(minutes=1)
NEWS = {"progress": "完成方案交流", "next_steps": "提交报价"}


@pytest.fixture(scope="module")
def rehearsal(first_home: Path) -> Iterator[Stack]:
    made = Stack(first_home, rehearsal=True)
    made.open()
    yield made
    made.close()


def leap(story: ProjectJourney, duration: str) -> None:
    got = story.portal.fast_forward(f"project-{story.id}", duration)
    assert got.status == 204, got.text


def mails(story: ProjectJourney) -> Counter[tuple[str, str]]:
    """Who was sent what about it."""
    return Counter((mail["to"]["id"], mail["kind"]) for mail in story.dossier()["mails"])


def hear(story: ProjectJourney, duration: str, kind: str = "", *people: str) -> None:
    """After the leap exactly these people have been sent one more mail, of this kind; and it has reached them."""
    before = mails(story)
    leap(story, duration)
    story.told()
    assert mails(story) - before == Counter((person, kind) for person in people)


def ahead(story: ProjectJourney) -> dict[str, datetime]:
    """What comes by itself, and when."""
    return {event["what"]: datetime.fromisoformat(event["at"]) for event in story.seen_by(SELLER)["next_events"]}


def moments(story: ProjectJourney, event: str) -> list[datetime]:
    return [datetime.fromisoformat(e["at"]) for e in story.dossier()["record"] if e["event"] == event]


def suspects(story: ProjectJourney) -> list[str]:
    """What the clerk may suspect a conflict with (P4, P10)."""
    task = story.portal.open_task(CLERK, story.id)
    fields = [field for choice in task["choices"] for field in choice["fields"] if field["name"] == "suspects"]
    return [option for field in fields for option in field["options"]]


def check(story: ProjectJourney, number: str) -> Any:
    return story.portal.call(CLERK, "GET", f"/project-numbers/{number}?purpose=early_order").json


def counted(story: ProjectJourney) -> list[str]:
    """P10: what the conflict detection finds at this moment for the customer of a project."""
    draft = {"customer": {"name": story.form["customer"]["name"]}}
    return [match["id"] for match in story.portal.call(CLERK, "POST", "/conflicts/check", draft).json["matches"]]


def test_u2_u3_u4_u6_three_months_of_silence_shelve_a_project_and_commerce_lets_it_begin_anew(rehearsal: Stack) -> None:
    """U2–U6, P9, P10: each reminder reaches exactly its people; the resumed project is a new one, with a new date."""
    old = ProjectJourney(rehearsal, SELLER).active(EAST_VP)
    number = old.seen_by(SELLER)["number"]
    hear(old, "P13D")
    hear(old, "P2D", "silent_two_weeks", SELLER, EAST_GM)
    hear(old, "P10D")
    hear(old, "P7D", "silent_one_month", SELLER, EAST_GM, EAST_VP)
    hear(old, "P56D")
    assert check(old, number)["allowed"]
    assert counted(old) == [old.id]
    hear(old, "P7D", "shelved", SELLER, EAST_GM, EAST_VP)
    seen = old.reaches("shelved")
    assert counted(old) == []  # P10: from the moment of shelving
    assert (seen["status"], seen["next_events"], seen["end_reason"]["rule"]) == ("shelved", [], "U4")
    checked = check(old, number)
    assert (checked["allowed"], checked["project"]["status"]) == (False, "shelved")
    assert "搁置" in checked["reason"]
    assert "U6" in checked["reason"]
    assert old.say("updates", NEWS).status == 409
    rival = ProjectJourney(rehearsal, RIVAL, new_project(old.form["customer"]["name"])).to_clerk()
    assert suspects(rival) == []  # P10: a shelved project stands in nobody's way
    new = ProjectJourney.resuming(old, "客户换届，暂停采购", "新任领导已批准预算")
    assert new.registered.json["resumes"] == old.id
    assert new.reaches("resume_review")["next_events"] is not None
    assert old.say("resume", {"why_silent": "x", "why_resume": "y"}).status == 409  # once at a time
    page = new.link(CLERK).open()
    assert "客户换届，暂停采购" in page.words
    assert "新任领导已批准预算" in page.words
    new.answer(CLERK, "accept")
    new.to_clerk()
    assert suspects(new) == [rival.id]  # U6: by its new date it comes after whoever came meanwhile
    new.answer(CLERK, "clear")
    new.answer(EAST_VP, "approve")
    done = new.reaches("active")
    old_seen = old.seen_by(SELLER)
    assert (done["resumes"], old_seen["resumed_by"], old_seen["stage"]) == (old.id, new.id, "shelved")
    accepted = moments(new, "stage_moved")[1]
    assert datetime.fromisoformat(done["registered_at"]) == accepted
    assert accepted > datetime.fromisoformat(rival.seen_by(RIVAL)["registered_at"])
    assert done["number"] not in ("", None, number)
    assert (check(new, done["number"])["allowed"], check(old, number)["allowed"]) == (True, False)
    assert {COMMERCE_MANAGER, SELLER, EAST_GM} <= {person for person, kind in mails(new) if kind == "project_approved"}


def test_u2_u3_u4_in_one_leap_everything_comes_once_in_order_and_at_its_moment(rehearsal: Stack) -> None:
    """U2–U5: also what was promised as coming, to the minute."""
    story = ProjectJourney(rehearsal, SELLER).active(EAST_VP)
    promised = ahead(story)
    leap(story, "P95D")
    story.reaches("shelved")
    happened = [*moments(story, "silence_reminded"), moments(story, "stage_moved")[-1]]
    assert [abs(at - due) < A_MINUTE for at, due in zip(happened, promised.values(), strict=True)] == [True] * 3
    story.told()
    got = Counter(kind for _, kind in mails(story))
    assert (got["silent_two_weeks"], got["silent_one_month"], got["shelved"]) == (2, 3, 3)


def test_u5_an_update_after_a_leap_restarts_all_three_clocks(rehearsal: Stack) -> None:
    story = ProjectJourney(rehearsal, SELLER).active(EAST_VP)
    leap(story, "P32D")
    until("both reminders", lambda: len(moments(story, "silence_reminded")) == 2)
    assert list(ahead(story)) == ["three_months"]
    assert story.say("updates", NEWS).status == 200
    updated = moments(story, "project_updated")[-1]
    assert updated - moments(story, "project_approved")[0] > timedelta(days=31)
    assert list(ahead(story)) == ["two_weeks", "one_month", "three_months"]
    assert ahead(story)["two_weeks"] - updated == timedelta(days=14)
    hear(story, "P13D")
    hear(story, "P2D", "silent_two_weeks", SELLER, EAST_GM)


def test_u1_a_project_rehearsed_over_months_of_weekly_updates_keeps_the_right_time_from_run_to_run(
    rehearsal: Stack,
) -> None:
    """U1, U5: the engine's clock stays right where the process hands over to a new run of itself (decision 13)."""
    story = ProjectJourney(rehearsal, SELLER).active(EAST_VP)
    weeks = 20
    for week in range(1, weeks + 1):
        leap(story, "P7D")
        got = story.say("updates", NEWS | {"progress": f"第 {week} 周"})
        assert (got.status, got.json["number"]) == (200, week), got.text
    began = moments(story, "project_approved")[0]
    updated = [datetime.fromisoformat(update["said_at"]) for update in story.seen_by(SELLER)["updates"]]
    assert len(updated) == weeks
    recorded = moments(story, "project_updated")
    assert [abs(at - began - timedelta(weeks=n)) < A_MINUTE for n, at in enumerate(recorded, 1)] == [True] * weeks
    assert not moments(story, "silence_reminded")
    assert runs(rehearsal, story) > 1
    leap(story, "P95D")
    story.reaches("shelved")


def test_u10_p10_n14_what_stands_still_is_warned_of_and_ends_in_nobodys_way(rehearsal: Stack) -> None:
    """U10, U6: a held project in a leap of 95 days; an application that was sent back says when it is closed."""
    held = ProjectJourney(rehearsal, SELLER).to_clerk()
    held.answer(CLERK, "clear")
    held.answer(EAST_VP, "hold", "预算来源不清")
    seen = held.reaches("held")
    (end,) = [event for event in seen["next_events"] if event["what"] == "shelved_unless_answered"]
    assert end["rule"] == "U10"
    returned = Journey(rehearsal, SELLER)
    returned.commerce("return", "补充联系人")
    waiting = returned.reaches("returned")
    assert "U10" in waiting["what_next"]
    leap(held, "P95D")
    shelved = held.reaches("shelved")
    assert (shelved["end_reason"]["rule"], counted(held)) == ("U10", [])
    at = datetime.fromisoformat(shelved["stage_since"])
    assert abs(at - datetime.fromisoformat(end["at"])) < A_MINUTE
    told = Counter(kind for _, kind in mails(held))
    assert told["standing_still"] == told["shelved_standing"] == len({SELLER, EAST_GM, EAST_VP})
    desk, page = Console(rehearsal.web, SELLER), f"/projects/{held.id}/resume"
    incomplete = desk.send(page, {"why_silent": "等待预算"})
    assert incomplete.status == 422
    assert "等待预算" in incomplete.text
    assert "项目商务部" in desk.does(page, {"why_silent": "等待预算", "why_resume": "预算已批复"}).words
    new_id = held.seen_by(SELLER)["resumed_by"]
    rehearsal.portal.project_at(SELLER, new_id, "resume_review")
    assert "已有恢复登记在办" in desk.open(page).words


def runs(stack: Stack, story: ProjectJourney) -> int:
    async def count() -> int:
        client = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
        return (await client.count_workflows(f'WorkflowId = "project-{story.id}"')).count

    return asyncio.run(count())


def test_a_clock_that_cannot_be_moved_is_refused(rehearsal: Stack) -> None:
    over = ProjectJourney(rehearsal, SELLER)
    assert over.say("withdraw", {"reason": "客户取消"}).status == 200
    over.reaches("withdrawn")
    for workflow_id in (f"project-{over.id}", "project-nobody"):
        refused = rehearsal.portal.fast_forward(workflow_id, "P1D")
        assert (refused.status, refused.json["code"]) == (409, "no_clock")
    assert rehearsal.portal.fast_forward(f"project-{over.id}", "P5Y").status == 422

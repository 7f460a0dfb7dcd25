"""N12 by the whole stack: what happens when nobody answers, with days passing on a time-skipping engine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from domain.calendar import WorkCalendar
from domain.policy import load_policy
from embedded.demo.driver import until
from embedded.welcome import ORGANISATION_FILE
from tests.e2e.support.journey import CLERK, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.stack import Stack
from workflows.messages import SEARCH_ATTRIBUTES

ZONE = load_policy().zone
SOON = timedelta(minutes=1)
REMINDER, STAND_IN = "提醒：", "现请您代为处理"


class Time:
    """The engine's clock, which every test moves forward and none moves back."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._env = self._runner.run(self._start())
        self.address = self._env.client.service_client.config.target_host

    async def _start(self) -> WorkflowEnvironment:
        server = Path(sys.executable).with_name("temporal-test-server")
        env = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(server))
        # This server cannot list what it has, so `ensure_search_attributes` cannot be asked.
        wanted = {key.name: IndexedValueType.ValueType(int(key.indexed_value_type)) for key in SEARCH_ATTRIBUTES}
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=wanted)
        )
        return env

    def now(self) -> datetime:
        return self._runner.run(self._env.get_current_time()).astimezone(ZONE)

    def pass_until(self, moment: datetime) -> None:
        left = moment - self.now()
        assert left > timedelta(0), f"{moment} is over"
        self._runner.run(self._env.sleep(left))

    def close(self) -> None:
        self._runner.run(self._env.shutdown())
        self._runner.close()


@pytest.fixture(scope="module")
def time() -> Iterator[Time]:
    made = Time()
    yield made
    made.close()


@pytest.fixture(scope="module")
def silent(first_home: Path, time: Time) -> Iterator[Stack]:
    """A product of its own whose engine skips time."""
    stack = Stack(first_home, temporal=time.address)
    stack.open()
    yield stack
    stack.close()


def mails(story: Journey, person: str, saying: str) -> int:
    return sum(saying in mail.text for mail in story.mailbox.mails(person, story.id))


def nobody_hears(story: Journey, people: tuple[str, ...], saying: str, times: int) -> None:
    """Everything due is out, and none of it says so more than `times` times."""
    story.told()
    assert [mails(story, person, saying) for person in people] == [times] * len(people)


def hears(story: Journey, person: str, saying: str, times: int = 1) -> None:
    until(f"{person} reads {saying!r} {times} times", lambda: mails(story, person, saying) == times)


def review(story: Journey) -> tuple[datetime, datetime]:
    """When the VPs were asked and until when, in business time."""
    tasks = [task for task in story.reaches("vp_review")["tasks"] if task["kind"] == "vp_review"]
    opened, due = ({datetime.fromisoformat(task[name]) for task in tasks} for name in ("opened_at", "due_at"))
    assert len(opened) == len(due) == 1
    return opened.pop().astimezone(ZONE), due.pop().astimezone(ZONE)


def test_n12_two_and_four_working_days_of_silence_remind_and_after_five_the_general_manager_stands_in(
    silent: Stack, time: Time
) -> None:
    story = Journey(silent).to_vps()
    opened, due = review(story)
    calendar = WorkCalendar(region="CN", time_zone=str(ZONE))
    days = {n: calendar.add_working_days(opened, n).at for n in (2, 4, 5)}
    assert due == days[5]
    for nth, number in enumerate((2, 4)):
        time.pass_until(days[number] - SOON)
        nobody_hears(story, VPS, REMINDER, nth)
        time.pass_until(days[number] + SOON)
        for vp in VPS:
            hears(story, vp, REMINDER, nth + 1)
    time.pass_until(days[5] - SOON)
    nobody_hears(story, (GENERAL_MANAGER,), STAND_IN, 0)
    time.pass_until(days[5] + SOON)
    hears(story, GENERAL_MANAGER, STAND_IN, 2)
    links = {mail.decision_url for mail in silent.mailbox.mails(VPS[0], story.id) if mail.decision_url}
    assert len(links) == 1  # the same link every time
    for vp in VPS:
        hears(story, vp, "现已请张伟代为处理")
    tasks = [task for task in story.seen_by(GENERAL_MANAGER)["tasks"] if task["kind"] == "vp_review"]
    assert all(datetime.fromisoformat(task["due_at"]) > time.now() for task in tasks), "still to come for the stand-in"
    page = story.link(GENERAL_MANAGER).open()
    assert "逾期未决定，请张伟代为审批（N12）" in page.words
    for nth in (1, 2):
        story.by_link(GENERAL_MANAGER, "approve", "代为审批", nth=nth)
    done = story.reaches("active")
    decided = [d for d in done["decisions"] if d["kind"] == "vp_review"]
    assert {(d["person"]["id"], d["capacity"], d["on_behalf_of"]["id"]) for d in decided} == {
        (GENERAL_MANAGER, "stand_in", vp) for vp in VPS
    }
    for vp in VPS:
        hears(story, vp, "已代您处理")
    assert [e["event"] for e in story.events()].count("reminder_sent") == 4


def test_n12_the_general_manager_is_only_reminded(silent: Stack, time: Time) -> None:
    story = Journey(silent, "huang.lei").to_vps()
    story.answer(VPS[0], "reject", "暂缓")
    story.reaches("rejected")
    assert silent.portal.appeal("huang.lei", story.id, "请复议").status == 200
    task = silent.portal.open_task(GENERAL_MANAGER, story.id)
    opened = datetime.fromisoformat(task["opened_at"])
    calendar = WorkCalendar(region="CN", time_zone=str(ZONE))
    for nth, days in enumerate((2, 4, 9), start=1):
        time.pass_until(calendar.add_working_days(opened, days).at + SOON)
        hears(story, GENERAL_MANAGER, REMINDER, nth)
    asked = story.reaches("gm_appeal")["tasks"][0]["asked"]
    assert [person["person"]["id"] for person in asked] == [GENERAL_MANAGER]
    story.by_link(GENERAL_MANAGER, "reject", "维持")


def test_n10_an_appeal_after_a_month_is_too_late(silent: Stack, time: Time) -> None:
    story = Journey(silent, "zhou.min").to_vps()
    story.answer(VPS[0], "reject", "暂缓")
    until_when = datetime.fromisoformat(story.reaches("rejected")["rejection"]["appeal_until"]).astimezone(ZONE)
    rejected = datetime.fromisoformat(story.seen_by(CLERK)["rejection"]["at"]).astimezone(ZONE)
    assert (until_when - rejected).days in (28, 29, 30, 31)
    assert until_when.day == rejected.day or (until_when + timedelta(days=1)).day == 1
    time.pass_until(until_when - SOON)
    assert story.seen_by(CLERK)["stage"] == "rejected"
    time.pass_until(until_when + SOON)
    story.reaches("closed_rejected")
    assert silent.portal.appeal("zhou.min", story.id, "晚了").status == 409
    hears(story, "zhou.min", "流程结束")


def test_n12_a_delegation_begins_while_a_task_waits_and_the_delegate_is_asked_and_reminded_and_decides(
    silent: Stack, time: Time, tmp_path: Path
) -> None:
    story = Journey(silent, "xu.jing").to_vps()
    opened, _ = review(story)
    begins = opened + timedelta(hours=3)
    moments = f"start = {begins.isoformat()}\nend = {(begins + timedelta(days=40)).isoformat()}\n"
    company = ORGANISATION_FILE.read_text(encoding="utf-8")
    file = tmp_path / "org.toml"
    file.write_text(
        f'{company}\n[[delegation]]\nperson = "{VPS[0]}"\ndelegate = "liu.yang"\n{moments}', encoding="utf-8"
    )
    assert silent.cli("org", "import", str(file)).exit_code == 0
    time.pass_until(begins - SOON)
    nobody_hears(story, ("liu.yang",), "", 0)
    time.pass_until(begins + SOON)
    assert "代表李明" in story.link("liu.yang").open().words
    calendar = WorkCalendar(region="CN", time_zone=str(ZONE))
    time.pass_until(calendar.add_working_days(opened, 2).at + SOON)
    for person in (*VPS, "liu.yang"):
        hears(story, person, REMINDER)
    time.pass_until(calendar.add_working_days(opened, 5).at + SOON)
    hears(story, GENERAL_MANAGER, STAND_IN, 2)
    story.by_link("liu.yang", "approve", "代李明同意")
    gm = [story.link(GENERAL_MANAGER, nth) for nth in (1, 2)]
    calm, asking = sorted(gm, key=lambda link: "王芳" in link.open().words)
    assert "刘洋" in calm.open().words  # decided by the delegate meanwhile
    assert asking.answer("approve", "代王芳同意").status == 200
    decided = [d for d in story.reaches("active")["decisions"] if d["kind"] == "vp_review"]
    assert [(d["person"]["id"], d["capacity"], d["on_behalf_of"]["id"]) for d in decided] == [
        ("liu.yang", "delegate", VPS[0]),
        (GENERAL_MANAGER, "stand_in", VPS[1]),
    ]


def spring_festival(now: datetime) -> date:
    """New Year's Eve of 2027, a Friday; once that is too near or over, the first Friday four weeks ahead and more that
    has no other day off near it."""
    eve = date(2027, 2, 5)
    if now.date() > eve - timedelta(days=4):
        eve = now.date() + timedelta(days=28 + (4 - now.date().weekday()) % 7)
        while not ordinary(eve + timedelta(days=number) for number in range(-7, 21)):
            eve += timedelta(days=7)
    return eve


def ordinary(days: Iterable[date]) -> bool:
    """Whether all of these are worked from Monday to Friday, and on no other day."""
    calendar = WorkCalendar(region="CN", time_zone=str(ZONE))
    return all(calendar.is_working_day(day) == (day.weekday() < 5) for day in days)


def test_n12_spring_festival_and_its_make_up_days_stand_between_the_question_and_the_deadline(
    silent: Stack, time: Time, tmp_path: Path
) -> None:
    eve = spring_festival(time.now())

    def at(days: int, moment: datetime) -> datetime:
        """The eve and so many `days`, at the time of day of `moment`."""
        return datetime.combine(eve + timedelta(days=days), moment.timetz())

    time.pass_until(datetime.combine(eve - timedelta(days=2), datetime.min.time(), tzinfo=ZONE) + timedelta(hours=10))
    story = Journey(silent, "ma.chao").to_vps()  # asked on a Wednesday; only Thursday is left before the festival
    opened, guessed = review(story)
    off = [{"name": "春节", "date": str(eve + timedelta(days=n)), "isOffDay": True} for n in range(8)]
    work = [{"name": "春节", "date": str(eve + timedelta(days=n)), "isOffDay": False} for n in (-5, 9)]
    file = tmp_path / "calendar.json"
    announced = {"year": eve.year, "papers": ["https://www.gov.cn/2027"], "days": [*off, *work]}
    file.write_text(json.dumps(announced), encoding="utf-8")
    done = silent.cli("calendar", "import", str(file))
    assert done.exit_code == 0, done.stderr + done.stdout

    def moved() -> datetime | None:
        due = review(story)[1]
        return due if due != guessed else None

    # Thursday, then nothing for nine days, the Sunday made up for, Monday, Tuesday, Wednesday.
    assert until("the deadline follows the announcement", moved) == at(12, opened)
    assert not silent.portal.open_task(VPS[0], story.id)["due_provisional"]
    time.pass_until(at(9, opened) - SOON)
    nobody_hears(story, VPS, REMINDER, 0)
    for nth, day in enumerate((9, 11), start=1):
        time.pass_until(at(day, opened) + SOON)
        for vp in VPS:
            hears(story, vp, REMINDER, nth)
    time.pass_until(at(12, opened) - SOON)
    nobody_hears(story, (GENERAL_MANAGER,), STAND_IN, 0)
    time.pass_until(at(12, opened) + SOON)
    hears(story, GENERAL_MANAGER, STAND_IN, 2)
    story.by_link(GENERAL_MANAGER, "reject", "代为驳回")
    assert story.reaches("closed_rejected")["rejection"]["appeal_until"] is None  # the general manager's word is final

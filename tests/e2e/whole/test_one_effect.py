"""A decision sent from the mail, the console and the API at the same moment has one effect, and each sender is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final
from urllib.parse import urlencode

import pytest

from crypto.keyring import Keyring
from crypto.links import link_token
from embedded.demo.driver import PageLink
from tests.e2e.support.console import FORM, Console, held
from tests.e2e.support.journey import GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.stack import Stack

ROUNDS: Final = int(os.environ.get("BAOBEI_ROUNDS", "10"))
SALESPEOPLE: Final = ("he.xin", "zhu.hong", "wu.qiang")
VP: Final = VPS[0]


def at_once(senders: ThreadPoolExecutor, *send: Callable[[], int]) -> list[int]:
    """What each gets that is sent at the same moment: HTTP statuses."""
    barrier = Barrier(len(send))

    def together(one_way: Callable[[], int]) -> int:
        barrier.wait()
        return one_way()

    return [sent.result() for sent in [senders.submit(together, one_way) for one_way in send]]


def play(stack: Stack, desk: Console, senders: ThreadPoolExecutor, story: Journey) -> str:
    """Send the approval three ways. Returns the way that counted."""
    task = stack.portal.open_task(VP, story.id)["id"]
    path = f"/inbox/{task}"
    (row,) = stack.query("SELECT link_id FROM task_person WHERE task_id = $1 AND person = $2", task, VP)
    keys = Keyring.parse(stack.environment["BAOBEI_LINK_KEYS"])
    link = PageLink(stack.web, f"{stack.web.url}/d/{link_token(row['link_id'], keys)}")  # as in the mail
    form = held(desk.open(path).text, f"{path}?list=waiting")
    approval = urlencode({**form, "choice": "approve", "confirm": "yes"}).encode()
    by_mail, by_console, by_api = at_once(
        senders,
        lambda: link.answer("approve").status,
        lambda: desk.web.request("POST", path, approval, {**FORM, "Cookie": desk.cookie}).status,
        lambda: stack.portal.answer(VP, task, "approve").status,
    )
    accepted = {"mail": by_mail == 200, "console": by_console == 303, "API": by_api == 200}
    assert sum(accepted.values()) == 1, (by_mail, by_console, by_api)
    assert {by_mail, by_console, by_api} <= {200, 303, 409}
    return next(way for way, counted in accepted.items() if counted)


@pytest.mark.timeout(60 + 5 * ROUNDS)
def test_x3_a_decision_from_mail_console_and_api_at_once_counts_once(stack: Stack) -> None:
    desk = Console(stack.web, VP)
    with ThreadPoolExecutor(3) as senders:
        for number in range(ROUNDS):
            story = Journey(stack, SALESPEOPLE[number % len(SALESPEOPLE)]).to_vps()
            play(stack, desk, senders, story)
            decisions = story.seen_by(GENERAL_MANAGER)["decisions"]
            assert [line["choice"] for line in decisions if line["kind"] == "vp_review"] == ["approve"]
            assert story.event_names().count("answer_accepted") == 2  # commerce, and one of the three
            assert stack.portal.withdraw(story.salesperson, story.id, "测试结束").status == 200

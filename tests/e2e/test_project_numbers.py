"""P9: five hundred approvals at once, workers and APIs killed at random: no number is missing and none is twice."""

from __future__ import annotations

import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

import pytest

from embedded.driver import Answer, until
from embedded.mails import read_mails
from tests.e2e.cluster import Cluster, running_cluster
from tests.e2e.project_journey import new_project
from tests.e2e.running import SALESPEOPLE
from tests.e2e.stack import new_form

SEED = 20261124
MANY = 500
ACCOUNTS = 12
"""Each project is compared with all others of its customer: all on one account would measure that instead."""
AT_ONCE = 20
FEWEST_KILLS = 4
PATIENCE = 90.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as made:
        yield made


def told(request: Callable[[], Answer], *wanted: int) -> Answer:
    """The answer of the first request that came through. Only "away" and "stored" are asked again."""

    def once() -> Answer | None:
        try:
            got = request()
        except (OSError, HTTPException):
            got = None
        if got is None or got.status in (202, 503):
            time.sleep(0.2)
            return None
        assert got.status in wanted, f"{got.status} {got.text}"
        return got

    return until("an answer", once, PATIENCE)


def at_once(acts: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        doing = [pool.submit(act) for act in acts]
        try:
            for one in doing:
                one.result()
        except BaseException:  # the others would each wait in vain for as long
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def asked(cluster: Cluster, kind: str, many: int) -> Sequence[Mapping[str, Any]]:
    """The open tasks of a kind, each with who is asked first, once there are so many."""

    def all_there() -> Sequence[Mapping[str, Any]] | None:
        found = cluster.query(
            "SELECT task.id, subject_id, min(person) AS person FROM task JOIN task_person ON task_id = task.id"
            " WHERE kind = $1 AND status = 'open' GROUP BY task.id, subject_id",
            kind,
        )
        time.sleep(0 if len(found) == many else 0.3)
        return found if len(found) == many else None

    return until(f"{many} are asked for {kind}", all_there, PATIENCE)


def answered(cluster: Cluster, tasks: Sequence[Mapping[str, Any]], choice: str) -> None:
    """Everybody who is asked answers, all at once, and asks again until told what became of it."""

    def answer(task: Mapping[str, Any]) -> None:
        key = f"answer-{task['id']}"
        told(lambda: cluster.portal.answer(task["person"], task["id"], choice, key=key), 200)

    at_once([lambda task=task: answer(task) for task in tasks])  # type: ignore[misc]


def waiting_projects(cluster: Cluster) -> Sequence[Mapping[str, Any]]:
    """P1: projects under their salespeople's own accounts; the task by which a VP has been asked about each."""
    sellers = [SALESPEOPLE[number % len(SALESPEOPLE)] for number in range(ACCOUNTS)]
    customers = [new_form() for _ in sellers]
    projects = [(number, new_project(customers[number % ACCOUNTS]["customer"]["name"])) for number in range(MANY)]

    def apply(number: int) -> None:
        told(lambda: cluster.portal.submit(sellers[number], customers[number], key=f"apply-{number}"), 201)

    def register(number: int, form: Mapping[str, Any]) -> None:
        seller = sellers[number % ACCOUNTS]
        told(lambda: cluster.portal.register(seller, form, key=f"register-{number}"), 201)

    at_once([lambda number=number: apply(number) for number in range(ACCOUNTS)])  # type: ignore[misc]
    answered(cluster, asked(cluster, "commerce_check", ACCOUNTS), "pass")
    answered(cluster, asked(cluster, "vp_review", 2 * ACCOUNTS), "approve")
    until("accounts", lambda: cluster.query("SELECT count(*) AS n FROM account")[0]["n"] == ACCOUNTS, PATIENCE)
    at_once([lambda one=one: register(*one) for one in projects])  # type: ignore[misc]
    return asked(cluster, "project_approval", MANY)


def kill_now_and_then(cluster: Cluster, chance: random.Random, over: threading.Event) -> list[str]:
    """SIGKILL for a worker or an API every few moments until it is over; another takes its place at once.

    Only one that serves is killed: on a busy machine they would otherwise be killed faster than they start.
    """
    kinds = {
        "worker": (cluster.workers, cluster.worker, cluster.worker_ports),
        "api": (cluster.apis, cluster.api, cluster.api_ports),
    }
    victims: list[tuple[str, int]] = []
    killed = []
    while not over.wait(chance.uniform(2.0, 5.0)):
        if not victims:
            victims = [(kind, number) for kind in kinds for number in (0, 1)]
            chance.shuffle(victims)
        kind, number = victims[-1]
        processes, again, ports = kinds[kind]
        if not cluster.serves(ports[number]):
            continue
        victims.pop()
        processes[number].kill()
        processes[number].wait()
        processes[number] = again(number)
        killed.append(f"{kind} {number}")
    return killed


@pytest.mark.timeout(900)
def test_p9_x3_five_hundred_approvals_under_kills_number_without_gap_or_duplicate(cluster: Cluster) -> None:
    """P9, X1, X3: each is approved once and numbered once, and those concerned are told once."""
    began = time.monotonic()
    waiting = waiting_projects(cluster)
    prepared = time.monotonic()
    chance, over = random.Random(SEED), threading.Event()
    killed: list[str] = []
    killer = threading.Thread(target=lambda: killed.extend(kill_now_and_then(cluster, chance, over)))

    killer.start()
    try:
        answered(cluster, waiting, "approve")
        approved = time.monotonic()
    finally:
        over.set()
        killer.join()
    sys.stderr.write(f"seed {SEED}: {killed}; {prepared - began:.0f} s to prepare, {approved - prepared:.0f} s\n")
    assert len(killed) >= FEWEST_KILLS, "it was over before it could be disturbed"

    def numbered() -> Sequence[Mapping[str, Any]] | None:
        found = cluster.query("SELECT id, number FROM project WHERE stage = 'active'")
        return found if len(found) == MANY else None

    rows = until("all are active", numbered, PATIENCE)
    assert {row["id"] for row in rows} == {task["subject_id"] for task in waiting}
    numbers = [re.fullmatch(r"P(\d{4})-(\d+)", row["number"]) for row in rows]
    by_year: dict[str, list[int]] = {}
    for number in numbers:
        assert number
        by_year.setdefault(number[1], []).append(int(number[2]))
    for issued in by_year.values():  # two of them when it is run over New Year's Eve
        assert sorted(issued) == list(range(1, len(issued) + 1))
    assert {str(row["year"]): row["last"] for row in cluster.query("SELECT * FROM project_number")} == {
        year: len(issued) for year, issued in by_year.items()
    }
    once = cluster.query("SELECT subject_id, count(*) FROM audit WHERE event = 'project_approved' GROUP BY 1")
    assert Counter(row["count"] for row in once) == {1: MANY}
    decided = cluster.query(
        "SELECT count(*) FROM decision JOIN task ON task.id = task_id WHERE kind = 'project_approval'"
    )
    assert decided[0]["count"] == MANY
    everybody_is_told_once(cluster)
    done = cluster.cli("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stderr.write(f"{time.monotonic() - began:.0f} s in all\n")


def everybody_is_told_once(cluster: Cluster) -> None:
    """X3: every queued mail has arrived, and what arrived twice is the same mail with the same Message-ID."""

    def out() -> bool:
        # A sender that was killed keeps its lease for two minutes; the test does not wait for that clock.
        cluster.query("UPDATE mail SET due = now() WHERE sent_at IS NULL AND due > now() + interval '3 s'")
        return not cluster.query("SELECT 1 FROM mail WHERE sent_at IS NULL LIMIT 1")

    until("all mails are out", out, PATIENCE)
    told_of = cluster.query("SELECT subject_id, count(*) FROM mail WHERE key LIKE 'project_approved:%' GROUP BY 1")
    assert len(told_of) == MANY
    assert len({row["count"] for row in told_of}) == 1
    queued = cluster.query("SELECT count(*) FROM mail WHERE subject_id IS NOT NULL")[0]["count"]
    arrived: dict[str, set[tuple[str, str]]] = {}
    for mail in read_mails(cluster.mailsink.mails):
        arrived.setdefault(mail.message_id, set()).add((mail.subject, mail.text))
    assert len(arrived) == queued
    assert {len(versions) for versions in arrived.values()} == {1}

"""P9: five hundred approvals at once, workers and APIs killed at random: no number is missing and none is twice."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table
from temporalio.client import Client

from activities.steps import Moved
from crypto.codec import data_converter
from crypto.keyring import Keyring
from db.tables.conflicts import party
from db.tables.projects import project, project_round
from db.tables.tasks import task, task_person
from embedded.demo.driver import Answer, until
from embedded.mails import read_mail
from tests.e2e.support.cluster import Cluster, running_cluster
from tests.e2e.support.project_journey import new_project
from tests.e2e.support.stack import new_form
from workflows.messages import TASK_QUEUE, DeskState, ProjectState, StartProject, project_workflow_id
from workflows.project import ProjectRegistration

SEED = 20261124
MANY = 500
COPIED = {project: "id", project_round: "project_id", party: "subject_id", task: "id", task_person: "task_id"}
"""The rows of a project that waits for its VP, and by what they are known as its own."""
AT_ONCE = 20
FEWEST_KILLS = 4
LAST_KILL = 450
"""No more after so many approvals, so that whoever was killed last has something to come back to."""
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
        except OSError:
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
            for future in doing:
                future.result()
        except BaseException:  # the others would each wait in vain for as long
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def asked(cluster: Cluster, kind: str, many: int) -> Sequence[Mapping[str, Any]]:
    """The open tasks of a kind, each with who is asked first, once there are so many."""

    def all_there() -> Sequence[Mapping[str, Any]] | None:
        found = cluster.query(
            "SELECT task.id, subject_id, min(person) AS person FROM task JOIN task_person ON task_id = task.id"
            " WHERE kind = $1 AND task.status = 'open' GROUP BY task.id, subject_id",
            kind,
        )
        time.sleep(0 if len(found) == many else 0.3)
        return found if len(found) == many else None

    return until(f"{many} are asked for {kind}", all_there, PATIENCE)


def answered(cluster: Cluster, tasks: Sequence[Mapping[str, Any]], choice: str, done: list[str] | None = None) -> None:
    """Everybody who is asked answers, all at once, and asks again until told what became of it; then it is `done`."""

    def answer(task: Mapping[str, Any]) -> None:
        key = f"answer-{task['id']}"
        told(lambda: cluster.portal.answer(task["person"], task["id"], choice, key=key), 200)
        if done is not None:
            done.append(task["id"])

    at_once([lambda task=task: answer(task) for task in tasks])  # type: ignore[misc]


def first_project(cluster: Cluster) -> Mapping[str, Any]:
    """P1: a project under its salesperson's own account; the task by which the VP is asked about it."""
    seller, form = "yang.fan", new_form()
    told(lambda: cluster.portal.submit(seller, form, key="apply"), 201)
    answered(cluster, asked(cluster, "commerce_check", 1), "pass")
    answered(cluster, asked(cluster, "vp_review", 2), "approve")
    until("an account", lambda: cluster.query("SELECT 1 FROM account"), PATIENCE)
    project = new_project(form["customer"]["name"])
    told(lambda: cluster.portal.register(seller, project, key="register"), 201)
    return asked(cluster, "project_approval", 1)[0]


def copying(table: Table) -> str:
    """An INSERT of any number of rows, which come as one JSON list of objects."""
    names = ", ".join(column.name for column in table.c if column.identity is None)
    rows = f"jsonb_populate_recordset(NULL::{table.name}, $1)"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {rows}"


def copied(cluster: Cluster, first: Mapping[str, Any], many: int) -> None:
    """`many` more projects that wait for the VP as the first does: its rows under ids of their own, and processes that
    begin with the state which a run hands to the next. To register each would take far longer than to approve it.
    """
    project_id = first["subject_id"]
    links = [row["link_id"] for row in cluster.query("SELECT link_id FROM task_person WHERE task_id = $1", first["id"])]
    ids = (project_id, first["id"], *links)

    def under_ids_of_its_own(text: str, number: int) -> str:
        for known_id in ids:
            text = text.replace(known_id, f"{known_id}-{number}")
        return text

    for table, key in COPIED.items():
        rows = cluster.query(f"SELECT to_jsonb(t)::text AS row FROM {table.name} AS t WHERE {key} = ANY($1)", ids)
        copies = [under_ids_of_its_own(row["row"], number) for number in range(many) for row in rows]
        cluster.query(copying(table), f"[{','.join(copies)}]")
    state = state_of(cluster, project_id).model_dump_json()
    states = [ProjectState.model_validate_json(under_ids_of_its_own(state, number)) for number in range(many)]

    async def start() -> None:
        keys = Keyring.parse(cluster.environment["BAOBEI_PAYLOAD_KEYS"])
        client = await Client.connect(cluster.temporal.address, data_converter=data_converter(keys))
        for state in states:
            name = project_workflow_id(state.project_id)
            await client.start_workflow(
                ProjectRegistration.run, StartProject(state=state), id=name, task_queue=TASK_QUEUE
            )

    asyncio.run(start())


def state_of(cluster: Cluster, project_id: str) -> ProjectState:
    """What the process of a project that waits for the VP knows."""
    (row,) = cluster.query("SELECT * FROM project WHERE id = $1", project_id)
    (step,) = cluster.query(
        "SELECT result FROM step WHERE workflow_id = $1 AND key LIKE 'move:approval:%'", row["workflow_id"]
    )
    return ProjectState(
        project_id=project_id,
        title=project_id,
        applicant=row["applicant"],
        salesperson=row["salesperson"],
        decides=row["salesperson"],
        stage=row["stage"],
        since=row["stage_since"],
        desk=DeskState(moves=1, tasks=Moved.model_validate_json(step["result"]).tasks),
    )


def kill_now_and_then(cluster: Cluster, chance: random.Random, done: Sequence[str], over: threading.Event) -> list[str]:
    """SIGKILL for each worker and each API, twice, at random moments while more and more is `done`, at the latest until
    it is `over`; another takes its place at once.

    Only one that serves is killed: on a busy machine they would otherwise be killed faster than they start.
    """
    kinds = {
        "worker": (cluster.workers, cluster.worker, cluster.worker_ports),
        "api": (cluster.apis, cluster.api, cluster.api_ports),
    }
    each = [(kind, number) for kind in kinds for number in (0, 1)]
    victims = chance.sample(each, len(each)) + chance.sample(each, len(each))
    moments = sorted(chance.sample(range(LAST_KILL), len(victims)))
    killed: list[str] = []
    for moment, (kind, number) in zip(moments, victims, strict=True):
        processes, again, ports = kinds[kind]
        while len(done) < moment or not cluster.serves(ports[number]):
            if over.wait(0.1):
                return killed
        processes[number].kill()
        processes[number].wait()
        processes[number] = again(number)
        killed.append(f"{kind} {number} after {len(done)}")
    return killed


@pytest.mark.timeout(900)
def test_p9_x3_five_hundred_approvals_under_kills_number_without_gap_or_duplicate(cluster: Cluster) -> None:
    """P9, X1, X3: each is approved once and numbered once, and those concerned are told once."""
    began = time.monotonic()
    copied(cluster, first_project(cluster), MANY - 1)
    waiting = asked(cluster, "project_approval", MANY)
    prepared = time.monotonic()
    chance, over = random.Random(SEED), threading.Event()
    done: list[str] = []
    killed: list[str] = []
    killer = threading.Thread(target=lambda: killed.extend(kill_now_and_then(cluster, chance, done, over)))

    killer.start()
    try:
        answered(cluster, waiting, "approve", done)
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
    proven = cluster.cli("verify")
    assert proven.returncode == 0, proven.stdout + proven.stderr
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
    arrived: dict[str, list[Path]] = {}
    for path in cluster.mailsink.mails.glob("*.eml"):
        with path.open("rb") as file:
            arrived.setdefault(BytesParser().parse(file, headersonly=True)["Message-ID"], []).append(path)
    assert len(arrived) == queued
    for repeated in (paths for paths in arrived.values() if len(paths) > 1):
        assert len({(mail.subject, mail.text) for mail in map(read_mail, repeated)}) == 1

"""Two APIs and two workers beside each other: any of them may take any call, and any of them may die."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from embedded.demo.driver import Answer, until
from embedded.mails import read_mails
from tests.e2e.support.cluster import Cluster, running_cluster
from tests.e2e.support.stack import new_form
from tests.servers.issuer import SigningKey

CLERK, VPS, SELLER = "gao.yuan", ("li.ming", "wang.fang"), "yang.fan"
OTHERS = ("huang.lei", "zhou.min")
DEV_DOORS = (("GET", "/dev/"), ("GET", "/dev/people"), ("GET", "/dev/mails"), ("GET", "/dev/jwks.json"))
SECONDS = 20.0
"""How long the other worker may take to go on with what a killed one had in hand."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as made:
        yield made


def commerce_passes(cluster: Cluster, application_id: str) -> None:
    task = cluster.portal.open_task(CLERK, application_id)
    assert cluster.portal.answer(CLERK, task["id"], "pass").status == 200


def approves(cluster: Cluster, vp: str, application_id: str) -> Answer:
    task = cluster.portal.open_task(vp, application_id)
    return cluster.portal.answer(vp, task["id"], "approve")


def test_the_doors_of_a_rehearsal_do_not_exist(cluster: Cluster) -> None:
    for door in cluster.doors:
        for method, path in DEV_DOORS:
            assert door.request(method, path).status == 404, path
        asked = door.request("POST", "/dev/token", b'{"person": "li.ming"}', {"Content-Type": "application/json"})
        assert asked.status == 404
        assert not [path for path in door.request("GET", "/openapi.json").json["paths"] if path.startswith("/dev")]


def test_an_application_goes_through_with_every_call_at_the_other_api(cluster: Cluster) -> None:
    """X3, N7: also a repetition at the other API is the same request; a link of a mail opens at either."""
    form, key = new_form(), uuid.uuid4().hex
    answers = [cluster.portal.submit(SELLER, form, key=key) for _ in range(4)]
    assert [got.status for got in answers] == [201] * 4
    assert len({got.json["id"] for got in answers}) == 1
    application_id: str = answers[0].json["id"]
    commerce_passes(cluster, application_id)
    link = cluster.link(VPS[0], application_id)
    assert [link.open().status for _ in range(2)] == [200, 200]
    assert link.answer("approve").status == 200
    task, key = cluster.portal.open_task(VPS[1], application_id)["id"], uuid.uuid4().hex
    answers = [cluster.portal.answer(VPS[1], task, "approve", key=key) for _ in range(2)]
    assert [got.status for got in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    seen = cluster.portal.stage(SELLER, application_id, "active")
    assert [d["kind"] for d in seen["decisions"]] == ["commerce_check", "vp_review", "vp_review"]
    mails = [mail for mail in read_mails(cluster.mailsink.mails) if application_id in mail.text]
    assert len({mail.message_id for mail in mails}) == len(mails)


def test_a_token_counts_only_from_our_issuer_for_us_and_in_time(cluster: Cluster) -> None:
    def status(token: str | None) -> list[int]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return [door.request("GET", "/api/v1/tasks", headers=headers).status for door in cluster.doors]

    key, now = cluster.issuer.keys[-1], int(time.time())
    assert status(key.token(CLERK)) == [200, 200]
    assert status(key.token(CLERK, aud="another-portal")) == [401, 401]
    assert status(key.token(CLERK, iss="https://elsewhere.example/")) == [401, 401]
    assert status(key.token(CLERK, iat=now - 7200, exp=now - 3600)) == [401, 401]
    assert status(SigningKey("RS256").token(CLERK)) == [401, 401]
    assert status(key.token("nobody.known")) == [403, 403]
    assert status(None) == [401, 401]


@pytest.mark.parametrize("victim", [0, 1])
def test_x3_one_worker_is_killed_and_the_other_goes_on_within_seconds(cluster: Cluster, victim: int) -> None:
    seller = OTHERS[victim]
    waiting = [cluster.portal.submit(seller, new_form()).json["id"] for _ in range(4)]
    for application_id in waiting:
        commerce_passes(cluster, application_id)
    cluster.workers[victim].kill()
    cluster.workers[victim].wait()
    killed = time.monotonic()
    for application_id in waiting:
        assert approves(cluster, VPS[0], application_id).status in (200, 202)
        assert approves(cluster, VPS[1], application_id).status in (200, 202)
    for application_id in waiting:
        cluster.portal.stage(seller, application_id, "active", SECONDS)
    assert time.monotonic() - killed < SECONDS
    # Put back for whoever comes next.
    cluster.workers[victim] = cluster.worker(victim)
    cluster.ready()


def test_the_issuer_changes_its_key_and_nobody_has_to_restart_anything(cluster: Cluster) -> None:
    """A new key is looked up once its id is seen, at most every 30 seconds, so that a flood is not passed on."""
    old, new = cluster.issuer.keys[-1], SigningKey("ES256")
    cluster.issuer.keys.append(new)

    def both(key: SigningKey) -> list[int]:
        headers = {"Authorization": f"Bearer {key.token(CLERK)}"}
        return [door.request("GET", "/api/v1/tasks", headers=headers).status for door in cluster.doors]

    until("both take the new key", lambda: both(new) == [200, 200], 40)
    assert both(old) == [200, 200]


def test_x1_the_record_of_all_that_proves_itself_from_the_command_line(cluster: Cluster) -> None:
    done: Any = cluster.cli("verify")
    assert done.returncode == 0, done.stdout + done.stderr

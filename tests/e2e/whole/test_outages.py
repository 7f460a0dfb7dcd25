"""X3: nothing is lost and nothing is done twice, whatever is away, and however often the same request comes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue

from embedded.demo.driver import Answer, Portal, until
from embedded.servers.service import Service
from tests.e2e.support.journey import CLERK, VPS, Journey
from tests.e2e.support.stack import ROOT, Stack, new_form


@contextmanager
def without(stack: Stack, service: Service | None) -> Iterator[None]:
    stack.stop(service)
    try:
        yield
    finally:
        stack.start(service)


def test_x3_the_same_key_and_body_give_the_same_answer_and_one_effect_and_another_body_is_422(stack: Stack) -> None:
    form, key = new_form(), uuid.uuid4().hex
    first, again = (stack.portal.submit("yang.fan", form, key=key) for _ in range(2))
    assert (first.status, first.json) == (201, again.json)
    assert again.status == 201
    other = stack.portal.submit("yang.fan", {**form, "resources": "另外"}, key=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_reused")
    assert stack.query("select count(*) as n from application where form->'customer'->>'name' = $1",
                       form["customer"]["name"])[0]["n"] == 1  # fmt: skip
    assert stack.portal.submit("huang.lei", new_form(), key=key).json["id"] != first.json["id"]  # keys are a person's

    application = first.json["id"]
    task = stack.portal.open_task(CLERK, application)["id"]
    key = uuid.uuid4().hex
    answers = [stack.portal.answer(CLERK, task, "pass", key=key) for _ in range(2)]
    assert [got.status for got in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    assert stack.portal.answer(CLERK, task, "return", reason="x", key=key).json["code"] == "idempotency_reused"
    late = stack.portal.answer("anna.miller", task, "pass")
    assert (late.status, late.json["code"], late.json["decided"]["by"]) == (409, "already_answered", "高媛")
    receipt = answers[0].json["receipt"]
    assert stack.portal.receipt(CLERK, receipt).json["status"] == "accepted"
    assert stack.portal.receipt("anna.miller", receipt).status == 404

    key = uuid.uuid4().hex
    withdrawals = [stack.portal.withdraw("yang.fan", application, "不做了", key=key) for _ in range(2)]
    assert [got.status for got in withdrawals] == [200, 200]
    assert withdrawals[0].json == withdrawals[1].json
    for _ in range(2):
        assert stack.portal.call("yang.fan", "POST", "/applications", new_form(), key="\x7f").status == 400


def test_x3_without_a_worker_everything_is_stored_and_done_when_it_is_back(stack: Stack) -> None:
    waiting = Journey(stack, "zhou.min").to_vps()
    link = waiting.link(VPS[0])
    task = stack.portal.open_task(VPS[1], waiting.id)["id"]
    form, key = new_form(), uuid.uuid4().hex
    hasty = Portal(stack.web)
    with without(stack, stack.worker):
        submitted = hasty.submit("zhou.min", form, key=key)
        assert submitted.status == 202
        assert stack.portal.receipt("zhou.min", submitted.json["receipt"]).json["status"] == "stored"
        answered = hasty.answer(VPS[1], task, "approve", reason="同意")
        assert answered.status == 202
        page = link.answer("approve")
        assert page.status == 202
        assert "已收到" in page.words
        assert stack.web.request("GET", "/readyz").status in (200, 503)
    waiting.reaches("active")
    for person, receipt in (("zhou.min", submitted.json["receipt"]), (VPS[1], answered.json["receipt"])):
        assert _settled(stack, person, receipt) == "accepted"
    again = stack.portal.submit("zhou.min", form, key=key)
    assert (again.status, again.json["id"]) == (201, submitted.json["id"])
    stack.portal.open_task(CLERK, submitted.json["id"])


def test_x3_without_the_engine_or_the_record_the_door_says_503_and_nothing_is_half_done(stack: Stack) -> None:
    story = Journey(stack, "wu.qiang").to_vps()
    link = story.link(VPS[0])
    task = stack.portal.open_task(VPS[1], story.id)["id"]
    form, keys = new_form(), [uuid.uuid4().hex for _ in range(3)]
    attempts: list[Callable[[], Answer]] = [
        lambda: stack.portal.submit("wu.qiang", form, key=keys[0]),
        lambda: stack.portal.answer(VPS[1], task, "approve", reason="同意", key=keys[1]),
        lambda: link.answer("approve", "页面同意"),
    ]
    story.told()
    for part in (stack.temporal, stack.postgres):
        before = stack.quiet()
        with without(stack, part):
            with ThreadPoolExecutor(len(attempts)) as pool:
                refused = list(pool.map(lambda attempt: attempt(), attempts))
            assert [got.status for got in refused] == [503, 503, 503]
            problem = refused[0]
            assert problem.headers["content-type"] == "application/problem+json"
            assert problem.headers["retry-after"]
            assert stack.web.request("GET", "/healthz").status == 200
            assert stack.web.request("GET", "/readyz").status == 503
            if part is stack.temporal:  # reading never asks the engine
                assert story.seen_by(CLERK)["stage"] == "vp_review"
                assert link.open().status == 200
        stack.ready()
        after = stack.counts()
        grown = {name for name in after if after[name] != before[name]}
        assert grown <= {"idempotency_key"}, grown
    # The same requests again: each is done, once.
    first, second, third = (until(f"attempt {n}", lambda a=a: _done(a())) for n, a in enumerate(attempts))  # type: ignore[misc]
    assert (first.status, second.status, third.status) == (201, 200, 200)
    story.reaches("active")
    stack.portal.open_task(CLERK, first.json["id"])


def test_x3_mails_wait_for_the_mail_server_and_hold_up_nothing(stack: Stack) -> None:
    story = Journey(stack, "guo.tao")
    with without(stack, stack.mailsink):
        story.activate()
    told = story.told()
    assert told["guo.tao"] == ["已提交", "已生效"]
    ids = [mail.message_id for person in told for mail in stack.mailbox.mails(person, story.id)]
    assert len(set(ids)) == len(ids)


def _done(got: Answer) -> Answer | None:
    return got if got.status not in (202, 503) else None


def _settled(stack: Stack, person: str, receipt: str) -> str:
    def status() -> str | None:
        seen: str = stack.portal.receipt(person, receipt).json["status"]
        return seen if seen != "stored" else None

    return until(f"receipt {receipt}", status)


def test_x3_neither_an_unknown_key_nor_a_flood_of_forged_signals_stops_a_process(stack: Stack) -> None:
    """By somebody with access to the engine: what they send is on record and changes nothing; answers count as ever."""
    story = Journey(stack, "zhou.min").to_vps()
    task = stack.portal.open_task(VPS[0], story.id)
    forged = {"task_id": task["id"], "choice": "reject", "reason": "伪造", "person": VPS[0], "seal": "k1:AAAA"}
    unknown = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"k99"}, data=bytes(64))

    async def sends(messages: list[object]) -> None:
        client = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
        handle = client.get_workflow_handle(f"application-{story.id}")
        for start in range(0, len(messages), 50):
            await asyncio.gather(*(handle.signal("answer_task", message) for message in messages[start : start + 50]))

    asyncio.run(sends([RawValue(unknown)]))
    until("the unreadable signal on record", lambda: "statement_unsealed" in story.event_names())
    assert stack.portal.answer(VPS[0], task["id"], "approve").status == 200
    with without(stack, stack.worker):
        asyncio.run(sends([forged | {"message_id": f"{number:040}"} for number in range(800)]))
    asyncio.run(sends([forged | {"message_id": f"{number:040}"} for number in range(800, 1000)]))
    other = stack.portal.open_task(VPS[1], story.id)
    assert stack.portal.answer(VPS[1], other["id"], "approve").status == 200
    story.reaches("active")
    assert "statements_unsealed" in story.event_names()
    # What waited while no worker ran is given up together; what trickled in afterwards may be on record one by one.
    assert story.event_names().count("statement_unsealed") <= 1 + 200
    proved = stack.cli("verify")
    assert proved.exit_code == 0, proved.output


def test_x3_a_key_changed_too_early_is_told_at_the_start(stack: Stack) -> None:
    """The worker knows the new key first; and an old one may not go while the engine keeps what it encrypted."""
    Journey(stack, "zhou.min").to_vps()
    kept = stack.environment["BAOBEI_PAYLOAD_KEYS"]
    new = "k-new:" + "A" * 43 + "="

    def refuses(argv: list[str], keys: str) -> str:
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=ROOT,
            env=stack.environment | {"BAOBEI_PAYLOAD_KEYS": keys},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr

    with without(stack, stack.api):
        assert "would use the key k-new, which a running worker" in refuses(["cli.py", "api"], f"{kept},{new}")
    with without(stack, stack.worker):
        assert "which a running api uses" in refuses(["worker.py"], new)
        with without(stack, stack.api):
            told = refuses(["worker.py"], new)
            assert f"lacks the key {kept.partition(':')[0]}, in use until" in told

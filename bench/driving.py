"""Drives whole applications through the product and whole processes through the reference, so many at a time."""

from __future__ import annotations

import asyncio
import copy
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from bench.bare import STEPS, Bare
from bench.ground import ACCOUNTS_EACH, CLERK, COMMERCE_MANAGER, HOST, SALESPEOPLE, VPS, Ground, words
from bench.instruments.lane import Lane, Reply

PATIENCE = 30.0
"""Seconds after which something that must happen has failed."""
RECEIPT_SECONDS = 0.1
"""From one question after a receipt to the next. On a machine so busy that there are any, asking at once and again
would be most of what is measured."""


class Unexpected(Exception):
    """The product answered something a bench cannot go on from."""


def expect(reply: Reply, status: int) -> Any:
    if reply.status != status:
        raise Unexpected(f"{status} expected, got {reply.status}: {reply.body.decode('utf-8', 'replace')[:500]}")
    return reply.json


@dataclass
class Ran:
    """What one stretch of driving did."""

    ids: list[str] = field(default_factory=list)
    seconds: float = 0.0
    last_answer: list[float] = field(default_factory=list)
    """Seconds from the second VP's answer being sent to the result being readable, one for each."""
    whole: list[float] = field(default_factory=list)
    """Seconds from form to result, one for each."""


async def in_lanes(count: int, lanes: int, one: Callable[[Lane], Awaitable[None]], port: int) -> None:
    """Do `one` `count` times, `lanes` at a time, each lane with a connection of its own."""
    left = iter(range(count))

    async def lane() -> None:
        async with Lane(HOST, port) as connection:
            for _ in left:
                await one(connection)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(lanes, count)):
            group.create_task(lane())


class ProductDriver:
    """Salespeople, clerks and VPs of the bench's company, all signed in."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._numbers = itertools.count()
        self._tokens: dict[str, str] = {}
        self.port = ground.ports.api
        self._untold: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._teller: asyncio.Task[None] | None = None
        self.stored = 0
        """Answers that took longer than the API waits (202)."""

    def token(self, person: str) -> str:
        return self._tokens[person]

    async def sign_in(self) -> None:
        """Fetch everybody's token, so that signing in is no part of what is measured."""
        async with Lane(HOST, self.port) as lane:
            for person in (
                CLERK,
                COMMERCE_MANAGER,
                *VPS,
                "zhang.wei",
                *(f"sales{number:04}" for number in range(SALESPEOPLE)),
            ):
                self._tokens[person] = expect(await lane.post("/dev/token", "", {"person": person}), 200)["token"]

    def form(self) -> dict[str, Any]:
        """The sample's form for a customer nobody else has, nor one of a similar name: same length, alias, related
        parties and all. Numbered customers would all be alike, and each would be compared with all before it (N3)."""
        form = copy.deepcopy(self._ground.sample)
        customer = form["customer"]
        customer |= {"name": f"{words(8)}股份有限公司", "uscc": None, "aliases": [words(5)]}
        customer["related_parties"] = [
            {**party, "name": f"{words(8)}有限公司", "uscc": None} for party in customer["related_parties"]
        ]
        return form

    async def submit(self, lane: Lane) -> str:
        """N1. Returns the application's id."""
        number = next(self._numbers)
        person = f"sales{number // ACCOUNTS_EACH % SALESPEOPLE:04}"
        reply = await lane.post("/api/v1/applications", self._tokens[person], self.form())
        await self.recorded(lane, person, reply)
        return str(reply.json["id"])

    async def _asked(self, person: str, application: str) -> None:
        """Wait until `person` is asked about `application`, as a mail would tell them.

        Looked up in the record, one query for all who wait: people do not reload a page until it changes.
        """
        told = self._untold.setdefault((application, person), asyncio.get_running_loop().create_future())
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell())
        await asyncio.wait_for(told, PATIENCE)

    async def _tell(self) -> None:
        while self._untold:
            asked = await self._ground.query(
                "select subject_id, person from task join task_person on task_id = id "
                "where task.status = 'open' and removed_at is null and subject_id = any($1)",
                [application for application, _ in self._untold],
            )
            for row in asked:
                told = self._untold.pop((row[0], row[1]), None)
                if told is not None and not told.done():
                    told.set_result(None)
            await asyncio.sleep(0.025)

    async def task(self, lane: Lane, person: str, application: str) -> str:
        """Once asked, open the application; returns the task that asks them."""
        await self._asked(person, application)
        seen = expect(await lane.get(f"/api/v1/applications/{application}", self._tokens[person]), 200)
        for task in seen["tasks"]:
            if any(asked["person"]["id"] == person for asked in task["asked"]):
                return str(task["id"])
        raise Unexpected(f"{person} is not asked about {application}")

    async def answer(self, lane: Lane, person: str, task: str, choice: str) -> None:
        """Answer, and wait until it is recorded."""
        reply = await lane.post(f"/api/v1/tasks/{task}/answer", self._tokens[person], {"choice": choice})
        await self.recorded(lane, person, reply)

    async def recorded(self, lane: Lane, person: str, reply: Reply) -> None:
        """What was only stored when the API stopped waiting (202) is asked for by its receipt."""
        if reply.status in (200, 201):
            return
        receipt = expect(reply, 202)["receipt"]
        self.stored += 1
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = await lane.get(f"/api/v1/receipts/{receipt}", self._tokens[person])
            if seen.status == 200 and seen.json["status"] == "accepted":
                return
            if time.monotonic() > deadline:
                raise Unexpected(f"{receipt} was never accepted: {seen.status} {seen.body.decode()[:300]}")
            await asyncio.sleep(RECEIPT_SECONDS)

    async def to_vps(self, lane: Lane) -> str:
        """Submit, and let commerce pass it on (N5)."""
        application = await self.submit(lane)
        await self.answer(lane, CLERK, await self.task(lane, CLERK, application), "pass")
        return application

    async def account(self, lane: Lane, application: str) -> None:
        """Wait until the account can be read."""
        deadline = time.monotonic() + PATIENCE
        while (await lane.get(f"/api/v1/accounts/{application}", self._tokens[VPS[1]])).status != 200:
            if time.monotonic() > deadline:
                raise Unexpected(f"{application} never becomes an account")
            await asyncio.sleep(0.005)

    async def drive(self, count: int, lanes: int) -> Ran:
        """`count` applications from form to account: each of the three who decide opens it, then answers."""
        ran = Ran()

        async def one(lane: Lane) -> None:
            began = time.monotonic()
            application = await self.to_vps(lane)
            await self.answer(lane, VPS[0], await self.task(lane, VPS[0], application), "approve")
            task = await self.task(lane, VPS[1], application)
            sent = time.monotonic()
            await self.answer(lane, VPS[1], task, "approve")
            await self.account(lane, application)
            ran.last_answer.append(time.monotonic() - sent)
            ran.whole.append(time.monotonic() - began)
            ran.ids.append(application)

        began = time.monotonic()
        await in_lanes(count, lanes, one, self.port)
        ran.seconds = time.monotonic() - began
        return ran


class Steps(asyncio.DatagramProtocol):
    """Hears from the reference's worker which step of which process is done."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def expect(self, workflow_id: str, step: int) -> asyncio.Future[None]:
        return self._waiting.setdefault(f"{workflow_id} {step}", asyncio.get_running_loop().create_future())

    def datagram_received(self, data: bytes, _address: object) -> None:
        waiting = self._waiting.pop(data.decode(), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class BareDriver:
    """Starts the reference's processes and signals them, each time when the step before is done."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._steps = Steps()
        self.port = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self._steps, local_addr=(HOST, 0))
        self.port = transport.get_extra_info("sockname")[1]

    async def drive(self, count: int, lanes: int, queue: str) -> Ran:
        ran = Ran()

        async def one(_: Lane) -> None:
            began = sent = time.monotonic()
            workflow_id = f"{queue}-{uuid.uuid4().hex[:16]}"
            done = self._steps.expect(workflow_id, 0)
            handle = await self._client.start_workflow(Bare.run, id=workflow_id, task_queue=queue)
            for number in range(1, STEPS):
                await asyncio.wait_for(done, PATIENCE)
                done = self._steps.expect(workflow_id, number)
                sent = time.monotonic()
                await handle.signal(Bare.go, "go")
            await asyncio.wait_for(done, PATIENCE)
            ran.last_answer.append(time.monotonic() - sent)
            ran.whole.append(time.monotonic() - began)
            ran.ids.append(workflow_id)

        began = time.monotonic()
        await in_lanes(count, lanes, one, 0)
        ran.seconds = time.monotonic() - began
        return ran

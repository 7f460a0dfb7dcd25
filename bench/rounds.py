"""The arms, in rotated rounds: product, reference and an earlier product, with and without the workflow sandbox."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.driving import PATIENCE, BareDriver, ProductDriver, Ran, Unexpected
from bench.ground import Ground
from bench.instruments.histories import History, history_of
from bench.instruments.meter import Usage
from embedded.servers.service import Service

BARE_PARTS = ("temporal", "worker")
PRODUCT_PARTS = ("temporal", "worker", "api", "postgres")
"""What is counted for each arm. Mail sink and client are shown beside: the one stands for the company's mail server,
the other for its people."""
MAILS_EACH = 10
"""Two clerks and two VPs are asked; salesperson, department GM, both VPs and the commerce manager are told."""


@dataclass(frozen=True)
class Arm:
    product: bool
    sandbox: bool
    commit: str = ""
    """Whose product it is; ours when empty."""

    @property
    def name(self) -> str:
        which = "product" if self.product else "bare"
        at = f" at {self.commit}" if self.commit else ""
        return f"{which}{at}, sandbox {'on' if self.sandbox else 'off'}"


@dataclass(frozen=True)
class Result:
    """One arm in one round."""

    arm: Arm
    round: int
    count: int
    ran: Ran
    usage: Usage
    histories: tuple[History, ...]
    approved: int
    mails: int

    @property
    def cpu_ms(self) -> float:
        """Per application."""
        parts = PRODUCT_PARTS if self.arm.product else BARE_PARTS
        return 1000 * sum(self.usage.cpu[part] for part in parts) / self.count

    def part_ms(self, part: str) -> float:
        return 1000 * self.usage.cpu.get(part, 0.0) / self.count

    @property
    def rate(self) -> float:
        return self.count / self.ran.seconds

    @property
    def exact(self) -> bool:
        """Whether all was done that was sent. An earlier product may write another number of mails for each."""
        if not self.arm.product:
            return True
        as_meant = self.mails % self.count == 0 if self.arm.commit else self.mails == MAILS_EACH * self.count
        return self.approved == self.count and as_meant


@dataclass(frozen=True)
class Size:
    rounds: int
    count: int
    lanes: int
    warm_up: int
    sampled: int = 20


class Side(NamedTuple):
    """One commit's product, on a ground of its own."""

    ground: Ground
    product: ProductDriver


async def eventually(what: str, probe: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await probe():
        if time.monotonic() > deadline:
            raise Unexpected(f"{what}: not within {PATIENCE:.0f} s")
        await asyncio.sleep(0.1)


class Rounds:
    def __init__(self, sides: Mapping[str, Side], bare: BareDriver, size: Size) -> None:
        """`sides`: by the commit of their arms."""
        self._sides, self._bare, self._size = sides, bare, size

    async def all(self, arms: Sequence[Arm], tell: Callable[[Result], None]) -> list[Result]:
        results = []
        for number in range(self._size.rounds):
            turn = number % len(arms)
            for arm in (*arms[turn:], *arms[:turn]):
                result = await self.one(arm, number)
                tell(result)
                results.append(result)
        return results

    async def one(self, arm: Arm, number: int) -> Result:
        """One arm with a worker of its own: start, warm up, measure, count, stop."""
        ground, size = self._sides[arm.commit].ground, self._size
        worker: Service
        if arm.product:
            worker = ground.worker(sandbox=arm.sandbox)
        else:
            worker = ground.bare_worker(sandbox=arm.sandbox, port=self._bare.port)
        async with worker:
            await self._drive(arm, worker, size.warm_up)
            await self._settled(arm)
            before = await self._counts(ground)
            shared: dict[str, Service] = {"temporal": ground.temporal, "worker": worker}
            if arm.product:
                shared |= {"api": ground.api, "postgres": ground.postgres, "mail sink": ground.mailsink}
            meter = ground.meter(shared, client=os.getpid())
            meter.start()
            ran = await self._drive(arm, worker, size.count)
            await self._settled(arm)
            usage = meter.stop()
            after = await self._counts(ground)
        seen = [
            await history_of(ground.client, self._workflow(arm, subject_id)) for subject_id in ran.ids[: size.sampled]
        ]
        return Result(
            arm=arm,
            round=number,
            count=size.count,
            ran=replace(ran),
            usage=usage,
            histories=tuple(seen),
            approved=after[0] - before[0],
            mails=after[1] - before[1],
        )

    async def _drive(self, arm: Arm, worker: Service, count: int) -> Ran:
        if arm.product:
            return await self._sides[arm.commit].product.drive(count, self._size.lanes)
        return await self._bare.drive(count, self._size.lanes, worker.address)

    @staticmethod
    def _workflow(arm: Arm, subject_id: str) -> str:
        return f"application-{subject_id}" if arm.product else subject_id

    async def _settled(self, arm: Arm) -> None:
        """What trails behind belongs to the figures too: mails, and the last workflow tasks."""
        if arm.product:

            async def mails_are_out() -> bool:
                ground = self._sides[arm.commit].ground
                return await ground.count("select count(*) from mail where sent_at is null") == 0

            await eventually("all mails are out", mails_are_out)
        await asyncio.sleep(0.3)

    @staticmethod
    async def _counts(ground: Ground) -> tuple[int, int]:
        approved = await ground.count(
            "select count(*) from account join application on application.id = account.application_id "
            "where stage = 'active'"
        )
        return approved, sum(1 for _ in (ground.folder / "mails").glob("*.eml"))

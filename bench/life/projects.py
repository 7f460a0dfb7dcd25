"""Drives projects over HTTP: registered, approved and updated by the people of the bench's company."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.driving import PATIENCE, ProductDriver, Unexpected, in_lanes
from bench.ground import CLERK, COMMERCE_MANAGER, SALESPEOPLE, Ground, words
from bench.instruments.lane import Lane
from embedded import welcome

LANES = 6
UPDATE = {
    "progress": "已与客户信息中心完成方案第二轮评审，测试环境搭建完毕，性能测试结果符合预期。",
    "problems": "采购流程较预计晚两周，等待客户预算批复。",
    "next_steps": "下周提交报价，约客户主管领导面谈，并与原厂商确认供货周期。",
    "stage": "negotiation",
}
"""U1: an update of realistic length."""
REST = 0.15
"""Seconds between updates of a project: an immediate one would share workflow tasks with the previous one and look
cheaper, or make that one look dearer, than updates a week apart."""


@dataclass
class Living:
    """An approved project."""

    id: str
    salesperson: str
    updates: int = 0
    """Number of accepted updates."""
    updated: float = 0.0
    """Time of the last update."""

    @property
    def workflow_id(self) -> str:
        return f"project-{self.id}"


class ProjectDriver:
    """`product` has signed everybody in."""

    def __init__(self, ground: Ground, product: ProductDriver) -> None:
        self._ground = ground
        self._product = product
        self._sample: dict[str, Any] = json.loads(welcome.PROJECT_FILE.read_text(encoding="utf-8"))
        self._numbers = itertools.count()

    def _form(self) -> dict[str, Any]:
        form = copy.deepcopy(self._sample) | {"name": f"{words(6)}存储扩容项目"}
        form["customer"] |= {"name": f"{words(8)}有限公司", "uscc": None}
        return form

    async def approved(self, count: int) -> list[Living]:
        """`count` projects of Non Named Accounts: assigned, checked, approved (P4, P6, P9)."""
        made: list[Living] = []

        async def one(lane: Lane) -> None:
            person = f"sales{next(self._numbers) % SALESPEOPLE:04}"
            reply = await lane.post("/api/v1/projects", self._product.token(person), self._form())
            await self._product.recorded(lane, person, reply)
            project = Living(str(reply.json["id"]), person)
            await self._answer(lane, project, "assign", {"clerk": CLERK}, by=COMMERCE_MANAGER)
            await self._answer(lane, project, "clear", {}, by=CLERK)
            await self._answer(lane, project, "approve", {})
            await self._at(project, "active")
            made.append(project)

        await in_lanes(count, LANES, one, self._product.port)
        return made

    async def _answer(
        self, lane: Lane, project: Living, choice: str, fields: dict[str, Any], *, by: str | None = None
    ) -> None:
        """Answer the open task of `by`; if nobody is named, the open task of its assignee."""
        deadline = time.monotonic() + PATIENCE
        while True:
            asked = await self._ground.query(
                "select task_id, person from task join task_person on task_id = id where task.status = 'open' "
                "and removed_at is null and subject_id = $1 and ($2::text is null or person = $2)",
                project.id,
                by,
            )
            if asked:
                break
            if time.monotonic() > deadline:
                raise Unexpected(f"{by or 'nobody'} is not asked about {project.id}")
            await asyncio.sleep(0.02)
        task, person = asked[0]
        body = {"choice": choice, "fields": fields}
        reply = await lane.post(f"/api/v1/tasks/{task}/answer", self._product.token(person), body)
        await self._product.recorded(lane, person, reply)

    async def _at(self, project: Living, stage: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await self._ground.count(
            "select count(*) from project where id = $1 and stage = $2", project.id, stage
        ):
            if time.monotonic() > deadline:
                raise Unexpected(f"{project.id} never is {stage}")
            await asyncio.sleep(0.02)

    async def update(self, lane: Lane, project: Living) -> None:
        """U1. Returns when the update is recorded and its next steps are known."""
        path = f"/api/v1/projects/{project.id}/updates"
        reply = await lane.post(path, self._product.token(project.salesperson), UPDATE)
        await self._product.recorded(lane, project.salesperson, reply)
        project.updates += 1
        project.updated = time.monotonic()

    async def update_all(self, projects: Sequence[Living], *, lanes: int = LANES, rest: float = REST) -> None:
        """One update for each of `projects`."""
        left = iter(projects)

        async def one(lane: Lane) -> None:
            project = next(left)
            await asyncio.sleep(max(0.0, project.updated + rest - time.monotonic()))
            await self.update(lane, project)

        await in_lanes(len(projects), lanes, one, self._product.port)

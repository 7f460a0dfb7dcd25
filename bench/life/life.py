"""Five years of a project: the cost of its weekly updates, early and late, cached and evicted (U1).

No real weeks pass: the cost of an update does not depend on the time in between, only on the contents of the process
and its history. In production the process is evicted between two updates: that is "cold" here.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from bench.driving import ProductDriver
from bench.ground import Ground
from bench.instruments.histories import History, by_signal, runs_of
from bench.life.projects import Living, ProjectDriver
from bench.rounds import PRODUCT_PARTS
from crypto.codec import data_converter
from crypto.keyring import Keyring
from embedded.servers.service import Service
from workflows.project import LIFE_HISTORY, ProjectRegistration

WEEKS = 52
YEARS = 5
TENTH = 10
"""Number of updates measured together, early and late."""
BURST = 10
"""Updates sent to each project at once at the end: some coincide with a continue-as-new."""


@dataclass(frozen=True)
class LifeSize:
    projects: int = 8
    colds: int = 10
    """Restarted workers, each for one cold second update of fresh projects and one late one of the old."""


@dataclass(frozen=True)
class Pair:
    """CPU ms of an early and a late update by part, measured one right after the other."""

    early: dict[str, float]
    late: dict[str, float]

    @property
    def ratio(self) -> float:
        return sum(self.late.values()) / sum(self.early.values())


@dataclass(frozen=True)
class Year:
    number: int
    events: int
    actions: int
    runs: int
    """Runs that ended in the year."""
    largest: int
    """Events of the largest of these runs."""


@dataclass(frozen=True)
class Life:
    size: LifeSize
    sandbox: bool
    hand_over: int
    """Number of events after which a run continues as new."""
    registration: History
    """From the form to the first update."""
    updates: tuple[History, ...]
    """Every update of every old project, except those sent at once at the end."""
    years: tuple[Year, ...]
    """Years of one project."""
    largest_run: int
    runs: int
    replayed: int
    warm: tuple[Pair, ...]
    cold: tuple[Pair, ...]
    cold_events: tuple[tuple[float, float], ...]
    """Events an evicted process had at its second update and at the late one, for each of `cold`."""
    sent: int
    recorded: int
    other_cores: float
    seconds: float


class LifeTrial:
    def __init__(self, ground: Ground, product: ProductDriver, size: LifeSize, *, sandbox: bool) -> None:
        self._ground, self._size, self._sandbox = ground, size, sandbox
        self._driver = ProjectDriver(ground, product)
        self._worker: Service = ground.worker(sandbox=sandbox)
        self._others: list[float] = []

    async def run(self, say: Callable[[str], None]) -> Life:
        began = time.monotonic()
        size = self._size
        try:
            await self._worker.start()
            old = await self._driver.approved(size.projects)
            young = await self._driver.approved(size.projects)
            fresh = [await self._driver.approved(size.projects) for _ in range(size.colds)]
            warmers = await self._driver.approved(size.projects)
            for projects in (young, *fresh):
                await self._driver.update_all(projects)
            say(f"{len(fresh) + 3} x {size.projects} projects are registered and approved")
            await self._grow_old(old)
            say(f"{size.projects} projects had {old[0].updates} updates each")
            warm = [await self._pair(young, old, late_first=bool(n % 2)) for n in range(TENTH)]
            say(f"warm, late to early: {', '.join(f'{pair.ratio:.2f}' for pair in warm)}")
            cold = []
            held: list[tuple[float, float]] = []
            for number, projects in enumerate(fresh):
                await self._evict()
                await self._driver.update_all(warmers)  # a worker that has just started has empty caches
                held.append((await self._held(projects), await self._held(old)))
                cold.append(await self._pair(projects, old, late_first=bool(number % 2)))
            say(f"cold, late to early: {', '.join(f'{pair.ratio:.2f}' for pair in cold)}")
            alone = {project.id: project.updates for project in old}
            await self._driver.update_all([project for project in old for _ in range(BURST)], lanes=3 * BURST, rest=0)
            await asyncio.sleep(1)
        finally:
            await self._worker.stop()
        runs = {project.id: await runs_of(self._ground.client, project.workflow_id) for project in old}
        parts = {project.id: by_signal(runs[project.id], "update") for project in old}
        every = [run for of_project in runs.values() for run in of_project]
        ids = [project.id for project in (*old, *young)]
        life = Life(
            size=size,
            sandbox=self._sandbox,
            hand_over=LIFE_HISTORY,
            registration=parts[old[0].id][0],
            updates=tuple(update for key, of_project in parts.items() for update in of_project[1 : alone[key] + 1]),
            years=_years(runs[old[0].id], parts[old[0].id]),
            largest_run=max(map(len, every)),
            runs=len(every),
            replayed=await self._replayed(runs),
            warm=tuple(warm),
            cold=tuple(cold),
            cold_events=tuple(held),
            sent=sum(project.updates for project in (*old, *young)),
            recorded=await self._ground.count("select count(*) from project_update where project_id = any($1)", ids),
            other_cores=max(self._others),
            seconds=time.monotonic() - began,
        )
        say(f"five years of a project measured in {life.seconds:.0f} s")
        return life

    async def _grow_old(self, projects: Sequence[Living]) -> None:
        for _ in range(WEEKS * YEARS - TENTH - self._size.colds):
            await self._driver.update_all(projects)

    async def _pair(self, early: Sequence[Living], late: Sequence[Living], *, late_first: bool) -> Pair:
        if late_first:
            late_ms = await self._cost(late)
            return Pair(await self._cost(early), late_ms)
        early_ms = await self._cost(early)
        return Pair(early_ms, await self._cost(late))

    async def _cost(self, projects: Sequence[Living]) -> dict[str, float]:
        """CPU ms of one update by part, averaged over one update of each of `projects`."""
        ground = self._ground
        shared = {"temporal": ground.temporal, "worker": self._worker, "api": ground.api, "postgres": ground.postgres}
        meter = ground.meter(shared, client=os.getpid())
        await asyncio.sleep(0.2)
        meter.start()
        await self._driver.update_all(projects)
        await asyncio.sleep(0.3)  # work after the answer belongs to it
        usage = meter.stop()
        self._others.append(usage.other_cores)
        return {part: 1000 * usage.cpu[part] / len(projects) for part in PRODUCT_PARTS}

    async def _evict(self) -> None:
        """A worker without any of the processes in its cache."""
        await self._worker.stop()
        self._worker = self._ground.worker(sandbox=self._sandbox)
        await self._worker.start()

    async def _held(self, projects: Sequence[Living]) -> float:
        """Mean number of events of the open runs: what a worker without them in its cache reads again."""
        lengths = []
        for project in projects:
            described = await self._ground.client.get_workflow_handle(project.workflow_id).describe()
            lengths.append(described.history_length)
        return statistics.mean(lengths)

    async def _replayed(self, runs: dict[str, list[list[HistoryEvent]]]) -> int:
        """Replay every run with the present workflow. Raises if one fails."""
        replayer = Replayer(
            workflows=[ProjectRegistration],
            data_converter=data_converter(Keyring.parse(self._ground.environment["BAOBEI_PAYLOAD_KEYS"])),
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        done = 0
        for project_id, of_project in runs.items():
            for run in of_project:
                await replayer.replay_workflow(WorkflowHistory(f"project-{project_id}", run))
                done += 1
        return done


def _years(runs: Sequence[Sequence[HistoryEvent]], parts: Sequence[History]) -> tuple[Year, ...]:
    ended: dict[int, list[int]] = {}
    updates = 0
    for run in runs:
        updates += sum(event.workflow_execution_signaled_event_attributes.signal_name == "update" for event in run)
        if run[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            ended.setdefault((updates - 1) // WEEKS + 1, []).append(len(run))
    years = []
    for number in range(1, YEARS + 1):
        mine = parts[(number - 1) * WEEKS + 1 : number * WEEKS + 1]
        sizes = ended.get(number, [])
        years.append(
            Year(
                number,
                sum(run.events for run in mine),
                sum(run.actions for run in mine),
                len(sizes),
                max(sizes, default=0),
            )
        )
    return tuple(years)

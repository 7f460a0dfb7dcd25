"""The reference: a workflow that does nothing but wait for three signals and run four no-op activities.

`python -m bench.bare ADDRESS QUEUE SANDBOX PORT READY` is its worker, tuned as the product's is.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

SIGNALS = 3
STEPS = SIGNALS + 1


class NoOp:
    """A no-op activity that notifies the bench's driver, as the product's callers see what was recorded."""

    def __init__(self, port: int) -> None:
        self._there = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    @activity.defn
    async def step(self, number: int) -> None:
        self._socket.sendto(f"{activity.info().workflow_id} {number}".encode(), self._there)


@workflow.defn
class Bare:
    def __init__(self) -> None:
        self._signals = 0

    @workflow.run
    async def run(self) -> str:
        for number in range(STEPS):
            await workflow.wait_condition(lambda number=number: self._signals >= number)  # type: ignore[misc]
            await workflow.execute_activity_method(NoOp.step, number, start_to_close_timeout=timedelta(seconds=15))
        return "active"

    @workflow.signal
    def go(self, what: str) -> None:  # noqa: ARG002
        self._signals += 1


async def serve(address: str, queue: str, sandbox: bool, port: int, ready: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Bare],
        activities=[NoOp(port).step],
        workflow_runner=SandboxedWorkflowRunner() if sandbox else UnsandboxedWorkflowRunner(),
        workflow_task_executor=ThreadPoolExecutor(max_workers=8),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=5),
    )
    async with worker:
        await asyncio.to_thread(ready.touch)
        await stop.wait()


if __name__ == "__main__":
    address, queue, sandbox, port, ready = sys.argv[1:]
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(address, queue, sandbox == "on", int(port), Path(ready)))

"""The worker: runs workflows and activities, sends mails, delivers nudges. Stateless; several may run."""

from __future__ import annotations

# isort: off
from runtime import startup

# isort: on
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
import uvloop
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.under_way import UNDER_WAY
from activities.unit_of_work import Recorder
from db.connection import channels
from db.connection.engine import make_engine
from db.connection.listen import Listener
from db.reference_data import ReferenceData
from db.running import Presence
from delivery.nudges import NudgeDelivery
from delivery.sender import MailSender
from delivery.wake import Wake
from documents.store import DocumentStore
from documents.sweep import DocumentSweep
from domain.policy import Policy, load_policy
from runtime.health import HealthServer
from runtime.keys_in_use import check_before_start, check_processes, process_of
from runtime.logs import configure_logs
from runtime.sandbox import Sandbox
from runtime.schedules import ensure_schedules
from runtime.settings import Settings, SettingsError, load_settings
from runtime.temporal_client import connect
from runtime.worker_registry import WORKFLOWS, activities_of
from workflows.messages import TASK_QUEUE

GRACE = timedelta(seconds=10)
STICKY_TIMEOUT = timedelta(seconds=1)
"""How long the processes of a killed worker wait before another worker takes over."""

SCHEDULES_AGAIN = 5.0
"""Seconds between retries while the engine is unavailable."""

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def running_worker(settings: Settings, client: Client) -> AsyncIterator[Worker]:
    """A worker and everything beside it, from first poll to graceful stop."""
    engine = make_engine(
        settings.database_url,
        process="worker",
        pool_size=20,
        pre_ping=False,
        command_timeout=12,
        planned_once=True,
    )
    facts = ReferenceData(load_policy(settings.policy_file))
    recorder = Recorder(engine, facts, settings.seal_keys)
    listener = Listener(settings.database_url)
    wake = Wake(listener, channels.MAILS, channels.NUDGES)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=activities_of(recorder),
        workflow_runner=Sandbox(None if settings.workflow_sandbox else UnsandboxedWorkflowRunner()),
        workflow_task_executor=ThreadPoolExecutor(max_workers=8),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        graceful_shutdown_timeout=GRACE,
        build_id="baobei",
    )
    sender = MailSender(engine, facts, settings, wake)
    delivery = NudgeDelivery(engine, client, wake)
    async with worker:
        listener.start()
        beside = [asyncio.create_task(sender.run()), asyncio.create_task(delivery.run())]
        if settings.documents_url:
            store = DocumentStore(settings.documents_url, settings.payload_keys)
            beside.append(asyncio.create_task(DocumentSweep(engine, store).run()))
        try:
            yield worker
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await listener.close()
    await engine.dispose()


async def keep_schedules(client: Client, policy: Policy) -> None:
    """Update the schedules to the policy as soon as the engine accepts them (R1–R4, U1, U9)."""
    while True:
        try:
            await ensure_schedules(client, policy)
        except Exception as error:  # any error: otherwise this task would end unnoticed
            log.warning("schedules not kept", error=type(error).__name__)
            await asyncio.sleep(SCHEDULES_AGAIN)
        else:
            return


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then finish the work in progress."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    port = settings.worker_metrics_port
    engine_figures = PrometheusConfig(bind_address=f"0.0.0.0:{port}", durations_as_seconds=True) if port else None
    runtime = Runtime(telemetry=TelemetryConfig(metrics=engine_figures))
    mine = process_of("worker", settings)
    await check_before_start(mine, settings.database_url)
    client = await connect(settings, runtime=runtime)
    presence = Presence(settings.database_url, mine)
    await check_processes(mine, presence, client)
    async with presence, running_worker(settings, client) as worker:
        async with HealthServer(settings, client, worker, UNDER_WAY.standing):
            log.info("worker ready", task_queue=TASK_QUEUE)
            schedules = asyncio.create_task(keep_schedules(client, load_policy(settings.policy_file)))
            await stop.wait()
            log.info("worker stopping")
            schedules.cancel()
            await asyncio.gather(schedules, return_exceptions=True)


def main() -> int:
    """Run with the arguments of the command line."""
    startup.imported()
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    configure_logs(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(settings))
        except SettingsError as error:  # only the other running processes tell whether our keys fit
            print(error, file=sys.stderr)  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

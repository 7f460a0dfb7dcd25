"""Starts the parts of a home in order, and prints what to do next."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto.keyring import Keyring
from embedded import welcome
from embedded.errors import StartError
from embedded.home import Home, environment
from embedded.processes.ports import HOST, Ports, check_free
from embedded.processes.processes import end_orphans
from embedded.processes.supervisor import Supervisor
from embedded.screen import Screen
from embedded.servers import parts
from embedded.servers.mailsink import MailSinkService
from embedded.servers.postgres import PostgresServer
from embedded.servers.service import Service


@dataclass(frozen=True)
class Plan:
    """What to run. Tests and developers may leave parts out.

    Args:
        home: the folder of the installation.
        first_port: the port of the API; the others follow it.
        product: whether to run worker and API, or only what they need.
        rehearsal: whether the clock of a single process can be moved forward (decision 13).
    """

    home: Path
    first_port: int
    product: bool = True
    rehearsal: bool = False


async def run(plan: Plan, screen: Screen) -> None:
    """Start, run until SIGINT, SIGTERM or SIGHUP, stop. Raises StartError; never leaves a process behind."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            hurry.set()  # second signal: stop without grace periods
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    ports = Ports.from_first(plan.first_port)
    with Home(plan.home) as home:
        supervisor = Supervisor(screen)
        starting = asyncio.create_task(_start(plan, home, ports, supervisor, screen))
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asked
            screen.say("stopping …")
        finally:
            starting.cancel()
            asked.cancel()
            await asyncio.gather(starting, asked, return_exceptions=True)
            await supervisor.stop(hurry=hurry)
    screen.say("stopped; the data stays in " + str(home.path))


async def _start(plan: Plan, home: Home, ports: Ports, supervisor: Supervisor, screen: Screen) -> None:
    screen.say(f"home {home.path}")
    orphans = await asyncio.to_thread(end_orphans, home.path)
    if orphans:
        screen.say(f"  ended what an earlier run left behind: {', '.join(orphans)}")
    kept = home.secrets()
    home.ensure_dev_key()
    postgres = PostgresServer(
        home.path, ports.postgres, password=kept.postgres_password, admin_password=kept.postgres_admin_password
    )
    settings = environment(home.path, ports, kept, postgres.url(), rehearsal=plan.rehearsal)
    infrastructure = [postgres, _temporal(plan, home, ports), MailSinkService(home.path, ports.smtp)]
    own = [
        parts.worker(home.path, ports.worker_health, settings),
        parts.api(home.path, ports.api, settings),
    ]
    wanted: Sequence[Service] = [*infrastructure, *(own if plan.product else [])]
    check_free(sorted((listen for service in wanted for listen in service.listens), key=lambda listen: listen[1]))
    home.write_environment(settings)
    await supervisor.start(infrastructure)
    with screen.step("database schema"):
        await _migrate(postgres.url())
    if plan.product:
        with screen.step("sample organisation"):
            await welcome.import_sample_once(postgres.url(), Keyring.parse(settings["BAOBEI_SEAL_KEYS"]))
        await supervisor.start(own)
    screen.say(announcement(plan, home, ports))


def _temporal(plan: Plan, home: Home, ports: Ports) -> Service:
    from embedded.servers.temporal import TemporalServer

    return TemporalServer(
        home.path,
        ports.temporal,
        ui_port=ports.temporal_ui,
        http_port=ports.temporal_http,
        metrics_port=ports.temporal_metrics,
        codec_endpoint=f"http://{HOST}:{ports.api}/dev/codec",
        rehearsal=plan.rehearsal,
    )


async def _migrate(database_url: str) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from conflicts.rekeying import rekey
    from db.connection.migrate import upgrade

    try:
        await upgrade(database_url)
        await rekey(database_url)
    except (OSError, SQLAlchemyError) as error:
        raise StartError(f"The database schema could not be brought up to date: {error}") from error


def announcement(plan: Plan, home: Home, ports: Ports) -> str:
    """Print the addresses and the next steps."""
    api, ui = f"http://{HOST}:{ports.api}", f"http://{HOST}:{ports.temporal_ui}"
    lines = ["", "Up. Stop with Ctrl-C; the data stays."]
    if plan.product:
        lines += [
            f"  the product                {api}/   sign in as anybody of the sample company",
            f"  people and mails           {api}/dev/",
            f"  API and its documentation  {api}/docs",
        ]
    lines += [
        f"  Temporal UI                {ui}",
        f"  mails as files             {home.mails}",
        f"  logs                       {home.path / 'logs'}",
    ]
    if plan.rehearsal:
        lines += ["", f"Rehearsal: {api}/dev/clock moves clocks and ends weeks, months and years."]
    if plan.product:
        lines += ["", f"Try it: open {api}/"]
    return "\n".join([*lines, ""])

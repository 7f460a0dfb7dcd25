"""Nothing embedded: two APIs and two workers as processes of their own, told by addresses where everything else is."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from embedded.driver import Answer, PageLink, Portal, Web, until
from embedded.mails import read_mails
from embedded.mailsink import MailSinkService
from embedded.ports import HOST, free_row
from embedded.postgres import PostgresServer
from embedded.temporal import TemporalServer
from tests.e2e.issuer import AUDIENCE, NAME, Issuer, SigningKey
from tests.e2e.stack import ROOT, new_form

CLERK, VPS, SELLER = "gao.yuan", ("li.ming", "wang.fang"), "yang.fan"
OTHERS = ("huang.lei", "zhou.min")
DEV_DOORS = (("GET", "/dev/"), ("GET", "/dev/people"), ("GET", "/dev/mails"), ("GET", "/dev/jwks.json"))
SECONDS = 20.0
"""How long the other worker may take to go on with what a killed one had in hand."""


def keys() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


class TwoDoors(Web):
    """Every call goes to the other API."""

    def __init__(self, doors: list[Web]) -> None:
        super().__init__(doors[0].url)
        self.doors = doors
        self._turns = itertools.cycle(doors)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return next(self._turns).request(method, path, body, headers)


class SignedIn(Portal):
    """The portal of a company with a sign-in service of its own."""

    def __init__(self, web: Web, issuer: Issuer) -> None:
        super().__init__(web)
        self.issuer = issuer

    def token(self, person: str) -> str:
        return self.issuer.keys[-1].token(person)


class Cluster:
    """Servers started one by one, and our own processes beside them."""

    def __init__(self, issuer: Issuer) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="baobei-cluster-"))
        self.issuer = issuer
        first = free_row(9)
        self.postgres = PostgresServer(
            self.folder / "database", first, password=secrets.token_urlsafe(24), durable=False
        )
        self.temporal = TemporalServer(self.folder / "engine", first + 1, durable=False)
        self.mailsink = MailSinkService(self.folder / "mail", first + 2)
        self.api_ports, self.worker_ports = (first + 3, first + 4), (first + 5, first + 6)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("BAOBEI_", "TEMPORAL_"))
        } | {
            "BAOBEI_DATABASE_URL": self.postgres.url(),
            "BAOBEI_PUBLIC_URL": f"http://{HOST}:{first + 3}",
            "BAOBEI_SMTP_HOST": HOST,
            "BAOBEI_SMTP_PORT": str(first + 2),
            "BAOBEI_SMTP_SECURITY": "none",
            "BAOBEI_MAIL_FROM": "baobei@corp.example",
            "BAOBEI_SEAL_KEYS": keys(),
            "BAOBEI_LINK_KEYS": keys(),
            "BAOBEI_PAYLOAD_KEYS": keys(),
            "BAOBEI_OIDC_ISSUER": NAME,
            "BAOBEI_OIDC_AUDIENCE": AUDIENCE,
            "BAOBEI_OIDC_JWKS_URL": issuer.jwks_url,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": "default",
        }
        self.doors = [Web(f"http://{HOST}:{port}") for port in self.api_ports]
        self.portal = SignedIn(TwoDoors(self.doors), issuer)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.apis: list[subprocess.Popen[bytes]] = []

    def spawn(self, *words: str, **changed: str) -> subprocess.Popen[bytes]:
        with (self.folder / "processes.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment | changed, stdout=log, stderr=log
            )

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "cli.py", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def open(self) -> None:
        for words in (("migrate",), ("org", "import", "embedded/sample/org.toml")):
            done = self.cli(*words)
            assert done.returncode == 0, done.stdout + done.stderr
        self.workers += [self.spawn("worker.py", BAOBEI_WORKER_HEALTH_PORT=str(port)) for port in self.worker_ports]
        self.apis += [self.spawn("cli.py", "api", BAOBEI_API_PORT=str(port)) for port in self.api_ports]

        def ready(web: Web) -> bool:
            with suppress(OSError):
                return web.request("GET", "/readyz").status == 200
            return False

        faces = [*self.doors, *(Web(f"http://{HOST}:{port}") for port in self.worker_ports)]
        until("two APIs and two workers are ready", lambda: all(ready(face) for face in faces), 60)

    def close(self) -> None:
        for process in (*self.apis, *self.workers):
            process.terminate()
        for process in (*self.apis, *self.workers):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def link(self, person: str, application_id: str) -> PageLink:
        """The page behind the mail that `person` got about an application."""

        def there() -> str | None:
            mails = read_mails(self.mailsink.mails, f"{person}@example.com")
            links = (link for mail in mails if application_id in mail.subject for link in mail.links if "/d/" in link)
            return next(links, None)

        return PageLink(self.portal.web, until(f"a mail to {person}", there))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Issuer(SigningKey("RS256")) as issuer, asyncio.Runner() as runner:
        made = Cluster(issuer)
        services = (made.postgres, made.temporal, made.mailsink)

        async def start() -> None:
            await asyncio.gather(*(service.start() for service in services))

        async def stop() -> None:
            await asyncio.gather(*(service.stop(grace=5) for service in services))

        try:
            runner.run(start())
            made.open()
            yield made
        finally:
            made.close()
            runner.run(stop())
    shutil.rmtree(made.folder, ignore_errors=True)


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
    mails = [mail for mail in read_mails(cluster.mailsink.mails) if application_id in mail.subject]
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
    port = cluster.worker_ports[victim]
    cluster.workers[victim] = cluster.spawn("worker.py", BAOBEI_WORKER_HEALTH_PORT=str(port))

    def ready() -> bool:
        with suppress(OSError):
            return Web(f"http://{HOST}:{port}").request("GET", "/readyz").status == 200
        return False

    until("the worker is back", ready)


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

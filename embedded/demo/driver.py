"""Drives a running one-machine installation from outside, as portal, mail program and browser do.

For the demo, the bench and the tests. Uses HTTP only and knows nothing of the product's internals.
"""

from __future__ import annotations

import copy
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds to wait for an expected event; generous, for a busy machine."""
POLL = 0.05
DECISION_PATH = "/d/"
ACT_PATH = "/a/"


class NeverHappened(AssertionError):
    """The expected event did not happen in time."""


def until(what: str, probe: Callable[[], T | None], patience: float = PATIENCE) -> T:
    """The first truthy result of `probe`. Raises `NeverHappened` after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NeverHappened(f"{what}: not within {patience:.0f} s")
        time.sleep(POLL)


@dataclass(frozen=True)
class Answer:
    """A response of the server."""

    status: int
    headers: Mapping[str, str]
    """Header names are case-insensitive."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def words(self) -> str:
        """The text of a page as a reader sees it, without markup and with whitespace collapsed."""
        bare = re.sub(r"<(style|head)\b.*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(bare).split())


class Web:
    """One server. Every request uses its own connection, as from many machines."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        """`timeout`: seconds for each step of a request."""
        self.url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self.url, timeout=timeout, trust_env=False, headers={"Connection": "close"}
        )

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises `ConnectionError` if the server is unavailable or does not answer in time."""
        sent = httpx.Headers(headers, encoding="latin-1")
        try:
            got = self._client.request(method, path, content=body, headers=sent)
        except httpx.TransportError as error:
            raise ConnectionError(str(error)) from error
        return Answer(got.status_code, got.headers, got.content)


class Portal:
    """The portal, with a person signed in for every call."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._tokens: dict[str, str] = {}

    def token(self, person: str) -> str:
        """A bearer token for `person`, kept for the next call."""
        if person not in self._tokens:
            body = json.dumps({"person": person}).encode()
            got = self.web.request("POST", "/dev/token", body, {"Content-Type": "application/json"})
            if got.status != 200:
                raise LookupError(f"no token for {person}: {got.status} {got.text}")
            self._tokens[person] = got.json["token"]
        return self._tokens[person]

    def call(
        self,
        person: str | None,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call below `/api/v1`. A POST without `key` gets a new one; bytes are sent unchanged."""
        sent = dict(headers or {})
        if person is not None:
            sent.setdefault("Authorization", f"Bearer {self.token(person)}")
        if method == "POST":
            sent.setdefault("Idempotency-Key", key or uuid.uuid4().hex)
            sent.setdefault("Content-Type", "application/json")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        return self.web.request(method, f"/api/v1{path}", body, sent)

    def submit(self, person: str, form: Mapping[str, Any], *, key: str | None = None) -> Answer:
        """N1."""
        return self.call(person, "POST", "/applications", form, key=key)

    def application(self, person: str, application_id: str) -> Any:
        """One application as `person` sees it. Raises `LookupError` if they may not see it."""
        got = self.call(person, "GET", f"/applications/{application_id}")
        if got.status != 200:
            raise LookupError(f"{person} reads {application_id}: {got.status}")
        return got.json

    def dossier(self, person: str, application_id: str) -> Any:
        """N11, as data."""
        return self.call(person, "GET", f"/applications/{application_id}/dossier").json

    def stage(self, person: str, application_id: str, stage: str, patience: float = PATIENCE) -> Any:
        """The application once it has reached `stage`."""

        def reached() -> Any:
            seen = self.application(person, application_id)
            return seen if seen["stage"] == stage else None

        return until(f"{application_id} reaches {stage}", reached, patience)

    def tasks(self, person: str) -> list[dict[str, Any]]:
        """The first hundred tasks of `person`, open ones first."""
        items: list[dict[str, Any]] = self.call(person, "GET", "/tasks?limit=100").json["items"]
        return items

    def open_task(self, person: str, application_id: str, patience: float = PATIENCE) -> dict[str, Any]:
        """The open task of `person` on an application, once there is one."""

        def asked() -> dict[str, Any] | None:
            mine = (task for task in self.tasks(person) if task["subject"]["id"] == application_id)
            return next((task for task in mine if task["status"] == "open"), None)

        return until(f"{person} is asked about {application_id}", asked, patience)

    def answer(
        self,
        person: str,
        task_id: str,
        choice: str,
        *,
        reason: str = "",
        fields: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Answer:
        body = {"choice": choice, "reason": reason, "fields": dict(fields or {})}
        return self.call(person, "POST", f"/tasks/{task_id}/answer", body, key=key)

    def withdraw(self, person: str, application_id: str, reason: str, *, key: str | None = None) -> Answer:
        """N13."""
        return self.call(person, "POST", f"/applications/{application_id}/withdraw", {"reason": reason}, key=key)

    def appeal(self, person: str, application_id: str, reason: str, *, key: str | None = None) -> Answer:
        """N10."""
        return self.call(person, "POST", f"/applications/{application_id}/appeal", {"reason": reason}, key=key)

    def register(self, person: str, form: Mapping[str, Any], *, key: str | None = None) -> Answer:
        """P1, P4."""
        return self.call(person, "POST", "/projects", form, key=key)

    def project(self, person: str, project_id: str) -> Any:
        """One registration as `person` sees it. Raises `LookupError` if they may not see it."""
        got = self.call(person, "GET", f"/projects/{project_id}")
        if got.status != 200:
            raise LookupError(f"{person} reads {project_id}: {got.status}")
        return got.json

    def project_at(self, person: str, project_id: str, stage: str, patience: float = PATIENCE) -> Any:
        """The registration once it has reached `stage`."""

        def reached() -> Any:
            seen = self.project(person, project_id)
            return seen if seen["stage"] == stage else None

        return until(f"{project_id} reaches {stage}", reached, patience)

    def say(
        self, person: str, project_id: str, what: str, body: Mapping[str, Any], *, key: str | None = None
    ) -> Answer:
        """Send a statement; `what` is the last part of the address: updates, loss, contract-review, resume,
        objection, agreement, …"""
        return self.call(person, "POST", f"/projects/{project_id}/{what}", body, key=key)

    def fast_forward(self, workflow_id: str, duration: timedelta | str) -> Answer:
        """Move the clock of one process (a rehearsal only); a text is a duration of ISO 8601."""
        sent = duration if isinstance(duration, str) else duration.total_seconds()
        body = json.dumps({"workflow_id": workflow_id, "duration": sent}).encode()
        return self.web.request("POST", "/dev/fast-forward", body, {"Content-Type": "application/json"})

    def receipt(self, person: str, receipt: str) -> Answer:
        return self.call(person, "GET", f"/receipts/{receipt}")


class PageLink:
    """The page behind the link of a mail, as a browser handles it."""

    def __init__(self, web: Web, url: str) -> None:
        self.web = web
        parts = urlsplit(url)
        self.path = parts.path

    def open(self, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        return self.web.request(method, self.path, None, headers)

    def post(self, values: Mapping[str, str]) -> Answer:
        """Send the page's form with exactly these inputs."""
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.web.request("POST", self.path, urlencode(values).encode(), sent)

    def answer(self, choice: str, reason: str = "", **inputs: str) -> Answer:
        """Choose, tick the confirmation and submit."""
        return self.post({"choice": choice, "reason": reason, "confirm": "yes", **inputs})


@dataclass(frozen=True)
class ReceivedMail:
    """A mail as its recipient sees it."""

    subject: str
    text: str
    html: str
    message_id: str
    links: tuple[str, ...] = field(default=())
    calendar: str = ""
    """Its invitation (D2)."""

    @property
    def heading(self) -> str:
        """The heading of the HTML part: its topic in two or three words."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.html, re.DOTALL)
        return unescape(found.group(1)).strip() if found else ""

    @property
    def act_url(self) -> str | None:
        """The personal link to an act, if any."""
        return next((link for link in self.links if urlsplit(link).path.startswith(ACT_PATH)), None)

    @property
    def decision_url(self) -> str | None:
        """The personal link to a decision page, if any."""
        return next((link for link in self.links if urlsplit(link).path.startswith(DECISION_PATH)), None)


class Mailbox:
    """The mails of all people."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._addresses: dict[str, str] = {}

    def address(self, person: str) -> str:
        if person not in self._addresses:
            self._addresses = {
                somebody["id"]: somebody["email"] for somebody in self.web.request("GET", "/dev/people").json
            }
        return self._addresses[person]

    def mails(self, person: str, application_id: str) -> list[ReceivedMail]:
        """The mails to `person` about an application, oldest first."""
        received = self.web.request("GET", "/dev/mails?" + urlencode({"to": self.address(person)})).json
        return [
            ReceivedMail(
                mail["subject"], mail["text"], mail["html"], mail["message_id"], tuple(mail["links"]), mail["calendar"]
            )
            for mail in received
            if application_id in f"{mail['subject']}\n{mail['text']}"
        ]

    def wait(self, person: str, application_id: str, saying: str = "", patience: float = PATIENCE) -> ReceivedMail:
        """The newest mail to `person` about an application whose text contains `saying`, once it has arrived."""

        def there() -> ReceivedMail | None:
            found = [mail for mail in self.mails(person, application_id) if saying in mail.text]
            return found[-1] if found else None

        return until(f"a mail to {person} about {application_id} saying {saying!r}", there, patience)

    def link(self, person: str, application_id: str, saying: str = "", patience: float = PATIENCE) -> PageLink:
        """The page behind the newest such mail that carries a personal link."""

        def there() -> PageLink | None:
            found = [mail for mail in self.mails(person, application_id) if saying in mail.text and mail.decision_url]
            return PageLink(self.web, found[-1].decision_url or "") if found else None

        return until(f"a link for {person} about {application_id} saying {saying!r}", there, patience)


def application_form(sample: Mapping[str, Any], customer: str) -> dict[str, Any]:
    """`sample` for another customer, without anything that would match the two customers."""
    form = copy.deepcopy(dict(sample))
    form["customer"] |= {"name": customer, "uscc": None, "aliases": [], "related_parties": []}
    return form


def project_form(sample: Mapping[str, Any], name: str, customer: str) -> dict[str, Any]:
    """`sample` for another project of another customer."""
    form = copy.deepcopy(dict(sample)) | {"name": name}
    form["customer"] |= {"name": customer, "uscc": None, "aliases": [], "related_parties": []}
    return form

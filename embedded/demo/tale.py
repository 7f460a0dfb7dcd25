"""The narration and checks of the demo: timeline, one application as people experience it, all mails."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from domain.calendar import WorkCalendar
from domain.policy import load_policy
from embedded import welcome
from embedded.demo.driver import Answer, NeverHappened, PageLink, ReceivedMail, application_form, until
from embedded.demo.installation import Installation
from texts.catalogue import LANGUAGES, Texts

CLERK, SECOND_CLERK, COMMERCE_MANAGER = "gao.yuan", "anna.miller", "lin.xia"
VPS = ("li.ming", "wang.fang")
GENERAL_MANAGER = "zhang.wei"
MARGIN = " " * 11


class Broken(Exception):
    """A chapter cannot continue, because something it depends on did not happen."""


class Tale:
    """The timeline, in one language, with its count of what held and what did not.

    Args:
        installation: where it is played.
        texts: the language it is told in.
        say: takes one line for people.
    """

    def __init__(self, installation: Installation, texts: Texts, say: Callable[[str], None]) -> None:
        self.installation = installation
        self.portal, self.mailbox, self.web = installation.portal, installation.mailbox, installation.web
        self.texts = texts
        self.say = say
        self.held = self.failed = 0
        self.policy = load_policy()
        self.zone: ZoneInfo = self.policy.zone
        self.calendar = WorkCalendar(region=self.policy.calendar_region, time_zone=self.policy.time_zone)
        self.names = {person["id"]: person["name"] for person in self.web.request("GET", "/dev/people").json}

    def words(self, key: str, /, **values: object) -> str:
        return self.texts.text(f"demo.{key}", **values)

    def chapter(self, number: int, key: str) -> None:
        self.say("")
        self.say(f"━━ {number} · {self.words(f'{key}.title')}")

    def act(self, key: str, /, *, clock: datetime | None = None, **values: object) -> None:
        """Report an action of a person; `clock`: the time of another clock than this machine's."""
        moment = (clock or datetime.now(self.zone)).astimezone(self.zone)
        self.say(f"  {moment:%H:%M:%S} {self.words(key, **values)}".rstrip())

    def note(self, words: str) -> None:
        self.say(f"{MARGIN}{words}")

    def holds(self, condition: object, key: str, /, **values: object) -> None:
        """Report an expectation and whether it held."""
        self.judge(bool(condition), self.words(key, **values))

    def judge(self, held: bool, words: str) -> None:
        self.held, self.failed = self.held + held, self.failed + (not held)
        self.note(f"✓ {words}" if held else f"✗ {self.words('not_held')}{words}")

    def people(self, ids: list[str]) -> str:
        return self.texts.join([self.names.get(person_id, person_id) for person_id in ids])

    def command(self, *words: str) -> tuple[int, str]:
        """An operator's command: told, run, its first line of output told."""
        self.note("$ python cli.py " + " ".join(Path(word).name if "/" in word else word for word in words))
        done = self.installation.command(*words, language=self.texts.language)
        said = (done.stdout + done.stderr).strip()
        for line in said.splitlines():
            self.note(f"  {line}")
        return done.returncode, said


@dataclass
class Case:
    """One application; every action of people is reported, and a refused one ends the chapter."""

    tale: Tale
    salesperson: str
    customer: str | None = None
    quiet: bool = False
    """Report nothing: used for what happened before the story."""
    process: ClassVar[str] = "application"
    """The prefix of its workflow id and of its address in the API."""

    def __post_init__(self) -> None:
        self.portal = self.tale.portal
        self.form, self.name = self.fill_in()
        self.id = ""
        self.leapt = timedelta()
        self._told = 0
        self._arrived: Counter[str] = Counter()

    def fill_in(self) -> tuple[dict[str, Any], str]:
        """The form, and the customer's name on it."""
        sample = json.loads(welcome.FORM_FILE.read_text(encoding="utf-8"))
        form: dict[str, Any] = application_form(sample, self.customer) if self.customer else sample
        return form, form["customer"]["name"]

    def now(self) -> datetime:
        """The time on the clock of this application's process."""
        return datetime.now(self.tale.zone) + self.leapt

    def act(self, key: str, /, **values: object) -> None:
        if not self.quiet:
            self.tale.act(key, clock=self.now(), **values)

    # ---- what people do ----

    def submit(self) -> Any:
        """N1."""
        self.act("submits", person=self.tale.names[self.salesperson], customer=self.name)
        got = self._accepted(self.portal.submit(self.salesperson, self.form), 201)
        self.id = got.json["id"]
        return got.json

    def commerce(self, choice: str = "pass", reason: str = "", note: str = "") -> None:
        """N5: in the portal, with a note on the credit standing."""
        key = "passes" if choice == "pass" else "returns"
        task = self.portal.open_task(CLERK, self.id)
        noted = self.tale.words("note", note=note) if note else ""
        self.act(key, person=self.tale.names[CLERK], said=self._in_quotes(reason) or noted)
        fields = {"note_credit": note} if note else {}
        self._accepted(self.portal.answer(CLERK, task["id"], choice, reason=reason, fields=fields))

    def in_portal(self, person: str, choice: str, reason: str = "") -> None:
        task = self.portal.open_task(person, self.id)
        self.act(f"portal_{choice}", person=self.tale.names[person], said=self._in_quotes(reason))
        self._accepted(self.portal.answer(person, task["id"], choice, reason=reason))

    def by_link(self, person: str, choice: str, reason: str = "") -> PageLink:
        """On the page behind the newest mail of `person`."""
        link = self.link(person)
        self.act(f"page_{choice}", person=self.tale.names[person], said=self._in_quotes(reason))
        self._accepted(link.answer(choice, reason))
        return link

    def link(self, person: str) -> PageLink:
        return self.tale.mailbox.link(person, self.id)

    def both_approve(self, reason: str = "") -> None:
        for vp in VPS:
            self.in_portal(vp, "approve", reason)

    def passes_time(self, duration: timedelta) -> None:
        """Let `duration` pass for this process alone."""
        self._accepted(self.portal.fast_forward(f"{self.process}-{self.id}", duration), 204)
        self.leapt += duration

    def _accepted(self, got: Answer, status: int = 200) -> Answer:
        if got.status != status:
            raise Broken(f"{got.status} {got.words[:300]}")
        return got

    def _in_quotes(self, reason: str) -> str:
        return self.tale.words("reason", reason=reason) if reason else ""

    # ---- what is then to be seen ----

    def seen(self, person: str = GENERAL_MANAGER) -> Any:
        return self.portal.application(person, self.id)

    def reaches(self, stage: str) -> Any:
        return self.portal.stage(GENERAL_MANAGER, self.id, stage)

    def decisions(self) -> list[tuple[str, str, str]]:
        return [
            (decision["kind"], decision["person"]["id"], decision["choice"]) for decision in self.seen()["decisions"]
        ]

    def dossier(self) -> Any:
        return self.portal.call(GENERAL_MANAGER, "GET", f"/{self.process}s/{self.id}/dossier").json

    def record(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.dossier()["record"]
        return entries

    def account(self) -> Any:
        return self.portal.call(self.salesperson, "GET", f"/accounts/{self.seen()['account_id']}").json

    def mails(self, **expected: tuple[str, ...]) -> list[ReceivedMail]:
        """Wait for the mails that this step must bring, by kind; tell them; check that nobody else was written to."""
        wanted = Counter((person, kind) for kind, people in expected.items() for person in people)

        def out() -> list[tuple[str, str]] | None:
            queued = self.dossier()["mails"][self._told :]
            complete = len(queued) >= wanted.total() and all(mail["sent_at"] for mail in queued)
            return [(mail["to"]["id"], mail["kind"]) for mail in queued] if complete else None

        try:
            came = until("mails", out)
        except NeverHappened:
            queued = self.dossier()["mails"][self._told :]
            came = [(mail["to"]["id"], mail["kind"]) for mail in queued if mail["sent_at"]]
        self._told += len(came)
        received: list[tuple[str, ReceivedMail]] = []
        for person in dict.fromkeys(person for person, _ in came):
            before = self._arrived[person]
            fresh = self.tale.mailbox.mails(person, self.id)[before:]
            self._arrived[person] += len(fresh)
            received += [(person, mail) for mail in fresh]
        self._tell(received)
        whole = Counter(came) == wanted and len(received) == len(came)
        if whole:
            self.tale.judge(True, self.tale.words("mails_right"))
        else:
            got, meant = (", ".join(f"{kind} → {person}" for person, kind in pairs) for pairs in (came, wanted))
            self.tale.judge(False, self.tale.words("mails_wrong", got=got or "–", wanted=meant or "–"))
        return [mail for _, mail in received]

    def _tell(self, received: list[tuple[str, ReceivedMail]]) -> None:
        """Each mail; those without a link of their own that say the same together."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for person, mail in received:
            groups.setdefault((mail.subject, *essence(mail)), []).append(person)
        for (subject, *lines), people in groups.items():
            self.tale.note(f"✉ {self.tale.people(people)} | {subject}")
            for line in lines:
                self.tale.note(f"    {line}")


def essence(mail: ReceivedMail) -> list[str]:
    """The subject of a mail, its due date, reason and personal link, shortened."""
    paragraphs = "\n".join(mail.text.splitlines()).split("\n\n")
    lines = [f"{mail.heading} · {paragraphs[1].splitlines()[0]}" if len(paragraphs) > 1 else mail.heading]
    for language in LANGUAGES:
        label, reason = Texts(language).text("mail.label.due_at"), Texts(language).text("mail.reason")
        for paragraph in paragraphs[2:]:
            if paragraph.startswith(reason):
                lines += [line.strip() for line in paragraph.splitlines()[:2]]
            lines += [line for line in paragraph.splitlines() if mail.decision_url and line.startswith(label)]
    if mail.decision_url:
        lines.append(f"→ {shortened(mail.decision_url)}")
    return lines


def shortened(url: str) -> str:
    """A link as it may be shown: enough to recognise it, not enough to use it."""
    parts = urlsplit(url)
    token = parts.path.rpartition("/")[2]
    return f"{parts.scheme}://{parts.netloc}/d/{token[:4]}…{token[-4:]}"

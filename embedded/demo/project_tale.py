"""One project registration as the people of the demo live it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from embedded import welcome
from embedded.demo.driver import PageLink, project_form, until
from embedded.demo.tale import GENERAL_MANAGER, Broken, Case

A_MINUTE = timedelta(minutes=1)


@dataclass
class ProjectCase(Case):
    """`customer` is the name of the customer, `project` that of the project."""

    process: ClassVar[str] = "project"
    project: str = ""

    def fill_in(self) -> tuple[dict[str, Any], str]:
        sample = json.loads(welcome.PROJECT_FILE.read_text(encoding="utf-8"))
        form = project_form(sample, self.project, self.customer) if self.customer else sample
        return form, form["name"]

    # ---- what people do ----

    def submit(self) -> Any:
        """P1, P3, P4."""
        customer = self.form["customer"]["name"]
        self.act("registers", person=self.tale.names[self.salesperson], project=self.name, customer=customer)
        got = self._accepted(self.portal.register(self.salesperson, self.form), 201)
        self.id = got.json["id"]
        return got.json

    def resume(self, why_silent: str, why_resume: str) -> ProjectCase:
        """U6: what the shelved project goes on as. Told at today's date: a new process has a clock of its own."""
        new = ProjectCase(self.tale, self.salesperson, self.customer, project=self.project)
        self.act("life.resumes", person=self.tale.names[self.salesperson], silent=why_silent, resume=why_resume)
        body = {"why_silent": why_silent, "why_resume": why_resume}
        new.id = self._accepted(self.portal.say(self.salesperson, self.id, "resume", body), 201).json["id"]
        return new

    def says(self, person: str, what: str, body: Mapping[str, Any], key: str, /, **values: object) -> Any:
        """Something said in the portal that nobody asked for, told by the words of `key`."""
        self.act(key, person=self.tale.names[person], **values)
        return self._accepted(self.portal.say(person, self.id, what, body)).json

    def refuses(self, person: str, what: str, body: Mapping[str, Any], status: int) -> bool:
        return self.portal.say(person, self.id, what, body).status == status

    def decides(
        self, person: str, choice: str, reason: str = "", *, fields: Mapping[str, Any] | None = None, **values: object
    ) -> dict[str, Any]:
        """The open task of `person`, answered in the portal."""
        task = self.portal.open_task(person, self.id)
        self.act(f"decides.{choice}", person=self.tale.names[person], said=self._in_quotes(reason), **values)
        self._accepted(self.portal.answer(person, task["id"], choice, reason=reason, fields=fields))
        return task

    def on_page(self, person: str, choice: str, reason: str = "", **inputs: str) -> PageLink:
        """On the page behind the newest mail of `person`."""
        link = self.link(person)
        by_mail = self.tale.words("by_mail")
        self.act(f"decides.{choice}", person=self.tale.names[person], said=f"{by_mail}{self._in_quotes(reason)}")
        self._accepted(link.answer(choice, reason, **inputs))
        return link

    def to_vp(self, manager: str, clerk: str) -> None:
        """P4, P6: assigned, and no conflict found."""
        self.decides(manager, "assign", fields={"clerk": clerk}, clerk=self.tale.names[clerk])
        self.reaches("conflict_check")
        self.decides(clerk, "clear")
        self.reaches("approval")

    def silent_until(self, what: str) -> None:
        """U2–U4: a minute before, nothing has happened; a minute after, it has."""
        moment = datetime.fromisoformat(
            next(event["at"] for event in self.seen()["next_events"] if event["what"] == what)
        )
        before = len(self.record())
        self.passes_time(moment - A_MINUTE - self.now())
        quiet = len(self.record()) == before
        at = self.tale.texts.moment(self.now(), self.tale.zone)
        self.tale.holds(quiet, "life.not_yet", at=at)
        self.passes_time(2 * A_MINUTE)
        self.act(f"life.{what}", at=self.tale.texts.moment(self.now(), self.tale.zone))
        until(what, lambda: len(self.record()) > before)

    # ---- what is then to be seen ----

    def seen(self, person: str = GENERAL_MANAGER) -> Any:
        return self.portal.project(person, self.id)

    def reaches(self, stage: str) -> Any:
        return self.portal.project_at(GENERAL_MANAGER, self.id, stage)

    def check(self, person: str, number: str) -> Any:
        """P9: what another system is told of a number; told."""
        got = self.portal.call(person, "GET", f"/project-numbers/{number}?purpose=early_order")
        if got.status != 200:
            raise Broken(f"{got.status} {got.text[:300]}")
        self.tale.note(f"? {number}: {got.json['reason']}")
        return got.json

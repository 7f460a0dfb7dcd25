"""One application, walked through by the people it concerns: salesperson, commerce, VPs, general manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded.demo.driver import Answer, Mailbox, PageLink, Portal, until
from tests.e2e.support.stack import Stack, new_form

CLERK = "gao.yuan"
VPS = ("li.ming", "wang.fang")
GENERAL_MANAGER = "zhang.wei"
COMMERCE_MANAGER = "lin.xia"
NO_LONGER_ASKED = "无需再处理"


class SubjectJourney:
    """A matter that was just handed in: whoever it concerns answers, and is written to."""

    stack: Stack
    portal: Portal
    mailbox: Mailbox
    id: str
    address: str
    """Under which the API has matters of this kind."""

    def dossier(self) -> Any:
        return self.portal.call(GENERAL_MANAGER, "GET", f"/{self.address}/{self.id}/dossier").json

    def answer(
        self, person: str, choice: str, reason: str = "", *, fields: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the open task of `person` in the portal. Returns the task."""
        task = self.portal.open_task(person, self.id)
        got = self.portal.answer(person, task["id"], choice, reason=reason, fields=fields)
        assert got.status == 200, got.text
        return task

    def link(self, person: str, nth: int = 1) -> PageLink:
        """The page behind the `nth` different link that `person` was mailed."""

        def there() -> PageLink | None:
            urls = [mail.decision_url for mail in self.mailbox.mails(person, self.id) if mail.decision_url]
            different = list(dict.fromkeys(urls))
            return PageLink(self.stack.web, different[nth - 1] or "") if len(different) >= nth else None

        return until(f"link {nth} for {person} about {self.id}", there)

    def told(self) -> dict[str, list[str]]:
        """Everybody who was written to about it, with the headings of their mails, once all of them are out."""

        def all_out() -> list[dict[str, Any]] | None:
            mails: list[dict[str, Any]] = self.dossier()["mails"]
            return mails if mails and all(mail["sent_at"] for mail in mails) else None

        queued = until(f"all mails about {self.id} are out", all_out)
        people = dict.fromkeys(mail["to"]["id"] for mail in queued)
        got = {person: [mail.heading for mail in self.mailbox.mails(person, self.id)] for person in people}
        assert sum(map(len, got.values())) == len(queued), "every mail arrives once"
        return got

    def events(self) -> list[dict[str, Any]]:
        """The record of this matter, in order."""
        record: list[dict[str, Any]] = self.dossier()["record"]
        return record

    def event_names(self) -> list[str]:
        return [entry["event"] for entry in self.events()]


class Journey(SubjectJourney):
    """An application that was just submitted. Every step asserts that it was taken."""

    address = "applications"

    def __init__(self, stack: Stack, salesperson: str = "yang.fan", form: Mapping[str, Any] | None = None) -> None:
        self.stack, self.portal, self.mailbox = stack, stack.portal, stack.mailbox
        self.salesperson = salesperson
        self.form = dict(form or new_form())
        self.customer: str = self.form["customer"]["name"]
        self.submitted = self.portal.submit(salesperson, self.form)
        assert self.submitted.status == 201, self.submitted.text
        self.id: str = self.submitted.json["id"]

    def seen_by(self, person: str) -> Any:
        return self.portal.application(person, self.id)

    def reaches(self, stage: str) -> Any:
        """The application as the general manager sees it, once it is at `stage`."""
        return self.portal.stage(GENERAL_MANAGER, self.id, stage)

    def commerce(self, choice: str = "pass", reason: str = "") -> None:
        """N5."""
        self.answer(CLERK, choice, reason)

    def by_link(self, person: str, choice: str, reason: str = "", *, nth: int = 1) -> Answer:
        """Answer on the page behind the mail."""
        got = self.link(person, nth).answer(choice, reason)
        assert got.status == 200, got.words
        return got

    def to_vps(self) -> Journey:
        self.commerce()
        return self

    def activate(self) -> Journey:
        """N7: commerce passes, both VPs approve in the portal."""
        self.to_vps()
        for vp in VPS:
            self.answer(vp, "approve")
        self.reaches("active")
        return self

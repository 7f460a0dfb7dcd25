"""One project registration, walked through by the people it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded.demo.driver import Answer, PageLink, project_form, until
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, Journey
from tests.e2e.support.names import company_name, project_name
from tests.e2e.support.stack import Stack, new_form
from tests.samples import project_body

NORTH_VP, EAST_VP = "li.ming", "wang.fang"
NORTH_GM, EAST_GM = "zhao.lei", "chen.jing"
COO = "liu.yang"


def new_project(customer: str | None = None, **changes: Any) -> dict[str, Any]:
    """A complete project for a customer that no other test has; `changes` replace whole parts of the form."""
    return project_form(project_body(), project_name(), customer or company_name()) | changes


def named_account(stack: Stack, salesperson: str) -> str:
    """A new Named Account of `salesperson`; its name."""
    return Journey(stack, salesperson, new_form()).activate().customer


class ProjectJourney:
    """A registration that was just handed in. Every step asserts that it was taken."""

    def __init__(self, stack: Stack, salesperson: str, form: Mapping[str, Any] | None = None) -> None:
        self.stack, self.portal, self.mailbox = stack, stack.portal, stack.mailbox
        self.salesperson = salesperson
        self.form = dict(form or new_project())
        registered = self.portal.register(salesperson, self.form)
        assert registered.status == 201, registered.text
        self._begin(registered)

    def _begin(self, registered: Answer) -> None:
        self.registered = registered
        self.id: str = registered.json["id"]

    @classmethod
    def resuming(cls, old: ProjectJourney, why_silent: str, why_resume: str) -> ProjectJourney:
        """U6: the shelved project goes on in a new registration."""
        new = object.__new__(cls)
        new.stack, new.portal, new.mailbox = old.stack, old.portal, old.mailbox
        new.salesperson, new.form = old.salesperson, old.form
        got = old.say("resume", {"why_silent": why_silent, "why_resume": why_resume})
        assert got.status == 201, got.text
        new._begin(got)
        return new

    def seen_by(self, person: str) -> Any:
        return self.portal.project(person, self.id)

    def reaches(self, stage: str) -> Any:
        """The registration as the general manager sees it, once it is at `stage`; a dispute has begun by then."""
        seen = self.portal.project_at(GENERAL_MANAGER, self.id, stage)
        if stage != "disputed":
            return seen

        def begun() -> Any:
            with_dispute = self.portal.project(GENERAL_MANAGER, self.id)
            return with_dispute if with_dispute["dispute"] else None

        return until(f"the dispute over {self.id}", begun)

    def answer(
        self, person: str, choice: str, reason: str = "", *, fields: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the open task of `person` in the portal. Returns the task."""
        task = self.portal.open_task(person, self.id)
        got = self.portal.answer(person, task["id"], choice, reason=reason, fields=fields)
        assert got.status == 200, got.text
        return task

    def say(self, what: str, body: Mapping[str, Any], *, by: str | None = None) -> Answer:
        return self.portal.say(by or self.salesperson, self.id, what, body)

    def link(self, person: str, nth: int = 1) -> PageLink:
        """The page behind the `nth` different link that `person` was mailed."""

        def there() -> PageLink | None:
            urls = [mail.decision_url for mail in self.mailbox.mails(person, self.id) if mail.decision_url]
            different = list(dict.fromkeys(urls))
            return PageLink(self.stack.web, different[nth - 1] or "") if len(different) >= nth else None

        return until(f"link {nth} for {person} about {self.id}", there)

    def to_clerk(self) -> ProjectJourney:
        """P4: the commerce manager assigns."""
        self.reaches("assignment")
        self.answer(COMMERCE_MANAGER, "assign", fields={"clerk": CLERK})
        self.reaches("conflict_check")
        return self

    def active(self, vp: str = NORTH_VP) -> ProjectJourney:
        """P4, P6, P9: assigned, cleared, approved."""
        self.to_clerk()
        self.answer(CLERK, "clear")
        self.answer(vp, "approve")
        self.reaches("active")
        return self

    def suspected(self, earlier: str) -> ProjectJourney:
        """P5: the clerk suspects the registration `earlier`."""
        self.to_clerk()
        self.answer(CLERK, "suspect", "客户与项目相同", fields={"suspects": [earlier]})
        self.reaches("conflict_confirmation")
        return self

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

    def dossier(self) -> Any:
        return self.portal.call(GENERAL_MANAGER, "GET", f"/projects/{self.id}/dossier").json

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.dossier()["record"]]

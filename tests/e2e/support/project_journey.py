"""One project registration, walked through by the people it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded.demo.driver import Answer, project_form, until
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, Journey, SubjectJourney
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


class ProjectJourney(SubjectJourney):
    """A registration that was just handed in. Every step asserts that it was taken."""

    address = "projects"

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

    def say(self, what: str, body: Mapping[str, Any], *, by: str | None = None) -> Answer:
        return self.portal.say(by or self.salesperson, self.id, what, body)

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

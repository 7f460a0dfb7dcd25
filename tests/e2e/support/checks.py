"""Conflict checks in the end-to-end tests, and the findings that commerce sees."""

from __future__ import annotations

from typing import Any

from tests.e2e.support.journey import CLERK, Journey
from tests.e2e.support.project_journey import ProjectJourney
from tests.e2e.support.stack import Stack

CHECK = "/conflicts/check"


def check(stack: Stack, person: str, **draft: Any) -> Any:
    got = stack.portal.call(person, "POST", CHECK, draft)
    assert got.status == 200, got.text
    return got.json


def customer(name: str) -> dict[str, Any]:
    return {"name": name}


def findings(application: Any, kind: str) -> list[dict[str, Any]]:
    (item,) = [item for item in application["evidence"] if item["kind"] == kind]
    found: list[dict[str, Any]] = item["findings"]
    return found


def evidence_of(story: Journey) -> Any:
    """What commerce is shown of an application once it is gathered."""
    task = stack_task(story, CLERK)
    return story.portal.call(CLERK, "GET", f"/tasks/{task['id']}").json["application"]


def stack_task(story: Journey | ProjectJourney, person: str) -> Any:
    return story.portal.open_task(person, story.id)

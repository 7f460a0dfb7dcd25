"""What operators list in the engine's own pages: every filter of the guide on processes of every kind."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client

from embedded.demo.driver import until
from tests.e2e.support.project_journey import (
    NORTH_VP,
    ProjectJourney,
    named_account,
    new_project,
)
from tests.e2e.support.stack import ROOT, Stack

# ---- operators' lists: what each holds, and what it does not ----------------------------------------


FILTER = re.compile(r"^\| (?P<what>[^|]*) \| (?P<cell>`[^|]*`[^|]*) \|$", re.MULTILINE)
GUIDE = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8").partition("On the command line")[0]
FILTERS = {found["what"].strip("* "): re.findall(r"`([^`]*)`", found["cell"]) for found in FILTER.finditer(GUIDE)}


def listed(stack: Stack, query: str) -> set[str]:
    """The ids of the processes that the engine lists."""

    async def ask() -> set[str]:
        client = await Client.connect(stack.environment["TEMPORAL_ADDRESS"])
        return {found.id async for found in client.list_workflows(query)}

    return asyncio.run(ask())


def named(what: str, *, day: datetime | None = None) -> str:
    """The filter of the guide for `what`, its day replaced by `day`."""
    ((first, *_),) = [filters for named, filters in FILTERS.items() if named.startswith(what)]
    return re.sub(r"\d{4}-\d\d-\d\dT00:00:00Z", f"{day:%Y-%m-%dT%H:%M:%SZ}", first) if day else first


@pytest.fixture(scope="module")
def processes(stack: Stack) -> dict[str, str]:
    """A registration before its VP, an active project, one in dispute, and the dispute: their workflow ids."""
    active = ProjectJourney(stack, "yang.fan").active(NORTH_VP)
    waiting = ProjectJourney(stack, "yang.fan", new_project(named_account(stack, "yang.fan")))
    waiting.reaches("approval")
    disputed = ProjectJourney(stack, "xu.jing", new_project(named_account(stack, "zhou.min")))
    disputed.reaches("disputed")
    stack.portal.open_task("zhou.min", disputed.id)
    found = {"active": active.id, "approval": waiting.id, "disputed": disputed.id}
    return {stage: f"project-{project_id}" for stage, project_id in found.items()} | {
        "dispute": f"dispute-{disputed.id}-1"
    }


def holds(stack: Stack, processes: dict[str, str], query: str, *wanted: str) -> None:
    """The list comes to hold those of `processes` that are wanted, and no other of them."""
    ours = {found: name for name, found in processes.items()}

    def right() -> bool:
        return {ours[project] for project in listed(stack, query) if project in ours} == set(wanted)

    until(f"{query} lists {wanted}", right)


def test_every_filter_of_the_guide_is_one_the_engine_takes(stack: Stack) -> None:
    assert len(FILTERS) >= 11
    for filters in FILTERS.values():
        for query in filters:
            listed(stack, query)


def test_p2_d2_what_waits_for_a_vp(stack: Stack, processes: dict[str, str]) -> None:
    holds(stack, processes, named("waiting for a VP"), "approval")
    holds(stack, processes, named("waiting for a person"), "approval")


def test_n12_u2_what_is_due_this_week(stack: Stack, processes: dict[str, str]) -> None:
    """Whoever is asked has until a working day; an active project has two weeks, however many of them are worked."""
    moments = {
        "approval": due_at(stack, NORTH_VP, processes["approval"]),
        "dispute": due_at(stack, "zhou.min", processes["disputed"]),
        "active": datetime.now(UTC) + timedelta(days=14),
    }
    for moment in moments.values():
        for day in (moment - timedelta(hours=1), moment + timedelta(hours=1)):
            due = [name for name, due in moments.items() if due < day]
            holds(stack, processes, named("due this week", day=day), *due)


def due_at(stack: Stack, person: str, workflow_id: str) -> datetime:
    return datetime.fromisoformat(stack.portal.open_task(person, workflow_id.removeprefix("project-"))["due_at"])


def test_u2_what_has_been_silent_for_two_weeks(stack: Stack, processes: dict[str, str]) -> None:
    now = datetime.now(UTC)
    holds(stack, processes, named("projects silent for two weeks", day=now + timedelta(minutes=5)), "active")
    holds(stack, processes, named("projects silent for two weeks", day=now - timedelta(days=14)))


def test_d1_d2_what_is_in_dispute(stack: Stack, processes: dict[str, str]) -> None:
    holds(stack, processes, 'Stage="disputed"', "disputed")
    holds(stack, processes, 'WorkflowType="ProjectDispute" AND ExecutionStatus="Running"', "dispute")


def test_what_waits_for_nobody_is_only_what_the_system_is_at_work_on(stack: Stack, processes: dict[str, str]) -> None:
    """Not a project that goes on for years, nor one whose dispute is asking (U1, D1)."""
    holds(stack, processes, named("the system is working"))
    holds(stack, processes, named("stuck"))
    holds(stack, processes, named("ended by somebody"))

"""Histories of every release replay with the workflow of today; a workflow that would break them is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from domain.application import Stage
from domain.named_account import Notice
from domain.tasks import Ask, TaskKind
from tests.workflow.story import CONVERTER, CUSTOMER
from workflows.desk import Desk
from workflows.named_account import NamedAccountApplication

FILES = sorted(Path(__file__).parents[1].joinpath("histories", "NamedAccountApplication").glob("*.json"))
PUBLISHED_KEY = "cHVibGlzaGVkLXRlc3Qta2V5"
"""`published-test-key` in base64, as it stands in the metadata of every payload."""


def history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))


def replayer(*, sandboxed: bool = False) -> Replayer:
    runner = SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner()
    return Replayer(
        workflows=[NamedAccountApplication], data_converter=CONVERTER, workflow_runner=runner, build_id="test"
    )


@pytest.mark.parametrize("sandboxed", [True, False], ids=["sandboxed", "unsandboxed"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path, sandboxed: bool) -> None:
    await replayer(sandboxed=sandboxed).replay_workflow(history(file))


def test_histories_of_open_and_closed_processes_are_there() -> None:
    scenarios = [file.stem.partition("-")[2] for file in FILES]
    assert sum(name.startswith("open-") for name in scenarios) >= 4
    assert sum(name.startswith("closed-") for name in scenarios) >= 4


def payloads(found: object) -> Iterator[dict[str, object]]:
    if isinstance(found, dict):
        if "metadata" in found and "data" in found:
            yield found
        for value in found.values():
            yield from payloads(value)
    elif isinstance(found, list):
        for value in found:
            yield from payloads(value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_x2_a_history_holds_nothing_readable_of_the_customer(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert CUSTOMER not in text
    assert json.dumps(CUSTOMER)[1:-1] not in text
    assert "synthetic" not in text
    assert PUBLISHED_KEY in text


async def test_a_process_without_one_of_its_steps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gathers_nothing(self: NamedAccountApplication) -> None:
        desk = self._desk
        await desk.move(Stage.COMMERCE_CHECK, asks=[Ask(kind=TaskKind.COMMERCE_CHECK)])

    monkeypatch.setattr(NamedAccountApplication, "_gather_evidence", gathers_nothing)
    await refused_by_all_but_the_unsealed()


async def test_a_process_with_one_more_step_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = NamedAccountApplication._gather_evidence

    async def gathers_twice(self: NamedAccountApplication) -> None:
        await real(self)
        await self._desk.move(Stage.COMMERCE_CHECK, asks=[Ask(kind=TaskKind.COMMERCE_CHECK)])

    monkeypatch.setattr(NamedAccountApplication, "_gather_evidence", gathers_twice)
    await refused_by_all_but_the_unsealed()


async def test_a_process_with_its_steps_in_another_order_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = NamedAccountApplication._gather_evidence

    async def moves_first(self: NamedAccountApplication) -> None:
        await self._desk.move(Stage.EVIDENCE)
        self._desk._moves = 0
        await real(self)

    monkeypatch.setattr(NamedAccountApplication, "_gather_evidence", moves_first)
    await refused_by_all_but_the_unsealed()


async def test_a_rejection_without_its_month_of_appeal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def closes(self: NamedAccountApplication) -> None:
        await self._desk.move(Stage.CLOSED_REJECTED, notices=[Notice.CLOSED_REJECTED])

    monkeypatch.setattr(NamedAccountApplication, "_reject", closes)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(named("rejected-waiting"))


async def test_a_desk_that_arms_no_timer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "_next_moment", lambda *_: None)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(named("silent-and-stood-in"))


def named(scenario: str) -> WorkflowHistory:
    (file,) = [file for file in FILES if file.stem.endswith(f"-{scenario}")][-1:]
    return history(file)


async def refused_by_all_but_the_unsealed() -> None:
    """Each history that went through the gathering of evidence refuses the workflow as it is now."""
    for file in FILES:
        if file.stem.endswith(("unsealed-start", "new-run")):
            continue
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(history(file))

"""Histories of every release replay with the workflow of today; a workflow that would break them is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from domain.accounts.application import Stage
from domain.notices import Notice
from domain.projects.project import ProjectStage
from domain.projects.silence import SilenceDue
from domain.tasks.task import Ask, TaskKind
from runtime.sandbox import Sandbox
from runtime.worker_registry import WORKFLOWS
from tests.servers.time_skipping import CONVERTER
from tests.workflow.story import CUSTOMER
from workflows.desk import Desk
from workflows.dispute import ProjectDispute
from workflows.named_account import NamedAccountApplication
from workflows.period import ReviewPeriod
from workflows.project import ProjectRegistration
from workflows.review import AccountReview

FOLDER = Path(__file__).parents[1] / "histories"
FILES = sorted(FOLDER.glob("*/*.json"))
CLOSING = {f"WORKFLOW_EXECUTION_{how}" for how in ("COMPLETED", "CANCELED", "FAILED", "CONTINUED_AS_NEW")}
PUBLISHED_KEY = "cHVibGlzaGVkLXRlc3Qta2V5"
"""`published-test-key` in base64, as it stands in the metadata of every payload."""


def history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(file.stem, file.read_text(encoding="utf-8"))


def replayer(*, sandboxed: bool = False) -> Replayer:
    runner = Sandbox() if sandboxed else UnsandboxedWorkflowRunner()
    return Replayer(workflows=WORKFLOWS, data_converter=CONVERTER, workflow_runner=runner, build_id="test")


def name_of(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("sandboxed", [True, False], ids=["sandboxed", "unsandboxed"])
@pytest.mark.parametrize("file", FILES, ids=name_of)
async def test_a_recorded_history_replays(file: Path, sandboxed: bool) -> None:
    await replayer(sandboxed=sandboxed).replay_workflow(history(file))


def test_every_workflow_has_histories_of_its_own() -> None:
    assert {file.parent.name for file in FILES} == {workflow.__name__ for workflow in WORKFLOWS}


@pytest.mark.parametrize(
    ("workflow", "still_open", "closed"),
    [
        ("NamedAccountApplication", 4, 4),
        ("ProjectRegistration", 4, 6),
        ("ProjectDispute", 2, 4),
        ("ContractCorrection", 0, 2),
        ("AccountReview", 2, 4),
        ("ReviewPeriod", 1, 3),
    ],
)
def test_histories_of_open_and_closed_processes_are_there(workflow: str, still_open: int, closed: int) -> None:
    ended = [is_closed(file) for file in FILES if file.parent.name == workflow]
    assert ended.count(False) >= still_open
    assert ended.count(True) >= closed


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_history_is_as_open_or_closed_as_it_is_called(file: Path) -> None:
    assert is_closed(file) == file.stem.partition("-")[2].startswith("closed-")


def is_closed(file: Path) -> bool:
    kind = json.loads(file.read_text(encoding="utf-8"))["events"][-1]["eventType"]
    return str(kind).removeprefix("EVENT_TYPE_") in CLOSING


def test_x3_a_run_that_handed_over_and_one_that_went_on_from_it_are_among_them() -> None:
    (first,) = named("handed-over").events[-1:]
    (begun,) = named("second-run").events[:1]
    assert first.HasField("workflow_execution_continued_as_new_event_attributes")
    assert begun.workflow_execution_started_event_attributes.continued_execution_run_id


def payloads(found: object) -> Iterator[dict[str, object]]:
    if isinstance(found, dict):
        if "metadata" in found and "data" in found:
            yield found
        for value in found.values():
            yield from payloads(value)
    elif isinstance(found, list):
        for value in found:
            yield from payloads(value)


@pytest.mark.parametrize("file", FILES, ids=name_of)
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


async def test_a_silence_that_nobody_is_reminded_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def says_nothing(self: ProjectRegistration, due: SilenceDue) -> None:
        self._ahead = self._ahead[self._ahead.index(due) + 1 :]

    monkeypatch.setattr(ProjectRegistration, "_remind", says_nothing)
    for scenario in ("shelved", "active", "second-run"):
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(named(scenario))


async def test_an_approval_without_the_step_that_issues_the_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def approves_by_moving(self: ProjectRegistration) -> None:
        await self._desk.move(ProjectStage.ACTIVE)

    monkeypatch.setattr(ProjectRegistration, "_approve", approves_by_moving)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(named("lost"))


async def test_a_project_in_dispute_that_asks_its_vp_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProjectRegistration, "_dispute_is_settled", ProjectRegistration._ask_vp)
    for scenario in ("approval-after-agreement", "approval-after-meeting", "withdrawn-in-dispute"):
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(named(scenario))


async def test_a_project_that_hands_over_later_than_it_did_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "_hands_over", lambda *_: False)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(named("handed-over"))


async def test_a_dispute_that_asks_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ProjectDispute._ask_for_agreement

    async def asks_twice(self: ProjectDispute, *people: str) -> None:
        await real(self, *people)
        await real(self, *people)

    monkeypatch.setattr(ProjectDispute, "_ask_for_agreement", asks_twice)
    for scenario in ("agreed", "three-sides"):
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(named(scenario))


async def test_r6_a_review_that_no_longer_closes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits_for_ever(self: AccountReview, _: object) -> bool:
        await self._desk.wait_for_decisions(self._nobody_is_asked)
        return True

    monkeypatch.setattr(AccountReview, "_everybody_answers", waits_for_ever)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(named("week-missed"))


async def test_u1_a_period_without_its_reports_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def says_nothing(self: ReviewPeriod, _: object) -> None:
        del self

    monkeypatch.setattr(ReviewPeriod, "_make_reports", says_nothing)
    for scenario in ("quarter-told", "open-week"):
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(named(scenario))


def named(scenario: str) -> WorkflowHistory:
    (file,) = [file for file in FILES if file.stem.endswith(f"-{scenario}")][-1:]
    return history(file)


async def refused_by_all_but_the_unsealed() -> None:
    """Each history that went through the gathering of evidence refuses the workflow as it is now."""
    for file in FOLDER.glob("NamedAccountApplication/*.json"):
        if file.stem.endswith(("unsealed-start", "new-run")):
            continue
        with pytest.raises(NondeterminismError):
            await replayer().replay_workflow(history(file))

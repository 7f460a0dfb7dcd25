"""The sandbox that processes run in: the engine's own, asked only for what our payloads need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


class Sandbox(WorkflowRunner):
    """Runs each process in a `SandboxedWorkflowRunner`.

    For every payload, the worker asks a process seven times whose payload it is, in case a converter, a codec or a
    store outside wants to know. The engine's sandbox enters the process for each answer; an application has some forty
    payloads, and the answers cost more than its steps (ran). Ours are encrypted with one key ring and stored nowhere
    else, so the answer is always that it does not matter. Rules of the sandbox are untouched: what a process may do is
    judged where it runs, in `activate`.
    """

    def __init__(self) -> None:
        self._inside = SandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._inside.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Process(self._inside.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._inside.set_worker_level_failure_exception_types(types)


class _Process(WorkflowInstance):
    """One process in the sandbox."""

    def __init__(self, inside: WorkflowInstance) -> None:
        self._inside = inside

    def activate(self, act: Any) -> Any:
        return self._inside.activate(act)

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:  # noqa: ARG002
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:  # noqa: ARG002
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> workflow.Info:
        return self._inside.get_info()

    def get_thread_id(self) -> int | None:
        return self._inside.get_thread_id()

"""The engine's workflow sandbox, without the features that our payloads do not need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.bridge.proto.workflow_activation import SignalWorkflow, WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from workflows.messages import BUNDLE, bundle


class Sandbox(WorkflowRunner):
    """Runs each process in a `SandboxedWorkflowRunner`.

    For every payload, the worker asks a process seven times whose payload it is, in case a converter, a codec or a
    store outside wants to know. The engine's sandbox enters the process for each answer; an application has some forty
    payloads, and the answers cost more than its steps (measured). Ours are encrypted with one key ring and stored only
    here, so the answer is always that it does not matter. Rules of the sandbox are untouched: what a process may do is
    judged where it runs, in `activate`.

    And the engine's runner begins a task for each signal, at 0.1 ms and more. A flood that comes in one workflow task
    would take longer than the two seconds after which that is taken for a deadlock and failed, again and again. So
    many signals are handed in as one.
    """

    def __init__(self, inside: WorkflowRunner | None = None) -> None:
        """`inside`: another runner than the engine's sandbox, for processes that run without one."""
        self._inside = inside or SandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        self._inside.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Process(self._inside.create_instance(det))

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._inside.set_worker_level_failure_exception_types(types)


MANY_SIGNALS = 50
"""From this version on, all signals of one activation are handed over together."""


def _bundle_signals(act: WorkflowActivation) -> None:
    signals = [job.signal_workflow for job in act.jobs if job.HasField("signal_workflow")]
    if len(signals) < MANY_SIGNALS:
        return
    many = SignalWorkflow(signal_name=BUNDLE, input=bundle((signal.signal_name, signal.input) for signal in signals))
    others = [job for job in act.jobs if not job.HasField("signal_workflow")]
    del act.jobs[:]
    act.jobs.extend([WorkflowActivationJob(signal_workflow=many), *others])


class _Process(WorkflowInstance):
    """One workflow instance in the sandbox."""

    def __init__(self, inside: WorkflowInstance) -> None:
        self._inside = inside

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        _bundle_signals(act)
        return self._inside.activate(act)

    def get_serialization_context(self, command_info: object) -> SerializationContext | None:  # noqa: ARG002
        return None

    def get_external_store_context(self, command_info: object) -> StorageDriverStoreContext:  # noqa: ARG002
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> workflow.Info:
        return self._inside.get_info()

    def get_thread_id(self) -> int | None:
        return self._inside.get_thread_id()

"""Processes run in a sandbox (design principle 2), whoever is asked about their payloads."""

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from runtime.sandbox import Sandbox
from tests.servers.time_skipping import CONVERTER, time_skipping
from tests.workflow.doubles.impure import Impure


async def test_a_process_that_asks_the_machine_for_the_time_is_stopped() -> None:
    async with time_skipping() as env:
        async with Worker(
            env.client,
            task_queue="impure",
            workflows=[Impure],
            workflow_runner=Sandbox(),
            workflow_failure_exception_types=[Exception],
        ):
            with pytest.raises(WorkflowFailureError) as stopped:
                await env.client.execute_workflow(Impure.run, id="impure", task_queue="impure")
    assert isinstance(stopped.value.cause, ApplicationError)
    assert "time.time" in stopped.value.cause.message


def test_our_payloads_are_the_same_whosever_they_are() -> None:
    """What `Sandbox` builds on: a converter that asked for it would get nothing from it."""
    whose = WorkflowSerializationContext(namespace="default", workflow_id="application-1")
    assert CONVERTER.with_context(whose) is CONVERTER
    assert CONVERTER.external_storage is None

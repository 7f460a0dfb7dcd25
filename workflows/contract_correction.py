"""The amount of a contract on record is corrected, long after the process of its project has ended (rule U7)."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.projects.steps import ProjectSteps
    from activities.steps import CorrectContractStep
    from workflows.desk import execute
    from workflows.messages import StartCorrection


@workflow.defn
class ContractCorrection:
    """One correction that commerce has sent: recorded, or refused with a receipt that says why.

    A process of its own, so that what was sent is durable and sealed as everything else people say.
    """

    @workflow.run
    async def run(self, start: StartCorrection | None = None) -> str:
        start = start or StartCorrection()  # started by hand with nothing: ends in a recorded refusal
        step = CorrectContractStep(key="correct", now=workflow.now(), statement=start.correction)
        corrected = await execute(ProjectSteps.correct_contract, step, "correct the contract")
        return "corrected" if corrected.accepted else "refused"

"""A process that does what no process may: it asks the machine for the time."""

import time

from temporalio import workflow


@workflow.defn
class Impure:
    @workflow.run
    async def run(self) -> float:
        return time.time()

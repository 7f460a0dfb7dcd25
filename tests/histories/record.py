"""Record the histories that `tests/workflow/test_replay.py` replays.

    .venv/bin/python tests/histories/record.py 0.1 [workflow type]

writes `tests/histories/<workflow type>/0.1-<scenario>.json`, one for each scenario below, in
`project_scenarios.py` and in `review_scenarios.py`: the process as it is now, run with the fakes of the workflow tests,
or on a real record, on a time-skipping server. Run it once for each release and commit what it writes; the files of
earlier releases stay as long as a process begun under them may live, and are never recorded again. To break
them on purpose takes `workflow.patched` in the workflow, not a new recording.

They hold synthetic people and one synthetic customer, encrypted under a published key that protects nothing
(`PAYLOAD_KEYS` in tests/servers/time_skipping.py).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(Path(__file__).parents[2]))

from temporalio.api.common.v1 import Payload  # noqa: E402
from temporalio.client import WorkflowHistory  # noqa: E402
from temporalio.common import RawValue  # noqa: E402
from temporalio.testing import WorkflowEnvironment  # noqa: E402

from domain.accounts.application import Stage  # noqa: E402
from domain.statements import AnswerTask  # noqa: E402
from domain.tasks.standstill import closes_at  # noqa: E402
from tests.eventually import eventually  # noqa: E402
from tests.histories.project_scenarios import CORRECTIONS, DISPUTES, PROJECTS  # noqa: E402
from tests.histories.review_scenarios import PERIODS, REVIEWS, Scenario, company  # noqa: E402
from tests.samples import CLARA, GINA, SAM, VERA, VIKTOR, one_department  # noqa: E402
from tests.servers.time_skipping import time_skipping  # noqa: E402
from tests.workflow.projects.project_story import ProjectStory  # noqa: E402
from tests.workflow.story import Story  # noqa: E402

SPECIAL = "a key account of the region"


async def approved(story: Story) -> None:
    await story.to_review()
    await story.says(VIKTOR, "approve")
    await story.says(VERA, "approve")
    await story.result()


async def returned_and_rejected(story: Story) -> None:
    await story.to_check()
    await story.says(CLARA, "return", "no related parties given", then=Stage.RETURNED)
    await story.says(SAM, "supply", then=Stage.COMMERCE_CHECK)
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    await story.says(VERA, "reject", "margins too thin", then=Stage.REJECTED)
    await story.waits(days=32)
    await story.result()


async def returned_and_lapsed(story: Story) -> None:
    """U10: sent back and never completed."""
    await story.to_returned()
    task, record = story.record.open[0], story.record
    end = closes_at(task.kind, task.opened_at, task.warned_at, record.policy, record.calendar)
    assert end is not None
    await story.waits_until(end + timedelta(seconds=1))
    await story.result()


async def appeal_accepted(story: Story) -> None:
    await story.to_appeal()
    await story.says(GINA, "approve")
    await story.result()


async def above_the_limit(story: Story) -> None:
    await story.to_review()
    await story.says(VERA, "approve")
    story.record.held = story.record.policy.accounts.limit
    await story.says(VIKTOR, "approve", SPECIAL)
    await eventually(lambda: [task.slot for task in story.record.open] == [VERA], "only vera is asked again")
    await story.status()
    await story.says(VERA, "approve", SPECIAL, then=Stage.GM_APPROVAL)
    await story.says(GINA, "approve")
    await story.result()


async def withdrawn(story: Story) -> None:
    await story.to_review()
    await story.sends(story.withdrawal())
    await story.result()


async def second_comer_refused(story: Story) -> None:
    await story.to_review()
    story.record.taken = "conflict_with_account"
    await story.says(VERA, "approve")
    await story.says(VIKTOR, "approve")
    await story.result()


async def unsealed_start(story: Story) -> None:
    story.record.organisation = one_department()
    submission = story.sealed(story.submission()).model_copy(update={"seal": "forged"})
    await story.submits(submission)
    await story.result()


async def silent_and_stood_in(story: Story) -> None:
    """Open: reminded, a stand-in asked, one VP has approved, the organisation has changed."""
    await story.to_review()
    await story.waits_until(story.task_of(VERA).due_at + timedelta(minutes=1))
    await story.comes("stand_in", 2)
    await story.says(GINA, "approve")
    story.record.organisation = one_department(gone=(VIKTOR,))
    await story.facts_changed()
    await story.status()


async def outside_source_silent(story: Story) -> None:
    """Open: the outside source gave no answer, commerce is asked."""
    story.record.outside = True
    await story.submits()
    await eventually(lambda: len(story.record.gathered) == 2, "gathering")
    await story.waits(minutes=story.record.policy.evidence.give_up_after_minutes + 1)
    await story.reaches(Stage.COMMERCE_CHECK)


async def rejected_waiting(story: Story) -> None:
    """Open: a rejection that may be appealed, with a signal by hand that changed nothing."""
    await story.to_rejected()
    await story.by_hand.signal("answer_task", "approve")
    await story.sends(story.withdrawal())
    await story.status()


async def goes_on_in_a_new_run(story: Story) -> None:
    """Open, in its second run: one VP has approved in the first."""
    await story.to_review()
    await story.says(VERA, "approve")
    await story.is_flooded()
    await story.facts_changed()
    await story.status()


async def evidence_gathered_again(story: Story) -> None:
    """Open: commerce had the evidence gathered again before passing the application on, and while the VPs review it."""
    await story.to_check()
    await story.sends(story.gathering())
    await story.says(CLARA, "pass", then=Stage.VP_REVIEW)
    await story.says(VERA, "approve")
    await story.sends(story.gathering())
    await story.status()


async def flooded(story: Story) -> None:
    """Open: one VP has approved amid forged signals, of which some are nothing that any converter takes."""
    await story.to_review()
    nonsense = RawValue(Payload(metadata={"encoding": b"binary/nonsense"}, data=b"\x00"))
    await story.by_hand.signal("answer_task", nonsense)
    story.while_recording("record:", *(AnswerTask(message_id=f"junk{number}") for number in range(40)))
    await story.says(VERA, "approve")
    await eventually(lambda: story.count("statements_unsealed") == 1, "the flood given up")
    await story.status()


SCENARIOS: dict[str, Callable[[Story], Awaitable[None]]] = {
    "closed-approved": approved,
    "closed-returned-and-rejected": returned_and_rejected,
    "closed-returned-and-lapsed": returned_and_lapsed,
    "closed-appeal-accepted": appeal_accepted,
    "closed-above-the-limit": above_the_limit,
    "closed-withdrawn": withdrawn,
    "closed-second-comer-refused": second_comer_refused,
    "closed-unsealed-start": unsealed_start,
    "open-commerce-check": Story.to_check,
    "open-silent-and-stood-in": silent_and_stood_in,
    "open-outside-source-silent": outside_source_silent,
    "open-rejected-waiting": rejected_waiting,
    "open-new-run": goes_on_in_a_new_run,
    "open-evidence-gathered-again": evidence_gathered_again,
    "open-flooded": flooded,
}


async def application(env: WorkflowEnvironment, scenario: Callable[[Story], Awaitable[None]]) -> WorkflowHistory:
    story = Story(env)
    async with story.worker():
        await scenario(story)
        return await story.history()


async def project(
    env: WorkflowEnvironment, scenario: Callable[[ProjectStory], Awaitable[WorkflowHistory]]
) -> WorkflowHistory:
    """Of a registration or of its dispute, whichever the scenario tells."""
    story = ProjectStory(env)
    async with story.worker():
        return await scenario(story)


async def reviewed(env: WorkflowEnvironment, scenario: Scenario) -> WorkflowHistory:
    """Of a period or of one of its reviews, on a record of its own."""
    async with company(env) as ground:
        return await scenario(ground)


RECORDED: dict[str, dict[str, Callable[[WorkflowEnvironment], Awaitable[WorkflowHistory]]]] = {
    "NamedAccountApplication": {name: partial(application, scenario=told) for name, told in SCENARIOS.items()},
    "ProjectRegistration": {name: partial(project, scenario=told) for name, told in PROJECTS.items()},
    "ProjectDispute": {name: partial(project, scenario=told) for name, told in DISPUTES.items()},
    "ContractCorrection": {name: partial(project, scenario=told) for name, told in CORRECTIONS.items()},
    "AccountReview": {name: partial(reviewed, scenario=told) for name, told in REVIEWS.items()},
    "ReviewPeriod": {name: partial(reviewed, scenario=told) for name, told in PERIODS.items()},
}


async def record(release: str, workflow_type: str) -> None:
    folder = FOLDER / workflow_type
    folder.mkdir(parents=True, exist_ok=True)
    for name, scenario in RECORDED[workflow_type].items():
        async with time_skipping() as env:
            history = await scenario(env)
        folder.joinpath(f"{release}-{name}.json").write_text(history.to_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    for recorded in sys.argv[2:] or RECORDED:
        asyncio.run(record(sys.argv[1], recorded))
    time.sleep(0.3)  # the SDK's native threads may still hold a call into Python (sdk-python #300)

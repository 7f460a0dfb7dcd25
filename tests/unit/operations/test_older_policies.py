"""A process keeps the policy that it started with: what a later version added must not be needed to read it."""

from domain.policy import Policy, load_policy
from domain.tasks.task import TaskKind

POLICY = load_policy()


def test_a_policy_an_old_process_has_kept_from_before_there_were_projects_can_still_be_read() -> None:
    """It goes on by the numbers it started with; of projects it has none."""
    kept = POLICY.model_dump(mode="json")
    del kept["projects"], kept["deadlines"]["project_approval"]
    kept["accounts"]["limit"] = 7
    read = Policy.model_validate(kept)
    assert read.accounts.limit == 7
    assert read.projects == POLICY.projects
    assert TaskKind.PROJECT_APPROVAL not in read.deadlines
    assert Policy.model_validate(POLICY.model_dump(mode="json")) == POLICY


def test_u7_a_project_that_runs_on_an_older_policy_can_still_come_to_its_contract_review() -> None:
    """It gets the shipped deadlines for what its own policy has never heard of."""
    kept = POLICY.model_dump(mode="json")
    del kept["deadlines"]["contract_review"]
    del kept["projects"]["loss_told_departments"]
    assert Policy.model_validate(kept) == POLICY

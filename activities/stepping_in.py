"""A VP or the general manager steps in after the two salespeople have agreed: the agreement waits (D4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activities.context import Context, Refused
from activities.receipts import accept
from activities.steps import Recorded
from db import disputes, projects
from db.disputes import DisputeRow
from db.projects import ProjectRow
from domain.access import may_call_meeting, may_step_in
from domain.dispute import DisputeStage
from domain.project import ProjectStage
from domain.statements import CallForMeeting
from domain.tasks import APPROVE, REJECT, TaskKind

WAITS = "waits"
"""Of the agreement of a project: who wants the meeting in spite of it, why and when. Its outcome takes its place."""

_UNDECIDED = frozenset({ProjectStage.DISPUTED, ProjectStage.APPROVAL, ProjectStage.HELD})


def agreement_waits(project: ProjectRow) -> Mapping[str, Any] | None:
    """D4: who wants the meeting although both have agreed, where somebody does."""
    return (project.agreement or {}).get(WAITS)


async def step_in(context: Context, project: ProjectRow, said: CallForMeeting, *, settled: bool = False) -> Recorded:
    """D4: record that the agreement over `project` waits for the meeting. Raises `Refused`.

    `settled`: no move of the process that hears it answers for it.
    """
    work = context.work
    agreed = await agreed_over(context, project)
    if agreed is None:
        raise Refused("dispute_not_open", stage=project.stage.value)
    person = context.organisation.person(said.person)
    if person is None or not person.active or not may_call_meeting(person, context.organisation, agreed.sides):
        raise Refused("may_not_call_meeting")
    if not may_step_in(person, context.organisation, agreed.sides):
        raise Refused("agreement_binds")
    if agreement_waits(project):  # somebody was quicker, and the process is on its way to the meeting
        await accept(work, said, settled=True)
        return Recorded(accepted=True, settled=True)
    if _decided(context, project):
        raise Refused("project_decided")
    wanted = {"by": said.person, "reason": said.reason, "at": work.now.isoformat()}
    await projects.change(work.tx, project.id, agreement={**(project.agreement or {}), WAITS: wanted})
    work.note("meeting_wanted", said.person, dispute=agreed.id, reason=said.reason, channel=said.channel, rule="D4")
    await accept(work, said, settled=settled)
    return Recorded(accepted=True, settled=settled)


async def agreed_over(context: Context, project: ProjectRow) -> DisputeRow | None:
    """The dispute in which both have agreed, while `project` is not decided and nothing else has bound it since."""
    over = await disputes.of_project(context.work.tx, project.id)
    open_one = any(not one.stage.ended for one in over)
    agreed = next((one for one in reversed(over) if one.stage is DisputeStage.AGREED), None)
    if open_one or agreed is None or project.stage not in _UNDECIDED or project.end_reason:
        return None
    return agreed if (project.agreement or {}).get("dispute") == agreed.id else None


def _decided(context: Context, project: ProjectRow) -> bool:
    """Approved or rejected, the process being about to say so."""
    return any(
        number == project.round and decision.kind is TaskKind.PROJECT_APPROVAL and decision.choice in (APPROVE, REJECT)
        for number, decision in context.docket.decided
    )

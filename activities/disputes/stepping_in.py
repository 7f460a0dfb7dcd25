"""A VP or the general manager steps in after the two salespeople have agreed: the agreement waits (D4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from activities.steps import Recorded
from activities.tasks.context import Context
from activities.tasks.receipts import accept
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from domain.access import may_call_meeting, steps_in_for
from domain.disputes.dispute import DisputeStage
from domain.projects.project import ProjectStage
from domain.refusals import RefusalCode, Refused
from domain.statements import CallForMeeting
from domain.tasks.task import AnswerChoice, TaskKind

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
    uow = context.uow
    agreed = await agreed_over(context, project)
    if agreed is None:
        running = [one for one in await disputes.of_project(uow.connection, project.id) if not one.stage.ended]
        for wanted in (one.wanted for one in running if one.wanted):  # another's call has led to the next dispute
            raise already_wanted(wanted)
        raise Refused(RefusalCode.DISPUTE_NOT_OPEN, stage=project.stage.value)
    person = context.organisation.person(said.person)
    if person is None or not person.active or not may_call_meeting(person, context.organisation, agreed.sides, uow.now):
        raise Refused(RefusalCode.MAY_NOT_CALL_MEETING)
    if steps_in_for(person, context.organisation, agreed.sides, uow.now) is None:
        raise Refused(RefusalCode.AGREEMENT_BINDS)
    if agreement_waits(project):  # somebody was quicker, and the process is on its way to the meeting
        await accept(uow, said, settled=True)
        return Recorded(accepted=True, settled=True)
    if _decided(context, project):
        raise Refused(RefusalCode.PROJECT_DECIDED)
    wanted = wanted_by(context, agreed.sides, said.person, said.reason)
    await projects.change(uow.connection, project.id, agreement={**(project.agreement or {}), WAITS: wanted})
    note_wanted(context, agreed.id, wanted, channel=said.channel, rule="D4")
    await accept(uow, said, settled=settled)
    return Recorded(accepted=True, settled=settled)


def already_wanted(wanted: Mapping[str, Any]) -> Refused:
    """D2: the meeting is on its way; nothing is to be added."""
    return Refused(RefusalCode.MEETING_ALREADY_WANTED, by=str(wanted["by"]), at=str(wanted["at"]))


def wanted_by(context: Context, sides: Collection[str], person: str, reason: str) -> dict[str, str]:
    """D2, D4: who wants the meeting, on whose behalf, why and when."""
    now, known = context.uow.now, context.organisation.person(person)
    principal = steps_in_for(known, context.organisation, sides, now) if known else None
    behalf = {"on_behalf_of": principal} if principal and principal != person else {}
    return {"by": person, **behalf, "reason": reason, "at": now.isoformat()}


def note_wanted(context: Context, dispute_id: str, wanted: Mapping[str, str], *, channel: str, rule: str) -> None:
    """Put on record who has asked for the meeting."""
    behalf = {"on_behalf_of": wanted["on_behalf_of"]} if "on_behalf_of" in wanted else {}
    context.uow.note(
        "meeting_wanted",
        wanted["by"],
        dispute=dispute_id,
        reason=wanted["reason"],
        channel=channel,
        rule=rule,
        **behalf,
    )


async def agreed_over(context: Context, project: ProjectRow) -> DisputeRow | None:
    """The dispute in which both have agreed, while `project` is not decided and nothing else has bound it since."""
    over = await disputes.of_project(context.uow.connection, project.id)
    open_one = any(not one.stage.ended for one in over)
    agreed = next((one for one in reversed(over) if one.stage is DisputeStage.AGREED), None)
    if open_one or agreed is None or project.stage not in _UNDECIDED or project.end_reason:
        return None
    return agreed if (project.agreement or {}).get("dispute") == agreed.id else None


def _decided(context: Context, project: ProjectRow) -> bool:
    """Approved or rejected, the process being about to say so."""
    return any(
        number == project.round
        and decision.kind is TaskKind.PROJECT_APPROVAL
        and decision.choice in (AnswerChoice.APPROVE, AnswerChoice.REJECT)
        for number, decision in context.docket.decided
    )

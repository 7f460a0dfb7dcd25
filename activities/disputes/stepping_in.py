"""A VP or the general manager steps in after the two salespeople have agreed: the agreement waits (D4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from activities.steps import Recorded
from activities.tasks.context import Context
from activities.tasks.receipts import accept
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from domain.disputes.dispute import WAITS
from domain.disputes.judgements import AgreementFacts, DisputeSummary, judge_stepping_in, meeting_wanted
from domain.statements import CallForMeeting
from domain.tasks.task import AnswerChoice, TaskKind


async def step_in(context: Context, project: ProjectRow, said: CallForMeeting, *, settled: bool = False) -> Recorded:
    """D4: record that the agreement over `project` waits for the meeting. Raises `Refused`.

    `settled`: no move of the process that receives the statement follows from it.
    """
    uow = context.uow
    over = await disputes.of_project(uow.connection, project.id)
    facts = agreement_facts(project, over, decided=_decided(context, project))
    agreed, first = judge_stepping_in(facts, said, context.organisation, uow.now)
    if not first:  # somebody was quicker, and the process is on its way to the meeting
        await accept(uow, said, settled=True)
        return Recorded(accepted=True, settled=True)
    wanted = meeting_wanted(context.organisation, agreed.sides, person=said.person, reason=said.reason, now=uow.now)
    await projects.change(uow.connection, project.id, agreement={**(project.agreement or {}), WAITS: wanted})
    note_wanted(context, agreed.id, wanted, channel=said.channel, rule="D4")
    await accept(uow, said, settled=settled)
    return Recorded(accepted=True, settled=settled)


def agreement_facts(project: ProjectRow, over: Iterable[DisputeRow], *, decided: bool) -> AgreementFacts:
    """D4: what stepping in is judged by. `over`: the disputes over the project, oldest first; `decided`: its VP has
    approved or rejected it."""
    return AgreementFacts(
        stage=project.stage,
        disputes=[
            DisputeSummary(id=dispute.id, stage=dispute.stage, sides=dispute.sides, wanted=dispute.wanted)
            for dispute in over
        ],
        agreement=project.agreement,
        withdrawn=bool(project.end_reason),
        decided=decided,
    )


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


def _decided(context: Context, project: ProjectRow) -> bool:
    """Approved or rejected, the process being about to say so."""
    return any(
        number == project.round
        and decision.kind is TaskKind.PROJECT_APPROVAL
        and decision.choice in (AnswerChoice.APPROVE, AnswerChoice.REJECT)
        for number, decision in context.docket.decided
    )

"""What else is registered for the companies of a project, and whose it is (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from activities.conflicts.collisions import colliding
from activities.conflicts.rulings import clerks_rulings, rule
from conflicts.budget import Budget
from conflicts.detection import REGISTERED, closest, without_origin
from conflicts.matches import as_they_are, described
from conflicts.named import NAMED
from db.projects import projects
from db.tasks.tasks import Decided, DecisionRow, TaskRow
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Ruled, Ruling
from domain.conflicts.verdict import Level
from domain.disputes.dispute import Claimant
from domain.projects.rules import SUSPECTS_FIELD
from domain.tasks.task import AnswerChoice, TaskKind

if TYPE_CHECKING:
    from activities.projects.projects import ProjectContext


async def find_matches(context: ProjectContext) -> tuple[Match, ...]:
    """P3, P4: what is registered for a company of the project, as it is at this moment; kept.

    What was found before in this round stays found, whatever has become of it: somebody may have suspected it.
    """
    uow, row = context.uow, context.row
    budget = Budget()
    collisions = await colliding(
        uow, context.subject, row.form, REGISTERED, bounds=context.policy.matching, live_only=False, budget=budget
    )
    kept, more = closest(without_origin(collisions))
    if more:
        uow.note("weaker_matches_left_out", count=more)
    if budget.left_out:
        uow.note("names_not_compared", count=len(budget.left_out))
    found = await described(uow.connection, kept)
    known = {(match.subject_type, match.subject_id) for match in found}
    missing = [match for match in await context.matches() if (match.subject_type, match.subject_id) not in known]
    named = await as_they_are(uow.connection, [match for match in missing if _named(match)])
    gone = [match.model_copy(update={"live": False}) for match in missing if not _named(match)]
    matches = (*found, *named, *gone)
    await projects.keep_matches(uow.connection, row.id, row.round, matches, weaker=more, not_compared=budget.left_out)
    return matches


def _named(match: Match) -> bool:
    """P5: detection has never found it; somebody has named it."""
    return any(reason.key == NAMED for reason in match.verdict.reasons)


async def suspects(context: ProjectContext) -> tuple[Match, ...]:
    """P4, P10: what may be in conflict: another's, registered before, and live at this moment."""
    still_there = await colliding(
        context.uow, context.subject, context.row.form, REGISTERED, bounds=context.policy.matching
    )
    live = {(one.subject_type, one.subject_id) for one in still_there}
    return tuple(
        match
        for match in await context.matches()
        if match.earlier
        and match.salesperson != context.row.salesperson
        and (match.subject_type, match.subject_id) in live
    )


async def rule_on_matches(context: ProjectContext, task: TaskRow, decision: DecisionRow) -> None:
    """P4, P5: what the clerk says of single matches and suspects, and what the VP asked about them confirms."""
    matches = await context.matches()
    shown = {match.subject_id: (match.subject_type, match) for match in matches}
    said: dict[str, Ruled] = {}
    if task.kind is TaskKind.CONFLICT_CHECK:
        said |= await clerks_rulings(context, decision, shown)
        ruling, about = Ruling.SUSPECTED, named_in(decision.fields) if decision.choice == AnswerChoice.SUSPECT else []
    else:
        # Each VP is asked about what belongs to their own salesperson; the slot says whose.
        suspected = named_in(task.note or {})
        about = [one for one in suspected if one in shown and shown[one][1].salesperson == task.slot]
        ruling = Ruling.CONFLICT if decision.choice == AnswerChoice.CONFLICT else Ruling.CLEARED
    for one in about:
        if one in shown:
            said[one] = await rule(context, decision, one, shown[one], ruling, decision.reason)
    if said:
        changed = [match.model_copy(update={"ruled": said.get(match.subject_id, match.ruled)}) for match in matches]
        await projects.keep_matches(context.uow.connection, context.row.id, context.row.round, changed)


def confirmed_conflicts(
    number: int, decided: Decided, asked: Iterable[TaskRow], found: Iterable[Match]
) -> tuple[str, ...]:
    """P5: of what was `found`, the registrations whose VP has confirmed the conflict in round `number`; nobody else is
    a party of what follows (P8). A VP confirms what belongs to the salesperson of their slot."""
    salesperson_of = {match.subject_id: match.salesperson for match in found}
    noted = {task.id: named_in(task.note or {}) for task in asked}
    confirmed = [
        subject_id
        for of_round, decision in decided
        if of_round == number and decision.choice == AnswerChoice.CONFLICT
        for subject_id in noted.get(decision.task_id, ())
        if salesperson_of.get(subject_id) == decision.slot
    ]
    return tuple(dict.fromkeys(confirmed))


def named_in(fields: Mapping[str, Any]) -> list[str]:
    """The registrations that are suspected, by id."""
    named = fields.get(SUSPECTS_FIELD)
    return [str(one) for one in named] if isinstance(named, list) else []


def accounts_touched(matches: Collection[Match]) -> list[Match]:
    """P1, P3: the live Named Accounts whose customer is the customer, end user or channel of the project."""
    return [
        match
        for match in matches
        if match.subject_type == "account" and match.live and match.verdict.level is Level.SAME and not match.cleared
    ]


async def accounts_concerned(context: ProjectContext) -> tuple[Claimant, ...]:
    """P3: the responsible salespeople of the accounts of others that the project touches."""
    touched = accounts_touched(await context.matches())
    return tuple(_claimant(match) for match in touched if match.salesperson != context.row.salesperson)


async def claimants_of(context: ProjectContext, subject_ids: Collection[str]) -> tuple[Claimant, ...]:
    """P5: whose registrations these matches are."""
    return tuple(_claimant(match) for match in await context.matches() if match.subject_id in subject_ids)


def _claimant(match: Match) -> Claimant:
    return Claimant(
        person=match.salesperson, subject_type=match.subject_type, subject_id=match.subject_id, since=match.since
    )

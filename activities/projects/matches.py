"""What else is registered for the companies of a project, and whose it is (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from activities.conflicts.collisions import colliding
from activities.conflicts.rulings import clerks_rulings, rule
from activities.projects.record import ProjectRecord
from conflicts.budget import Budget
from conflicts.detection import REGISTERED, closest, without_origin
from conflicts.matches import as_they_are, described
from conflicts.named import NAMED
from db.projects import projects
from db.tasks.tasks import Decided, DecisionRow, TaskRow
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Ruled, Ruling
from domain.disputes.dispute import Claimant
from domain.projects.rules import named_suspects
from domain.tasks.task import AnswerChoice, TaskKind


async def find_matches(project: ProjectRecord) -> tuple[Match, ...]:
    """P3, P4: what is registered for a company of the project, as it is at this moment; kept.

    What was found before in this round stays found, even if it has ended: somebody may have suspected it.
    """
    uow, row = project.uow, project.row
    budget = Budget()
    collisions = await colliding(
        uow, project.subject, row.form, REGISTERED, bounds=project.policy.matching, live_only=False, budget=budget
    )
    kept, more = closest(without_origin(collisions))
    if more:
        uow.note("weaker_matches_left_out", count=more)
    if budget.left_out:
        uow.note("names_not_compared", count=len(budget.left_out))
    found = await described(uow.connection, kept)
    known = {(match.subject_type, match.subject_id) for match in found}
    missing = [match for match in await project.matches() if (match.subject_type, match.subject_id) not in known]
    named = await as_they_are(uow.connection, [match for match in missing if _named(match)])
    gone = [match.model_copy(update={"live": False}) for match in missing if not _named(match)]
    matches = (*found, *named, *gone)
    await projects.keep_matches(uow.connection, row.id, row.round, matches, weaker=more, not_compared=budget.left_out)
    return matches


def _named(match: Match) -> bool:
    """P5: detection has never found it; somebody has named it."""
    return any(reason.key == NAMED for reason in match.verdict.reasons)


async def suspects(project: ProjectRecord) -> tuple[Match, ...]:
    """P4, P10: what may be in conflict: another's, registered before, and live at this moment."""
    still_there = await colliding(
        project.uow, project.subject, project.row.form, REGISTERED, bounds=project.policy.matching
    )
    live = {(found.subject_type, found.subject_id) for found in still_there}
    return tuple(
        match
        for match in await project.matches()
        if match.earlier
        and match.salesperson != project.row.salesperson
        and (match.subject_type, match.subject_id) in live
    )


async def rule_on_matches(project: ProjectRecord, task: TaskRow, decision: DecisionRow) -> None:
    """P4, P5: the clerk's rulings on single matches and suspects, and what the VP asked about them confirms."""
    matches = await project.matches()
    shown = {match.subject_id: (match.subject_type, match) for match in matches}
    said: dict[str, Ruled] = {}
    if task.kind is TaskKind.CONFLICT_CHECK:
        said |= await clerks_rulings(project, decision, shown)
        ruling, about = (
            Ruling.SUSPECTED,
            named_suspects(decision.fields) if decision.choice == AnswerChoice.SUSPECT else [],
        )
    else:
        # Each VP is asked about what belongs to their own salesperson; the slot says whose.
        suspected = named_suspects(task.note or {})
        about = [other for other in suspected if other in shown and shown[other][1].salesperson == task.slot]
        ruling = Ruling.CONFLICT if decision.choice == AnswerChoice.CONFLICT else Ruling.CLEARED
    for other in about:
        if other in shown:
            said[other] = await rule(project, decision, other, shown[other], ruling, decision.reason)
    if said:
        changed = [match.model_copy(update={"ruled": said.get(match.subject_id, match.ruled)}) for match in matches]
        await projects.keep_matches(project.uow.connection, project.row.id, project.row.round, changed)


def confirmed_conflicts(
    number: int, decided: Decided, asked: Iterable[TaskRow], found: Iterable[Match]
) -> tuple[str, ...]:
    """P5: of what was `found`, the registrations whose VP has confirmed the conflict in round `number`; nobody else is
    a party of what follows (P8). A VP confirms what belongs to the salesperson of their slot."""
    salesperson_of = {match.subject_id: match.salesperson for match in found}
    noted = {task.id: named_suspects(task.note or {}) for task in asked}
    confirmed = [
        subject_id
        for of_round, decision in decided
        if of_round == number and decision.choice == AnswerChoice.CONFLICT
        for subject_id in noted.get(decision.task_id, ())
        if salesperson_of.get(subject_id) == decision.slot
    ]
    return tuple(dict.fromkeys(confirmed))


def accounts_touched(matches: Collection[Match]) -> list[Match]:
    """P1, P3: the Named Accounts that the project touches."""
    return [match for match in matches if match.touched_account]


async def accounts_concerned(project: ProjectRecord) -> tuple[Claimant, ...]:
    """P3: the responsible salespeople of the accounts of others that the project touches."""
    touched = accounts_touched(await project.matches())
    return tuple(_claimant(match) for match in touched if match.salesperson != project.row.salesperson)


async def claimants_of(project: ProjectRecord, subject_ids: Collection[str]) -> tuple[Claimant, ...]:
    """P5: whose registrations these matches are."""
    return tuple(_claimant(match) for match in await project.matches() if match.subject_id in subject_ids)


def _claimant(match: Match) -> Claimant:
    return Claimant(
        person=match.salesperson, subject_type=match.subject_type, subject_id=match.subject_id, since=match.since
    )

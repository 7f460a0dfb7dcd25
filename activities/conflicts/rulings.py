"""Rulings on matches are stored with their reasons, and are learned from: cleared pairs, and names that are one
company (N3, N14, P4, P5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import TypeAdapter

from activities.tasks.context import Context
from db.conflicts import rulings
from db.conflicts.rulings import RulingRow
from db.tasks.tasks import DecisionRow
from domain.conflicts.rulings import MATCHES_FIELD, Compared, LearnedAlias, Link, MatchRulings, Ruled, Ruling
from domain.conflicts.verdict import Level
from matching.names.names import name_key

_ROWS: TypeAdapter[MatchRulings] = TypeAdapter(MatchRulings)

Shown = Mapping[str, tuple[str, Compared]]
"""What the person was shown: type and match by the id of the subject."""


async def clerks_rulings(context: Context, decision: DecisionRow, shown: Shown) -> dict[str, Ruled]:
    """Record the clerk's rulings on single matches. Returns them by the id of the match."""
    rows = _ROWS.validate_python(decision.fields.get(MATCHES_FIELD) or ())
    said = {}
    for row in rows:
        reason = row.reason.strip() or decision.reason
        said[row.id] = await rule(context, decision, row.id, shown[row.id], Ruling(row.ruling), reason)
    return said


async def rule(
    context: Context, decision: DecisionRow, other_id: str, shown: tuple[str, Compared], ruling: Ruling, reason: str
) -> Ruled:
    """Record the ruling on one match, and learn from it (X1)."""
    uow, (other_type, match) = context.uow, shown
    rows = [
        RulingRow(
            fingerprint=fingerprint,
            ruling=ruling,
            person=decision.person,
            at=uow.now,
            reason=reason,
            task_id=decision.task_id,
            subject_id=context.subject.id,
            other_type=other_type,
            other_id=other_id,
        )
        for fingerprint in dict.fromkeys(link.fingerprint for link in match.links)
    ]
    await rulings.add(uow.connection, rows)
    learned = await _learn(context, decision, _one_company(match, ruling), reason)
    taken_back: tuple[LearnedAlias, ...] = ()
    if ruling is Ruling.CLEARED:
        pairs = {(name_key(link.asked), name_key(link.registered)) for link in match.links if link.of_companies}
        taken_back = await rulings.unlearn(
            uow.connection, pairs, at=uow.now, by=decision.person, because=reason or Ruling.CLEARED.value
        )
    uow.note(
        "match_ruled",
        decision.person,
        subject_type=other_type,
        subject_id=other_id,
        ruling=ruling.value,
        reason=reason,
        learned=_names(learned),
        taken_back=_names(taken_back),
    )
    return Ruled(ruling=ruling, person=decision.person, at=uow.now, reason=reason)


async def revoke_aliases(context: Context, task_ids: Sequence[str], *, by: str, because: str) -> None:
    """A confirmation is overturned: aliases learned from it are revoked (D2, P8)."""
    uow = context.uow
    gone = await rulings.unlearn_of_tasks(uow.connection, task_ids, at=uow.now, by=by, because=because)
    if gone:
        uow.note("aliases_taken_back", by, names=_names(gone), reason=because)


def _one_company(match: Compared, ruling: Ruling) -> Link | None:
    """The two names that the ruling shows to be one company, if that is new."""
    taught = sorted((link for link in match.links if link.teaches), key=lambda link: link.level.rank)
    if ruling is Ruling.SAME_COMPANY:
        return taught[0] if taught else None
    # P5: a conflict confirmed between two registrations rests on the names only where nothing else binds the two; and
    # a branch or a member of the group is no other name.
    rests_on_names = not match.declared and not any(link.exact for link in match.links)
    near = [link for link in taught if link.level in (Level.SAME, Level.LOOK)]
    return near[0] if ruling is Ruling.CONFLICT and rests_on_names and near else None


async def _learn(context: Context, decision: DecisionRow, link: Link | None, reason: str) -> tuple[LearnedAlias, ...]:
    if link is None or name_key(link.asked) == name_key(link.registered):
        return ()
    alias = LearnedAlias(
        name=link.asked,
        name_key=name_key(link.asked),
        uscc=link.asked_uscc,
        other=link.registered,
        other_key=name_key(link.registered),
        other_uscc=link.registered_uscc,
        person=decision.person,
        at=context.uow.now,
        reason=reason,
        subject_id=context.subject.id,
        task_id=decision.task_id,
    )
    return await rulings.learn(context.uow.connection, [alias])


def _names(aliases: Iterable[LearnedAlias]) -> list[list[str]]:
    return [[alias.name, alias.other] for alias in aliases]

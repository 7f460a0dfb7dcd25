"""Where what is asked about meets what is registered: a company with a company, a project with a project."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts.asked import Asked, keyed
from conflicts.learned import learned_names
from db import applications, parties, projects, registers
from db.applications import KeyedParty, RegisteredParty
from db.candidates import candidates, projects_named
from domain.policy import Matching
from domain.rulings import LearnedAlias
from domain.uscc import told_apart
from domain.verdict import Level, Reason, Verdict
from matching.parties import Party, compare
from matching.projects import ProjectSides, compare_projects

PROJECT, EARLIER_PROJECT = "project", "earlier_project"
RELATED_PARTY = "related_party"
LEARNED, ONE_HOP, FITS_SEVERAL = "learned_alias", "one_hop", "fits_several"
"""Reasons that are found here: what people have said, what others have declared, and what else there is."""
MOST_HOPS = 50
"""How many companies are looked for that are known only through somebody else's related parties."""

Key = tuple[str, str]
"""Type and id of a subject."""
Times = Mapping[tuple[str, str | None], datetime]
"""Since when a subject has named each of its parties, by name key and code."""


class Hit(NamedTuple):
    """One of our parties met one of theirs, or one project the other."""

    verdict: Verdict
    name: str
    since: datetime
    earlier: bool
    declared: bool = False
    mine: KeyedParty | None = None
    there: RegisteredParty | None = None
    exact: bool = False


async def company_hits(
    tx: AsyncConnection,
    asked: Asked,
    against: Sequence[str],
    known: Sequence[LearnedAlias],
    *,
    now: datetime,
    bounds: Matching,
    live_only: bool,
    near: bool,
) -> tuple[dict[Key, list[Hit]], Times]:
    """Every company that is one of ours or near it, by the subject that names it; and since when we name ours.

    Each of ours is judged against what was looked up for it alone, and beside the loop: several related parties with
    some hundreds of candidates each would keep everybody else waiting.
    """
    ours = [(mine, *learned_names(mine, known)) for mine in asked.parties]
    every = keyed(name for names in ours for name in names)
    others = await candidates(tx, against, every, but=asked.id, live_only=live_only, near=near) if ours else ()
    subject = asked.subject
    times = await applications.party_times(tx, subject.type, subject.id) if subject and others else {}
    hits: dict[Key, list[Hit]] = defaultdict(list)
    for names in ours:
        mine, keys = names[0], {name.key for name in names}
        met = [other for other in others if keys & other.met_by]
        place = (times.get((mine.key, mine.uscc), now), asked.id)
        for other, hit in await asyncio.to_thread(_meetings, names, met, place, bounds) if met else ():
            hits[other.subject_type, other.subject_id].append(hit)
    return hits, times


def _meetings(
    names: Sequence[Party], others: Sequence[RegisteredParty], place: tuple[datetime, str], bounds: Matching
) -> list[tuple[RegisteredParty, Hit]]:
    """Where one of our companies, under all its `names`, the own one first, meets what is registered."""
    mine, met = names[0], []
    for other in others:
        there = Party.model_validate({"name": other.name, "uscc": other.uscc, "role": other.role})
        verdict, declared = _closest(names, there, bounds)
        if verdict.found:
            earlier = (other.since, other.subject_id) < place
            exact = _one_company(mine, there)
            hit = Hit(verdict, other.name, other.since, earlier, declared, keyed([mine])[0], other, exact)
            met.append((other, hit))
    return _one_of_several(met)


def _one_of_several(met: list[tuple[RegisteredParty, Hit]]) -> list[tuple[RegisteredParty, Hit]]:
    """A short name stands for one company: where it fits several, a person has to look which one is meant."""
    fits = {
        other.uscc or other.name_key
        for other, hit in met
        if hit.verdict.level is Level.SAME and not (hit.exact or _said_by_a_person(hit.verdict))
    }
    if len(fits) < 2:
        return met
    return [
        (other, hit._replace(verdict=_to_be_looked_at(hit.verdict)) if (other.uscc or other.name_key) in fits else hit)
        for other, hit in met
    ]


def _said_by_a_person(verdict: Verdict) -> bool:
    return any(reason.key == LEARNED for reason in verdict.reasons)


def _to_be_looked_at(verdict: Verdict) -> Verdict:
    reasons = (*verdict.reasons, Reason(key=FITS_SEVERAL))
    return verdict.model_copy(update={"level": Level.LOOK, "reasons": reasons})


def _closest(names: Sequence[Party], there: Party, bounds: Matching) -> tuple[Verdict, bool]:
    """The verdict on one company of ours, and whether it is the same one as a declared related party (N3)."""
    best, declared = Verdict(), False
    for name in names:
        verdict = compare(name, there, bounds=bounds)
        if not verdict.found:
            continue
        one_of_them = False
        if RELATED_PARTY in (name.role, there.role):
            alone = (one.model_copy(update={"role": "customer"}) for one in (name, there))
            one_of_them = compare(*alone, bounds=bounds).level is Level.SAME
            if not one_of_them and name.role == there.role:
                continue  # two companies that are only bound to the two, and only alike
            verdict = verdict.model_copy(update={"level": Level.RELATED if one_of_them else Level.LOOK})
        if name is not names[0]:
            learned = Reason(key=LEARNED, params={"name": names[0].name, "other": name.name})
            verdict = verdict.model_copy(update={"reasons": (learned, *verdict.reasons)})
        if (verdict.level.rank, -verdict.score) < (best.level.rank, -best.score):
            best, declared = verdict, one_of_them
    return best, declared


def _one_company(mine: Party, there: Party) -> bool:
    """By code, or by name where no code says otherwise."""
    if told_apart(mine.uscc, there.uscc):
        return False
    return bool(mine.uscc and mine.uscc == there.uscc) or mine.key == there.key


async def project_hits(
    tx: AsyncConnection,
    asked: Asked,
    against: Sequence[str],
    hits: dict[Key, list[Hit]],
    times: Times,
    now: datetime,
    bounds: Matching,
    *,
    live_only: bool,
) -> dict[Key, ProjectSides]:
    """What the registered projects are; those that are near as projects are added to `hits`."""
    if PROJECT in against:
        named = await projects_named(tx, *_called(asked), but=asked.id) if asked.project else ()
        wanted = {*named, *(id_ for kind, id_ in hits if kind == PROJECT)}
        mine = [asked.id] if asked.project and asked.subject and asked.subject.type == PROJECT else []
        known = await projects.by_ids(tx, sorted({*wanted, *mine})) if wanted else ()
    else:
        known = ()
    rows = [row for row in known if row.id != asked.id]
    before = [id_ for kind, id_ in hits if kind == EARLIER_PROJECT]
    earlier = await registers.earlier_projects(tx, before) if before else ()
    sides: dict[Key, ProjectSides] = {(PROJECT, row.id): ProjectSides.of(row.form) for row in rows}
    sides |= {
        (EARLIER_PROJECT, row.id): ProjectSides(
            name=row.name, customer=Party(name=row.customer_name), amount=row.amount
        )
        for row in earlier
    }
    if asked.project is None:
        return sides
    live = {(PROJECT, row.id): row.stage.live for row in rows}
    since = {(PROJECT, row.id): row.place for row in rows}
    since |= {(EARLIER_PROJECT, row.id): row.registered_at for row in earlier}
    # Who took the name of another project only when it was held comes after it, whoever had registered first (P2).
    own = next((row for row in known if row.id == asked.id), None)
    place = ((own and own.named_since) or min(times.values(), default=now), asked.id)
    for key, theirs in sides.items():
        if live_only and not live.get(key, True):
            continue
        verdict = compare_projects(asked.project, theirs, bounds=bounds)
        if verdict.found:
            hits[key].append(Hit(verdict, theirs.name, since[key], (since[key], key[1]) < place))
    return sides


def _called(asked: Asked) -> tuple[str, str]:
    assert asked.project is not None
    return asked.project.name, asked.project.tender_number


async def named_by(tx: AsyncConnection, subjects: Collection[Key]) -> dict[Key, list[RegisteredParty]]:
    named: dict[Key, list[RegisteredParty]] = defaultdict(list)
    for one in await parties.named_by(tx, subjects):
        named[one.subject_type, one.subject_id].append(one)
    return named


async def add_one_hop(
    tx: AsyncConnection,
    asked: Asked,
    against: Sequence[str],
    hits: dict[Key, list[Hit]],
    named: dict[Key, list[RegisteredParty]],
    now: datetime,
) -> None:
    """N3: a related party of a related party is shown as well, as the weaker thing that it is.

    Somebody has declared that a company of ours and another one belong together; whoever is registered for that other
    one is found through them.
    """
    through = [
        key for key, ours in hits.items() if any(hit.declared or hit.verdict.level is Level.SAME for hit in ours)
    ]
    have = {party.key for party in asked.parties} | {party.uscc for party in asked.parties if party.uscc}
    beyond: dict[str, tuple[RegisteredParty, str]] = {}
    for key in through:
        customer = next((one.name for one in named[key] if one.role == "customer"), "")
        for one in named[key]:
            if one.role in ("customer", RELATED_PARTY) and not {one.name_key, one.uscc} & have:
                beyond.setdefault(one.name_key, (one, customer))
    beyond = dict(list(beyond.items())[:MOST_HOPS])
    if not beyond:
        return
    codes = {one.uscc: one.name_key for one, _ in beyond.values() if one.uscc}
    met = await parties.naming(tx, against, beyond.keys(), codes.keys())
    own = set(hits)
    for other in met:
        key = (other.subject_type, other.subject_id)
        bound = beyond.get(other.name_key) or beyond.get(codes.get(other.uscc or "", ""))
        if (
            key in own
            or other.subject_id == asked.id
            or other.role not in ("customer", "alias", "end_user")
            or not bound
        ):
            continue
        one, customer = bound
        if told_apart(one.uscc, other.uscc):
            continue
        reason = Reason(key=ONE_HOP, params={"party": other.name, "through": customer})
        verdict = Verdict(level=Level.LOOK, score=0.2, reasons=(reason,))
        mine = keyed(asked.parties[:1])[0]
        hits.setdefault(key, []).append(
            Hit(verdict, other.name, other.since, other.since < now, mine=mine, there=other)
        )
    named.update(await named_by(tx, set(hits) - own))

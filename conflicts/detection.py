"""Who else is registered for the same customer, group, end user or project, and why (N3, N14, P4, A5).

PostgreSQL brings candidates, `matching/` judges each, and what people have said of the pair before goes with it. Only
reads: steps keep what is found, the dry run shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts import fingerprints
from conflicts.asked import Asked, keyed
from conflicts.budget import Budget
from conflicts.hits import EARLIER_PROJECT, PROJECT, Hit, Key, add_one_hop, company_hits, named_by, project_hits
from db.accounts.applications import KeyedParty, RegisteredParty
from db.conflicts import rulings
from domain.conflicts.rulings import Compared, Link, Ruled, Ruling
from domain.conflicts.verdict import Level, Verdict
from domain.policy import Matching
from matching.projects import ProjectSides

REGISTERED = ("account", "application", "project", "earlier_project")
"""Everything that a registration may be in conflict with (P4)."""


MOST_SHOWN = 50
"""How many matches people are shown at most, beside collisions: a name such as 中国石油 has hundreds of relatives."""


class Found(Compared):
    """Something registered that may be the same, or belong to it."""

    subject_type: str
    subject_id: str
    name: str
    """The company, or the project, by which it was found."""
    since: datetime
    """When it named that company first (A5)."""
    earlier: bool
    """N14: before the one that asks did, so it stands."""
    live: bool = True
    """Takes part in conflict detection (P10); otherwise it is history."""

    @property
    def key(self) -> Key:
        return self.subject_type, self.subject_id

    @property
    def stands(self) -> bool:
        """N14: it stands in the way of the one that asks: an account, whenever it came into force, or what was
        registered earlier."""
        return self.live and self.conflict and (self.earlier or self.subject_type == "account")


async def detect(
    connection: AsyncConnection,
    asked: Asked,
    against: Sequence[str],
    *,
    now: datetime,
    bounds: Matching,
    live_only: bool = True,
    near: bool = True,
    budget: Budget | None = None,
) -> tuple[Found, ...]:
    """Subjects of the types `against` that may be the same or belong to it, one each, the oldest first (A5).

    Who was first is judged party by party: one named in a later round has its place from that round on (N14).

    Args:
        bounds: from which likeness on what is said, by the policy of whoever asks.
        near: false where only names and codes count, and what people have found to be one company.
        budget: what it may cost; afterwards it says which names were looked for only by themselves. That of a step
            when left out.

    Raises `Busy` when too much of the kind is going on.
    """
    known = await rulings.known_aliases(connection, {party.key for party in asked.parties})
    hits, times = await company_hits(
        connection,
        asked,
        against,
        known,
        now=now,
        bounds=bounds,
        live_only=live_only,
        near=near,
        budget=budget or Budget(),
    )
    theirs = await project_hits(connection, asked, against, hits, times, now, bounds, live_only=live_only)
    if not hits:
        return ()
    named = await named_by(connection, hits)
    await add_one_hop(connection, asked, against, hits, named, times, now)
    mine = keyed(asked.parties)
    found = [_found(key, asked, mine, ours, named[key], theirs.get(key)) for key, ours in hits.items()]
    return await _with_rulings(connection, sorted(found, key=lambda match: (match.since, match.subject_id)))


def closest(found: Sequence[Found], most: int = MOST_SHOWN) -> tuple[list[Found], int]:
    """The `most` that matter most, what is live first, and every live collision, in the order they came; and how many
    weaker ones are left out."""
    weighed = sorted(
        found,
        key=lambda match: (
            not match.live,
            not match.conflict,
            match.cleared,
            match.verdict.level.rank,
            -match.verdict.score,
        ),
    )
    collisions = sum(match.live and match.conflict for match in found)
    kept = {match.key for match in weighed[: max(most, collisions)]}
    return [match for match in found if match.key in kept], len(found) - len(kept)


def without_origin(found: Sequence[Found]) -> list[Found]:
    """An account has the id of the application that it came from: one of the two says it all."""
    accounts = {match.subject_id for match in found if match.subject_type == "account"}
    return [match for match in found if match.subject_type != "application" or match.subject_id not in accounts]


def _found(
    key: Key,
    asked: Asked,
    mine: Sequence[KeyedParty],
    hits: Sequence[Hit],
    named: Sequence[RegisteredParty],
    theirs: ProjectSides | None,
) -> Found:
    """One subject from everything in which it met ours."""
    of_projects = key[0] in (PROJECT, EARLIER_PROJECT)
    companies = [hit for hit in hits if hit.mine]
    if any(hit.verdict.level is Level.SAME and not hit.declared for hit in companies):
        # One whose customer is ours may share its subsidiaries too: that says nothing more.
        companies = [hit for hit in companies if not hit.declared]
    # Beside the closest company, others that are only near say nothing more either.
    nearest = min((hit.verdict.level.rank for hit in companies), default=0)
    companies = [hit for hit in companies if hit.verdict.level.rank == nearest or hit.declared]
    as_projects = [hit for hit in hits if not hit.mine]
    capped = bool(asked.project) and of_projects
    verdict = Verdict.closest(
        [*(hit.verdict for hit in as_projects), *(_less(hit.verdict) if capped else hit.verdict for hit in companies)]
    )
    whole = fingerprints.of_both(
        fingerprints.registration(mine, asked.project), fingerprints.registration(named, theirs)
    )
    links: dict[tuple[str, str, str], Link] = {}
    for hit in (*companies, *as_projects):
        if hit.mine and hit.there:
            pair = not of_projects and not hit.exact
            sides = fingerprints.company(hit.mine, mine), fingerprints.company(hit.there, named)
            link = Link(
                fingerprint=fingerprints.of_both(*sides) if pair else whole,
                asked=hit.mine.name,
                asked_uscc=hit.mine.uscc,
                registered=hit.there.name,
                registered_uscc=hit.there.uscc,
                level=hit.verdict.level,
                exact=hit.exact,
                of_companies=pair,
            )
        else:
            link = Link(fingerprint=whole, level=hit.verdict.level)
        links.setdefault((link.fingerprint, link.asked, link.registered), link)
    best = min(hits, key=lambda hit: (hit.verdict.level.rank, -hit.verdict.score))
    return Found(
        subject_type=key[0],
        subject_id=key[1],
        name=best.name,
        since=min(hit.since for hit in hits),
        earlier=any(hit.earlier for hit in hits),
        # As it was when it was found, too: an application may have become an account since, in the midst of the look.
        live=any(party.live for party in (*named, *(hit.there for hit in hits if hit.there))),
        verdict=verdict,
        declared=any(hit.declared for hit in companies),
        links=tuple(links.values()),
    )


def _less(verdict: Verdict) -> Verdict:
    """Of two projects, one company: that alone makes them belong together, not one project (A4)."""
    level = Level.RELATED if verdict.level is Level.SAME else Level.LOOK
    return verdict.model_copy(update={"level": level, "score": verdict.score * 0.9})


async def _with_rulings(connection: AsyncConnection, found: Sequence[Found]) -> tuple[Found, ...]:
    said = await rulings.newest(connection, {link.fingerprint for match in found for link in match.links})
    if not said:
        return tuple(found)
    return tuple(match.model_copy(update={"ruled": ruled_on(match.links, said)}) for match in found)


def ruled_on(links: Sequence[Link], said: Mapping[str, Ruled]) -> Ruled | None:
    """What holds of a match: cleared once everything in which the two met is, otherwise what speaks against it."""
    rulings_here = [said.get(link.fingerprint) for link in links]
    against = [ruled for ruled in rulings_here if ruled and ruled.ruling is not Ruling.CLEARED]
    if against:
        return max(against, key=lambda ruled: ruled.at)
    cleared = [ruled for ruled in rulings_here if ruled]
    return max(cleared, key=lambda ruled: ruled.at) if cleared and len(cleared) == len(links) else None

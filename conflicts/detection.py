"""Who else is registered for the same customer, group, end user or project, and why (N3, N14, P4, A5).

PostgreSQL supplies candidates, `matching/` scores each, and earlier rulings on the pair are attached. This module only
reads: steps store the result, the dry run displays it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts import fingerprints
from conflicts.budget import Budget
from conflicts.hits import EARLIER_PROJECT, PROJECT, Hit, Key, add_one_hop, company_hits, named_by, project_hits
from conflicts.inquiry import Inquiry, keyed
from db.accounts.applications import KeyedParty, RegisteredParty
from db.conflicts import rulings
from domain.conflicts.rulings import Compared, Link, Ruled, Ruling
from domain.conflicts.verdict import Level, Verdict
from domain.policy import Matching
from matching.projects import ProjectSides

REGISTERED = ("account", "application", "project", "earlier_project")
"""Subject types that a registration may be in conflict with (P4)."""


MOST_SHOWN = 50
"""Maximum number of matches to display beside collisions: a name such as 中国石油 has hundreds of relatives."""


class Found(Compared):
    """A registered subject that may be the same as the inquiry, or related to it."""

    subject_type: str
    subject_id: str
    name: str
    """The name of the company or project that matched."""
    since: datetime
    """When it first named that company (A5)."""
    earlier: bool
    """N14: it named the company before the inquiring subject did, and so takes precedence."""
    live: bool = True
    """Whether it takes part in conflict detection (P10); otherwise it is history."""

    @property
    def key(self) -> Key:
        return self.subject_type, self.subject_id

    @property
    def stands(self) -> bool:
        """N14: whether it blocks the inquiring subject: any account, or anything registered earlier."""
        return self.live and self.conflict and (self.earlier or self.subject_type == "account")


async def detect(
    connection: AsyncConnection,
    inquiry: Inquiry,
    against: Sequence[str],
    *,
    now: datetime,
    bounds: Matching,
    live_only: bool = True,
    near: bool = True,
    budget: Budget | None = None,
) -> tuple[Found, ...]:
    """Subjects of the types `against` that may be the same or related, one match each, oldest first (A5).

    Precedence is decided party by party: a party named in a later round counts from that round on (N14).

    Args:
        bounds: the similarity thresholds of the policy that applies to the inquiring subject.
        near: False to use only names, codes and aliases confirmed by people.
        budget: the cost limit; afterwards it lists the names for which only exact matches were searched. Defaults to
            the budget of a step.

    Raises `Busy` when too many large searches are in progress.
    """
    known = await rulings.known_aliases(connection, {party.key for party in inquiry.parties})
    hits, times = await company_hits(
        connection,
        inquiry,
        against,
        known,
        now=now,
        bounds=bounds,
        live_only=live_only,
        near=near,
        budget=budget or Budget(),
    )
    theirs = await project_hits(connection, inquiry, against, hits, times, now, bounds, live_only=live_only)
    if not hits:
        return ()
    named = await named_by(connection, hits)
    await add_one_hop(connection, inquiry, against, hits, named, times, now)
    mine = keyed(inquiry.parties)
    found = [_found(key, inquiry, mine, ours, named[key], theirs.get(key)) for key, ours in hits.items()]
    return await _with_rulings(connection, sorted(found, key=lambda match: (match.since, match.subject_id)))


def closest(found: Sequence[Found], most: int = MOST_SHOWN) -> tuple[list[Found], int]:
    """The `most` strongest matches, live ones first, plus every live collision, in their original order; and how many
    weaker ones were left out."""
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
    """Drop an application whose account is also listed: both have the same id."""
    accounts = {match.subject_id for match in found if match.subject_type == "account"}
    return [match for match in found if match.subject_type != "application" or match.subject_id not in accounts]


def _found(
    key: Key,
    inquiry: Inquiry,
    mine: Sequence[KeyedParty],
    hits: Sequence[Hit],
    named: Sequence[RegisteredParty],
    theirs: ProjectSides | None,
) -> Found:
    """Combine all hits on one subject into one match."""
    of_projects = key[0] in (PROJECT, EARLIER_PROJECT)
    companies = [hit for hit in hits if hit.mine]
    if any(hit.verdict.level is Level.SAME and not hit.declared for hit in companies):
        # When the customer is the same, shared subsidiaries add no information.
        companies = [hit for hit in companies if not hit.declared]
    # Keep only the best match level; weaker company matches add no information.
    nearest = min((hit.verdict.level.rank for hit in companies), default=0)
    companies = [hit for hit in companies if hit.verdict.level.rank == nearest or hit.declared]
    as_projects = [hit for hit in hits if not hit.mine]
    capped = bool(inquiry.project) and of_projects
    verdict = Verdict.closest(
        [*(hit.verdict for hit in as_projects), *(_less(hit.verdict) if capped else hit.verdict for hit in companies)]
    )
    whole = fingerprints.of_both(
        fingerprints.registration(mine, inquiry.project), fingerprints.registration(named, theirs)
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
        # Include the state at the time of the hit: an application may have become an account during the search.
        live=any(party.live for party in (*named, *(hit.there for hit in hits if hit.there))),
        verdict=verdict,
        declared=any(hit.declared for hit in companies),
        links=tuple(links.values()),
    )


def _less(verdict: Verdict) -> Verdict:
    """Lower the level of a company match between projects: the same company makes projects related, not identical
    (A4)."""
    level = Level.RELATED if verdict.level is Level.SAME else Level.LOOK
    return verdict.model_copy(update={"level": level, "score": verdict.score * 0.9})


async def _with_rulings(connection: AsyncConnection, found: Sequence[Found]) -> tuple[Found, ...]:
    said = await rulings.newest(connection, {link.fingerprint for match in found for link in match.links})
    if not said:
        return tuple(found)
    return tuple(match.model_copy(update={"ruled": ruled_on(match.links, said)}) for match in found)


def ruled_on(links: Sequence[Link], said: Mapping[str, Ruled]) -> Ruled | None:
    """The ruling that applies to a match: cleared once every link is cleared, otherwise the latest adverse ruling."""
    rulings_here = [said.get(link.fingerprint) for link in links]
    against = [ruled for ruled in rulings_here if ruled and ruled.ruling is not Ruling.CLEARED]
    if against:
        return max(against, key=lambda ruled: ruled.at)
    cleared = [ruled for ruled in rulings_here if ruled]
    return max(cleared, key=lambda ruled: ruled.at) if cleared and len(cleared) == len(links) else None

"""Hits of an inquiry on what is registered: company on company, project on project."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from conflicts.budget import Budget, turn
from conflicts.inquiry import Inquiry, keyed
from conflicts.judge import judged
from conflicts.judging import LEARNED, RELATED_PARTY, costs
from conflicts.learned import learned_names
from db.accounts import applications, registers
from db.accounts.applications import KeyedParty, RegisteredParty
from db.conflicts import parties
from db.conflicts.candidates import Candidate, near_to, of_these, projects_named
from db.projects import projects
from domain.accounts.uscc import kept_apart
from domain.conflicts.rulings import LearnedAlias
from domain.conflicts.verdict import Level, Reason, Verdict
from domain.policy import Matching
from matching.parties import Party, PartyRole
from matching.projects import ProjectSides, compare_projects

PROJECT, EARLIER_PROJECT = "project", "earlier_project"
ONE_HOP, FITS_SEVERAL = "one_hop", "fits_several"
"""Reasons produced here: a link that a third party declared, and several equally good fits."""
MOST_HOPS = 50
"""Maximum number of companies to search for that are known only as somebody else's related parties."""

Key = tuple[str, str]
"""Type and id of a subject."""
Times = Mapping[tuple[str, str | None], datetime]
"""Since when a subject has named each of its parties, by name key and code."""


class Hit(NamedTuple):
    """One party of the inquiry matched a registered party, or the project a registered project."""

    verdict: Verdict
    name: str
    since: datetime
    earlier: bool
    declared: bool = False
    mine: KeyedParty | None = None
    there: RegisteredParty | None = None
    exact: bool = False


async def company_hits(
    connection: AsyncConnection,
    inquiry: Inquiry,
    against: Sequence[str],
    known: Sequence[LearnedAlias],
    *,
    now: datetime,
    bounds: Matching,
    live_only: bool,
    near: bool,
    budget: Budget,
) -> tuple[dict[Key, list[Hit]], Times]:
    """Hits on companies that equal or resemble a party of the inquiry, by the subject that names them; and since when
    the inquiring subject has named its parties.

    Each party is compared only with the candidates looked up for it. Raises `Busy`.
    """
    ours = [(mine, *learned_names(mine, known)) for mine in inquiry.parties]
    looked_up = await _LookedUp.exactly(connection, inquiry, against, ours, live_only=live_only)
    met: dict[int, list[tuple[RegisteredParty, Hit]]] = {}
    async with turn(len(ours) if near else 0, budget):
        times: Times = {}
        for some in _batches(sorted(range(len(ours)), key=lambda place: _URGENCY[ours[place][0].role])):
            if near and not budget.spent:
                await looked_up.add_near_to(connection, [ours[place] for place in some])
            if inquiry.subject and looked_up.anything and not times:
                times = await applications.party_times(connection, inquiry.subject.type, inquiry.subject.id)
            for place in some:
                names = ours[place]
                others = looked_up.by_company(names, exact=not near or budget.spent)
                if near and budget.spent:
                    budget.left_out.append(names[0].name)
                budget.pairs -= costs(names, list(others))
                since = (times.get((names[0].key, names[0].uscc), now), inquiry.id)
                met[place] = await _meetings(names, others, since, bounds)
    hits: dict[Key, list[Hit]] = defaultdict(list)
    for place in range(len(ours)):
        for other, hit in met[place]:
            hits[other.subject_type, other.subject_id].append(hit)
    return hits, times


_URGENCY: Mapping[PartyRole, int] = {"customer": 0, "alias": 0, "end_user": 1, "channel": 1, "related_party": 2}
"""Order in which similar names are searched."""

AT_ONCE = 24
"""Companies per statement when looking up similar names."""


def _batches(places: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), AT_ONCE):
        yield places[start : start + AT_ONCE]


_PartyIdentity = tuple[str, str, str, str, str | None]
"""Identifies a registered party: its subject's type and id, its role, name and code."""


class _LookedUp:
    """Candidates from the record, by the name key of the party they were looked up for."""

    def __init__(self, inquiry: Inquiry, against: Sequence[str], besides: Collection[str], *, live_only: bool) -> None:
        self._inquiry = inquiry
        self._against = against
        self._besides = besides
        self._live_only = live_only
        self._exact: dict[str, dict[_PartyIdentity, RegisteredParty]] = defaultdict(dict)
        self._near: dict[str, dict[_PartyIdentity, RegisteredParty]] = defaultdict(dict)

    @classmethod
    async def exactly(
        cls,
        connection: AsyncConnection,
        inquiry: Inquiry,
        against: Sequence[str],
        ours: Sequence[Sequence[Party]],
        *,
        live_only: bool,
    ) -> Self:
        """Load everything that shares a name or a code with the inquiry; never limited."""
        every = keyed(name for names in ours for name in names)
        made = cls(inquiry, against, {party.name_key for party in every}, live_only=live_only)
        if every:
            made._add(made._exact, await of_these(connection, against, every, but=inquiry.id, live_only=live_only))
        return made

    async def add_near_to(self, connection: AsyncConnection, ours: Sequence[Sequence[Party]]) -> None:
        every = keyed(name for names in ours for name in names)
        found = await near_to(
            connection, self._against, every, but=self._inquiry.id, besides=self._besides, live_only=self._live_only
        )
        self._add(self._near, found)

    def _add(self, known: dict[str, dict[_PartyIdentity, RegisteredParty]], found: Sequence[Candidate]) -> None:
        for candidate in found:
            row = (candidate.subject_type, candidate.subject_id, candidate.role, candidate.name, candidate.uscc)
            for key in candidate.met_by:
                known[key][row] = candidate

    @property
    def anything(self) -> bool:
        return bool(self._exact or self._near)

    def by_company(self, names: Sequence[Party], *, exact: bool) -> dict[Party, list[RegisteredParty]]:
        """For one party under all its `names`: each company to compare it with, and where that company is registered
        (hundreds of projects may name one company).

        Args:
            exact: only companies with the same name or code.
        """
        rows: dict[_PartyIdentity, RegisteredParty] = {}
        for known in (self._exact,) if exact else (self._exact, self._near):
            for name in names:
                rows |= known.get(name.key, {})
        found: dict[Party, list[RegisteredParty]] = defaultdict(list)
        for row in sorted(rows.values(), key=lambda row: (row.since, row.subject_id)):
            found[_company(row.name, row.uscc, row.role)].append(row)
        return found


@lru_cache(4096)
def _company(name: str, uscc: str | None, role: str) -> Party:
    return Party.model_validate({"name": name, "uscc": uscc, "role": role})


async def _meetings(
    names: Sequence[Party],
    others: Mapping[Party, Sequence[RegisteredParty]],
    place: tuple[datetime, str],
    bounds: Matching,
) -> list[tuple[RegisteredParty, Hit]]:
    """Hits of one party, under all its `names` (its own first), on registered parties."""
    mine, companies = keyed(names[:1])[0], list(others)
    met = []
    for judgement in await judged(names, companies, bounds) if companies else ():
        there = companies[judgement.place]
        exact = _one_company(names[0], there)
        for other in others[there]:
            earlier = (other.since, other.subject_id) < place
            met.append(
                (
                    other,
                    Hit(judgement.verdict, other.name, other.since, earlier, judgement.declared, mine, other, exact),
                )
            )
    return _one_of_several(met)


def _one_of_several(met: list[tuple[RegisteredParty, Hit]]) -> list[tuple[RegisteredParty, Hit]]:
    """Lower the level where a short name fits several companies: a person has to decide which one is meant."""
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


def _one_company(mine: Party, there: Party) -> bool:
    """Whether both are the same company: by code, or by name unless the codes differ."""
    if kept_apart(mine.uscc, there.uscc):
        return False
    return bool(mine.uscc and mine.uscc == there.uscc) or mine.key == there.key


async def project_hits(
    connection: AsyncConnection,
    inquiry: Inquiry,
    against: Sequence[str],
    hits: dict[Key, list[Hit]],
    times: Times,
    now: datetime,
    bounds: Matching,
    *,
    live_only: bool,
) -> dict[Key, ProjectSides]:
    """The registered projects to compare; those similar as projects are added to `hits`."""
    if PROJECT in against:
        named = await projects_named(connection, *_called(inquiry), but=inquiry.id) if inquiry.project else ()
        wanted = {*named, *(id_ for kind, id_ in hits if kind == PROJECT)}
        mine = [inquiry.id] if inquiry.project and inquiry.subject and inquiry.subject.type == PROJECT else []
        known = await projects.by_ids(connection, sorted({*wanted, *mine})) if wanted else ()
    else:
        known = ()
    rows = [row for row in known if row.id != inquiry.id]
    before = [id_ for kind, id_ in hits if kind == EARLIER_PROJECT]
    earlier = await registers.earlier_projects(connection, before) if before else ()
    sides: dict[Key, ProjectSides] = {(PROJECT, row.id): ProjectSides.of(row.form) for row in rows}
    sides |= {
        (EARLIER_PROJECT, row.id): ProjectSides(
            name=row.name, customer=Party(name=row.customer_name), amount=row.amount
        )
        for row in earlier
    }
    if inquiry.project is None:
        return sides
    live = {(PROJECT, row.id): row.stage.live for row in rows}
    since = {(PROJECT, row.id): row.place for row in rows}
    since |= {(EARLIER_PROJECT, row.id): row.registered_at for row in earlier}
    # A project renamed after it was held ranks by the time of renaming, even if it was registered first (P2).
    own = next((row for row in known if row.id == inquiry.id), None)
    place = ((own and own.named_since) or min(times.values(), default=now), inquiry.id)
    for key, theirs in sides.items():
        if live_only and not live.get(key, True):
            continue
        verdict = compare_projects(inquiry.project, theirs, bounds=bounds)
        if verdict.found:
            hits[key].append(Hit(verdict, theirs.name, since[key], (since[key], key[1]) < place))
    return sides


def _called(inquiry: Inquiry) -> tuple[str, str]:
    assert inquiry.project is not None
    return inquiry.project.name, inquiry.project.tender_number


async def named_by(connection: AsyncConnection, subjects: Collection[Key]) -> dict[Key, list[RegisteredParty]]:
    """The parties that each of these subjects names."""
    named: dict[Key, list[RegisteredParty]] = defaultdict(list)
    for party in await parties.named_by(connection, subjects):
        named[party.subject_type, party.subject_id].append(party)
    return named


async def add_one_hop(
    connection: AsyncConnection,
    inquiry: Inquiry,
    against: Sequence[str],
    hits: dict[Key, list[Hit]],
    named: dict[Key, list[RegisteredParty]],
    times: Times,
    now: datetime,
) -> None:
    """N3: also report related parties of related parties, as a weaker match.

    If somebody declared that a company of the inquiry belongs with another company, registrations of that other company
    are found through them.
    """
    through = [
        key for key, ours in hits.items() if any(hit.declared or hit.verdict.level is Level.SAME for hit in ours)
    ]
    have = {party.key for party in inquiry.parties} | {party.uscc for party in inquiry.parties if party.uscc}
    beyond: dict[str, tuple[RegisteredParty, str]] = {}
    for key in through:
        customer = next((party.name for party in named[key] if party.role == "customer"), "")
        for party in named[key]:
            if party.role in ("customer", RELATED_PARTY) and not {party.name_key, party.uscc} & have:
                beyond.setdefault(party.name_key, (party, customer))
    beyond = dict(list(beyond.items())[:MOST_HOPS])
    if not beyond or not inquiry.parties:  # a project alone, by its name or tender number, has no related party
        return
    codes = {party.uscc: party.name_key for party, _ in beyond.values() if party.uscc}
    met = await parties.naming(connection, against, beyond.keys(), codes.keys())
    own = set(hits)
    place = (min(times.values(), default=now), inquiry.id)
    for other in met:
        key = (other.subject_type, other.subject_id)
        bound = beyond.get(other.name_key) or beyond.get(codes.get(other.uscc or "", ""))
        if (
            key in own
            or other.subject_id == inquiry.id
            or other.role not in ("customer", "alias", "end_user")
            or not bound
        ):
            continue
        party, customer = bound
        if kept_apart(party.uscc, other.uscc):
            continue
        reason = Reason(key=ONE_HOP, params={"party": other.name, "through": customer})
        verdict = Verdict(level=Level.LOOK, score=0.2, reasons=(reason,))
        mine = keyed(inquiry.parties[:1])[0]
        earlier = (other.since, other.subject_id) < place
        hits.setdefault(key, []).append(Hit(verdict, other.name, other.since, earlier, mine=mine, there=other))
    named.update(await named_by(connection, set(hits) - own))

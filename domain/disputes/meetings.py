"""Who meets to settle a dispute (D2, D5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from domain.organisation import Organisation, Role

REQUIRED_ROLES = (Role.COO, Role.GENERAL_MANAGER)


def seats(organisation: Organisation, sides: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """D5: the seats of a coordination meeting, each with those of whom one takes it: every department GM and every VP
    concerned, the COO, the general manager. A seat that nobody holds is none."""
    found: list[tuple[str, ...]] = []
    offices = [office for side in sides if (office := organisation.department_of(side))]
    for person in dict.fromkeys([*(office.gm for office in offices), *(office.vp for office in offices)]):
        known = organisation.person(person) if person else None
        if known and known.active:
            found.append((known.id,))
    for role in REQUIRED_ROLES:
        holders = tuple(person.id for person in organisation.holders(role))
        if holders:
            found.append(holders)
    return tuple(dict.fromkeys(found))


def delegates_for(organisation: Organisation, holders: Iterable[str], moments: Collection[datetime]) -> tuple[str, ...]:
    """Who may take the seat of one of `holders`: their active delegates at any of `moments`, such as when the meeting
    is called and when it takes place. An operator sees no customer and is no delegate here."""
    delegates = dict.fromkeys(
        delegation.delegate
        for person in holders
        for moment in moments
        for delegation in organisation.delegations_in_force(person, moment)
    )
    known = (organisation.person(delegate) for delegate in delegates)
    return tuple(p.id for p in known if p and p.active and Role.OPERATOR not in p.roles)


def empty_seats(
    organisation: Organisation, sides: Iterable[str], participants: Collection[str], moments: Collection[datetime]
) -> tuple[str, ...]:
    """D5: who belongs in the meeting and neither takes part nor has a delegate there: the first holder of each seat."""
    return tuple(
        holders[0]
        for holders in seats(organisation, sides)
        if not {*holders, *delegates_for(organisation, holders, moments)} & set(participants)
    )


def may_be_invited(
    organisation: Organisation, sides: Collection[str], seen_by: Iterable[str], moments: Collection[datetime]
) -> tuple[str, ...]:
    """D5: who may take part: whoever a seat belongs to and their delegates, the sides, and `seen_by`, who see the case
    anyway. Never an operator, unless a seat is theirs."""
    taken = [holder for holders in seats(organisation, sides) for holder in holders]
    people = [*taken, *delegates_for(organisation, taken, moments), *sides, *seen_by]
    known = (organisation.person(person) for person in dict.fromkeys(people))
    return tuple(p.id for p in known if p and p.active and (p.id in taken or Role.OPERATOR not in p.roles))

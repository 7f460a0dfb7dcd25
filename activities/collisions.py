"""Who else is registered for the same customer, end user or channel (N3, N14, P4)."""

from __future__ import annotations

from collections.abc import Sequence

from activities.transaction import Work
from db import applications, candidates
from db.applications import KeyedParty, RegisteredParty
from domain.application import ApplicationForm
from domain.project import ProjectForm
from domain.subject import Subject
from matching.names import name_key
from matching.parties import Party, because, parties_of
from matching.reasons import REASONS

RELATED = "related_party"


class Collision(RegisteredParty):
    """A registered subject that names one of our parties, and why it is thought to be the same company."""

    reasons: tuple[str, ...]
    earlier: bool
    """N14: it named that company before we did, so it stands."""


def keyed_parties(form: ApplicationForm | ProjectForm) -> tuple[KeyedParty, ...]:
    """The companies a form names, with the keys they are found by."""
    return tuple(
        KeyedParty(role=party.role, name=party.name, name_key=name_key(party.name), uscc=party.uscc)
        for party in parties_of(form)
    )


async def colliding(
    work: Work,
    subject: Subject,
    form: ApplicationForm | ProjectForm,
    against: Sequence[str],
    *,
    live_only: bool = True,
) -> tuple[Collision, ...]:
    """Subjects of the types `against` registered for the same customer or a related party, one row each, oldest first.

    Who was first is judged party by party: one named in a later round has its place from that round on.
    `related_party` is a reason only where nothing closer is: one whose customer is ours may share its subsidiaries too.
    """
    mine = parties_of(form)
    others = await candidates.candidates(work.tx, against, keyed_parties(form), but=subject.id, live_only=live_only)
    if not others:
        return ()
    since = await applications.party_times(work.tx, subject.type, subject.id)
    found: dict[tuple[str, str], Collision] = {}
    closer: set[tuple[str, str]] = set()
    for other in others:
        there = Party.model_validate({"name": other.name, "uscc": other.uscc, "role": other.role})
        matches = [(one, because(one, there)) for one in mine]
        reasons = tuple(dict.fromkeys(reason for _, why in matches for reason in why))
        if not reasons:
            continue
        earlier = any(
            why and (other.since, other.subject_id) < (since.get((one.key, one.uscc), work.now), subject.id)
            for one, why in matches
        )
        key = (other.subject_type, other.subject_id)
        if any(why and RELATED not in why for _, why in matches):
            closer.add(key)
        known = found.get(key)
        if known is None:
            found[key] = Collision(**other.model_dump(), reasons=reasons, earlier=earlier)
            continue
        both = tuple(reason for reason in REASONS if reason in {*known.reasons, *reasons})
        found[key] = known.model_copy(update={"earlier": known.earlier or earlier, "reasons": both})
    return tuple(
        one.model_copy(update={"reasons": tuple(reason for reason in one.reasons if reason != RELATED)})
        if key in closer
        else one
        for key, one in found.items()
    )

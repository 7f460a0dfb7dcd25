"""A side of a dispute is handed to somebody else, who speaks for it from then on (A6, D1, D6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.disputes.dispute import Claimant


def hand_on_side(
    claimants: Sequence[Claimant],
    proposal: Mapping[str, Any] | None,
    *,
    before: str,
    successor: str,
    only: str = "",
) -> tuple[tuple[Claimant, ...], dict[str, Any] | None]:
    """The sides and the text on the table (`proposal`) once `successor` speaks for what was the side of `before`; with
    `only`, an id, for that one of what is theirs.

    Two sides that become one, or one that becomes two, put a text on the table anew: nobody confirms one side by having
    confirmed for the other. A text that every side has confirmed stands.
    """
    handed_on = [
        claimant.model_copy(update={"person": successor})
        if claimant.person == before and only in ("", claimant.subject_id)
        else claimant
        for claimant in claimants
    ]
    sides = tuple({(claimant.person, claimant.subject_id): claimant for claimant in handed_on}.values())
    if not proposal:
        return sides, None
    was_a_side = any(claimant.person == successor for claimant in claimants)
    stays_a_side = any(claimant.person == before for claimant in sides)
    everybody_agreed = set(proposal["confirmed"]) >= {claimant.person for claimant in claimants}
    if (was_a_side or stays_a_side) and not everybody_agreed:
        return sides, None
    confirmed = {
        successor if person == before else person: task_id for person, task_id in proposal["confirmed"].items()
    }
    if stays_a_side:
        confirmed = {**proposal["confirmed"], **confirmed}
    by = successor if proposal["by"] == before else proposal["by"]
    named = {"responsible": successor} if proposal.get("responsible") == before else {}
    return sides, {**proposal, "by": by, "confirmed": confirmed, **named}

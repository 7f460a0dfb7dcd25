"""Who else is registered for the same customer, end user, channel or project (N3, N14, P4)."""

from __future__ import annotations

from collections.abc import Sequence

from activities.transaction import Work
from conflicts.asked import Asked, keyed
from conflicts.detection import Found, detect
from db.applications import KeyedParty
from domain.application import ApplicationForm
from domain.policy import Matching
from domain.project import ProjectForm
from domain.subject import Subject
from matching.parties import parties_of


def keyed_parties(form: ApplicationForm | ProjectForm) -> tuple[KeyedParty, ...]:
    """The companies a form names, with the keys they are found by."""
    return keyed(parties_of(form))


async def colliding(
    work: Work,
    subject: Subject,
    form: ApplicationForm | ProjectForm,
    against: Sequence[str],
    *,
    bounds: Matching,
    live_only: bool = True,
    near: bool = True,
) -> tuple[Found, ...]:
    """Subjects of the types `against` that may be the same or belong to it, one each, the oldest first."""
    asked = Asked.of(form, subject)
    return await detect(work.tx, asked, against, now=work.now, bounds=bounds, live_only=live_only, near=near)

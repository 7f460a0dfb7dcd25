"""Who else is registered for the same customer, end user, channel or project (N3, N14, P4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from activities.unit_of_work import UnitOfWork
from conflicts.budget import Budget, Busy
from conflicts.detection import Found, detect
from conflicts.inquiry import Inquiry, keyed
from db.accounts.applications import KeyedParty
from domain.accounts.application import ApplicationForm
from domain.policy import Matching
from domain.projects.project import ProjectForm
from domain.subject import Subject
from matching.parties import parties_of

AGAIN = timedelta(seconds=2)
"""When a step that did not get its turn is retried; growing pauses would let newer ones overtake it."""


def keyed_parties(form: ApplicationForm | ProjectForm) -> tuple[KeyedParty, ...]:
    """The companies a form names, with the keys they are found by."""
    return keyed(parties_of(form))


async def colliding(
    uow: UnitOfWork,
    subject: Subject,
    form: ApplicationForm | ProjectForm,
    against: Sequence[str],
    *,
    bounds: Matching,
    live_only: bool = True,
    near: bool = True,
    budget: Budget | None = None,
) -> tuple[Found, ...]:
    """Subjects of the types `against` that may be the same or belong to it, one each, the oldest first.

    Raises `ApplicationError` when too many large groups are being searched: the step rolls back and is retried in a
    moment.
    """
    inquiry = Inquiry.of(form, subject)
    try:
        return await detect(
            uow.connection, inquiry, against, now=uow.now, bounds=bounds, live_only=live_only, near=near, budget=budget
        )
    except Busy:
        raise ApplicationError("other groups are being looked for", type="Busy", next_retry_delay=AGAIN) from None

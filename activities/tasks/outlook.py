"""What the mail that confirms a submission says of the way ahead."""

from __future__ import annotations

from activities.tasks.context import Context
from domain.tasks.outlook import Ahead, expected_steps
from texts.mails.facts import StepAhead


def steps_ahead(context: Context, asks: Ahead) -> tuple[StepAhead, ...]:
    """Who will be asked, by name, and by when it is decided at the latest (N12)."""
    organisation = context.organisation
    expected = expected_steps(
        asks, organisation, context.policy, context.calendar, applicant=context.applicant, now=context.uow.now
    )
    return tuple(
        StepAhead(
            kind=step.kind,
            people=tuple(organisation.name_of(person) for person in step.people),
            due_at=step.due_at,
            provisional=step.provisional,
        )
        for step in expected
    )

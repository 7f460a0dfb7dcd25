"""A dispute over a project in one step (D1–D3)."""

from __future__ import annotations

from activities.context import Context
from activities.steps import DisputeOpened, OpenDisputeStep
from activities.transaction import Work
from domain.subject import SubjectType


class DisputeContext(Context):
    """One dispute in one step."""

    type = SubjectType.DISPUTE


async def open_dispute(work: Work, step: OpenDisputeStep) -> DisputeOpened:
    raise NotImplementedError

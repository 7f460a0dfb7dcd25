"""The route of the conflict check: who else is registered, before anything is submitted (N3, P4, A5)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request

from api.conflicts.models import ConflictCheck
from api.conflicts.views import check_conflicts
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.state import ConnectionDep, StateDep, ViewerDep
from api.views import Composer
from domain.access import may_check_conflicts
from domain.conflicts.draft import ConflictDraft
from domain.names import as_submitted
from domain.refusals import RefusalCode
from domain.tasks.task import Problem

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["conflicts"])


@router.post("/conflicts/check", response_model=ConflictCheck)
async def check(
    draft: Annotated[ConflictDraft, as_submitted],
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
) -> Any:
    """Check what is already registered for a customer, its related parties, an end user or a project, and why it may
    be the same.

    The check changes nothing, so it needs no `Idempotency-Key` and can be called while a user is typing: with whatever
    is filled in so far, and names of at least two characters. Matches that you may not see are masked. Shelved, ended,
    rejected and refused projects are ignored (P10).
    """
    if not may_check_conflicts(viewer.person):
        raise Refusal.forbidden(RefusalCode.MAY_NOT_CHECK)
    if draft.empty:
        raise Refusal(
            422, RefusalCode.FIELDS_WRONG, problems=[Problem(field="customer", rule="P4", key="nothing_to_check")]
        )
    return await check_conflicts(Composer(connection, state.facts, viewer, texts_for(request)), draft, state.clock())

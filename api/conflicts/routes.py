"""The conflict detection as a dry run: who else is registered, before anything is submitted (N3, P4, A5)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request

from api.composing import Composer
from api.conflicts.composing import check_conflicts
from api.models import ConflictCheck
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.state import ConnectionDep, StateDep, ViewerDep
from domain.access import may_check_conflicts
from domain.conflicts.draft import ConflictDraft
from domain.names import at_the_door
from domain.refusals import RefusalCode
from domain.tasks.task import Problem

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["conflicts"])


@router.post("/conflicts/check", response_model=ConflictCheck)
async def check(
    draft: Annotated[ConflictDraft, at_the_door],
    viewer: ViewerDep,
    state: StateDep,
    connection: ConnectionDep,
    request: Request,
) -> Any:
    """What is registered for a customer, its related parties, an end user or a project, and why it may be the same.

    Changes nothing, so it needs no `Idempotency-Key` and may be asked while somebody types: whatever is filled in so
    far, names from two characters. What the caller may not see is masked. Shelved, ended, rejected and refused projects
    take no part (P10).
    """
    if not may_check_conflicts(viewer.person):
        raise Refusal.forbidden(RefusalCode.MAY_NOT_CHECK)
    if draft.empty:
        raise Refusal(
            422, RefusalCode.FIELDS_WRONG, problems=[Problem(field="customer", rule="P4", key="nothing_to_check")]
        )
    return await check_conflicts(Composer(connection, state.facts, viewer, texts_for(request)), draft, state.clock())

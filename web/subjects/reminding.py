"""Reminding kindly whoever has a matter."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import RedirectResponse

from api.accounts.acts import application_to_act_on
from api.params import SubjectId
from api.projects.access import project_to_act_on
from api.state import StateDep
from api.tasks.reminding import remind_kindly
from web.session.guard import PostedDep

router = APIRouter(include_in_schema=False)

TaskId = Annotated[str, Path(max_length=64)]


@router.post("/applications/{subject_id}/remind/{task_id}")
async def remind_about_application(
    subject_id: SubjectId, task_id: TaskId, posted: PostedDep, state: StateDep
) -> Response:
    """Remind whoever is asked by a task of an application."""
    viewer = posted.session.viewer
    row = await application_to_act_on(state, viewer, subject_id)
    await remind_kindly(state, viewer, row, task_id)
    return RedirectResponse(f"/applications/{subject_id}?done=kindly", 303)


@router.post("/projects/{subject_id}/remind/{task_id}")
async def remind_about_project(subject_id: SubjectId, task_id: TaskId, posted: PostedDep, state: StateDep) -> Response:
    """Remind whoever is asked by a task of a project."""
    viewer = posted.session.viewer
    row = await project_to_act_on(state, viewer, subject_id)
    await remind_kindly(state, viewer, row, task_id)
    return RedirectResponse(f"/projects/{subject_id}?done=kindly", 303)

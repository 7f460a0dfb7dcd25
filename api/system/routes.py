"""Is it alive, is it ready, its figures; and the codec for the operators' Temporal UI."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from api.problems import PROBLEM_RESPONSES, Refusal
from api.state import StateDep, ViewerDep
from api.system.codec import CodecBody, recode
from crypto.codec import EncryptionCodec
from db import messages
from db.connection.engine import DatabaseUnavailable, transaction
from db.reads import lists
from domain.access import may_decode
from domain.refusals import RefusalCode
from workflows.messages import TASK_QUEUE

router = APIRouter(tags=["system"])


class Health(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """What the product needs, and whether each is there."""

    temporal: bool
    postgresql: bool
    worker: bool
    processes_standing: int = 0
    """Processes that have had nobody to ask for more than a minute where somebody is to be asked, or where they look
    something up and go on. The product answers, so this alone does not make it unready; look at the worker's log."""


@router.get("/healthz", response_model=Health)
async def healthz() -> Any:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(state: StateDep) -> Any:
    """Temporal, PostgreSQL, a worker polling."""
    temporal = worker = postgresql = False
    standing = 0
    try:
        described = await state.client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=state.client.namespace,
                task_queue=TaskQueue(name=TASK_QUEUE),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            ),
            timeout=timedelta(seconds=2),
        )
        temporal, worker = True, bool(described.pollers)
    except (RPCError, RuntimeError):
        pass
    try:
        async with transaction(state.engine) as connection:
            standing = await lists.processes_standing(connection, state.clock())
        postgresql = True
    except DatabaseUnavailable:
        pass
    ready = Readiness(temporal=temporal, postgresql=postgresql, worker=worker, processes_standing=standing)
    return JSONResponse(ready.model_dump(), 200 if temporal and worker and postgresql else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(state: StateDep) -> Any:
    """Prometheus figures of this process, and of what waits: the alert that catches every silent failure."""
    try:
        async with transaction(state.engine) as connection:
            waiting = await lists.waiting_now(connection, state.clock())
    except DatabaseUnavailable:
        waiting = {}
    figures = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in waiting.items())
    return PlainTextResponse(generate_latest().decode() + figures, media_type=CONTENT_TYPE_LATEST)


@router.post("/codec/{direction}", response_model=CodecBody, responses=PROBLEM_RESPONSES)
async def codec(
    direction: Literal["encode", "decode"], body: CodecBody, state: StateDep, viewer: ViewerDep, request: Request
) -> Any:
    """X2: what an authorised operator's Temporal UI needs to show encrypted histories. Every use is recorded."""
    if not may_decode(viewer.person):
        raise Refusal(403, RefusalCode.FORBIDDEN)
    async with transaction(state.engine) as connection:
        namespace = request.headers.get("x-namespace", "")[:100]
        await messages.note_reading(connection, viewer.person.id, "history", namespace, f"codec {direction}")
    return await recode(body, EncryptionCodec(state.settings.payload_keys), direction)

"""Routes for operators: health, readiness, metrics, and the codec of the Temporal UI."""

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
from db.connection.engine import DatabaseUnavailable, transaction
from db.readings import note_reading
from db.reads import lists
from domain.access import may_decode
from domain.refusals import RefusalCode
from workflows.messages import TASK_QUEUE

router = APIRouter(tags=["system"])


class Health(BaseModel):
    """The API process is running."""

    status: str


class Readiness(BaseModel):
    """Which of the required services are available."""

    temporal: bool
    postgresql: bool
    worker: bool
    processes_standing: int = 0
    """Processes that have had no open task for more than a minute, in a stage in which somebody should have one or in
    which they should proceed automatically. This alone does not make the product unready; see the worker's log."""


@router.get("/healthz", response_model=Health)
async def healthz() -> Any:
    """Check that the API process responds."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(state: StateDep) -> Any:
    """Check that Temporal and PostgreSQL are available and that a worker is polling."""
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
    """Prometheus metrics of this process and of everything that is waiting, for alerts on silent failures."""
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
    """Encode or decode payloads, so that an authorised operator's Temporal UI can show encrypted histories (X2).

    Every use is recorded.
    """
    if not may_decode(viewer.person):
        raise Refusal(403, RefusalCode.FORBIDDEN)
    async with transaction(state.engine) as connection:
        namespace = request.headers.get("x-namespace", "")[:100]
        await note_reading(connection, viewer.person.id, "history", namespace, through=f"codec {direction}")
    return await recode(body, EncryptionCodec(state.settings.payload_keys), direction)

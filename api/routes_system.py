"""Is it alive, is it ready, its figures; and the codec for the operators' Temporal UI."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from api.problems import PROBLEM_RESPONSES, Refusal
from api.state import StateDep, ViewerDep
from crypto.codec import EncryptionCodec
from db import messages
from db.engine import RecordAway, transaction
from domain.access import may_decode
from workflows.messages import TASK_QUEUE

router = APIRouter(tags=["system"])


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    """What the product needs, and whether each is there."""

    temporal: bool
    postgresql: bool
    worker: bool


@router.get("/healthz", response_model=Health)
async def healthz() -> Any:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(state: StateDep) -> Any:
    """Temporal, PostgreSQL, a worker polling."""
    temporal = worker = postgresql = False
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
        async with transaction(state.engine) as tx:
            await messages.alive(tx)
        postgresql = True
    except RecordAway:
        pass
    ready = Readiness(temporal=temporal, postgresql=postgresql, worker=worker)
    return JSONResponse(ready.model_dump(), 200 if temporal and worker and postgresql else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics() -> Any:
    """Prometheus figures of this process."""
    return PlainTextResponse(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class CodecPayload(BaseModel):
    """A payload as Temporal's UI writes it: protobuf JSON."""

    model_config = ConfigDict(extra="ignore")

    metadata: dict[str, str] = {}
    data: str = ""


class CodecBody(BaseModel):
    model_config = ConfigDict(extra="ignore")

    payloads: Annotated[list[CodecPayload], Field(max_length=2000)]


@router.post("/codec/{direction}", response_model=CodecBody, responses=PROBLEM_RESPONSES)
async def codec(direction: str, body: CodecBody, state: StateDep, viewer: ViewerDep, request: Request) -> Any:
    """X2: what an authorised operator's Temporal UI needs to show encrypted histories. Every use is recorded."""
    if direction not in ("encode", "decode"):
        raise Refusal(404, "not_found")
    if not may_decode(viewer.person):
        raise Refusal(403, "forbidden")
    async with transaction(state.engine) as tx:
        namespace = request.headers.get("x-namespace", "")[:100]
        await messages.note_reading(tx, viewer.person.id, "history", namespace, f"codec {direction}")
    coder = EncryptionCodec(state.settings.payload_keys)
    try:
        payloads = [
            Payload(
                metadata={name: base64.b64decode(value, validate=True) for name, value in payload.metadata.items()},
                data=base64.b64decode(payload.data, validate=True),
            )
            for payload in body.payloads
        ]
        done = await (coder.encode(payloads) if direction == "encode" else coder.decode(payloads))
    except ValueError:
        raise Refusal(422, "unreadable") from None
    return {
        "payloads": [
            {
                "metadata": {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
                "data": base64.b64encode(payload.data).decode(),
            }
            for payload in done
        ]
    }

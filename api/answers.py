"""Receipts as HTTP answers: 200 recorded, 202 stored, 409 or 422 with the reason."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from api.front_door import Caller
from api.problems import Refusal
from api.views import Result, Stored
from db.messages import Receipt
from domain.tasks import Problem
from texts.catalogue import Texts

STATUS_BY_CODE = {
    "not_asked": 403,
    "own_application": 403,
    "not_applicant": 403,
    "unknown_task": 404,
    "reason_required": 422,
    "special_reason_required": 422,
    "unknown_choice": 422,
    "unreadable": 422,
    "missing": 422,
    "extra_forbidden": 422,
    "string_type": 422,
    "E3": 422,
    "E2_legal_person": 422,
}
"""Everything else that refuses a statement is a matter of state: 409."""


def outcome(caller: Caller, receipt: Receipt | None, texts: Texts) -> Result | JSONResponse:
    """What to answer a message. Raises `Refusal` when it was refused, or when its key carried another body."""
    if receipt is None:
        stored = Stored(receipt=caller.message_id, detail=texts.text("receipt.stored"))
        return JSONResponse(stored.model_dump(mode="json", exclude_none=True), 202)
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, "idempotency_reused")
    if not receipt.accepted:
        raise refused(receipt.result)
    return Result(
        receipt=receipt.message_id,
        detail=texts.text("receipt.accepted"),
        task=receipt.result.get("task"),
        choice=receipt.result.get("choice"),
    )


def refused(result: dict[str, Any]) -> Refusal:
    """A refusal on record, as the problem it is."""
    code = str(result.get("code", "invalid"))
    facts = {name: value for name, value in result.items() if name not in ("status", "code", "problems")}
    problems = [Problem.model_validate(problem) for problem in result.get("problems", [])]
    return Refusal(STATUS_BY_CODE.get(code, 409), code, problems=problems, facts={"decided": facts} if facts else {})

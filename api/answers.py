"""Receipts as HTTP answers: 200 recorded, 202 stored, 409 or 422 with the reason."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from api.front_door import Caller
from api.problems import Refusal
from api.views import Result, Stored
from db.messages import Receipt
from domain.subject import SubjectType
from domain.tasks import Problem
from texts.catalogue import Texts

STATUS_BY_CODE = {
    "not_asked": 403,
    "own_application": 403,
    "not_applicant": 403,
    "only_commerce_gathers": 403,
    "not_salesperson_of_project": 403,
    "not_commerce_or_salesperson": 403,
    "not_commerce": 403,
    "not_party_of_dispute": 403,
    "may_not_call_meeting": 403,
    "only_commerce_moves_meeting": 403,
    "person_inactive": 403,
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
"""Everything else that refuses a statement is a matter of state, 409, unless it names wrong fields, 422."""

PROJECT_WORDS = {
    "own_application": "own_project",
    "task_withdrawn": "project_task_withdrawn",
    "round_superseded": "project_round_superseded",
    "stage_does_not_allow": "project_stage_does_not_allow",
}
"""Codes that are said in other words of a project or dispute than of an application."""
REVIEW_WORDS = {"task_withdrawn": "review_task_withdrawn"}
WORDS: dict[SubjectType, dict[str, str]] = {
    SubjectType.APPLICATION: {},
    SubjectType.PROJECT: PROJECT_WORDS,
    SubjectType.DISPUTE: PROJECT_WORDS,
    SubjectType.REVIEW: REVIEW_WORDS,
}


def outcome(
    caller: Caller, receipt: Receipt | None, texts: Texts, subject: SubjectType = SubjectType.APPLICATION
) -> Result | JSONResponse:
    """What to answer a message. Raises `Refusal` when it was refused, or when its key carried another body."""
    if receipt is None:
        return stored(caller, texts)
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, "idempotency_reused")
    if not receipt.accepted:
        raise refused(receipt.result, subject)
    return Result(
        receipt=receipt.message_id,
        detail=texts.text("receipt.accepted"),
        task=receipt.result.get("task"),
        choice=receipt.result.get("choice"),
        number=receipt.result.get("number"),
        next_events=receipt.result.get("next_events"),
        changed=receipt.result.get("changed"),
    )


def stored(caller: Caller, texts: Texts, **more: Any) -> JSONResponse:
    """202: the message is durable and not recorded yet."""
    answer = Stored(receipt=caller.message_id, detail=texts.text("receipt.stored"), **more)
    return JSONResponse(answer.model_dump(mode="json", exclude_none=True), 202)


def refused(result: dict[str, Any], subject: SubjectType = SubjectType.APPLICATION) -> Refusal:
    """A refusal on record, as the problem it is."""
    code = str(result.get("code", "invalid"))
    facts = {name: value for name, value in result.items() if name not in ("status", "code", "problems")}
    problems = [Problem.model_validate(problem) for problem in result.get("problems", [])]
    status = STATUS_BY_CODE.get(code, 422 if problems else 409)
    newer = {"newer_task": facts.pop("newer_task")} if "newer_task" in facts else {}  # D1: where the newest text is
    return Refusal(
        status,
        code,
        problems=problems,
        facts={**newer, **({"decided": facts} if facts else {})},
        words=WORDS[subject].get(code),
    )

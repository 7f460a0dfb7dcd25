"""Turns receipts into HTTP responses: 200 recorded, 202 stored, 403 to 422 with the reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

from fastapi.responses import JSONResponse

from api.gateway.gateway import Caller
from api.gateway.models import Result, Stored
from api.problems import Refusal
from db.messages import Receipt
from domain.refusals import RefusalCode, Refused
from domain.subject import SubjectType
from domain.tasks.judgements import HANDED_ON
from domain.tasks.task import Problem
from texts.catalogue import Texts
from texts.tasks.late import closed_sentence, who

STORED: dict[int | str, dict[str, Any]] = {202: {"model": Stored}}
"""The further response of every route that submits a statement."""

STATUS_BY_CODE: dict[str, int] = {
    RefusalCode.NOT_ASKED: 403,
    RefusalCode.DELEGATION_OVER: 403,
    RefusalCode.OWN_APPLICATION: 403,
    RefusalCode.NOT_APPLICANT: 403,
    RefusalCode.ONLY_COMMERCE_GATHERS: 403,
    RefusalCode.NOT_SALESPERSON_OF_PROJECT: 403,
    RefusalCode.NOT_COMMERCE_OR_SALESPERSON: 403,
    RefusalCode.NOT_COMMERCE: 403,
    RefusalCode.NOT_PARTY_OF_DISPUTE: 403,
    RefusalCode.MAY_NOT_CALL_MEETING: 403,
    RefusalCode.ONLY_COMMERCE_MOVES_MEETING: 403,
    RefusalCode.PERSON_INACTIVE: 403,
    RefusalCode.UNKNOWN_TASK: 404,
    "reason_required": 422,
    "special_reason_required": 422,
    "unknown_choice": 422,
    RefusalCode.UNREADABLE: 422,
    "missing": 422,
    "extra_forbidden": 422,
    "string_type": 422,
    "E3": 422,
    "E2_legal_person": 422,
}
"""Every other code is about the state of the subject, 409, unless it lists wrong fields, 422."""

_INTERNAL = frozenset({"status", "code", "problems", "task_kind"})

PROJECT_WORDS: dict[str, str] = {
    RefusalCode.OWN_APPLICATION: "own_project",
    RefusalCode.TASK_WITHDRAWN: "project_task_withdrawn",
    "round_superseded": "project_round_superseded",
    RefusalCode.STAGE_DOES_NOT_ALLOW: "project_stage_does_not_allow",
}
"""Codes whose text for a project or dispute differs from that for an application."""
REVIEW_WORDS: dict[str, str] = {RefusalCode.TASK_WITHDRAWN: "review_task_withdrawn"}
WORDS: dict[SubjectType, dict[str, str]] = {
    SubjectType.APPLICATION: {},
    SubjectType.PROJECT: PROJECT_WORDS,
    SubjectType.DISPUTE: PROJECT_WORDS,
    SubjectType.REVIEW: REVIEW_WORDS,
}


def outcome(
    caller: Caller, receipt: Receipt | None, texts: Texts, subject: SubjectType = SubjectType.APPLICATION
) -> Result | JSONResponse:
    """The response to a message. Raises `Refusal` when it was refused, or when its key was used with another body."""
    if receipt is None:
        return stored(caller, texts)
    refuse_unaccepted(caller, receipt, subject)
    return Result(
        receipt=receipt.message_id,
        detail=texts.text("receipt.accepted"),
        task=receipt.result.get("task"),
        choice=receipt.result.get("choice"),
        number=receipt.result.get("number"),
        next_events=receipt.result.get("next_events"),
        changed=receipt.result.get("changed"),
    )


def refuse_unaccepted(caller: Caller, receipt: Receipt, subject: SubjectType) -> None:
    """Raises `Refusal` for a message that was refused, or whose key was used with another body."""
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
    if not receipt.accepted:
        raise refused(receipt.result, subject)


def refusal_by(check: Callable[[], object], subject: SubjectType = SubjectType.APPLICATION) -> Refusal | None:
    """Why `check`, a judgement of the domain, refuses; None if it does not."""
    try:
        check()
    except Refused as error:
        return refused({"code": error.code, **error.facts}, subject)
    return None


def stored(caller: Caller, texts: Texts, **subject: Any) -> JSONResponse:
    """The 202 response: the message is durable and not recorded yet."""
    answer = Stored(receipt=caller.message_id, detail=texts.text("receipt.stored"), **subject)
    return JSONResponse(answer.model_dump(mode="json", exclude_none=True), 202)


def refused(result: dict[str, Any], subject: SubjectType = SubjectType.APPLICATION) -> Refusal:
    """The `Refusal` for a refusal on record."""
    code = str(result.get("code", RefusalCode.INVALID))
    facts = _facts(result)
    problems = [Problem.model_validate(problem) for problem in result.get("problems", [])]
    status = STATUS_BY_CODE.get(code, 422 if problems else 409)
    return Refusal(
        status,
        code,
        problems=problems,
        facts=facts,
        words=WORDS[subject].get(code),
        sentence=lambda texts, zone: _task_closed(result, facts, subject, texts, zone),
    )


def _facts(result: dict[str, Any]) -> dict[str, Any]:
    """The facts of a refusal besides its text. For a task: `decided` or `closed`, which older receipts do not wrap."""
    facts = {name: value for name, value in result.items() if name not in _INTERNAL and value is not None}
    if "closed_because" in facts:
        because = {"because": facts.pop("closed_because")}
        return {"closed": because | facts}
    return {"decided": facts} if "choice" in facts else facts


def _task_closed(
    result: dict[str, Any], facts: dict[str, Any], subject: SubjectType, texts: Texts, zone: tzinfo
) -> str:
    """How a task was closed, as text; empty when the record does not say."""
    decided, closed = facts.get("decided") or {}, facts.get("closed") or {}
    at = _moment((decided or closed).get("at"))
    by = str((decided or closed).get("by") or "")
    if decided and at and "task_kind" in result:
        key = f"decided.{result['task_kind']}.{decided['choice']}"
        person = who(texts, by, str(decided.get("on_behalf_of") or ""))
        words = texts.text("late.decided", person=person, moment=texts.moment(at, zone), choice=texts.label(key))
        return texts.sentences(words, _moved_on(closed, texts, zone))
    if not closed or at is None:
        return ""
    because = str(closed["because"])
    if because in (RefusalCode.DELEGATION_OVER, HANDED_ON):
        return texts.sentences(_moved_on(closed, texts, zone), texts.text("late.ask_commerce"))
    return closed_sentence(texts, zone, subject=subject, because=because, by=by, at=at)


def _moved_on(closed: dict[str, Any], texts: Texts, zone: tzinfo) -> str:
    """Since when the task has other assignees, and whose delegate the reader was."""
    at = _moment(closed.get("at"))
    if at is None:
        return ""
    person = str(closed.get("on_behalf_of") or "")
    return texts.text(f"late.{closed['because']}", person=person, moment=texts.moment(at, zone))


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None

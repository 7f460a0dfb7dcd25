"""Why the product refuses: one code for each reason, whoever gives it (API, page or record).

A code's text stands under `error.` in the catalogue. A code that carries out a rule of the regulation knows it. What is
wrong with a single field is no refusal but a `Problem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from domain.tasks.task import Problem


class RefusalCode(StrEnum):
    """The values are part of the contract: `code` in problem documents and receipts."""

    AGREEMENT_BINDS = "agreement_binds"
    AGREEMENT_OUTDATED = "agreement_outdated"
    AGREEMENT_SUPERSEDED = "agreement_superseded"
    ALREADY_ANSWERED = "already_answered"
    APPEAL_TOO_LATE = "appeal_too_late"
    APPEAL_USED = "appeal_used"
    CONFIRM_MISSING = "confirm_missing"
    CONTRACT_NOT_SIGNED = "contract_not_signed"
    CONTRACT_REVIEW_OPEN = "contract_review_open"
    CURSOR_INVALID = "cursor_invalid"
    DELEGATION_OVER = "delegation_over"
    DISPUTE_NOT_OPEN = "dispute_not_open"
    DOCUMENTS_AWAY = "documents_away"
    DOCUMENTS_OFF = "documents_off"
    DOCUMENTS_TOO_MANY = "documents_too_many"
    DOCUMENT_EMPTY = "document_empty"
    DOCUMENT_INFECTED = "document_infected"
    DOCUMENT_MISSING = "document_missing"
    DOCUMENT_NOT_ITS_TYPE = "document_not_its_type"
    DOCUMENT_TARGET_UNKNOWN = "document_target_unknown"
    DOCUMENT_TOO_LARGE = "document_too_large"
    DOCUMENT_TYPE_NOT_ALLOWED = "document_type_not_allowed"
    DUPLICATE = "duplicate"
    ENGINE_AWAY = "engine_away"
    FIELDS_WRONG = "fields_wrong"
    FORBIDDEN = "forbidden"
    HEADERS_TOO_LARGE = "headers_too_large"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_REUSED = "idempotency_reused"
    INVALID = "invalid"
    ISSUER_AWAY = "issuer_away"
    JSON_INVALID = "json_invalid"
    MAY_NOT_CALL_MEETING = "may_not_call_meeting"
    MAY_NOT_CHECK = "may_not_check"
    MAY_NOT_READ_REPORTS = "may_not_read_reports"
    MEETING_ALREADY_WANTED = "meeting_already_wanted"
    MEETING_NOT_CALLED = "meeting_not_called"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_APPLICANT = "not_applicant"
    NOT_ASKED = "not_asked"
    NOT_COMMERCE = "not_commerce"
    NOT_COMMERCE_OR_SALESPERSON = "not_commerce_or_salesperson"
    NOT_FOUND = "not_found"
    NOT_OPERATOR = "not_operator"
    NOT_PARTY_OF_DISPUTE = "not_party_of_dispute"
    NOT_SALESPERSON_OF_PROJECT = "not_salesperson_of_project"
    NOT_YOUR_DEPARTMENT = "not_your_department"
    NO_CLOCK = "no_clock"
    OBJECTION_TOO_LATE = "objection_too_late"
    OBJECTION_USED = "objection_used"
    ONLY_COMMERCE_GATHERS = "only_commerce_gathers"
    ONLY_COMMERCE_MOVES_MEETING = "only_commerce_moves_meeting"
    ONLY_SALESPEOPLE_APPLY = "only_salespeople_apply"
    ONLY_SALESPEOPLE_REGISTER = "only_salespeople_register"
    OWN_APPLICATION = "own_application"
    PERSON_INACTIVE = "person_inactive"
    PERSON_UNKNOWN = "person_unknown"
    PROCESS_OVER = "process_over"
    PROJECT_DECIDED = "project_decided"
    PROJECT_NOT_ACTIVE = "project_not_active"
    PROJECT_NOT_SHELVED = "project_not_shelved"
    PROJECT_STAGE_DOES_NOT_ALLOW = "project_stage_does_not_allow"
    REASSIGN_UNKNOWN = "reassign_unknown"
    REMINDED_ALREADY = "reminded_already"
    RECORD_AWAY = "record_away"
    REHEARSAL_OFF = "rehearsal_off"
    REPORT_HAS_NO_CHART = "report_has_no_chart"
    REPORT_KIND_UNKNOWN = "report_kind_unknown"
    REPORT_NOT_MADE = "report_not_made"
    RESUME_RUNNING = "resume_running"
    SCANNER_AWAY = "scanner_away"
    STAGE_DOES_NOT_ALLOW = "stage_does_not_allow"
    TASK_MISSED = "task_missed"
    TASK_WITHDRAWN = "task_withdrawn"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_INVALID = "token_invalid"
    TOKEN_MISSING = "token_missing"
    TOO_LARGE = "too_large"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_UPLOADS = "too_many_uploads"
    TOO_SLOW = "too_slow"
    UNKNOWN_TASK = "unknown_task"
    UNREADABLE = "unreadable"
    UNSEALED = "unsealed"

    @property
    def rule(self) -> str | None:
        """The rule that refuses, where there is one and it does not depend on what was asked for."""
        return _RULES.get(self)


_RULES: Final = {
    RefusalCode.AGREEMENT_BINDS: "D4",
    RefusalCode.AGREEMENT_OUTDATED: "D1",
    RefusalCode.AGREEMENT_SUPERSEDED: "D1",
    RefusalCode.APPEAL_TOO_LATE: "N10",
    RefusalCode.APPEAL_USED: "N10",
    RefusalCode.CONTRACT_NOT_SIGNED: "U7",
    RefusalCode.CONTRACT_REVIEW_OPEN: "U7",
    RefusalCode.DELEGATION_OVER: "N12",
    RefusalCode.DUPLICATE: "X3",
    RefusalCode.MAY_NOT_CALL_MEETING: "D2",
    RefusalCode.MAY_NOT_CHECK: "X2",
    RefusalCode.MAY_NOT_READ_REPORTS: "X2",
    RefusalCode.MEETING_ALREADY_WANTED: "D2",
    RefusalCode.MEETING_NOT_CALLED: "D5",
    RefusalCode.NOT_COMMERCE: "U7",
    RefusalCode.NOT_COMMERCE_OR_SALESPERSON: "U7",
    RefusalCode.NOT_PARTY_OF_DISPUTE: "D1",
    RefusalCode.NOT_YOUR_DEPARTMENT: "X2",
    RefusalCode.OBJECTION_TOO_LATE: "P8",
    RefusalCode.OBJECTION_USED: "P8",
    RefusalCode.ONLY_COMMERCE_GATHERS: "N15",
    RefusalCode.ONLY_COMMERCE_MOVES_MEETING: "D5",
    RefusalCode.ONLY_SALESPEOPLE_APPLY: "N1",
    RefusalCode.ONLY_SALESPEOPLE_REGISTER: "P1",
    RefusalCode.PROJECT_DECIDED: "D4",
    RefusalCode.PROJECT_NOT_SHELVED: "U6",
    RefusalCode.REASSIGN_UNKNOWN: "A4",
    RefusalCode.RESUME_RUNNING: "U6",
    RefusalCode.TASK_MISSED: "R6",
}


class Refused(Exception):
    """A statement is refused and changes nothing.

    `code`: a `RefusalCode`, or the text key of the first of its `problems`. `facts`: parameters of the text.
    """

    def __init__(self, code: str, *, problems: tuple[Problem, ...] = (), **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.facts = facts


def refuse_wrong(problems: Sequence[Problem]) -> None:
    """Raises `Refused` with every one of these, named after the first; without any, nothing is wrong."""
    if problems:
        raise Refused(problems[0].key, problems=tuple(problems))

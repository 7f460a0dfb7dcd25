"""Why the product refuses: one code for each reason, whoever says it (API, page or record).

A code's text stands under `error.` in the catalogue. What has a rule of the regulation behind it names it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from domain.tasks.task import Problem


class RefusalCode(StrEnum):
    """The value travels: it is `code` in a problem document and in receipts."""

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
    DISPUTE_NOT_OPEN = "dispute_not_open"
    ENGINE_AWAY = "engine_away"
    FIELDS_WRONG = "fields_wrong"
    FORBIDDEN = "forbidden"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_REUSED = "idempotency_reused"
    ISSUER_AWAY = "issuer_away"
    JSON_INVALID = "json_invalid"
    MAY_NOT_CALL_MEETING = "may_not_call_meeting"
    MAY_NOT_CHECK = "may_not_check"
    MAY_NOT_READ_REPORTS = "may_not_read_reports"
    MEETING_ALREADY_WANTED = "meeting_already_wanted"
    MEETING_NOT_CALLED = "meeting_not_called"
    NO_CLOCK = "no_clock"
    NOT_APPLICANT = "not_applicant"
    NOT_ASKED = "not_asked"
    NOT_COMMERCE = "not_commerce"
    NOT_COMMERCE_OR_SALESPERSON = "not_commerce_or_salesperson"
    NOT_FOUND = "not_found"
    NOT_OPERATOR = "not_operator"
    NOT_PARTY_OF_DISPUTE = "not_party_of_dispute"
    NOT_SALESPERSON_OF_PROJECT = "not_salesperson_of_project"
    NOT_YOUR_DEPARTMENT = "not_your_department"
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
    PROJECT_STAGE_DOES_NOT_ALLOW = "project_stage_does_not_allow"
    REASSIGN_UNKNOWN = "reassign_unknown"
    RECORD_AWAY = "record_away"
    REHEARSAL_OFF = "rehearsal_off"
    REPORT_HAS_NO_CHART = "report_has_no_chart"
    REPORT_KIND_UNKNOWN = "report_kind_unknown"
    REPORT_NOT_MADE = "report_not_made"
    STAGE_DOES_NOT_ALLOW = "stage_does_not_allow"
    TASK_WITHDRAWN = "task_withdrawn"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_INVALID = "token_invalid"
    TOKEN_MISSING = "token_missing"
    TOO_LARGE = "too_large"
    UNKNOWN_TASK = "unknown_task"
    UNREADABLE = "unreadable"
    UNSEALED = "unsealed"


class Refused(Exception):
    """A statement changes nothing.

    `code`: a `RefusalCode`, or the text key of the first of its `problems`. `facts` fill in the text.
    """

    def __init__(self, code: str, *, problems: tuple[Problem, ...] = (), **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.facts = facts

"""The notices the product sends: one list for every subject; each value also names the texts of its mail."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from domain.organisation import Person, Role


class Notice(StrEnum):
    """The reason for a mail. The value is stored with each mail and is part of the text keys under `mail.`."""

    TASK = "task"
    REMINDER = "reminder"
    ASKED_KINDLY = "asked_kindly"
    """Somebody who waits for the reader's answer reminds them."""
    STAND_IN = "stand_in"
    """The reader stands in for somebody who missed the deadline (N12)."""
    STAND_IN_ASKED = "stand_in_asked"
    """The reader missed the deadline, and a stand-in has been assigned (N12)."""
    TASK_WITHDRAWN = "task_withdrawn"
    DECIDED_FOR_YOU = "decided_for_you"
    """A delegate or stand-in decided on the reader's behalf."""
    SUBMITTED = "submitted"
    PROJECT_SUBMITTED = "project_submitted"
    RESUME_SUBMITTED = "resume_submitted"
    EARLIER_FOUND = "earlier_found"
    REJECTED = "rejected"
    APPEAL_FILED = "appeal_filed"
    ACTIVATED = "activated"
    WITHDRAWN = "withdrawn"
    CLOSED_REJECTED = "closed_rejected"
    REFUSED = "refused"
    REGISTERED_UNDER_ACCOUNT = "registered_under_account"
    CONFLICT_REFUSED = "conflict_refused"
    REFUSAL_UPHELD = "refusal_upheld"
    OBJECTION_LAPSED = "objection_lapsed"
    PROJECT_APPROVED = "project_approved"
    PROJECT_REJECTED = "project_rejected"
    RESUME_REJECTED = "resume_rejected"
    AGREED = "agreed"
    MEETING_WANTED = "meeting_wanted"
    MEETING_CALLED = "meeting_called"
    MEETING_MOVED = "meeting_moved"
    MEETING_CALLED_OFF = "meeting_called_off"
    MEETING_RECORDED = "meeting_recorded"
    SILENT_TWO_WEEKS = "silent_two_weeks"
    SILENT_ONE_MONTH = "silent_one_month"
    SHELVED = "shelved"
    STANDING_STILL = "standing_still"
    """U10."""
    SHELVED_STANDING = "shelved_standing"
    APPLICATION_STANDING_STILL = "application_standing_still"
    LAPSED = "lapsed"
    LOST = "lost"
    CONTRACT_SIGNED = "contract_signed"
    CONTRACT_SENT_BACK = "contract_sent_back"
    CONTRACT_CORRECTED = "contract_corrected"
    PROJECT_WITHDRAWN = "project_withdrawn"
    REASSIGNED = "reassigned"
    REVOKED = "revoked"
    """R5."""
    MISSED = "missed"
    """R6."""
    WEEKLY_DIGEST = "weekly_digest"
    FORECAST = "forecast"
    ACCOUNTS = "accounts"


APPLICATION_NOTICES: Final = (
    Notice.SUBMITTED,
    Notice.REJECTED,
    Notice.APPEAL_FILED,
    Notice.ACTIVATED,
    Notice.WITHDRAWN,
    Notice.CLOSED_REJECTED,
    Notice.REFUSED,
    Notice.APPLICATION_STANDING_STILL,
    Notice.LAPSED,
)
"""Notices about an application that require no action."""

PROJECT_NOTICES: Final = (
    Notice.PROJECT_SUBMITTED,
    Notice.RESUME_SUBMITTED,
    Notice.REGISTERED_UNDER_ACCOUNT,
    Notice.CONFLICT_REFUSED,
    Notice.REFUSAL_UPHELD,
    Notice.OBJECTION_LAPSED,
    Notice.PROJECT_APPROVED,
    Notice.PROJECT_REJECTED,
    Notice.RESUME_REJECTED,
    Notice.AGREED,
    Notice.MEETING_WANTED,
    Notice.MEETING_CALLED,
    Notice.MEETING_MOVED,
    Notice.MEETING_CALLED_OFF,
    Notice.MEETING_RECORDED,
    Notice.SILENT_TWO_WEEKS,
    Notice.SILENT_ONE_MONTH,
    Notice.SHELVED,
    Notice.STANDING_STILL,
    Notice.SHELVED_STANDING,
    Notice.LOST,
    Notice.CONTRACT_SIGNED,
    Notice.CONTRACT_SENT_BACK,
    Notice.CONTRACT_CORRECTED,
    Notice.PROJECT_WITHDRAWN,
    Notice.REASSIGNED,
)
"""Notices about a project or its disputes that require no action."""


class LinkedAct(StrEnum):
    """What a mail that is no task expects of its reader, by a personal link. The value is the last part of the act's
    address."""

    APPEAL = "appeal"
    OBJECT = "object"
    UPDATE = "update"
    CONTRACT = "contract"
    RESUME = "resume"
    MEETING = "meeting"


_OF_THE_OWNER: Final = {
    Notice.REJECTED: LinkedAct.APPEAL,
    Notice.CONFLICT_REFUSED: LinkedAct.OBJECT,
    Notice.SILENT_TWO_WEEKS: LinkedAct.UPDATE,
    Notice.SILENT_ONE_MONTH: LinkedAct.UPDATE,
    Notice.CONTRACT_SENT_BACK: LinkedAct.CONTRACT,
    Notice.SHELVED: LinkedAct.RESUME,
    Notice.SHELVED_STANDING: LinkedAct.RESUME,
}
_OF_WHO_MAY_STEP_IN: Final = {
    Notice.REGISTERED_UNDER_ACCOUNT: LinkedAct.MEETING,
    Notice.AGREED: LinkedAct.MEETING,
}


def linked_act(notice: Notice, reader: Person, *, owner: str, appealable: bool) -> LinkedAct | None:
    """What `notice` expects of its reader: of the one whose matter it is, N10, P8, U1, U6 and U7; of the VPs concerned
    and the general manager, who are told because they may step in between the sides, D2 and D4.

    `owner`: the id of the applicant or salesperson. `appealable`: whether a rejection may still be appealed (N10).
    """
    if reader.id != owner:
        return _OF_WHO_MAY_STEP_IN.get(notice) if reader.roles & {Role.VP, Role.GENERAL_MANAGER} else None
    act = _OF_THE_OWNER.get(notice)
    return None if act is LinkedAct.APPEAL and not appealable else act

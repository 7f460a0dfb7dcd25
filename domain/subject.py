"""The subject of a process: an application, a project registration, a dispute over one, or a review."""

from __future__ import annotations

from enum import StrEnum

from domain.base import Wire


class SubjectType(StrEnum):
    """What a process is about."""

    APPLICATION = "application"
    PROJECT = "project"
    DISPUTE = "dispute"
    """D1, D2: who does a project and how its performance is split."""
    REVIEW = "review"
    """R1–R4: a department's week, a VP's month, the company's half-year or year."""


class Subject(Wire):
    """Identifies the subject of a process."""

    type: SubjectType
    id: str


def path_of(type: str, subject_id: str) -> str:
    """The address of a subject: its page, and what mails link to. `type`: of a subject, or `account`."""
    return f"/{type}s/{subject_id}"


_STAGE_TEXTS = {
    SubjectType.APPLICATION: "stage",
    SubjectType.PROJECT: "project_stage",
    SubjectType.DISPUTE: "dispute_stage",
    SubjectType.REVIEW: "review_stage",
}


def stage_key(subject: SubjectType, stage: str) -> str:
    """The text key of a stage of such a subject."""
    return f"{_STAGE_TEXTS[subject]}.{stage}"

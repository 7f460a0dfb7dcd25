"""What a process is about: an application, a project registration, or a dispute over one."""

from __future__ import annotations

from enum import StrEnum

from domain.base import Wire


class SubjectType(StrEnum):
    APPLICATION = "application"
    PROJECT = "project"
    DISPUTE = "dispute"
    """D1, D2: who does a project and how its performance is split."""


class Subject(Wire):
    """The one subject of a process."""

    type: SubjectType
    id: str

"""Sentences for a late answer: who decided what and when, or why the task was closed (N9, N12, N13)."""

from __future__ import annotations

from datetime import datetime, tzinfo

from domain.subject import SubjectType
from texts.catalogue import Texts


def who(texts: Texts, by: str, on_behalf_of: str = "") -> str:
    """Who decided, and on whose behalf."""
    return texts.text("late.for", person=by, on_behalf_of=on_behalf_of) if on_behalf_of else by


def closed_sentence(
    texts: Texts, zone: tzinfo, *, subject: SubjectType, because: str, by: str, at: datetime | None
) -> str:
    """Why the task was closed, by whom and when; empty when the record does not give the reason."""
    why = _why(texts, subject, because, by)
    if not why or at is None:
        return ""
    return texts.text("late.closed", moment=texts.moment(at, zone), why=why)


def _why(texts: Texts, subject: SubjectType, because: str, by: str) -> str:
    of_project = subject in (SubjectType.PROJECT, SubjectType.DISPUTE)
    own = f"late.why.{'project' if of_project else subject}.{because}"
    if by and texts.has(own):
        return texts.text(own, person=by)
    stages = ("project_stage", "dispute_stage") if of_project else ("stage",)
    stage = next((texts.text(f"{name}.{because}") for name in stages if texts.has(f"{name}.{because}")), "")
    return texts.text("late.why.stage", stage=stage) if stage else ""

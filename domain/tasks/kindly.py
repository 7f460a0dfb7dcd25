"""Reminding somebody kindly: how often, and what the mail is called. It changes nothing of the process (N12)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.notices import Notice

COOL_DOWN: Final = timedelta(hours=24)
"""A task is reminded kindly once in this time, whoever asks for it."""


def next_possible(last: datetime | None, now: datetime) -> datetime | None:
    """From when on a task may be reminded again, `last` being the last time; None where it may be now."""
    again = last + COOL_DOWN if last else None
    return again if again and again > now else None


def mail_key(task_id: str, person: str, at: datetime) -> str:
    """The key of the mail: one for each reminder, task and person."""
    return f"{Notice.ASKED_KINDLY}:{task_id}:{person}:{at.isoformat()}"

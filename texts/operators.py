"""The summaries and details of processes in the Temporal UI, for operators: Chinese first, then English.

Names of colleagues appear, names of customers do not (X2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from domain.subject import SubjectType
from domain.tasks.task import Asked, DueStep, TaskKind
from texts.catalogue import Texts, catalogue

ZONE = ZoneInfo("Asia/Shanghai")
TEXTS = (Texts("zh"), Texts("en"))
catalogue()  # loaded now: a workflow may not open files
_MARKDOWN = str.maketrans({c: "\\" + c for c in "\\`*_{}[]()<>#+-!|"})


class ShownTask(Protocol):
    """The part of an open task that operators see."""

    @property
    def kind(self) -> TaskKind: ...
    @property
    def asked(self) -> tuple[Asked, ...]: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def next_step(self) -> DueStep: ...


def current_details(
    *,
    title: str,
    stage_key: str,
    since: datetime,
    updated_at: datetime | None,
    tasks: Sequence[ShownTask],
    next_moment: datetime | None,
    until: datetime | None,
    until_says: str,
    over: bool,
) -> str:
    """Markdown: the stage, the assignees and since when, what happens next and when."""
    parts = [f"### {title.translate(_MARKDOWN)}"]
    for texts in TEXTS:
        lines = [texts.text("operators.stage", stage=texts.text(stage_key), since=_moment(since))]
        if updated_at is not None:
            lines.append(texts.text("operators.last_update", at=_moment(updated_at)))
        for task in tasks:
            lines.append(
                texts.text(
                    "operators.waits_for",
                    task=texts.text(f"task.{task.kind}.title"),
                    people=texts.join([_person(asked, texts) for asked in task.asked]).translate(_MARKDOWN),
                    since=_moment(task.opened_at),
                    due=_moment(task.due_at),
                )
            )
            lines.append(
                texts.text(
                    "operators.next",
                    what=texts.text(f"operators.{task.next_step.action}"),
                    at=_moment(task.next_step.at),
                )
            )
        if until is not None:
            lines.append(texts.text(until_says, at=_moment(until)))
        if not tasks and next_moment is None:
            lines.append(texts.text("operators.over" if over else "operators.at_work"))
        parts.append("\n".join(f"- {line}" for line in lines))
    parts.insert(2, "---")
    return "\n\n".join(parts)


def period_details(period: str, opens_at: datetime) -> str:
    """Markdown: what a period's run does, and when."""
    lines = [texts.text("operators.period_waits", period=period, at=_moment(opens_at)) for texts in TEXTS]
    return "\n".join(f"- {line}" for line in lines)


def timer_summary(stage_key: str, tasks: Sequence[ShownTask], at: datetime, until_says: str) -> str:
    """The summary of a timer: what it is for and whom it concerns."""
    texts = TEXTS[0]
    for task in tasks:
        if task.next_step.at == at:
            what = texts.text(f"operators.{task.next_step.action}")
            return f"{what} · {texts.text(f'task.{task.kind}.title')} · {', '.join(a.person for a in task.asked)}"[:200]
    return texts.text(until_says, at=_moment(at)) if until_says else texts.text(stage_key)


def in_both_languages(key: str) -> str:
    """A text on one line, Chinese first: a summary in the Temporal UI has one line for all readers."""
    return " ".join(texts.text(key) for texts in TEXTS)


def static_summary(subject: SubjectType, subject_id: str, applicant: str, customer: str | None) -> str:
    """A process in the workflow list; names the customer only where the policy allows it (X2)."""
    kind = in_both_languages(f"operators.kind.{subject}")
    return " · ".join(part for part in (kind, subject_id, applicant, customer) if part)


def _moment(moment: datetime) -> str:
    # Plain, because Babel opens its locale files on first use.
    return f"{moment.astimezone(ZONE):%Y-%m-%d %H:%M}"


def _person(asked: Asked, texts: Texts) -> str:
    name = asked.name or asked.person
    return f"{name}（{texts.text(f'capacity.{asked.capacity}')}）" if asked.on_behalf_of else name

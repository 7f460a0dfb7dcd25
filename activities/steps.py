"""What the workflow hands to its activities and gets back: one frozen model per message."""

from __future__ import annotations

from datetime import datetime

from domain.application import Stage
from domain.base import Wire
from domain.named_account import Notice, Obstacle
from domain.statements import AnswerTask, AppealRejection, SubmitApplication, Withdraw
from domain.tasks import Ask, Asked, Decision, DueStep, TaskKind


class Step(Wire):
    """One step of one process. Its key says what it does, so that doing it twice is doing it once.

    Whose step it is comes from the engine (`activity.info()`), never from this message.
    """

    key: str
    now: datetime
    """The workflow's time; no activity asks the clock for a business date."""


class SubmitStep(Step):
    statement: SubmitApplication


class Submitted(Wire):
    accepted: bool
    application_id: str = ""
    title: str = ""
    """What operators may read of it (X2)."""
    source_patience_seconds: int = 600
    """How long a background source may stay silent before it is marked as not available (N5)."""


class GatherStep(Step):
    application_id: str
    round: int


class Gathered(Wire):
    """Empty answer of a gathering step; the evidence itself stays in the record."""

    ask_outside: bool = False
    """A source outside is plugged in and has to be asked (N4)."""


class OpenTask(Wire):
    """A task as its workflow needs to know it."""

    id: str
    kind: TaskKind
    slot: str = ""
    asked: tuple[Asked, ...]
    opened_at: datetime
    due_at: datetime
    next_step: DueStep
    chased: int = 0
    """How many of its due steps have been carried out."""


class MoveStep(Step):
    """Go to a stage: close what is open, open what is asked, tell who must be told."""

    application_id: str
    stage: Stage
    asks: tuple[Ask, ...] = ()
    notices: tuple[Notice, ...] = ()
    settles: tuple[str, ...] = ()
    """Messages whose consequences are visible once this step is recorded."""
    obstacle: Obstacle | None = None


class Moved(Wire):
    tasks: tuple[OpenTask, ...] = ()
    appeal_until: datetime | None = None
    """N10, when the application has just been rejected and may be appealed."""


class RecordAnswerStep(Step):
    application_id: str
    statement: AnswerTask


class RecordWithdrawalStep(Step):
    application_id: str
    statement: Withdraw


class RecordAppealStep(Step):
    application_id: str
    statement: AppealRejection


class Recorded(Wire):
    """What became of a statement."""

    accepted: bool
    code: str = ""
    decision: Decision | None = None
    round: int | None = None
    """The round the application is in now, when the statement began a new one."""


class ActivateStep(Step):
    application_id: str
    gm_decision: str | None = None
    """The task by which the general manager approved, if they did (N8, N10)."""
    settles: tuple[str, ...] = ()


class Activated(Wire):
    account_id: str | None = None
    obstacle: Obstacle | None = None


class ChaseStep(Step):
    """Carry out the next due step of an open task (N12)."""

    task_id: str


class RefreshStep(Step):
    """The organisation or the calendar changed: work out again who is asked and until when."""

    application_id: str


class Refreshed(Wire):
    tasks: tuple[OpenTask, ...]

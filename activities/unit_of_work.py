"""One step, one transaction (design principle 4): everything a step changes is recorded together or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity

from activities.steps import Step
from activities.under_way import UNDER_WAY
from crypto.keyring import Keyring
from crypto.seal import seal_head
from db import audit, messages
from db.connection.engine import autocommit, transaction
from db.reference_data import ReferenceData
from domain.base import Wire

R = TypeVar("R", bound=Wire)
T = TypeVar("T")

SYSTEM = "system"
"""The actor of what happens without a person."""


class UnitOfWork:
    """The unit of work of one step: its transaction, its time, and the events and mails it will record."""

    def __init__(self, connection: AsyncConnection, facts: ReferenceData, workflow_id: str, now: datetime) -> None:
        self.connection = connection
        self.facts = facts
        self.workflow_id = workflow_id
        self.now = now
        self.subject_id: str | None = None
        self.events: list[audit.Event] = []
        self.mails: list[messages.MailRow] = []

    def note(self, event: str, actor: str = SYSTEM, /, **body: Any) -> None:
        """Leave an event in the append-only record (X1)."""
        self.events.append(
            audit.Event(
                event=event,
                at=self.now,
                actor=actor,
                workflow_id=self.workflow_id,
                subject_id=self.subject_id,
                body=body,
            )
        )


class Recorder:
    """Runs steps idempotently: repeating a step returns its first result and changes nothing."""

    def __init__(self, engine: AsyncEngine, facts: ReferenceData, seal_keys: Keyring) -> None:
        self._engine = engine
        self._facts = facts
        self.seal_keys = seal_keys

    async def read(self, look: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Look something up on a connection that is given back before anything slow begins."""
        async with autocommit(self._engine) as connection:
            return await look(connection)

    async def once(self, step: Step, result: type[R], apply: Callable[[UnitOfWork], Awaitable[R]]) -> R:
        """Run `apply` in one transaction, unless the step with this key was done before.

        Raises what the database raises; the step is then retried and nothing of it has happened.
        """
        workflow_id = activity.info().workflow_id or ""
        with UNDER_WAY.attempt(workflow_id, step.key, type(step).__name__):
            return await self._once(workflow_id, step, result, apply)

    async def _once(
        self, workflow_id: str, step: Step, result: type[R], apply: Callable[[UnitOfWork], Awaitable[R]]
    ) -> R:
        try:
            return await self._attempt(workflow_id, step, apply)
        except Exception:
            # Done before, perhaps by another attempt while this one waited for its rows: then `keep_step` ran into the
            # first result, or `apply` into what the step had left behind. Of this attempt nothing has happened.
            async with autocommit(self._engine) as connection:
                done = await messages.step_done(connection, workflow_id, step.key)
            if done is None:
                raise
            return result.model_validate(done)

    async def _attempt(self, workflow_id: str, step: Step, apply: Callable[[UnitOfWork], Awaitable[R]]) -> R:
        async with transaction(self._engine) as connection:
            in_hand = UnitOfWork(connection, self._facts, workflow_id, step.now)
            outcome = await apply(in_hand)
            queued = await messages.keep_step(connection, workflow_id, step.key, outcome, in_hand.mails)
            if queued:
                in_hand.note("mails_queued", mails=list(queued))
            await audit.append(connection, in_hand.events, lambda seq, digest: seal_head(seq, digest, self.seal_keys))
        return outcome

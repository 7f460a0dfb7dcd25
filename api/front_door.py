"""Sending what people say to the processes, and reading what became of it (design principle 8)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.problems import Refusal, Unavailable
from crypto.keyring import Keyring
from crypto.seal import seal
from db import door, messages
from db.direct import Direct
from db.listen import Listener
from db.messages import Receipt
from domain.application import ApplicationForm, Stage
from domain.organisation import Person
from domain.statements import AnswerTask, AppealRejection, Statement, SubmitApplication, WithdrawApplication
from texts.operators import static_summary
from workflows.messages import APPLICANT, DEPARTMENT, STAGE, TASK_QUEUE, StartApplication, application_workflow_id
from workflows.named_account import NamedAccountApplication

RPC_TIMEOUT = timedelta(seconds=5)
ENGINE_SECONDS = 5.0
"""The client tries again by itself, each time with its own time-out; this is the limit of the whole."""
TASK_TIMEOUT = timedelta(seconds=5)
"""How long a worker killed at work keeps its process from the others."""
PATIENCE_SECONDS = 2.0
"""How long a caller waits to see the result before they get a receipt instead."""
POLL_SECONDS = 0.3
"""Until the first look without having been told; each further one takes twice as long."""


class Receipts:
    """Lets requests wait for what the worker records about their message."""

    def __init__(self, record: Direct, listener: Listener) -> None:
        self._record = record
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        listener.on(messages.RECEIPTS, self._heard)

    def _heard(self, message_id: str) -> None:
        # Nothing is named when the listener comes back: anything may have been said meanwhile.
        for heard in self._waiting.get(message_id, ()) if message_id else set().union(*self._waiting.values()):
            heard.set()

    async def find(self, message_id: str) -> Receipt | None:
        return await door.find_receipt(self._record, message_id)

    @contextlib.contextmanager
    def expecting(self, message_id: str) -> Iterator[asyncio.Event]:
        """What is set when the receipt is settled. Entered before the message is sent, so that nothing is missed."""
        heard = asyncio.Event()
        self._waiting[message_id].add(heard)
        try:
            yield heard
        finally:
            self._waiting[message_id].discard(heard)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    async def wait(self, message_id: str, heard: asyncio.Event) -> Receipt | None:
        """The receipt once it is settled; after the patience, whatever there is."""
        pause = POLL_SECONDS
        now = asyncio.get_running_loop().time
        deadline = now() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), min(pause, deadline - now()))
            heard.clear()
            receipt = await self.find(message_id)
            if (receipt and receipt.settled) or now() >= deadline:
                return receipt
            pause *= 2


class Caller:
    """One request by one person: the id of its message and the hash of its body."""

    def __init__(self, person: Person, *, route: str, key: str | None, body: bytes, channel: str) -> None:
        self.person = person
        self.channel = channel
        self.body_hash = hashlib.sha256(body).hexdigest()
        unique = key if key is not None else uuid.uuid4().hex
        self.message_id = hashlib.sha256("\0".join((person.id, route, unique)).encode()).hexdigest()[:40]


class FrontDoor:
    """Seals statements and signals them. It decides nothing."""

    def __init__(
        self, record: Direct, client: Client, seal_keys: Keyring, receipts: Receipts, clock: Callable[[], datetime]
    ) -> None:
        self._record = record
        self._client = client
        self._keys = seal_keys
        self._receipts = receipts
        self._clock = clock

    async def submit(
        self, caller: Caller, form: ApplicationForm, *, customer_shown: bool
    ) -> tuple[str, Receipt | None]:
        """Start the process of a new application (N1). Returns its id and, if recorded in time, the receipt."""
        application_id = caller.message_id[:16]
        workflow_id = application_workflow_id(application_id)
        with self._receipts.expecting(caller.message_id) as heard:
            known = await self._known(caller)
            if known:
                return application_id, known
            statement = SubmitApplication.model_validate(
                {**self._said(caller, workflow_id), "application_id": application_id, "form": form}
            )
            attributes = [
                SearchAttributePair(STAGE, Stage.EVIDENCE.value),
                SearchAttributePair(APPLICANT, caller.person.id),
            ]
            if caller.person.department:
                attributes.append(SearchAttributePair(DEPARTMENT, caller.person.department))
            sealed = seal(statement, self._keys)
            try:
                async with asyncio.timeout(ENGINE_SECONDS):
                    await self._client.start_workflow(
                        NamedAccountApplication.run,
                        StartApplication(submission=sealed),
                        id=workflow_id,
                        task_queue=TASK_QUEUE,
                        task_timeout=TASK_TIMEOUT,
                        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                        search_attributes=TypedSearchAttributes(attributes),
                        static_summary=static_summary(
                            application_id, caller.person.id, form.customer.name if customer_shown else None
                        ),
                        rpc_timeout=RPC_TIMEOUT,
                    )
            except WorkflowAlreadyStartedError:
                pass  # the same request, sent again
            except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: it was never reached since we began
                raise Unavailable("engine_away") from error
            return application_id, await self._receipts.wait(caller.message_id, heard)

    async def answer(
        self,
        caller: Caller,
        workflow_id: str,
        task_id: str,
        *,
        choice: str,
        reason: str,
        fields: Mapping[str, JsonValue],
    ) -> Receipt | None:
        """Answer a task. None: stored, not yet recorded."""
        statement = AnswerTask.model_validate(
            {
                **self._said(caller, workflow_id),
                "task_id": task_id,
                "choice": choice,
                "reason": reason,
                "fields": dict(fields),
            }
        )
        if statement.unreadable:
            raise Refusal(422, "unreadable")
        return await self._say(caller, statement, NamedAccountApplication.answer_task)

    async def withdraw(self, caller: Caller, workflow_id: str, reason: str) -> Receipt | None:
        """N13."""
        statement = WithdrawApplication.model_validate({**self._said(caller, workflow_id), "reason": reason})
        return await self._say(caller, statement, NamedAccountApplication.withdraw)

    async def appeal(self, caller: Caller, workflow_id: str, reason: str) -> Receipt | None:
        """N10."""
        statement = AppealRejection.model_validate({**self._said(caller, workflow_id), "reason": reason})
        return await self._say(caller, statement, NamedAccountApplication.appeal)

    def _said(self, caller: Caller, workflow_id: str) -> dict[str, object]:
        return {
            "message_id": caller.message_id,
            "workflow_id": workflow_id,
            "person": caller.person.id,
            "said_at": self._clock().astimezone(UTC),
            "channel": caller.channel,
            "body_hash": caller.body_hash,
        }

    async def _known(self, caller: Caller) -> Receipt | None:
        """Bind key and body before anything is sent. Raises `Refusal` when the key carried another body."""
        bound = await door.claim(self._record, caller.message_id, caller.person.id, caller.body_hash)
        if bound.body_hash != caller.body_hash:
            raise Refusal(422, "idempotency_reused")
        return bound.receipt

    async def _say(self, caller: Caller, statement: Statement, signal: Callable[..., None]) -> Receipt | None:
        with self._receipts.expecting(caller.message_id) as heard:
            known = await self._known(caller)
            if known:
                return known
            handle: WorkflowHandle[object, object] = self._client.get_workflow_handle(statement.workflow_id)
            sealed = seal(statement, self._keys)
            try:
                async with asyncio.timeout(ENGINE_SECONDS):
                    await handle.signal(signal, sealed, rpc_timeout=RPC_TIMEOUT)
            except (RuntimeError, TimeoutError) as error:
                raise Unavailable("engine_away") from error
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    ended_by_this = await self._receipts.find(caller.message_id)
                    if ended_by_this:  # the same request, sent before and recorded since we looked
                        return ended_by_this
                    raise Refusal(409, "process_over") from error
                raise Unavailable("engine_away") from error
            return await self._receipts.wait(caller.message_id, heard)

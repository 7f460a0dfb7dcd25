"""Signals statements to the processes and reads the results from the record (design principle 8)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

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
from db import messages
from db.connection import channels
from db.connection.engine import AsyncEngine, autocommit
from db.connection.listen import Listener
from db.messages import Receipt
from db.reads import gateway_reads
from domain.accounts.application import ApplicationForm, Stage
from domain.base import Wire
from domain.organisation import Person
from domain.projects.project import ContractCorrection, ProjectForm, ProjectStage, Resumption
from domain.refusals import RefusalCode
from domain.statements import (
    AnswerTask,
    AppealRejection,
    CallForMeeting,
    CallOffMeeting,
    CorrectContract,
    GatherEvidence,
    MoveMeeting,
    ObjectToRefusal,
    ReceiveContract,
    RegisterProject,
    ReportLoss,
    Statement,
    SubmitApplication,
    UpdateProject,
    Withdraw,
)
from domain.subject import SubjectType
from texts.operators import static_summary
from workflows.messages import (
    APPLICANT,
    DEPARTMENT,
    STAGE,
    TASK_QUEUE,
    StartApplication,
    StartCorrection,
    StartProject,
    application_workflow_id,
    correction_workflow_id,
    project_workflow_id,
)

S = TypeVar("S", bound=Statement)

APPLICATION_PROCESS, PROJECT_PROCESS = "NamedAccountApplication", "ProjectRegistration"
CORRECTION_PROCESS = "ContractCorrection"
"""Workflow type names, as the worker registers them."""
SIGNALS: Mapping[type[Statement], str] = {
    AnswerTask: "answer_task",
    AppealRejection: "appeal",
    CallForMeeting: "call_for_meeting",
    CallOffMeeting: "call_off_meeting",
    GatherEvidence: "gather_evidence",
    MoveMeeting: "move_meeting",
    ObjectToRefusal: "object_to_refusal",
    ReceiveContract: "receive_contract",
    ReportLoss: "report_loss",
    UpdateProject: "update",
    Withdraw: "withdraw",
}
"""The signal that carries each statement to a running process."""
RPC_TIMEOUT = timedelta(seconds=5)
ENGINE_SECONDS = 5.0
"""The client retries, each attempt with its own time-out; this limits all attempts together."""
TASK_TIMEOUT = timedelta(seconds=5)
"""How long a process waits for another worker after its worker was killed."""
PATIENCE_SECONDS = 2.0
"""How long a request waits for the result before it is answered with a receipt."""
POLL_SECONDS = 0.3
"""Until the first look without a notification; each further interval is twice as long."""


class Receipts:
    """Lets requests wait until the worker has recorded their message."""

    def __init__(self, engine: AsyncEngine, listener: Listener) -> None:
        self._engine = engine
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        listener.on(channels.RECEIPTS, self._settle)

    def _settle(self, message_id: str) -> None:
        # An empty id means that the listener has reconnected: any notification may have been missed.
        for settled in self._waiting.get(message_id, ()) if message_id else set().union(*self._waiting.values()):
            settled.set()

    async def find(self, message_id: str) -> Receipt | None:
        """The receipt of a message, if it is on record."""
        async with autocommit(self._engine) as connection:
            return await messages.find_receipt(connection, message_id)

    @contextlib.contextmanager
    def expecting(self, message_id: str) -> Iterator[asyncio.Event]:
        """An event set when the receipt is settled. Enter before sending, so that no notification is missed."""
        settled = asyncio.Event()
        self._waiting[message_id].add(settled)
        try:
            yield settled
        finally:
            self._waiting[message_id].discard(settled)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    async def wait(self, message_id: str, settled: asyncio.Event) -> Receipt | None:
        """The receipt once it is settled; after `PATIENCE_SECONDS`, whatever is on record."""
        pause = POLL_SECONDS
        now = asyncio.get_running_loop().time
        deadline = now() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, deadline - now())):
                    await settled.wait()
            settled.clear()
            receipt = await self.find(message_id)
            if (receipt and receipt.settled) or now() >= deadline:
                return receipt
            pause *= 2


class Caller:
    """Who makes a request, with the id of their message and the hash of its body."""

    def __init__(self, person: Person, *, route: str, key: str | None, body: bytes, channel: str) -> None:
        self.person = person
        self.channel = channel
        self.body_hash = hashlib.sha256(body).hexdigest()
        unique = key if key is not None else uuid.uuid4().hex
        self.message_id = hashlib.sha256("\0".join((person.id, route, unique)).encode()).hexdigest()[:40]


class SignalGateway:
    """Seals statements and signals them to the processes. Contains no business rules."""

    def __init__(
        self, engine: AsyncEngine, client: Client, seal_keys: Keyring, receipts: Receipts, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._client = client
        self._keys = seal_keys
        self._receipts = receipts
        self._clock = clock

    async def start_application(
        self, caller: Caller, form: ApplicationForm, *, customer_shown: bool
    ) -> tuple[str, Receipt | None]:
        """Start the process of a new application (N1). Returns its id, and the receipt if recorded in time."""
        application_id = caller.message_id[:16]
        receipt = await self._start(
            caller,
            APPLICATION_PROCESS,
            application_workflow_id(application_id),
            lambda statement: StartApplication(submission=statement),
            SubmitApplication,
            stage=Stage.EVIDENCE.value,
            summary=static_summary(
                SubjectType.APPLICATION,
                application_id,
                caller.person.id,
                form.customer.name if customer_shown else None,
            ),
            application_id=application_id,
            form=form,
        )
        return application_id, receipt

    async def start_registration(
        self,
        caller: Caller,
        form: ProjectForm,
        *,
        customer_shown: bool,
        resumes: str | None = None,
        resumption: Resumption | None = None,
    ) -> tuple[str, Receipt | None]:
        """Start the process of a registration (P1, P4), or of one that resumes a shelved project (U6).

        Returns its id, and the receipt if recorded in time.
        """
        project_id = caller.message_id[:16]
        receipt = await self._start(
            caller,
            PROJECT_PROCESS,
            project_workflow_id(project_id),
            lambda statement: StartProject(registration=statement),
            RegisterProject,
            stage=(ProjectStage.RESUME_REVIEW if resumes else ProjectStage.ROUTING).value,
            summary=static_summary(
                SubjectType.PROJECT, project_id, caller.person.id, form.customer.name if customer_shown else None
            ),
            project_id=project_id,
            form=form,
            resumes=resumes,
            resumption=resumption,
        )
        return project_id, receipt

    async def start_correction(self, caller: Caller, project_id: str, correction: ContractCorrection) -> Receipt | None:
        """Start the process that corrects a signed contract (U7); the project's own process has ended."""
        return await self._start(
            caller,
            CORRECTION_PROCESS,
            correction_workflow_id(caller.message_id),
            lambda statement: StartCorrection(correction=statement),
            CorrectContract,
            stage=ProjectStage.CONTRACT_SIGNED.value,
            summary=static_summary(SubjectType.PROJECT, project_id, caller.person.id, None),
            project_id=project_id,
            correction=correction,
        )

    async def submit(
        self, caller: Caller, statement_type: type[Statement], workflow_id: str, **fields: object
    ) -> Receipt | None:
        """Submit a statement of this type to a running process. None: stored, not yet recorded.

        Raises `Refusal` 422 for a statement that no process could read, 409 when the process has ended; `Unavailable`.
        """
        statement = statement_type.model_validate({**self._envelope(caller, workflow_id), **fields})
        if statement.unreadable:
            raise Refusal(422, RefusalCode.UNREADABLE)
        return await self._signal(caller, statement)

    async def earlier_receipt(self, caller: Caller) -> Receipt | None:
        """The receipt of an earlier request with this key and body. Raises `Refusal` 422 when the body differs."""
        receipt = await self._receipts.find(caller.message_id)
        if receipt and receipt.body_hash != caller.body_hash:
            raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
        return receipt

    def _envelope(self, caller: Caller, workflow_id: str) -> dict[str, object]:
        """The fields that every statement has."""
        return {
            "message_id": caller.message_id,
            "workflow_id": workflow_id,
            "person": caller.person.id,
            "said_at": self._clock().astimezone(UTC),
            "channel": caller.channel,
            "body_hash": caller.body_hash,
        }

    async def _bind(self, caller: Caller) -> Receipt | None:
        """Bind key and body before anything is sent. Returns the receipt if this message is already on record.

        Raises `Refusal` 422 when the key was used with another body.
        """
        message_id, body_hash = caller.message_id, caller.body_hash
        async with autocommit(self._engine) as connection:
            bound = await gateway_reads.bind_message(connection, message_id, caller.person.id, body_hash)
            if bound != body_hash:
                raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
            return await messages.find_receipt(connection, message_id)

    async def _start(
        self,
        caller: Caller,
        process: str,
        workflow_id: str,
        starting: Callable[[S], Wire],
        kind: type[S],
        *,
        stage: str,
        summary: str,
        **fields: object,
    ) -> Receipt | None:
        """Start a process with the statement that begins it; exactly once, even if the request is repeated."""
        with self._receipts.expecting(caller.message_id) as settled:
            earlier = await self._bind(caller)
            if earlier:
                return earlier
            sealed = seal(kind.model_validate({**self._envelope(caller, workflow_id), **fields}), self._keys)
            attributes = [SearchAttributePair(STAGE, stage), SearchAttributePair(APPLICANT, caller.person.id)]
            if caller.person.department:
                attributes.append(SearchAttributePair(DEPARTMENT, caller.person.department))
            try:
                async with asyncio.timeout(ENGINE_SECONDS):
                    await self._client.start_workflow(
                        process,
                        starting(sealed),
                        id=workflow_id,
                        task_queue=TASK_QUEUE,
                        task_timeout=TASK_TIMEOUT,
                        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                        search_attributes=TypedSearchAttributes(attributes),
                        static_summary=summary,
                        rpc_timeout=RPC_TIMEOUT,
                    )
            except WorkflowAlreadyStartedError:
                pass  # a repetition of the same request
            except (RPCError, RuntimeError, TimeoutError) as error:  # RuntimeError: never reached since start-up
                raise Unavailable(RefusalCode.ENGINE_AWAY) from error
            return await self._receipts.wait(caller.message_id, settled)

    async def _signal(self, caller: Caller, statement: Statement) -> Receipt | None:
        with self._receipts.expecting(caller.message_id) as settled:
            earlier = await self._bind(caller)
            if earlier:
                return earlier
            handle: WorkflowHandle[object, object] = self._client.get_workflow_handle(statement.workflow_id)
            sealed = seal(statement, self._keys)
            try:
                async with asyncio.timeout(ENGINE_SECONDS):
                    await handle.signal(SIGNALS[type(statement)], sealed, rpc_timeout=RPC_TIMEOUT)
            except (RuntimeError, TimeoutError) as error:
                raise Unavailable(RefusalCode.ENGINE_AWAY) from error
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    ended_by_this = await self._receipts.find(caller.message_id)
                    if ended_by_this:  # an earlier attempt of this request, recorded meanwhile
                        return ended_by_this
                    async with autocommit(self._engine) as connection:
                        disputed = await gateway_reads.dispute_is_open(connection, statement.workflow_id)
                    if disputed:  # between two runs of its registration's process
                        raise Unavailable(RefusalCode.ENGINE_AWAY) from error
                    words = "project_over" if statement.workflow_id.startswith(("project-", "dispute-")) else None
                    raise Refusal(409, RefusalCode.PROCESS_OVER, words=words) from error
                raise Unavailable(RefusalCode.ENGINE_AWAY) from error
            return await self._receipts.wait(caller.message_id, settled)

"""What people do with an application: for the API and for the pages (N10, N13, N15)."""

from __future__ import annotations

from enum import StrEnum

from api.gateway.gateway import Caller
from api.gateway.receipts import refusal_by
from api.problems import Refusal
from api.state import State, Viewer
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection, autocommit
from db.messages import Receipt
from db.readings import note_reading
from db.reads import detail_reads
from domain.access import may_appeal, may_gather_evidence, may_withdraw, scope_of
from domain.accounts.judgements import allow_appeal, allow_gathering, allow_withdrawal
from domain.refusals import RefusalCode
from domain.statements import AppealRejection, GatherEvidence, Withdraw


class ApplicationAct(StrEnum):
    """The acts; the value is the last part of an act's address."""

    APPEAL = "appeal"
    EVIDENCE = "evidence"
    WITHDRAW = "withdraw"


async def seen_application(
    connection: AsyncConnection, viewer: Viewer, application_id: str, through: str
) -> ApplicationRow:
    """The application if the viewer may see it; the reading is recorded (X2). Raises `Refusal` 404 otherwise."""
    scope = scope_of(viewer.person, viewer.organisation)
    row = await detail_reads.application_seen(connection, scope, application_id)
    if row is None:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    await note_reading(connection, viewer.person.id, "application", row.id, through=through)
    return row


async def application_to_act_on(state: State, viewer: Viewer, application_id: str) -> ApplicationRow:
    """`seen_application`, on a connection of its own, so that none is held while a process is signalled."""
    async with autocommit(state.engine) as connection:
        return await seen_application(connection, viewer, application_id, "api")


def acts_of(row: ApplicationRow, viewer: Viewer, state: State) -> dict[ApplicationAct, Refusal | None]:
    """The acts that are the viewer's to do, each with why it cannot be done now."""
    person, facts, now = viewer.person, row.statement_facts, state.clock()
    mine = {
        ApplicationAct.APPEAL: may_appeal(person, row.applicant),
        ApplicationAct.WITHDRAW: may_withdraw(person, row.applicant),
        ApplicationAct.EVIDENCE: may_gather_evidence(person),
    }
    checks = {
        ApplicationAct.APPEAL: lambda: allow_appeal(facts, person.id, said_at=now, now=now),
        ApplicationAct.WITHDRAW: lambda: allow_withdrawal(facts, person.id),
        ApplicationAct.EVIDENCE: lambda: allow_gathering(facts, person),
    }
    return {act: refusal_by(check) for act, check in checks.items() if mine[act]}


async def withdraw(state: State, viewer: Viewer, caller: Caller, application_id: str, reason: str) -> Receipt | None:
    """N13: only the applicant may, at any time before activation."""
    row = await application_to_act_on(state, viewer, application_id)
    if not may_withdraw(viewer.person, row.applicant):
        raise Refusal(403, RefusalCode.NOT_APPLICANT, rule="N13")
    return await state.gateway.submit(caller, Withdraw, row.workflow_id, reason=reason)


async def appeal(state: State, viewer: Viewer, caller: Caller, application_id: str, reason: str) -> Receipt | None:
    """N10: only the applicant may, to the general manager."""
    row = await application_to_act_on(state, viewer, application_id)
    if not may_appeal(viewer.person, row.applicant):
        raise Refusal(403, RefusalCode.NOT_APPLICANT, rule="N10")
    return await state.gateway.submit(caller, AppealRejection, row.workflow_id, reason=reason)


async def gather_evidence(state: State, viewer: Viewer, caller: Caller, application_id: str) -> Receipt | None:
    """N15: only commerce may."""
    row = await application_to_act_on(state, viewer, application_id)
    if not may_gather_evidence(viewer.person):
        raise Refusal.forbidden(RefusalCode.ONLY_COMMERCE_GATHERS)
    return await state.gateway.submit(caller, GatherEvidence, row.workflow_id)

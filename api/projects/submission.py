"""Registers a project: the same for programs and for people (P1, P3, P4, U6)."""

from __future__ import annotations

from api.gateway.gateway import Caller
from api.gateway.receipts import refused
from api.problems import Refusal
from api.state import State
from db.messages import Receipt
from db.projects.projects import ProjectRow
from domain.access import may_register
from domain.organisation import Person
from domain.projects.project import ProjectForm, Resumption
from domain.refusals import RefusalCode
from domain.subject import SubjectType


async def register_form(state: State, person: Person, caller: Caller, form: ProjectForm) -> tuple[str, Receipt | None]:
    """Start the process of a registration. Returns its id, and the receipt unless it is stored only.

    Raises `Refusal` 403 for anybody but a salesperson, and for what the record refuses; `Unavailable`.
    """
    if not may_register(person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_REGISTER)
    named = state.facts.policy.privacy.customer_name_in_engine
    project_id, receipt = await state.gateway.start_registration(caller, form, customer_shown=named)
    return project_id, accepted_registration(caller, receipt)


async def resume_form(
    state: State, caller: Caller, row: ProjectRow, resumption: Resumption
) -> tuple[str, Receipt | None]:
    """Start the registration that resumes a shelved project (U6). As `register_form`."""
    named = state.facts.policy.privacy.customer_name_in_engine
    new_id, receipt = await state.gateway.start_registration(
        caller, row.form, customer_shown=named, resumes=row.id, resumption=resumption
    )
    return new_id, accepted_registration(caller, receipt)


def accepted_registration(caller: Caller, receipt: Receipt | None) -> Receipt | None:
    """The receipt of a registration that was accepted; None when it is stored only. Raises `Refusal`."""
    if receipt is None:
        return None
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
    if not receipt.accepted:
        raise refused(receipt.result, SubjectType.PROJECT)
    return receipt

"""Registers a project: the same for programs and for people (P1, P3, P4, U6)."""

from __future__ import annotations

from api.gateway.gateway import Caller
from api.gateway.receipts import refuse_unaccepted
from api.problems import Refusal
from api.state import State
from db.messages import Receipt
from domain.access import may_register
from domain.organisation import Person
from domain.projects.project import ProjectForm
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
    if receipt is not None:
        refuse_unaccepted(caller, receipt, SubjectType.PROJECT)
    return project_id, receipt

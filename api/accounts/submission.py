"""Submits an application for a Named Account: the same for programs and for people (N1)."""

from __future__ import annotations

from api.gateway.gateway import Caller
from api.problems import Refusal
from api.state import State
from db.messages import Receipt
from domain.access import may_apply
from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import refusal_problems
from domain.organisation import Person
from domain.refusals import RefusalCode


async def submit_form(
    state: State, person: Person, caller: Caller, form: ApplicationForm
) -> tuple[str, Receipt | None]:
    """Start the process of an application. Returns its id, and the receipt unless it is stored only.

    Raises `Refusal` 403 for anybody but a salesperson, 422 with the fields by which E2 or E3 refuse it; `Unavailable`.
    """
    if not may_apply(person):
        raise Refusal.forbidden(RefusalCode.ONLY_SALESPEOPLE_APPLY)
    named = state.facts.policy.privacy.customer_name_in_engine
    application_id, receipt = await state.gateway.start_application(caller, form, customer_shown=named)
    if receipt is None:
        return application_id, None
    if receipt.body_hash != caller.body_hash:
        raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
    if not receipt.accepted:
        if not receipt.result["rules"]:  # the applicant has become inactive meanwhile
            raise Refusal(403, RefusalCode.PERSON_INACTIVE)
        raise Refusal(422, RefusalCode.FIELDS_WRONG, problems=refusal_problems(receipt.result["rules"]))
    return application_id, receipt

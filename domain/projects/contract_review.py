"""The contract review application: who hands it in, what commerce records of it, how an amount is corrected (U7).

Pure. A contract on record is a document: what commerce received, and under `corrections` every amount it replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from domain.projects.project import ContractCorrection, ContractReview
from domain.tasks.task import FieldKind, FieldSpec, Problem

CONTRACT_FIELDS = (
    FieldSpec(name="number", required=True),
    FieldSpec(name="amount", kind=FieldKind.MONEY, required=True),
    FieldSpec(name="signed_on", kind=FieldKind.DATE),
    FieldSpec(name="received_on", kind=FieldKind.DATE),
)
"""What commerce says when the application was received; left empty, it was received on the day it says so."""
RULE = "U7"


def received(fields: Mapping[str, JsonValue]) -> ContractReview:
    """The contract that an answer `received` records. Raises `pydantic.ValidationError`."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return ContractReview.model_validate(given)


def application_problems(contract: ContractReview, *, today: date) -> tuple[Problem, ...]:
    """What is wrong with an application that the salesperson hands in by `today`, the day in the business time zone."""
    problems = _amount_problems("amount", contract.amount)
    if contract.signed_on and contract.signed_on > today:
        limit = {"today": today.isoformat()}
        problems += (Problem(field="signed_on", rule=RULE, key="signed_later_than_today", params=limit),)
    return problems


def receipt_problems(
    contract: ContractReview, *, today: date, number_field: str = "contract_number", prefix: str = ""
) -> tuple[Problem, ...]:
    """Everything wrong with what commerce records: number and positive amount; received by `today`, not before it was
    signed. `today` is the day in the business time zone."""
    problems = []
    if not contract.contract_number:
        problems.append(Problem(field=f"{prefix}{number_field}", rule=RULE, key="missing"))
    problems += _amount_problems(f"{prefix}amount", contract.amount)
    received_on = contract.received_on or today
    if received_on > today:
        limit = {"today": today.isoformat()}
        problems.append(Problem(field=f"{prefix}received_on", rule=RULE, key="received_later_than_today", params=limit))
    if contract.signed_on and contract.signed_on > received_on:
        limit = {"received_on": received_on.isoformat()}
        problems.append(Problem(field=f"{prefix}signed_on", rule=RULE, key="signed_after_received", params=limit))
    return tuple(problems)


def correction_problems(correction: ContractCorrection, *, amount: Decimal) -> tuple[Problem, ...]:
    """What is wrong with a correction of `amount`: it is positive, and another one."""
    problems = _amount_problems("amount", correction.amount)
    if not problems and correction.amount == amount:
        return (Problem(field="amount", rule=RULE, key="same_amount", params={"amount": f"{amount:,.2f}"}),)
    return problems


def on_record(contract: ContractReview, *, today: date, by: str, at: str) -> dict[str, Any]:
    """What is kept of a contract that commerce has received."""
    dated = contract.model_copy(update={"received_on": contract.received_on or today})
    return {**dated.model_dump(mode="json"), "by": by, "at": at}


def corrected(contract: Mapping[str, Any], correction: ContractCorrection, *, by: str, at: str) -> dict[str, Any]:
    """The contract with its new amount; the old one stays under `corrections`, with who changed it, when and why."""
    amount = f"{correction.amount:.2f}"
    change = {"amount_before": contract["amount"], "amount": amount, "reason": correction.reason, "by": by, "at": at}
    return {**contract, "amount": amount, "corrections": [*contract.get("corrections", ()), change]}


def _amount_problems(field: str, amount: Decimal) -> tuple[Problem, ...]:
    return () if amount > 0 else (Problem(field=field, rule=RULE, key="greater_than", params={"gt": "0"}),)

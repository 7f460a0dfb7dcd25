"""A record with Named Accounts that are reviewed (R1–R6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow, KeyedParty
from domain.accounts.application import Stage
from tests.integration.projects.test_projects_record import RULES
from tests.samples import application_form

SINCE = datetime(2026, 2, 1, 1, 0, tzinfo=UTC)


async def add_account(
    connection: AsyncConnection, account_id: str, customer: str, *, salesperson: str = "yang.fan", **more: Any
) -> None:
    """A Named Account that went through its application; the policy is pinned already."""
    form = application_form(customer)
    row = ApplicationRow(
        id=account_id,
        workflow_id=f"application-{account_id}",
        applicant=salesperson,
        department="north",
        stage=Stage.ACTIVE,
        round=1,
        form=form,
        policy_digest=RULES.digest,
        submitted_at=SINCE,
        stage_since=SINCE,
    )
    await applications.add(connection, row)
    held = AccountRow(
        id=account_id,
        application_id=account_id,
        salesperson=salesperson,
        department="north",
        form=form,
        slot=accounts.free_slot(await accounts.slots_taken(connection, salesperson)),
        account_limit=5,
        gm_decision=None,
        activated_at=SINCE,
    )
    await accounts.activate(
        connection, held.model_copy(update=more), [KeyedParty(role="customer", name=customer, name_key=customer)]
    )

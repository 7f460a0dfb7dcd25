"""Entries of the registers that commerce keeps: background of companies (N4, E2) and earlier projects (N3)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from domain.accounts.application import OptionalUscc
from domain.base import Frozen, Line, Money, OptionalText
from domain.names import Name


class BackgroundEntry(Frozen):
    """What one source says of a company: credit standing, arrears, lawsuits (N4, E2)."""

    name: Name
    uscc: OptionalUscc = None
    credit_standing: OptionalText = ""
    malicious_arrears: bool
    """E2: 恶意拖欠 in past cooperation with us."""
    lawsuit_with_us: bool
    """E2: a lawsuit between the company and us."""
    lawsuits: OptionalText = ""
    as_of: date
    source: Line


class RegisteredStatus(StrEnum):
    """Where a project of the imported register stands."""

    ACTIVE = "active"
    CONTRACT_SIGNED = "contract_signed"
    ENDED = "ended"
    SHELVED = "shelved"


class ProjectEntry(Frozen):
    """A project of the company's former register: now registered (N3), or part of the history (N3)."""

    id: Line
    name: Name
    customer_name: Name
    customer_uscc: OptionalUscc = None
    end_user_name: Name | None = None
    end_user_uscc: OptionalUscc = None
    salesperson: Line
    status: RegisteredStatus
    registered_on: date
    closed_on: date | None = None
    amount: Money | None = None
    """Contract amount in RMB, where known."""
    note: OptionalText = ""

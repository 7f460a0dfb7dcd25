"""What a registration may be in conflict with, as shown to the person who decides (P3–P5, A5)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from domain.conflicts.rulings import Compared
from domain.conflicts.verdict import Level


class Match(Compared):
    """An account, application or project that names a company of the registration.

    A5 judges by the order of registration (`since`, `named_since`), the vendor's position (`vendor_registered`,
    `vendor_position`) and how well the salesperson knows the customer (`relationship`).
    """

    subject_type: str
    """account, application, project or earlier_project (imported from before Baobei)"""
    subject_id: str
    name: str
    salesperson: str
    status: str
    since: datetime
    """When it was registered or activated."""
    named_since: datetime | None = None
    """When the project was given its present name, if later than its registration (P2)."""
    amount: Decimal | None = None
    vendor_registered: bool | None = None
    """None if unknown, as for accounts."""
    vendor_position: str = ""
    """The vendor's position on who should do the project."""
    relationship: str = ""
    customer_name: str = ""
    live: bool = True
    """Whether it takes part in conflict detection (P10)."""
    earlier: bool = False
    """Registered before the inquiring registration (A5)."""

    @property
    def touched_account(self) -> bool:
        """P1, P3: a live Named Account whose customer is the customer, end user or channel of the project."""
        return self.subject_type == "account" and self.live and self.verdict.level is Level.SAME and not self.cleared

    def to_be_weighed(self, salesperson: str, suspects: Collection[str]) -> bool:
        """Whether it bears on a registration of `salesperson`: their own account (P1), what was registered earlier by
        somebody else (P3, P4), and what a clerk suspects, by id (P5). Another project of one's own stands in nobody's
        way."""
        if self.salesperson == salesperson:
            return self.live and self.conflict and self.subject_type == "account"
        return self.live and (self.subject_id in suspects or (self.conflict and self.earlier))

"""核查资料: what commerce and the approvers are shown to decide on (N3, N4, N5)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.base import Wire
from domain.rulings import Compared


class EvidenceKind(StrEnum):
    ACCOUNTS = "accounts"
    """N3: existing Named Accounts and their related parties that collide."""
    APPLICATIONS = "applications"
    """N14: live applications for the same customer or a related party."""
    PROJECTS = "projects"
    """N3: projects now registered by any salesperson."""
    PAST_PROJECTS = "past_projects"
    """N3: history of cooperation."""
    CREDIT = "credit"
    """N4, E2: credit standing and arrears."""
    LITIGATION = "litigation"
    """N4, E2: lawsuits."""
    ACCOUNTS_HELD = "accounts_held"
    """N4: Named Accounts the salesperson already holds."""


OF_MATCHES: Final = frozenset({EvidenceKind.ACCOUNTS, EvidenceKind.APPLICATIONS, EvidenceKind.PROJECTS})
"""N3, N14: evidence whose findings were compared with the customer, and of which a clerk says what they are."""


class Finding(Compared):
    """One thing found, and why it is here."""

    subject_type: str
    """account, application, project, register"""
    subject_id: str
    name: str
    since: datetime | None = None
    """When it was registered or came into force: who was first (A5, N14)."""
    earlier: bool | None = None
    """N14, A5: before the one that is asked about; None where that says nothing."""
    detail: dict[str, str] = {}
    """Further facts by text key under `detail.`: salesperson, status, amount, …"""
    grave: bool = False
    """Speaks against the application: a collision, a lawsuit with us, malicious arrears."""

    @property
    def to_look_at(self) -> bool:
        """Near enough that a person has to look, and nobody has yet."""
        return self.verdict.found and not self.grave and not self.cleared


class Evidence(Wire):
    """What one source said about one question at one moment."""

    kind: EvidenceKind
    source: str
    """Text key under `source.` of where it comes from."""
    gathered_at: datetime
    available: bool = True
    """False when the source could not be asked; a person must then look."""
    findings: tuple[Finding, ...] = ()
    more: int = 0
    """How many weaker matches are left out."""
    note: str = ""
    """What the clerk confirmed, corrected or added (N5)."""
    note_by: str | None = None

    @property
    def grave(self) -> bool:
        return any(finding.grave for finding in self.findings)

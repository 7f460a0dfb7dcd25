"""What the in-memory record shows of one registration and its disputes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from db.disputes.disputes import DisputeRow
from db.projects.projects import ProjectRow
from tests.workflow.doubles.fake_record import ProjectRecord

HALVES: dict[str, Any] = {
    "responsible": "sam",
    "cooperation": "sam sells, sue serves",
    "split": [{"person": "sam", "percent": "50"}, {"person": "sue", "percent": "50"}],
}
"""D1: one text."""


class RecordView:
    """Reads the record of a story."""

    id: str
    record: ProjectRecord

    @property
    def project(self) -> ProjectRow:
        return self.record.projects[self.id]

    @property
    def dispute(self) -> DisputeRow:
        """The last one of this registration."""
        return self._disputes[-1]

    @property
    def text(self) -> dict[str, Any]:
        """D1: the text on the table."""
        assert self.dispute.proposal
        return {name: self.dispute.proposal[name] for name in HALVES}

    @property
    def confirmed(self) -> set[str]:
        """D1: who has confirmed it."""
        return set(self.dispute.proposal["confirmed"]) if self.dispute.proposal else set()

    @property
    def meeting_wanted_by(self) -> str:
        """D2."""
        return str((self.dispute.wanted or {}).get("by", ""))

    @property
    def contract_amount(self) -> str:
        """U7: of the contract on record."""
        return str((self.project.contract or {}).get("amount", ""))

    @property
    def objection_until(self) -> datetime | None:
        """P8."""
        return self.project.statement_facts.objection_until

    @property
    def _disputes(self) -> list[DisputeRow]:
        return [dispute for dispute in self.record.disputes.values() if dispute.project_id == self.id]

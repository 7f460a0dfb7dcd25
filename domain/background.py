"""What the evidence says about past cooperation (E2)."""

from __future__ import annotations

from collections.abc import Sequence

from domain.eligibility import Background
from domain.evidence import Evidence, EvidenceKind


def background_of(evidence: Sequence[Evidence]) -> Background:
    """E2: a source that knows of nothing says no; one that could not be asked, or was not yet, says nothing."""
    by_kind = {item.kind: item for item in evidence}
    return Background(
        lawsuit_with_us=_found(by_kind.get(EvidenceKind.LITIGATION), "lawsuit_with_us"),
        malicious_arrears=_found(by_kind.get(EvidenceKind.CREDIT), "malicious_arrears"),
    )


def _found(item: Evidence | None, fact: str) -> bool | None:
    if item is None:
        return None
    if any(finding.detail.get(fact) == "yes" for finding in item.findings):
        return True
    return False if item.available else None

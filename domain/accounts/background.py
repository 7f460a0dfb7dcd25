"""What the evidence says about past cooperation (E2)."""

from __future__ import annotations

from collections.abc import Sequence

from domain.accounts.eligibility import Background
from domain.accounts.evidence import FACTS, Evidence


def background_of(evidence: Sequence[Evidence]) -> Background:
    """E2: what is known of the customer. Where nobody knows it, or somebody could not be asked, it is None; what a
    clerk has corrected decides (N5). A related party's lawsuits and arrears are for people to weigh."""
    asked = {FACTS[item.kind]: item for item in evidence if item.kind in FACTS}
    return Background(
        **{fact: item.fact for fact, item in asked.items()},
        no_information=frozenset(fact for fact, item in asked.items() if item.no_information),
        of_related=frozenset(
            fact
            for fact, item in asked.items()
            if any(finding.related and finding.detail.get(fact) == "yes" for finding in item.findings)
        ),
    )

"""Evidence with names in place of ids, as people read it."""

from __future__ import annotations

from domain.accounts.evidence import Correction, Evidence, Finding
from domain.conflicts.rulings import Ruled
from domain.organisation import Organisation

PERSON_DETAILS = frozenset({"salesperson"})
"""Details of a finding that hold a person's id."""


def with_names(item: Evidence, organisation: Organisation) -> Evidence:
    """`item` with the names of whoever annotated it and of the people it speaks of."""
    return item.model_copy(
        update={
            "note_by": organisation.name_of(item.note_by) if item.note_by else None,
            "corrected": with_corrector(item.corrected, organisation),
            "findings": tuple(_named(finding, organisation) for finding in item.findings),
            "gone": tuple(_named(finding, organisation) for finding in item.gone),
        }
    )


def _named(finding: Finding, organisation: Organisation) -> Finding:
    detail = {
        name: organisation.name_of(value) if name in PERSON_DETAILS else value for name, value in finding.detail.items()
    }
    return finding.model_copy(update={"detail": detail, "ruled": with_name(finding.ruled, organisation)})


def with_name(ruled: Ruled | None, organisation: Organisation) -> Ruled | None:
    """What was said of a match with the name of whoever said it in place of their id."""
    return ruled.model_copy(update={"person": organisation.name_of(ruled.person)}) if ruled else None


def with_corrector(corrected: Correction | None, organisation: Organisation) -> Correction | None:
    """A correction with the name of the clerk in place of their id."""
    return corrected.model_copy(update={"by": organisation.name_of(corrected.by)}) if corrected else None

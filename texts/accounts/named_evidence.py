"""Evidence with names instead of ids."""

from __future__ import annotations

from domain.accounts.evidence import Correction, Evidence, Finding
from domain.conflicts.rulings import Ruled
from domain.organisation import Organisation

PERSON_DETAILS = frozenset({"salesperson"})
"""Details of a finding that contain a person's id."""


def with_names(item: Evidence, organisation: Organisation) -> Evidence:
    """`item` with the names of its annotator and of the people in it."""
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
    """A ruling on a match with its author's name instead of the id."""
    return ruled.model_copy(update={"person": organisation.name_of(ruled.person)}) if ruled else None


def with_corrector(corrected: Correction | None, organisation: Organisation) -> Correction | None:
    """A correction with the clerk's name instead of the id."""
    return corrected.model_copy(update={"by": organisation.name_of(corrected.by)}) if corrected else None

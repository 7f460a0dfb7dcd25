"""核查资料: what commerce and the approvers are shown to decide on (N3, N4, N5)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.base import Wire
from domain.conflicts.rulings import Compared


class EvidenceKind(StrEnum):
    """What evidence is about (N3, N4)."""

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
    related: bool = False
    """N4: said of a related party, and not of the customer itself."""
    outside: bool = False
    """N4: said by a source outside, which is asked apart from the record."""
    changed: bool = False
    """N15: new, or another, since `Evidence.changed_since`."""

    @property
    def to_look_at(self) -> bool:
        """Near enough that a person has to look, and nobody has yet."""
        return self.verdict.found and not self.grave and not self.cleared


class Correction(Wire):
    """N5, E2: a fact that a clerk has found to be so, and where. It stands above whatever the sources say."""

    value: bool
    source: str
    by: str
    at: datetime


FACTS: Final = {EvidenceKind.LITIGATION: "lawsuit_with_us", EvidenceKind.CREDIT: "malicious_arrears"}
"""E2: the fact that each of these kinds says of the customer: the name of a `Finding.detail`, `yes` or `no`."""


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
    not_compared: tuple[str, ...] = ()
    """Companies that were looked for only by their name and code, in any register: too many are like them."""
    note: str = ""
    """What the clerk confirmed, corrected or added (N5)."""
    note_by: str | None = None
    corrected: Correction | None = None
    """Of a kind in `FACTS`."""
    changed_since: datetime | None = None
    """N15: it was gathered again, and is not what it was at that moment."""
    gone: tuple[Finding, ...] = ()
    """What was found then and is no more."""

    @property
    def grave(self) -> bool:
        if self.corrected:
            return self.corrected.value or any(finding.grave and finding.related for finding in self.findings)
        return any(finding.grave for finding in self.findings)

    @property
    def nothing_found(self) -> bool:
        """Whether there is nothing to say of it but that: no finding, no remark, no change, nothing left out."""
        said = self.findings or self.gone or self.note or self.corrected or self.changed_since
        return self.available and not (said or self.more or self.not_compared or self.no_information)

    @property
    def no_information(self) -> bool:
        """E2, N15: nobody who was asked knows the customer. That says neither yes nor no."""
        return self.unknown_to_sources and self.corrected is None

    @property
    def unknown_to_sources(self) -> bool:
        """N15: nobody who was asked knows the customer, whatever a clerk has found since."""
        return self.kind in FACTS and self.available and not self._said

    @property
    def fact(self) -> bool | None:
        """E2: what a kind in `FACTS` says of the customer. None: nobody knows, or a source could not be asked."""
        if self.corrected:
            return self.corrected.value
        if "yes" in self._said:
            return True
        return False if self._said and self.available else None

    @property
    def _said(self) -> set[str]:
        fact = FACTS.get(self.kind, "")
        own = (finding.detail.get(fact) for finding in self.findings if not finding.related)
        return {said for said in own if said in ("yes", "no")}

    def gathered_again(self, now: Evidence, *, since_asked: bool) -> Evidence:
        """N15: what is found `now`, with what people have said of it, and marked where it is not what it was.

        Args:
            since_asked: compared with what those saw who were asked last, and not only with what was gathered last.
        """
        before = {_which(finding): finding for finding in self.findings}
        found = {_which(finding) for finding in now.findings}
        findings = tuple(
            finding.model_copy(
                update={"changed": _differs(finding, was := before.get(_which(finding)))
                        or bool(since_asked and was and was.changed)}
            )
            for finding in now.findings
        )  # fmt: skip
        earlier = self.gone if since_asked else ()
        gone = tuple(finding for finding in (*earlier, *self.findings) if _which(finding) not in found)
        said_otherwise = self.available != now.available
        changed = bool(gone) or said_otherwise or any(finding.changed for finding in findings)
        since = self.changed_since if since_asked and self.changed_since else self.gathered_at
        return now.model_copy(
            update={
                "findings": findings,
                "gone": gone,
                "changed_since": since if changed else None,
                "note": self.note,
                "note_by": self.note_by,
                "corrected": self.corrected,
            }
        )


def _which(finding: Finding) -> tuple[str, str, str]:
    """What tells one finding from the others: several sources may speak of one company."""
    return finding.subject_type, finding.subject_id, finding.detail.get("register_source", "")


_NO_CHANGE: Final = frozenset({"as_of"})
"""Details that say how new something is, and not what it is."""


def _differs(finding: Finding, before: Finding | None) -> bool:
    return before is None or _said_of(finding) != _said_of(before)


def _said_of(finding: Finding) -> tuple[object, ...]:
    detail = {name: value for name, value in finding.detail.items() if name not in _NO_CHANGE}
    return finding.name, finding.grave, detail, finding.verdict.level, finding.cleared

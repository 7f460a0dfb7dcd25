"""What was compared, what came of it, and what a person has said of it since (N3, N14, P4, P5)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from domain.accounts.uscc import kept_apart
from domain.base import Frozen, OptionalText, Wire
from domain.conflicts.verdict import Level, Reason, Verdict


class Ruling(StrEnum):
    """What a person says of a match."""

    CLEARED = "cleared"
    """No conflict: two companies, or two projects."""
    SAME_COMPANY = "same_company"
    """The two names are one company."""
    SUSPECTED = "suspected"
    """P4: may be in conflict; whoever supervises the other one is asked."""
    CONFLICT = "conflict"
    """P5: confirmed."""


MATCHES_FIELD: Final = "matches"
"""The field of an answer that says something of single matches."""
CLERKS_RULINGS: Final = (Ruling.CLEARED, Ruling.SAME_COMPANY)
"""What is said of a match by itself, beside the answer that suspects some of them."""


OTHER_CODE: Final = "same_name_other_uscc"
"""The reason of a verdict on two companies of one name that differ in their codes."""


class MatchRuling(Frozen):
    """One row of an answer: what is said of one match, and why. One suspects by the answer itself."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+( \S+)*$")]
    ruling: Literal[Ruling.CLEARED, Ruling.SAME_COMPANY]
    reason: OptionalText = ""
    """Left empty, the reason of the whole answer is its reason."""


def _each_once(rows: tuple[MatchRuling, ...]) -> tuple[MatchRuling, ...]:
    if len({row.id for row in rows}) != len(rows):
        raise PydanticCustomError("ruled_twice", "each match stands once")
    return rows


MatchRulings = Annotated[tuple[MatchRuling, ...], Field(max_length=50), AfterValidator(_each_once)]
"""What is said of several matches, each once."""


class Ruled(Wire):
    """What somebody has said of a match, which stands until one of the two changes."""

    ruling: Ruling
    person: str
    at: datetime
    reason: str = ""


class Link(Wire):
    """Two companies, or two registrations, that were compared."""

    fingerprint: str
    """Of all that was compared: once something of it changes, what was said of the two no longer holds."""
    asked: str = ""
    """The company on the side that asks; empty where projects were compared."""
    asked_uscc: str | None = None
    registered: str = ""
    registered_uscc: str | None = None
    level: Level
    exact: bool = False
    """By their names or codes they are one company."""
    of_companies: bool = False
    """Whoever clears it says that they are two companies, not only that two registrations are not in conflict."""

    @property
    def teaches(self) -> bool:
        """Whether somebody who says that the two are one company says more than their names and codes do."""
        apart = kept_apart(self.asked_uscc, self.registered_uscc)
        return bool(self.asked and self.registered) and not self.exact and not apart


class Compared(Wire):
    """Something registered that was compared with what is asked about."""

    verdict: Verdict = Verdict()
    declared: bool = False
    """N3, N14: the same company is a related party of one side: a collision like the customer itself."""
    links: tuple[Link, ...] = ()
    ruled: Ruled | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_kept_before(cls, given: Any) -> Any:
        """What was kept before verdicts were: the text keys of why it is the same company, and nothing else."""
        if not isinstance(given, dict) or "verdict" in given or not given.get("because"):
            return given
        keys = [str(key) for key in given["because"]]
        declared = "related_party" in keys
        verdict = Verdict(
            level=Level.RELATED if declared else Level.SAME, score=1, reasons=tuple(Reason(key=key) for key in keys)
        )
        return {**given, "verdict": verdict, "declared": declared}

    @property
    def cleared(self) -> bool:
        """A person has said that it is no conflict."""
        return self.ruled is not None and self.ruled.ruling is Ruling.CLEARED

    @property
    def code_in_doubt(self) -> bool:
        """N14: one full name with two valid codes. Whether it is one company with a wrong code, or two of one name, is
        for commerce to say."""
        return any(reason.key == OTHER_CODE for reason in self.verdict.reasons)

    @property
    def conflict(self) -> bool:
        """N3, N14: the same customer, or a related party of one side, and nobody has cleared it; what bears its very
        name counts until commerce has."""
        return (self.verdict.level is Level.SAME or self.declared or self.code_in_doubt) and not self.cleared


class LearnedAlias(Wire):
    """Two names that a person has found to be one company."""

    name: str
    name_key: str
    uscc: str | None = None
    other: str
    other_key: str
    other_uscc: str | None = None
    person: str
    at: datetime
    reason: str = ""
    subject_id: str
    """Where it was found."""
    task_id: str

"""What was compared, the result, and later rulings by people (N3, N14, P4, P5)."""

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
    """A person's ruling on a match."""

    CLEARED = "cleared"
    """Not a conflict: two different companies, or two different projects."""
    SAME_COMPANY = "same_company"
    """Both names belong to the same company."""
    SUSPECTED = "suspected"
    """P4: may be in conflict; the VP who supervises the other side is asked."""
    CONFLICT = "conflict"
    """P5: confirmed."""


MATCHES_FIELD: Final = "matches"
"""The answer field that holds rulings on single matches."""
CLERKS_RULINGS: Final = (Ruling.CLEARED, Ruling.SAME_COMPANY)
"""Rulings that can be given on a match separately, beside the answer that suspects some of them."""


OTHER_CODE: Final = "same_name_other_uscc"
"""Reason of a verdict on two companies with the same name and different codes."""


class MatchRuling(Frozen):
    """One row of an answer: the ruling on one match, with its reason. Suspicion is expressed by the answer itself."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+( \S+)*$")]
    ruling: Literal[Ruling.CLEARED, Ruling.SAME_COMPANY]
    reason: OptionalText = ""
    """If empty, the reason of the whole answer applies."""


def _each_once(rows: tuple[MatchRuling, ...]) -> tuple[MatchRuling, ...]:
    if len({row.id for row in rows}) != len(rows):
        raise PydanticCustomError("ruled_twice", "each match stands once")
    return rows


MatchRulings = Annotated[tuple[MatchRuling, ...], Field(max_length=50), AfterValidator(_each_once)]
"""Rulings on several matches, each match at most once."""


class Ruled(Wire):
    """A ruling on a match; void once either side changes."""

    ruling: Ruling
    person: str
    at: datetime
    reason: str = ""


class Link(Wire):
    """Two companies, or two registrations, that were compared."""

    fingerprint: str
    """Fingerprint of everything that was compared; a ruling becomes void when it changes."""
    asked: str = ""
    """The company on the inquiring side; empty where projects were compared."""
    asked_uscc: str | None = None
    registered: str = ""
    registered_uscc: str | None = None
    level: Level
    exact: bool = False
    """Whether the names or codes prove that both are the same company."""
    of_companies: bool = False
    """Whether clearing it means that these are two companies, not merely that two registrations are not in conflict."""

    @property
    def teaches(self) -> bool:
        """Whether a ruling that both are the same company adds anything to what names and codes already prove."""
        apart = kept_apart(self.asked_uscc, self.registered_uscc)
        return bool(self.asked and self.registered) and not self.exact and not apart


class Compared(Wire):
    """A registered subject that was compared with the inquiry."""

    verdict: Verdict = Verdict()
    declared: bool = False
    """N3, N14: the same company is a related party of one side; counts as a collision, like the customer itself."""
    links: tuple[Link, ...] = ()
    ruled: Ruled | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_kept_before(cls, given: Any) -> Any:
        """Convert records stored before verdicts existed: they hold only the text keys of why it is the same
        company."""
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
        """Whether a person has ruled that it is not a conflict."""
        return self.ruled is not None and self.ruled.ruling is Ruling.CLEARED

    @property
    def code_in_doubt(self) -> bool:
        """N14: one full name with two valid codes. Commerce decides whether it is one company with a wrong code or
        two companies of the same name."""
        return any(reason.key == OTHER_CODE for reason in self.verdict.reasons)

    @property
    def conflict(self) -> bool:
        """N3, N14: the same customer, or a related party of one side, that nobody has cleared. A match with exactly
        the same name counts until commerce has ruled on it."""
        return (self.verdict.level is Level.SAME or self.declared or self.code_in_doubt) and not self.cleared


class LearnedAlias(Wire):
    """Two names that a person has ruled to be the same company."""

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
    """The subject on which the ruling was given."""
    task_id: str

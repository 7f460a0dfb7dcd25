"""Eligibility as lines to display: which clause passed or failed, and by how much (E5)."""

from __future__ import annotations

from collections.abc import Sequence

from domain.accounts.eligibility import ClauseResult, Eligibility
from texts.view_lines import EligibilityLine, FigureLine

_FIGURES = {
    "E1a": ("E1a-first-year", "E1a-later-years"),
    "E1b": ("E1b-technical", "E1b-own"),
    "E1c": ("E1c",),
}
_LABELS = {
    "E1a-first-year": "field.forecast.first_year_gross_margin",
    "E1a-later-years": "field.forecast.later_year_gross_margin",
    "E1b-technical": "field.forecast.technical_service_revenue",
    "E1b-own": "field.forecast.own_service_revenue",
    "E1c": "field.forecast.annual_contracts",
}


def eligibility_lines(eligibility: Eligibility) -> tuple[EligibilityLine, ...]:
    """E1 as a whole, then one line per clause, E1a to E4; people judge E4."""
    known = {result.clause: result for result in eligibility.clauses}
    lines = [EligibilityLine(clause="E1", passed=known["E1"].passed)]
    for clause, names in _FIGURES.items():
        results = [known[name] for name in names]
        lines.append(
            EligibilityLine(clause=clause, passed=_verdict(clause, results), figures=tuple(_figure(r) for r in results))
        )
    past = [known[name] for name in ("E2-legal-person", "E2-lawsuit", "E2-arrears")]
    e2 = [result.passed for result in past]
    unknown = any(result.no_information for result in past)
    found = tuple(key for result in past if (key := _not_met(result)))
    lines.append(
        EligibilityLine(clause="E2", passed=_all(e2), for_people=None in e2, no_information=unknown, found=found)
    )
    lines.append(EligibilityLine(clause="E3", passed=known["E3"].passed))
    lines.append(EligibilityLine(clause="E4", for_people=True))
    return tuple(lines)


def _not_met(result: ClauseResult) -> str:
    """E5: the text key of why a part of E2 is not met or not known; empty when it is met."""
    if result.passed:
        return ""
    how = "failed" if result.passed is False else "unknown" if result.no_information else "for_people"
    return f"eligibility.e2.{result.clause.removeprefix('E2-')}.{how}"


def in_short(eligibility: Eligibility) -> tuple[EligibilityLine, ...]:
    """The lines of a mail: E1, E2 and E3 passed or failed; the figures are on the page."""
    lines = {line.clause: line for line in eligibility_lines(eligibility)}
    return tuple(lines[clause] for clause in ("E1", "E2", "E3"))


def _verdict(clause: str, results: Sequence[ClauseResult]) -> bool | None:
    if not all(result.applicable for result in results):
        return None
    met = [bool(result.passed) for result in results]
    return any(met) if clause == "E1b" else all(met)


def _all(passed: Sequence[bool | None]) -> bool | None:
    if False in passed:
        return False
    return None if None in passed else True


def _figure(result: ClauseResult) -> FigureLine:
    assert result.actual is not None
    assert result.required is not None
    return FigureLine(
        label_key=_LABELS[result.clause], actual=result.actual, bound=result.required, above=result.strict
    )

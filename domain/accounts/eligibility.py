"""Eligibility of a Named Account (E1 to E3): which clause is met, by how much, and what refuses (E5).

E4 is judged by people: the form asks for it, nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from pydantic import TypeAdapter, ValidationError

from domain.accounts.application import ApplicationForm, CustomerKind
from domain.base import Wire
from domain.policy import EligibilityRules
from domain.tasks.task import Problem

LEGAL_PERSON, CENTRALISED_PROCUREMENT = "E2", "E3"
"""The rules that refuse an application by themselves (E5)."""


class Background(Wire):
    """What the sources said about past cooperation (E2); None: nobody knows, or a source could not be asked."""

    lawsuit_with_us: bool | None = None
    malicious_arrears: bool | None = None
    no_information: frozenset[str] = frozenset()
    """Of the two by name: everybody was asked, and nobody knows the customer."""
    of_related: frozenset[str] = frozenset()
    """Of the two by name: so of a related party (N4)."""

    def absent(self, fact: str) -> bool | None:
        """Whether it is known not to be so. None as well where it is so of a related party: people weigh that."""
        known: bool | None = getattr(self, fact)
        return None if known is None or (not known and fact in self.of_related) else not known


class ClauseResult(Wire):
    """One clause, and how it turned out. The figures are RMB a fiscal year, None for a clause without a bound."""

    clause: str
    """E1 (at least one of those that follow), E1a-first-year, E1a-later-years, E1b-technical, E1b-own, E1c,
    E2-legal-person, E2-lawsuit, E2-arrears, E3."""
    passed: bool | None = None
    """None: not known, or not applicable."""
    actual: Decimal | None = None
    required: Decimal | None = None
    difference: Decimal | None = None
    """`actual` above (positive) or below (negative) `required`."""
    strict: bool = False
    """True: must be above `required` (>); False: reaching it is enough (≥)."""
    applicable: bool = True
    no_information: bool = False
    """N15: nobody who was asked knows anything of it; that is never "met"."""


class Eligibility(Wire):
    """E5: every clause for the people who decide, and the rules that refuse."""

    clauses: tuple[ClauseResult, ...] = ()
    refusals: tuple[str, ...] = ()
    passed: bool | None = None
    """E1, E2 and E3 together; None while it hangs on what nobody knows."""

    def clause(self, name: str) -> ClauseResult:
        """Raises `KeyError` for a clause that was not evaluated."""
        for result in self.clauses:
            if result.clause == name:
                return result
        raise KeyError(name)


def evaluate(form: ApplicationForm, background: Background, rules: EligibilityRules) -> Eligibility:
    """E1, E2, E3, E5: every clause with its figures.

    E1 asks for one of: both halves of (a), either half of (b), or (c), which counts for core channels only.
    """
    forecast = form.forecast
    first = _bound("E1a-first-year", forecast.first_year_gross_margin, rules.first_year_gross_margin)
    later = _bound("E1a-later-years", forecast.later_year_gross_margin, rules.later_year_gross_margin)
    technical = _bound("E1b-technical", forecast.technical_service_revenue, rules.technical_service_revenue)
    own = _bound("E1b-own", forecast.own_service_revenue, rules.own_service_revenue_above, strict=True)
    contracts = _bound(
        "E1c",
        forecast.annual_contracts,
        rules.annual_contracts_above,
        strict=True,
        applicable=form.customer.kind is CustomerKind.CORE_CHANNEL,
    )
    alternatives = (bool(first.passed and later.passed), technical.passed, own.passed, bool(contracts.passed))
    e1 = ClauseResult(clause="E1", passed=any(alternatives))
    others = (
        ClauseResult(clause="E2-legal-person", passed=form.customer.legal_person),
        _past("E2-lawsuit", "lawsuit_with_us", background),
        _past("E2-arrears", "malicious_arrears", background),
        ClauseResult(clause="E3", passed=not _is_centralised_procurement(form, rules)),
    )
    return Eligibility(
        clauses=(e1, first, later, technical, own, contracts, *others),
        refusals=refusals(form, rules),
        passed=_all(result.passed for result in (e1, *others)),
    )


def refusals(form: ApplicationForm, rules: EligibilityRules) -> tuple[str, ...]:
    """E5: the ids of the rules that refuse the form at submission, E3 first; empty when none does."""
    found = []
    if _is_centralised_procurement(form, rules):
        found.append(CENTRALISED_PROCUREMENT)
    if not form.customer.legal_person:
        found.append(LEGAL_PERSON)
    return tuple(found)


def refusals_in(given: object, rules: EligibilityRules) -> tuple[str, ...]:
    """The same of what was sent as a form and may be wrong in other ways: N1 names everything at once."""
    form = given if isinstance(given, Mapping) else {}
    named = form.get("customer")
    customer = named if isinstance(named, Mapping) else {}
    listed = any(customer.get("industry") == industry for industry in rules.centralised_procurement_industries)
    found = [CENTRALISED_PROCUREMENT] if listed and _as_bool(form.get("centralised_procurement")) is True else []
    return (*found, *([LEGAL_PERSON] if _as_bool(customer.get("legal_person")) is False else []))


def refusal_problems(refused: Iterable[str], *, prefix: str = "") -> tuple[Problem, ...]:
    """The fields by which these rules refuse a form (E5)."""
    fields = {
        CENTRALISED_PROCUREMENT: ("centralised_procurement", "E3"),
        LEGAL_PERSON: ("customer.legal_person", "E2_legal_person"),
    }
    return tuple(Problem(field=prefix + fields[rule][0], rule=rule, key=fields[rule][1]) for rule in refused)


def _as_bool(value: object) -> bool | None:
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        return None


def _is_centralised_procurement(form: ApplicationForm, rules: EligibilityRules) -> bool:
    return form.centralised_procurement and form.customer.industry in rules.centralised_procurement_industries


def _bound(
    clause: str, actual: Decimal, required: Decimal, *, strict: bool = False, applicable: bool = True
) -> ClauseResult:
    reached = actual > required if strict else actual >= required
    return ClauseResult(
        clause=clause,
        passed=reached if applicable else None,
        actual=actual,
        required=required,
        difference=actual - required,
        strict=strict,
        applicable=applicable,
    )


def _past(clause: str, fact: str, background: Background) -> ClauseResult:
    return ClauseResult(clause=clause, passed=background.absent(fact), no_information=fact in background.no_information)


def _all(results: Iterable[bool | None]) -> bool | None:
    known = list(results)
    if False in known:
        return False
    return None if None in known else True

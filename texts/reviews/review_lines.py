"""Reviews of Named Accounts in words: titles, and the figures of an account (R1–R6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from domain.base import Wire
from domain.organisation import Organisation
from domain.reports.report import AccountFigures
from domain.reviews.notes import AccountNote, ReviewNote
from domain.reviews.periods import Period, Rhythm, months_of
from domain.reviews.review import UNASSIGNED, PlanProgress, Proposal
from domain.tasks.task import FieldSpec
from texts.catalogue import Texts

MOST_ACCOUNTS = 30
"""Accounts listed in a mail; the page lists them all."""


def unit_name(rhythm: Rhythm, unit: str, organisation: Organisation) -> str:
    """Whose review it is: the department, the VP, or the company. `UNASSIGNED` has no name of its own."""
    if unit == UNASSIGNED:
        return unit
    if rhythm is Rhythm.WEEKLY:
        office = organisation.departments_by_id.get(unit)
        return office.name if office else unit
    return organisation.name_of(unit) if unit else organisation.company


def review_title(period: Period, unit: str, texts: Texts) -> str:
    """The title of a review. `unit` is the name of the department, VP or company."""
    rhythm = texts.text(f"review_rhythm.{period.rhythm}")
    shown = texts.text("review.unassigned") if unit == UNASSIGNED else unit
    return texts.text("review.title", period=period.id, rhythm=rhythm, unit=shown).removesuffix(" · ")


def review_dates(period: Period, texts: Texts) -> str:
    """The first and last day of a period."""
    return texts.text("review.dates", first=texts.date(period.first), last=texts.date(period.last))


def column_label(name: str, texts: Texts) -> str:
    """The label of a column in a review's rows."""
    return texts.label(f"review_column.{name}")


def option_label(column: str, option: str, texts: Texts) -> str:
    """The label of an option in a column."""
    return texts.label(f"review_choice.{column}.{option}", option)


def value_label(column: str, value: str, texts: Texts) -> str:
    """A value that was entered in a column, in the reader's language."""
    if column.startswith("target_"):
        try:
            return texts.money(Decimal(value))
        except InvalidOperation:
            return value
    return option_label(column, value, texts)


def column_help(spec: FieldSpec, period: str, texts: Texts) -> str:
    """The help text of a column. `period` is the one that targets are set for."""
    key = f"review_help.{spec.name}{'_kept' if spec.unless and spec.name.startswith('target_') else ''}"
    return texts.text(key, period=period) if texts.has(key) else ""


def share(reached: Decimal, target: Decimal) -> str:
    """The attained percentage of a target, never rounded up: an account below a bound is not shown at it."""
    percent = (100 * reached / target).quantize(Decimal("0.1"), ROUND_DOWN)
    return f"{percent.normalize():f}%" if percent else "0%"


class AccountLine(Wire):
    """One account in a mail, with its figures."""

    customer: str
    salesperson_name: str = ""
    contracts: Decimal | None = None
    """None when no figures are shown (R1)."""
    target_contracts: Decimal = Decimal(0)
    revenue: Decimal = Decimal(0)
    target_revenue: Decimal = Decimal(0)
    payments: Decimal = Decimal(0)
    plan_progress: tuple[PlanProgress, ...] = ()
    proposal: Proposal | None = None

    @classmethod
    def of(cls, note: AccountNote) -> AccountLine:
        line = cls(customer=note.customer, salesperson_name=note.salesperson_name)
        return line.model_copy(update=_figures(note.figures)) if note.figures else line

    def sentence(self, texts: Texts) -> str:
        """The account in one line."""
        if self.contracts is None:
            return self.salesperson_name
        words = texts.text(
            "review_figures.line",
            salesperson=self.salesperson_name,
            contracts=of_target(self.contracts, self.target_contracts, texts),
            revenue=of_target(self.revenue, self.target_revenue, texts),
        )
        if self.proposal is not Proposal.REVOKE:
            return words
        return f"{words}{'；' if texts.language == 'zh' else '; '}{texts.text(f'review_proposal.{self.proposal}')}"

    def rows(self, texts: Texts) -> list[tuple[str, str]]:
        """The account alone, figure by figure."""
        if self.contracts is None:
            return []
        progress = [texts.text(f"review_choice.plan_progress.{rating}") for rating in self.plan_progress]
        figures = [
            ("contracts", of_target(self.contracts, self.target_contracts, texts)),
            ("revenue", of_target(self.revenue, self.target_revenue, texts)),
            ("payments", texts.money(self.payments)),
            ("plan_progress", texts.join(progress)),
        ]
        return [(texts.text(f"review_figures.{name}"), words) for name, words in figures if words]


def _figures(figures: AccountFigures) -> dict[str, Any]:
    names = set(AccountLine.model_fields) - {"customer", "salesperson_name", "contracts"}
    return {name: getattr(figures, name) for name in names} | {"contracts": figures.contracts}


def of_target(reached: Decimal, target: Decimal, texts: Texts) -> str:
    """The result compared with its target."""
    if not target:
        return texts.text("review_figures.without_target", reached=texts.money(reached))
    return texts.text(
        "review_figures.of_target",
        reached=texts.money(reached),
        target=texts.money(target),
        percent=share(reached, target),
    )


def proposal_because(figures: AccountFigures, revoke_below: Decimal, texts: Texts) -> str:
    """R4: why the system proposes to keep or revoke an account, from its figures."""
    ratings = figures.plan_progress
    failed = sum(rating is not PlanProgress.ON_TRACK for rating in ratings)
    plan = texts.text("review_proposal.plan_unsaid")
    if ratings:
        key = "plan_failed" if 2 * failed > len(ratings) else "plan_held"
        plan = texts.text(f"review_proposal.{key}", said=len(ratings), failed=failed)
    target, reached = figures.target_contracts, texts.money(figures.contracts)
    contracts = texts.text("review_proposal.no_target", contracts=reached)
    if target:
        key = "contracts_below" if figures.contracts < revoke_below * target else "contracts_enough"
        contracts = texts.text(
            f"review_proposal.{key}",
            contracts=reached,
            target=texts.money(target),
            percent=share(figures.contracts, target),
            bound=share(revoke_below, Decimal(1)),
        )
    words = texts.text("review_proposal.both", plan=plan, contracts=contracts)
    return words[:1].upper() + words[1:]


def figures_basis(figures: AccountFigures, period: Period, texts: Texts) -> str:
    """The source of the targets, and the first month counted when it is not the first of the period (R7)."""
    if figures.counted == ():
        return texts.text("review_figures.not_measured")
    source = texts.text(f"review_figures.source.{figures.target_source}")
    if figures.counted is None or len(figures.counted) == len(months_of(period)):
        return source
    counted = texts.text("review_figures.counted_from", month=texts.month(figures.counted[0]))
    return f"{source}{'；' if texts.language == 'zh' else '; '}{counted}"


def account_lines(note: Mapping[str, Any] | None, account: str | None = None) -> tuple[AccountLine, ...]:
    """The accounts in a task's note, or one of them."""
    known: Sequence[AccountNote] = ReviewNote.model_validate(note).accounts if note else ()
    return tuple(AccountLine.of(noted) for noted in known if account in (None, noted.account))


def note_in_mail(note: Mapping[str, Any] | None) -> dict[str, Any]:
    """The accounts in a mail that asks for an answer, as fields of `MailFacts`."""
    lines = account_lines(note)
    return {
        "accounts": lines[:MOST_ACCOUNTS],
        "more_accounts": max(0, len(lines) - MOST_ACCOUNTS),
        "silent": ReviewNote.model_validate(note).silent if note else (),
    }

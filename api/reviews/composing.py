"""Reviews put together into what the API shows: their accounts, their fields row by row (R1–R6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from api.accounts.models import MonthView, SaidView, TargetView
from api.models import CreditView, FieldView, OptionView, PersonView, ReviewView
from api.tasks.wording import with_people
from db.accounts.registers import AccountResultRow
from db.reads.detail_reads import WholeAccount
from db.reviews.reviews import ReviewRow
from db.tasks.tasks import TaskRow
from domain.accounts.figures import SignedContract, contract_credits
from domain.disputes.credit import Credit, added_up
from domain.organisation import Organisation
from domain.periods import read_period
from domain.policy import Policy, Reviews
from domain.reports.report import ZERO
from domain.reviews.notes import ReviewNote
from domain.reviews.review import target_period
from domain.tasks.task import FieldKind, FieldSpec, TaskKind
from texts.catalogue import Texts
from texts.reviews.review_lines import column_label, option_label, proposal_because, review_title, unit_name

if TYPE_CHECKING:
    from pydantic import JsonValue


def title_of_review(row: ReviewRow, organisation: Organisation, reviews: Reviews, texts: Texts) -> str:
    """What a list calls it: 2026-W48 周回顾 · 北方区."""
    return review_title(read_period(row.period, reviews), unit_name(row.rhythm, row.unit, organisation), texts)


def sets_for(row: ReviewRow, kind: TaskKind, reviews: Reviews) -> str:
    """The period that targets are set for, where they are (R2, R4)."""
    if kind not in (TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW):
        return ""
    return target_period(read_period(row.period, reviews), reviews)


def note_of(task: TaskRow, row: ReviewRow, reviews: Reviews) -> ReviewNote:
    """What whoever is asked has before them."""
    if task.note:
        return ReviewNote.model_validate(task.note)
    return ReviewNote(period=read_period(row.period, reviews), closes_at=row.closes_at)


def review_view(row: ReviewRow, kind: TaskKind, organisation: Organisation, policy: Policy, texts: Texts) -> ReviewView:
    """A review in the language of the viewer."""
    return ReviewView(
        id=row.id,
        workflow_id=row.workflow_id,
        title=title_of_review(row, organisation, policy.reviews, texts),
        rhythm=row.rhythm,
        period=read_period(row.period, policy.reviews),
        unit=row.unit,
        unit_name=unit_name(row.rhythm, row.unit, organisation),
        stage=row.stage,
        stage_label=texts.text(f"review_stage.{row.stage}"),
        opened_at=row.opened_at,
        closes_at=row.closes_at,
        sets_for=sets_for(row, kind, policy.reviews) or None,
    )


def note_view(
    note: ReviewNote, kind: TaskKind, organisation: Organisation, policy: Policy, texts: Texts
) -> dict[str, JsonValue]:
    """The note, with the contracts added up and the proposal in words and with its reason (R4)."""
    shown: dict[str, Any] = with_people(note.model_dump(mode="json"), organisation)
    for account, out in zip(note.accounts, shown["accounts"], strict=True):
        del out["salesperson_name"]  # stands in `salesperson`
        if account.figures is None:
            continue
        out["figures"]["contracts"] = str(account.figures.contracts)
        if kind is TaskKind.ANNUAL_REVIEW:
            out["figures"]["proposal_label"] = texts.text(f"review_proposal.{account.figures.proposal}")
            out["figures"]["because"] = proposal_because(account.figures, policy.reviews.revoke_below, texts)
        else:
            del out["figures"]["proposal"]
    return shown


def review_field(spec: FieldSpec, customers: Mapping[str, str], texts: Texts) -> FieldView:
    """A field of a review with its columns and, where the task itself is read, the customer of each row."""
    named = [OptionView(id=one, label=customers.get(one, one)) for one in spec.options]
    if spec.kind is FieldKind.CHOICE:
        named = [OptionView(id=one, label=option_label(spec.name, one, texts)) for one in spec.options]
    return FieldView(
        **spec.model_dump(exclude={"columns"}),
        label=column_label(spec.name, texts),
        named=named,
        columns=tuple(review_field(column, {}, texts) for column in spec.columns),
    )


MOST_SAID = 200
"""So many of the newest remarks on an account are shown: four years of weeks."""


def account_parts(
    whole: WholeAccount, signed: Sequence[SignedContract], organisation: Organisation, texts: Texts
) -> dict[str, Any]:
    """Targets, results and reviews of one account (R1–R4). `signed`: contracts of its projects."""

    def person(person_id: str) -> PersonView:
        return PersonView(id=person_id, name=organisation.name_of(person_id))

    targets = [
        TargetView(**target.model_dump(exclude={"account_id", "set_by"}), set_by=person(target.set_by))
        for target in whole.targets
    ]
    said = [
        SaidView(
            **one.model_dump(exclude={"account_id", "person"}),
            title=texts.text(f"task.{one.kind}.title"),
            person=person(one.person),
        )
        for one in whole.said
    ]
    return {"targets": targets, "results": _months(whole.results, signed, organisation), "reviews": said}


def _months(
    results: Sequence[AccountResultRow], signed: Sequence[SignedContract], organisation: Organisation
) -> list[MonthView]:
    others = {one.month: one for one in results}
    by_month: dict[date, list[SignedContract]] = {}
    for contract in signed:
        by_month.setdefault(contract.on.replace(day=1), []).append(contract)
    months = []
    for month in sorted(by_month.keys() | others.keys(), reverse=True):
        contracts, other = by_month.get(month, []), others.get(month)
        by_projects = sum((one.amount for one in contracts), ZERO)
        credits = added_up(each for one in contracts for each in contract_credits(one, organisation))
        months.append(
            MonthView(
                month=f"{month:%Y-%m}",
                contracts=by_projects + (other.other_contracts if other else ZERO),
                signed=by_projects,
                credits=[credit_view(one) for one in credits],
                other_contracts=other.other_contracts if other else ZERO,
                revenue=other.revenue if other else ZERO,
                payments=other.payments if other else ZERO,
            )
        )
    return months


def credit_view(credit: Credit) -> CreditView:
    """What of an amount is credited to whom (D3)."""
    person = PersonView(id=credit.person, name=credit.name)
    return CreditView(person=person, percent=credit.percent, amount=credit.amount)

"""Reviews as response models: their accounts, and their fields row by row (R1–R6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from api.reviews.models import ReviewView
from api.tasks.models import FieldView, OptionView
from api.tasks.wording import with_people
from db.reviews.reviews import ReviewRow
from db.tasks.tasks import TaskRow
from domain.organisation import Organisation
from domain.policy import Policy, Reviews
from domain.reviews.notes import ReviewNote
from domain.reviews.periods import read_period
from domain.reviews.review import target_period
from domain.tasks.task import FieldKind, FieldSpec, TaskKind
from texts.catalogue import Texts
from texts.reviews.review_lines import column_label, option_label, proposal_because, review_title, unit_name


def title_of_review(row: ReviewRow, organisation: Organisation, reviews: Reviews, texts: Texts) -> str:
    """The title of a review in a list, e.g. 2026-W48 周回顾 · 北方区."""
    return review_title(read_period(row.period, reviews), unit_name(row.rhythm, row.unit, organisation), texts)


def sets_for(row: ReviewRow, kind: TaskKind, reviews: Reviews) -> str:
    """The period that targets are set for (R2, R4); empty where none are."""
    if kind not in (TaskKind.MONTHLY_REVIEW, TaskKind.ANNUAL_REVIEW):
        return ""
    return target_period(read_period(row.period, reviews), reviews)


def note_of(task: TaskRow, row: ReviewRow, reviews: Reviews) -> ReviewNote:
    """The accounts and figures that the assignees review."""
    if task.note:
        return ReviewNote.model_validate(task.note)
    return ReviewNote(period=read_period(row.period, reviews), closes_at=row.closes_at)


def review_view(row: ReviewRow, kind: TaskKind, organisation: Organisation, policy: Policy, texts: Texts) -> ReviewView:
    """A review, as the subject of a task of `kind`."""
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
    """The note, with the contracts added up, and the proposal as text with its reason (R4)."""
    shown: dict[str, Any] = with_people(note.model_dump(mode="json"), organisation)
    for account, out in zip(note.accounts, shown["accounts"], strict=True):
        del out["salesperson_name"]  # part of `salesperson`
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
    named = [OptionView(id=option, label=customers.get(option, option)) for option in spec.options]
    if spec.kind is FieldKind.CHOICE:
        named = [OptionView(id=option, label=option_label(spec.name, option, texts)) for option in spec.options]
    return FieldView(
        **spec.model_dump(exclude={"columns"}),
        label=column_label(spec.name, texts),
        named=named,
        columns=tuple(review_field(column, {}, texts) for column in spec.columns),
    )

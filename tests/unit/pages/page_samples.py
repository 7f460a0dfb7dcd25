"""A task about an application, and its page, for the tests of pages."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.named_account import choices_for
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests.samples import application_form
from tests.verdicts import verdict
from texts.view_lines import DecisionLine, EligibilityLine, FigureLine
from web.tasks.models import DecisionPage
from web.tasks.page import render_decision

NOON = datetime(2026, 12, 14, 4, 0, tzinfo=UTC)
FORM = application_form("华东精密<b>", aliases=["华精"], related=[("华精贸易", None)]).model_dump(mode="json") | {
    "cooperation": "三个项目。\n回款正常。",
    "products": ["私有云", "运维"],
}
FORM["customer"]["kind"] = "core_channel"
FORM["customer"]["contacts"] = [{"name": "陈建国", "title": "主任", "phone": "", "email": ""}]
EVIDENCE = tuple(
    Evidence(
        kind=kind,
        source="account_register",
        gathered_at=NOON,
        available=kind is not EvidenceKind.LITIGATION,
        findings=(
            Finding(subject_type="account", subject_id="A-1", name="甲<i>", verdict=verdict("same_name"), grave=True),
        )
        if kind is EvidenceKind.ACCOUNTS
        else (),
    )
    for kind in EvidenceKind
)
DECISION = DecisionLine(
    kind=TaskKind.VP_REVIEW,
    choice="approve",
    person_name="李强",
    on_behalf_of_name="王总",
    capacity=AssigneeCapacity.DELEGATE,
    decided_at=NOON,
    reason="战略<u>客户",
    special_reason=True,
)


def page(kind: TaskKind = TaskKind.VP_REVIEW, *, above_limit: bool = False, **changes: Any) -> str:
    return render_decision(DecisionPage.model_validate({**view_of(kind, above_limit=above_limit), **changes}))


def view_of(kind: TaskKind, *, above_limit: bool = False) -> dict[str, Any]:
    return {
        "path": "/d/token",
        "subject_id": "NA-17",
        "round": 2,
        "kind": kind,
        "asked_name": "赵敏",
        "applicant_name": "张伟",
        "opened_at": NOON,
        "due_at": NOON,
        "choices": choices_for(kind, above_limit=above_limit),
        "form": ApplicationForm.model_validate(FORM),
        "evidence": EVIDENCE,
        "decisions": (DECISION,),
        "accounts_held": 5,
        "account_limit": 5,
        "eligibility": (
            EligibilityLine(
                clause="E1a",
                passed=True,
                figures=(
                    FigureLine(
                        label_key="field.forecast.first_year_gross_margin",
                        actual=Decimal(450000),
                        bound=Decimal(400000),
                    ),
                ),
            ),
        ),
    }

"""The page of a task of a project, filled in and posted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from api.tasks.answering import check_answer
from db.tasks.tasks import TaskRow
from domain.conflicts.verdict import Verdict
from domain.policy import load_policy
from domain.projects.project import Company, SalesStage
from domain.projects.rules import project_choices
from domain.subject import SubjectType
from domain.tasks.task import TaskKind, TaskStatus
from tests.inputs import Inputs
from tests.samples import PROJECT_FORM
from tests.unit.pages.page_samples import NOON
from tests.verdicts import verdict
from texts.projects.project_lines import MatchLine
from web.forms.fields import Offered
from web.links.answers import entered_fields
from web.tasks.models import DecisionPage, Weighed
from web.tasks.page import render_decision

ZONE = load_policy().zone
FORM = PROJECT_FORM.model_copy(
    update={
        "name": "核心网扩容<b>",
        "end_user": Company(name="北方电信<i>"),
        "channel": None,
        "amount": Decimal("8600000.00"),
        "expected_signing": date(2027, 3, 31),
        "stage": SalesStage.TENDER,
        "vendor_registered": False,
        "relationship": "与信息中心\n合作六年",
    }
)
PEOPLE = ("lin.xia", "gao.yuan", "yang.fan", "xu.jing")
SIDES = ("yang.fan", "xu.jing")
NAMES = {"lin.xia": "林霞", "gao.yuan": "高远", "yang.fan": "杨帆", "xu.jing": "徐静", "p-9": "旧项目 · 徐静"}
LINE = MatchLine(
    subject_type="project",
    name="旧项目<u>",
    salesperson_name="徐静",
    status="active",
    since=datetime(2026, 3, 2, 1, 30, tzinfo=UTC),
    earlier=True,
    live=True,
    verdict=verdict("same_tender_number"),
    vendor_registered=True,
    vendor_position="支持徐静团队<v>",
    named_since=datetime(2026, 4, 1, 2, 0, tzinfo=UTC),
    relationship="驻场三年",
)
_OWN = {"name": "核心网扩容", "salesperson_name": "杨帆", "since": NOON, "verdict": Verdict()}
OWN = LINE.model_copy(update={**_OWN, "vendor_position": "支持我方投标", "named_since": None, "own": True})


def choices(kind: TaskKind, *, text_on_the_table: bool = False) -> Any:
    return project_choices(
        kind, people=PEOPLE, salespeople=SIDES, suspects=("p-9", "A-1"), text_on_the_table=text_on_the_table
    )


def page(kind: TaskKind, **changes: Any) -> str:
    view = {
        "path": "/d/token",
        "subject_type": SubjectType.PROJECT,
        "subject_id": "pr0ject",
        "project_name": FORM.name,
        "customer_name": FORM.customer.name,
        "round": 1,
        "kind": kind,
        "asked_name": "林霞",
        "applicant_name": "杨帆",
        "opened_at": NOON,
        "due_at": NOON,
        "choices": choices(kind),
        "form": FORM,
        "weighed": (Weighed(line=LINE, suspected=True), Weighed(line=OWN, own=True)),
        "offered": Offered(people=tuple(NAMES.items())[:4], labels=NAMES, sides=SIDES),
    }
    return render_decision(DecisionPage.model_validate({**view, **changes}))


def task(kind: TaskKind, *, text_on_the_table: bool = False) -> TaskRow:
    return TaskRow(
        id="t",
        workflow_id="project-pr0ject",
        subject_type="project",
        subject_id="pr0ject",
        kind=kind,
        slot="",
        round=1,
        status=TaskStatus.OPEN,
        choices=choices(kind, text_on_the_table=text_on_the_table),
        opened_at=NOON,
        due_at=NOON,
        due_provisional=False,
    )


def answered(kind: TaskKind, typed: dict[str, str], **how: Any) -> dict[str, Any]:
    """What the page's inputs, as they stand, with `typed` over them, become: fields that the rules accept."""
    row = task(kind, **how)
    posted = Inputs(page(kind, choices=row.choices)).values | typed
    choice, reason, fields = entered_fields(row, posted, ZONE)
    check_answer(row, choice, reason, fields)
    return fields

"""N1: everything that is wrong with a form is named at once, what E2 and E3 refuse among it, also when it is sent in
anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretBytes
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import RecordStep
from crypto.keyring import Keyring
from db.tasks import tasks
from domain.accounts.application import Stage
from domain.accounts.named_account import choices_for
from domain.statements import AnswerTask
from domain.tasks.task import TaskKind, TaskStatus
from tests.integration.projects.project_door import APPLICANT, Call, asked, door, filled
from tests.integration.tasks.race_ground import (
    NOW,
    Ground,
    Racer,
    salesperson,
)
from tests.samples import application_body, application_form

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with filled(engine) as connection:
        row = tasks.TaskRow(
            id="back",
            workflow_id="application-a1",
            subject_type="application",
            subject_id="a1",
            kind=TaskKind.SUPPLY_INFORMATION,
            slot="",
            round=1,
            status=TaskStatus.OPEN,
            choices=choices_for(TaskKind.SUPPLY_INFORMATION),
            opened_at=NOW,
            due_at=NOW + timedelta(days=5),
            due_provisional=False,
        )
        await tasks.open_task(connection, row, [asked("back", APPLICANT)])
        await connection.commit()
    async with door(engine, database_url) as asking:
        yield asking


def refused_form() -> dict[str, Any]:
    """No legal person, centralised procurement of a telecom customer, and without a plan's goals."""
    given = application_body()
    given["customer"] |= {"legal_person": False, "industry": "telecom"}
    given["centralised_procurement"] = True
    return given


WRONG = {("account_plan.goals", "E4"), ("centralised_procurement", "E3"), ("customer.legal_person", "E2")}


async def test_n1_what_e2_and_e3_refuse_is_named_together_with_every_other_wrong_field(call: Call) -> None:
    given = refused_form()
    given["account_plan"]["goals"] = ""
    answer = await call(APPLICANT, "POST", "/applications", given)
    assert answer.status_code == 422
    assert {(error["field"], error["rule"]) for error in answer.json()["errors"]} == WRONG
    words = {error["rule"]: error["message"] for error in answer.json()["errors"]}
    assert "集中采购" in words["E3"]
    assert "独立法人" in words["E2"]

    body = {"choice": "supply", "fields": {"application": given}}
    again = await call(APPLICANT, "POST", "/tasks/back/answer", body)
    assert again.status_code == 422
    named = {(error["field"], error["rule"]) for error in again.json()["errors"]}
    assert named == {(f"fields.application.{field}", rule) for field, rule in WRONG}


async def test_n1_sent_in_anew_a_form_that_e2_and_e3_refuse_names_the_fields(engine: AsyncEngine) -> None:
    ground = Ground(engine, KEYS)
    await ground.prepare(sellers=1)
    me = salesperson(0)
    back = ((TaskKind.SUPPLY_INFORMATION, "", ({"person": me, "capacity": "holder"},)),)
    racer = Racer(
        id="back",
        applicant=me,
        form=application_form("补充客户"),
        approved=False,
        open_tasks=back,
        stage=Stage.RETURNED,
    )
    await ground.register([racer])
    task_id = racer.task_id(TaskKind.SUPPLY_INFORMATION)
    said = ground.says(AnswerTask, racer, me, task_id=task_id, choice="supply", fields={"application": refused_form()})
    step = RecordStep(key="record:back", now=NOW, subject=racer.subject, statement=said)
    recorded = await ground.run(ground.records.record_statement, step, racer.workflow_id)
    assert (recorded.accepted, recorded.code) == (False, "E3")
    ((result,),) = await ground.rows("SELECT result FROM receipt WHERE message_id = :id", id=said.message_id)
    assert [(problem["field"], problem["rule"], problem["key"]) for problem in result["problems"]] == [
        ("fields.application.centralised_procurement", "E3", "E3"),
        ("fields.application.customer.legal_person", "E2", "E2_legal_person"),
    ]

"""Which forms and callers the front door of projects turns away, and what tasks of projects look like (P, D, U)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.workflow import _Definition

from api.gateway.gateway import APPLICATION_PROCESS, CORRECTION_PROCESS, PROJECT_PROCESS, SIGNALS
from db.disputes import disputes
from db.projects import projects
from db.reads import detail_reads, lists
from db.tasks import tasks
from domain.access import scope_of
from domain.disputes.dispute import DisputeStage
from domain.organisation import Delegation, Person, Role
from domain.projects.project import ProjectStage, ProjectStatus
from domain.tasks.task import TaskStatus
from tests.integration.projects.project_door import (
    APPLICANT,
    CLERK,
    GENERAL_MANAGER,
    HOLDER,
    NOW,
    ORGANISATION,
    OTHER,
    OTHER_VP,
    VP,
    Call,
    door,
    fill,
    filled,
    row,
)
from tests.samples import PROJECT_FORM, project_body
from web.dossier.page import render_dossier
from workflows import dispute, named_account, project
from workflows.contract_correction import ContractCorrection
from workflows.named_account import NamedAccountApplication
from workflows.project import ProjectRegistration


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        yield connection


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with door(engine, database_url) as asking:
        yield asking


async def test_d2_x3_a_dispute_between_two_runs_of_its_registration_asks_for_the_same_again(
    engine: AsyncEngine, database_url: str, connection: AsyncConnection
) -> None:
    """The registration has asked for it back and begins it again in a moment: nothing is over."""
    await fill(connection)
    temporal = Path(sys.executable).with_name("temporal")
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(temporal), data_converter=pydantic_data_converter
        ) as env,
        door(engine, database_url, client=env.client) as call,
    ):
        wants = {"reason": "各执一词"}
        held_up = await call(APPLICANT, "POST", "/projects/p2/meeting", wants, headers={"Idempotency-Key": "m1"})
        assert (held_up.status_code, held_up.json()["code"]) == (503, "engine_away")
        assert held_up.headers["retry-after"]
        await connection.execute(text("UPDATE dispute SET stage = 'shelved' WHERE id = 'p2-1'"))
        await connection.commit()
        late = await call(APPLICANT, "POST", "/projects/p2/withdraw", wants, headers={"Idempotency-Key": "m2"})
        assert (late.status_code, late.json()["code"]) == (409, "process_over")


async def test_p9_a_purpose_is_one_of_three(call: Call) -> None:
    for purpose in ("?purpose=gift", ""):
        refused = await call(APPLICANT, "GET", f"/project-numbers/P1{purpose}")
        assert refused.status_code == 422
        assert [(error["field"], error["rule"]) for error in refused.json()["errors"]] == [("purpose", "P9")]
    assert (await call(APPLICANT, "GET", "/project-numbers/P1")).status_code == 422


async def test_p1_every_wrong_field_is_named_at_once_with_its_rule(call: Call) -> None:
    body = project_body()
    body |= {"amount": 1.5, "expected_signing": "soon", "customer": body["customer"] | {"uscc": "123"}, "x": 1}
    del body["vendor"]
    answer = await call(APPLICANT, "POST", "/projects", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    errors = {(error["field"], error["rule"]) for error in answer.json()["errors"]}
    assert errors == {(name, "P1") for name in ("amount", "expected_signing", "customer.uscc", "x", "vendor")}


async def test_d3_a_split_that_is_not_100_is_refused_with_its_rule(call: Call) -> None:
    people = (APPLICANT, HOLDER, OTHER)
    for shares in (("60", "39.99"), ("99.99",), ("50", "50", "0.01")):
        split = [{"person": person, "percent": share} for person, share in zip(people, shares, strict=False)]
        answer = await call(
            APPLICANT, "POST", "/projects/p/agreement", {"responsible": HOLDER, "cooperation": "联合", "split": split}
        )
        assert answer.status_code == 422
        assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [("split", "D3")]


TURNED_AWAY = [
    ("lin.xia", "/projects", "form", 403, "only_salespeople_register"),
    (HOLDER, "/projects/p2/updates", "update", 403, "not_salesperson_of_project"),
    (VP, "/projects/p1/loss", "loss", 403, "not_salesperson_of_project"),
    (VP, "/projects/p1/contract-review", "contract", 403, "not_commerce_or_salesperson"),
    (VP, "/projects/p1/contract-correction", "correction", 403, "not_commerce"),
    (APPLICANT, "/projects/p1/contract-correction", "correction", 403, "not_commerce"),
    (OTHER, "/projects/p1/contract-correction", "correction", 404, "not_found"),
    (HOLDER, "/projects/p2/resume", "resume", 403, "not_salesperson_of_project"),
    (HOLDER, "/projects/p2/objection", "reason", 403, "not_salesperson_of_project"),
    (HOLDER, "/projects/p2/withdraw", "reason", 403, "not_salesperson_of_project"),
    (OTHER, "/projects/p1/updates", "update", 404, "not_found"),
    (OTHER, "/projects/p1/objection", "reason", 404, "not_found"),
    (CLERK, "/projects/p2/agreement", "agreement", 403, "not_party_of_dispute"),
    (APPLICANT, "/projects/p1/agreement", "agreement", 409, "dispute_not_open"),
    (HOLDER, "/projects/p2/agreement", "agreement", 409, "task_withdrawn"),
    (CLERK, "/projects/p2/meeting", "reason", 403, "may_not_call_meeting"),
    (VP, "/projects/p1/meeting", "reason", 409, "dispute_not_open"),
    (APPLICANT, "/projects/none/updates", "update", 404, "not_found"),
]
BODIES: dict[str, Any] = {
    "form": project_body(),
    "update": {"progress": "x", "next_steps": "y"},
    "loss": {"reason": "x"},
    "contract": {"amount": "1.00"},
    "correction": {"amount": "1.00", "reason": "x"},
    "resume": {"why_silent": "x", "why_resume": "y"},
    "reason": {"reason": "x"},
    "agreement": {"responsible": APPLICANT, "cooperation": "x", "split": [{"person": APPLICANT, "percent": "100"}]},
}


async def test_whoever_may_not_is_told_so_before_the_engine_is_asked(connection: AsyncConnection, call: Call) -> None:
    """P1, P8, D1, D2, U1, U6, U7, U8: 403 with the rule, 404 for what one may not know of."""
    await fill(connection)
    for person, path, body, status, code in TURNED_AWAY:
        answer = await call(person, "POST", path, BODIES[body])
        assert (answer.status_code, answer.json()["code"]) == (status, code), (person, path)
        assert bool(answer.json()["errors"]) is (status == 403)  # names the rule


AGREED = {"how": "agreed", "cooperation": "联合投标", "split": [], "responsible": APPLICANT, "dispute": "p2-1"}


class EngineWithoutDisputes:
    """An engine in which the process of a dispute ends in the moment somebody speaks to it."""

    def __init__(self, ends: Callable[[], Awaitable[None]]) -> None:
        self.ends = ends
        self.told: list[str] = []

    def get_workflow_handle(self, workflow_id: str) -> Any:
        async def signal(*_: Any, **__: Any) -> None:
            if workflow_id.startswith("dispute-"):
                await self.ends()
                raise RPCError("over", RPCStatusCode.NOT_FOUND, b"")
            self.told.append(workflow_id)

        return SimpleNamespace(signal=signal)


async def test_d4_whoever_steps_in_as_the_dispute_ends_is_heard_by_the_project(
    connection: AsyncConnection, engine: AsyncEngine, database_url: str
) -> None:
    """D4: the two have agreed while the request was on its way; the project is not decided, so it is not too late."""
    await fill(connection)

    async def both_agree() -> None:
        await disputes.change(connection, "p2-1", stage=DisputeStage.AGREED, outcome=AGREED)
        await projects.change(connection, "p2", agreement=AGREED, stage=ProjectStage.APPROVAL)
        await connection.commit()

    here = EngineWithoutDisputes(both_agree)
    async with door(engine, database_url, client=here) as call:
        answer = await call(VP, "POST", "/projects/p2/meeting", {"reason": "金额较大"})
    assert (answer.status_code, here.told) == (202, ["project-p2"])


async def test_d4_x2_a_vps_delegate_sees_the_dispute_in_their_time(
    connection: AsyncConnection, engine: AsyncEngine, database_url: str
) -> None:
    """D4: they act on the VP's behalf; before and after they know nothing of it, and an operator never does."""
    await fill(connection)
    operator = next(person.id for person in ORGANISATION.people if Role.OPERATOR in person.roles)

    async def sees(delegate: str, principal: str, begins: timedelta) -> list[str]:
        start, end = NOW + begins, NOW + begins + timedelta(days=2)
        away = Delegation(person=principal, delegate=delegate, start=start, end=end)
        organisation = ORGANISATION.model_copy(update={"delegations": (away,)})
        async with door(engine, database_url, organisation=organisation) as call:
            listed = (await call(delegate, "GET", "/projects")).json()["items"]
            read = (await call(delegate, "GET", "/projects/p2")).status_code
            called = (await call(delegate, "POST", "/projects/p2/meeting", {"reason": ""})).status_code
        assert (read, called) == ((200, 422) if listed else (404, 422))
        return sorted(row["id"] for row in listed)

    for principal in (OTHER_VP, GENERAL_MANAGER):
        assert await sees("peter.wong", principal, -timedelta(days=1)) == ["p2", "p3"]
        assert await sees("peter.wong", principal, timedelta(days=1)) == []
        assert await sees("peter.wong", principal, -timedelta(days=2)) == []
        assert await sees(operator, principal, -timedelta(days=1)) == []


async def test_tasks_of_projects_stand_in_the_list_and_open_with_everything_to_decide_on(
    connection: AsyncConnection, call: Call
) -> None:
    await fill(connection)
    (one,) = (await call(CLERK, "GET", "/tasks")).json()["items"]
    assert one["subject"] == {"type": "project", "id": "p1", "title": PROJECT_FORM.name}
    assert one["rule"] == "P4"
    opened = (await call(CLERK, "GET", "/tasks/t1")).json()
    assert opened["application"] is None
    assert [match["subject_id"] for match in opened["project"]["matches"]] == ["theirs"]
    suspects = next(choice for choice in opened["choices"] if choice["choice"] == "suspect")["fields"][0]
    assert suspects["named"] == [{"id": "theirs", "label": "别人的项目 · 徐静"}]
    assert suspects["label"] == "可能冲突的登记"
    answer = await call(CLERK, "POST", "/tasks/t1/answer", {"choice": "suspect", "fields": {"suspects": ["other"]}})
    assert {(error["field"], error["rule"]) for error in answer.json()["errors"]} == {
        ("reason", "P4"),
        ("fields.suspects.0", "P5"),
    }


async def test_projects_are_listed_by_status_and_salesperson_and_paged(connection: AsyncConnection, call: Call) -> None:
    await fill(connection)
    lost = (await call(CLERK, "GET", f"/projects?status={ProjectStatus.ENDED}")).json()["items"]
    assert {row["id"] for row in lost} == {"p4", "p5"}
    theirs = (await call(CLERK, "GET", f"/projects?salesperson={OTHER}")).json()["items"]
    assert [row["id"] for row in theirs] == ["p6"]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await call(CLERK, "GET", f"/projects?limit=2{cursor and '&cursor=' + cursor}")).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(found) == ["p1", "p2", "p3", "p4", "p5", "p6"]


async def test_u6_a_shelved_project_names_what_resumes_it(connection: AsyncConnection, call: Call) -> None:
    await projects.add(connection, row("old", stage=ProjectStage.SHELVED))
    why = {"why_silent": "x", "why_resume": "y"}
    await projects.add(connection, row("new", stage=ProjectStage.RESUME_REVIEW, resumes="old", resumption=why))
    await connection.commit()
    assert (await call(APPLICANT, "GET", "/projects/old")).json()["resumed_by"] == "new"
    new = (await call(APPLICANT, "GET", "/projects/new")).json()
    assert (new["resumes"], new["resumption"]["why_silent"]) == ("old", "x")


async def test_the_gateway_uses_names_that_the_processes_listen_to() -> None:
    """The gateway names processes and signals; this holds the names to the processes."""
    assert _Definition.must_from_class(NamedAccountApplication).name == APPLICATION_PROCESS
    assert _Definition.must_from_class(ProjectRegistration).name == PROJECT_PROCESS
    assert _Definition.must_from_class(ContractCorrection).name == CORRECTION_PROCESS
    of_projects = {"answer_task", "withdraw", "update", "report_loss", "receive_contract", "object_to_refusal"}
    assert {"answer_task", "withdraw", "appeal", "gather_evidence"} <= set(named_account.HEARS)
    assert of_projects | {"call_for_meeting"} <= set(project.HEARS)
    assert {"answer_task", "call_for_meeting", "move_meeting", "call_off_meeting"} <= set(dispute.HEARS)
    assert set(SIGNALS.values()) <= {*named_account.HEARS, *project.HEARS, *dispute.HEARS}


async def test_x2_the_list_and_the_single_row_are_one_condition(connection: AsyncConnection) -> None:
    await fill(connection)

    async def listed(person: Person) -> set[str]:
        return {row.id for row in await lists.projects_seen(connection, scope_of(person, ORGANISATION))}

    async def single(person: Person) -> set[str]:
        scope = scope_of(person, ORGANISATION)
        ids = ("p1", "p2", "p3", "p4", "p5", "p6")
        return {project_id for project_id in ids if await detail_reads.project_seen(connection, scope, project_id)}

    for person in ORGANISATION.people:
        assert await listed(person) == await single(person)


async def test_a_dossier_prints(connection: AsyncConnection, call: Call) -> None:
    """N11."""
    await fill(connection)
    await tasks.close(connection, ["t1"], TaskStatus.WITHDRAWN, at=NOW, because="x")
    share = [{"person": APPLICANT, "percent": str(Decimal("62.50"))}, {"person": HOLDER, "percent": "37.50"}]
    agreement = {"how": "agreed", "responsible": APPLICANT, "split": share, "cooperation": "联合投标"}
    await projects.change(connection, "p2", agreement=agreement)
    await connection.commit()
    plain = (await call(CLERK, "GET", "/projects/p2/dossier")).json()
    assert plain["project"]["agreement"]["split"][1]["person"] == {"id": HOLDER, "name": "徐静"}
    assert [dispute["stage"] for dispute in plain["disputes"]] == ["negotiation"]
    html = render_dossier(plain)
    for shown in ("联合投标", "62.50", "徐静", PROJECT_FORM.relationship):
        assert shown in html

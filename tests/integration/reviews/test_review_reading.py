"""Reviews as they are read: tasks, pages behind mail links, and accounts with what was said of them (R1–R6, X2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.links import link_token
from db.accounts import registers
from db.accounts.registers import AccountResultRow
from db.projects.projects import add as add_project
from db.reviews import reviews
from db.reviews.reviews import AccountReviewRow, PeriodRow, ReviewRow, TargetRow
from db.tables.accounts import account
from db.tables.reference import organisation
from db.tables.tasks import task
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.projects.project import ProjectStage
from domain.reviews.periods import Rhythm
from domain.reviews.review import ReviewStage, review_choices
from domain.tasks.task import TaskKind, TaskStatus
from tests.inputs import Inputs
from tests.integration.accounts.account_ground import add_account
from tests.integration.accounts.test_confidence import KEYS
from tests.integration.projects.project_door import ORGANISATION, Call, asked, door, row
from tests.integration.projects.test_projects_record import RULES
from tests.review_samples import CLOSES, CUSTOMERS, PERIODS, note

NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
SALESPERSON, GM, OTHER, MANAGER = "yang.fan", "zhao.lei", "xu.jing", "zhang.wei"
UNITS = {TaskKind.WEEKLY_UPDATE: "north", TaskKind.ANNUAL_REVIEW: ""}
ACCOUNTS = ("a0", "a1", "a2")


def review(kind: TaskKind) -> ReviewRow:
    period, unit = PERIODS[kind], UNITS[kind]
    name = f"{period.id}-{unit}" if unit else period.id
    return ReviewRow(
        id=name,
        workflow_id=f"review-{name}",
        rhythm=period.rhythm,
        period=period.id,
        unit=unit,
        stage=ReviewStage.UPDATES if period.rhythm is Rhythm.WEEKLY else ReviewStage.MANAGEMENT_REVIEW,
        stage_since=NOW,
        opened_at=NOW,
        closes_at=CLOSES,
        policy_digest=RULES.digest,
    )


def review_task(task_id: str, kind: TaskKind, **more: Any) -> TaskRow:
    whose = review(kind)
    given: dict[str, Any] = {
        "id": task_id,
        "workflow_id": whose.workflow_id,
        "subject_type": "review",
        "subject_id": whose.id,
        "kind": kind,
        "slot": "",
        "round": 1,
        "status": TaskStatus.OPEN,
        "choices": review_choices(kind, ACCOUNTS),
        "note": note(kind).model_dump(mode="json"),
        "opened_at": NOW,
        "due_at": NOW + timedelta(days=2),
        "due_provisional": False,
    }
    return TaskRow.model_validate(given | more)


@pytest.fixture
async def ask(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    """Three accounts of yang.fan, a week that asks him, and a year that asks the general manager."""
    async with engine.begin() as connection:
        await RULES.pin_policy(connection)
        document = ORGANISATION.model_dump(mode="json")
        await connection.execute(organisation.insert().values(document=document, imported_at=NOW, imported_by="test"))
        for number, account_id in enumerate(ACCOUNTS):
            await add_account(connection, account_id, CUSTOMERS[number], salesperson=SALESPERSON)
        for kind, task_id, person in (
            (TaskKind.WEEKLY_UPDATE, "week", SALESPERSON),
            (TaskKind.ANNUAL_REVIEW, "year", MANAGER),
        ):
            whose = review(kind)
            shared = whose.model_dump(include={"rhythm", "period", "closes_at", "policy_digest"})
            await reviews.begin_period(connection, PeriodRow(**shared, workflow_id=f"period-{task_id}", opens_at=NOW))
            await reviews.add(connection, whose)
            await tasks.open_task(connection, review_task(task_id, kind), [asked(task_id, person)])
    async with door(engine, database_url, base_url="http://here", link_keys=KEYS) as call:
        yield call


def page_of(task_id: str, person: str) -> str:
    return f"/d/{link_token(asked(task_id, person).link_id.replace('.', '-'), KEYS)}"


async def read(engine: AsyncEngine, person: str) -> set[tuple[str, str]]:
    async with engine.connect() as connection:
        query = text("SELECT subject_type, subject_id FROM subject_read WHERE person = :person")
        rows = await connection.execute(query, {"person": person})
        return {(row.subject_type, row.subject_id) for row in rows}


async def test_r1_a_list_of_tasks_calls_a_review_by_its_period_and_department(ask: Call) -> None:
    (mine,) = (await ask(SALESPERSON, "GET", "/api/v1/tasks")).json()["items"]
    assert mine["subject"] == {"type": "review", "id": "2026-W48-north", "title": "2026-W48 周回顾 · 北方区"}
    assert mine["rule"] == "R1"
    (theirs,) = (await ask(MANAGER, "GET", "/api/v1/tasks")).json()["items"]
    assert theirs["subject"]["title"] == "FY2026 年度回顾 · 华信系统集成有限公司"
    assert (await ask(OTHER, "GET", "/api/v1/tasks")).json()["items"] == []


async def test_r4_a_task_tells_what_is_filled_in_for_each_account_and_what_to_know(ask: Call) -> None:
    shown = (await ask(MANAGER, "GET", "/api/v1/tasks/year")).json()
    (choice,) = shown["choices"]
    (rows,) = choice["fields"]
    assert (choice["choice"], choice["label"]) == ("decide", "提交全部决定")
    assert (rows["name"], rows["kind"], rows["required"]) == ("accounts", "rows", True)
    assert rows["named"][1] == {"id": "a1", "label": "华东精密"}
    columns = {column["name"]: column for column in rows["columns"]}
    assert list(columns) == ["decision", "target_contracts", "target_revenue", "requirements", "reason"]
    assert columns["decision"]["named"] == [
        {"id": "keep", "label": "保留，确定新的目标"},
        {"id": "revoke", "label": "撤销大客户资格"},
    ]
    assert columns["reason"]["unless"] == ["decision", "keep"]
    assert columns["target_contracts"]["label"] == "合同签约目标（元）"
    review_shown = shown["review"]
    assert (review_shown["id"], review_shown["stage_label"]) == ("FY2026", "公司管理层回顾中")
    assert review_shown["sets_for"] == "FY2027"
    account_shown = shown["note"]["accounts"][1]
    assert account_shown["salesperson"] == {"id": "yang.fan", "name": "杨帆"}
    assert account_shown["figures"]["contracts"] == "3200000.00"
    assert account_shown["figures"]["proposal_label"] == "系统建议：撤销资格"
    assert "40%" in account_shown["figures"]["because"]
    assert shown["application"] is shown["project"] is None


async def test_x2_a_review_is_seen_by_those_it_asks_and_reading_it_is_recorded(ask: Call, engine: AsyncEngine) -> None:
    for stranger in (OTHER, GM, MANAGER, "gao.yuan", "li.ming"):
        assert (await ask(stranger, "GET", "/api/v1/tasks/week")).status_code == 404
    assert await read(engine, OTHER) == set()
    assert (await ask(SALESPERSON, "GET", "/api/v1/tasks/week")).status_code == 200
    assert await read(engine, SALESPERSON) == {
        ("review", "2026-W48-north"),
        *(("account", account_id) for account_id in ACCOUNTS),
    }


async def test_r1_the_page_of_a_link_asks_for_each_account_and_keeps_what_was_typed(
    ask: Call, engine: AsyncEngine
) -> None:
    await linked(engine)
    path = page_of("week", SALESPERSON)
    shown = await ask(SALESPERSON, "GET", path)
    assert shown.status_code == 200
    assert "2026-W48 周回顾 · 北方区" in shown.text
    typed = Inputs(shown.text).values | {"accounts.0.work": "拜访信息中心", "confirm": "yes"}
    again = await ask(SALESPERSON, "POST", path, data=typed)
    assert again.status_code == 422
    inputs = Inputs(again.text)
    assert inputs.values["accounts.0.work"] == "拜访信息中心"
    assert "f-accounts-0-progress" in inputs.anchors
    assert "f-accounts-0-work" not in inputs.anchors
    assert ("account", "a2") in await read(engine, SALESPERSON)


async def linked(engine: AsyncEngine) -> None:
    """Link ids as they are in an address; the ids of people have dots."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE task_person SET link_id = replace(link_id, '.', '-')"))


async def test_r6_what_was_missed_takes_no_answer_and_says_so(ask: Call, engine: AsyncEngine) -> None:
    await linked(engine)
    async with engine.begin() as connection:
        await connection.execute(
            update(task).where(task.c.id == "week").values(status="missed", closed_at=NOW, closed_because="missed")
        )
    (mine,) = (await ask(SALESPERSON, "GET", "/api/v1/tasks?status=missed")).json()["items"]
    assert (mine["status"], mine["choices"]) == ("missed", [])
    refused = await ask(SALESPERSON, "POST", "/api/v1/tasks/week/answer", {"choice": "report"})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_missed")
    assert "R6" in refused.json()["detail"]
    calm = await ask(SALESPERSON, "GET", page_of("week", SALESPERSON))
    assert calm.status_code == 200
    assert "这一期已经结束" in calm.text
    assert (await ask(SALESPERSON, "POST", page_of("week", SALESPERSON), data={"choice": "report"})).status_code == 409


async def test_r1_an_answer_with_mistakes_names_each_of_them(ask: Call) -> None:
    rows = [{"id": "a0", "work": "拜访"}, {"id": "a0", "work": "拜访", "progress": "好"}, {"id": "zz"}]
    body = {"choice": "report", "fields": {"accounts": rows}}
    refused = await ask(SALESPERSON, "POST", "/api/v1/tasks/week/answer", body)
    assert refused.status_code == 422
    assert [(error["field"], error["rule"]) for error in refused.json()["errors"]] == [
        ("fields.accounts.0.progress", "R1"),
        ("fields.accounts.1.id", None),
        ("fields.accounts.2.id", None),
        ("fields.accounts.2.work", "R1"),
        ("fields.accounts.2.progress", "R1"),
        ("fields.accounts", "R1"),
    ]


async def test_r2_an_account_shows_targets_results_and_what_was_said(ask: Call, engine: AsyncEngine) -> None:
    contract = {"at": "2026-11-10T02:00:00+00:00", "received_on": "2026-10-31", "amount": "2600000.00"}
    shares = [{"person": SALESPERSON, "percent": "75"}, {"person": OTHER, "percent": "25"}]
    of_p1 = {"account_id": "a0", "contract": contract, "agreement": {"split": shares}}
    async with engine.begin() as connection:
        signed = row("p1", stage=ProjectStage.CONTRACT_SIGNED, **of_p1)
        await add_project(connection, signed)
        result = AccountResultRow(
            account_id="a0",
            month=date(2026, 10, 1),
            other_contracts=Decimal("400000"),
            revenue=Decimal("150000.50"),
            payments=Decimal("0"),
            imported_at=NOW,
            imported_by="test",
        )
        await registers.keep_results(connection, [result, result.model_copy(update={"month": date(2026, 9, 1)})])
        said = AccountReviewRow(
            task_id="week", account_id="a0", review_id="2026-W48-north", kind=TaskKind.WEEKLY_UPDATE,
            period="2026-W48", person=SALESPERSON, at=NOW, fields={"work": "拜访", "progress": "好"},
        )  # fmt: skip
        later = said.model_copy(
            update={"task_id": "year", "review_id": "FY2026", "kind": TaskKind.ANNUAL_REVIEW, "period": "FY2026",
                    "person": MANAGER, "at": NOW + timedelta(days=1), "fields": {"decision": "keep"}}
        )  # fmt: skip
        await reviews.keep_said(connection, [said, later])
        target = TargetRow(
            account_id="a0", period="FY2027", contracts=Decimal("9000000"), revenue=Decimal("2000000"), action_plan="",
            task_id="year", set_by=MANAGER, set_at=NOW,
        )  # fmt: skip
        await reviews.set_targets(connection, [target])
    shown = (await ask(SALESPERSON, "GET", "/api/v1/accounts/a0")).json()
    assert (shown["live"], shown["status_label"], shown["revoked_at"]) == (True, "大客户", None)
    assert [
        (figures["month"], figures["contracts"], figures["signed"], figures["revenue"]) for figures in shown["results"]
    ] == [
        ("2026-10", "3000000.00", "2600000.00", "150000.50"),
        ("2026-09", "400000.00", "0", "150000.50"),
    ]
    for credits in (
        shown["results"][0]["credits"],
        (await ask(SALESPERSON, "GET", "/api/v1/projects/p1")).json()["credits"],
    ):
        assert [(credit["person"]["id"], credit["amount"]) for credit in credits] == [
            (SALESPERSON, "1950000.00"),
            (OTHER, "650000.00"),
        ], "D3"
    (target_shown,) = shown["targets"]
    assert (target_shown["period"], target_shown["contracts"]) == ("FY2027", "9000000.00")
    assert target_shown["set_by"] == {"id": MANAGER, "name": "张伟"}
    assert [
        (review_shown["title"], review_shown["period"], review_shown["fields"]) for review_shown in shown["reviews"]
    ] == [
        ("半年度、年度回顾", "FY2026", {"decision": "keep"}),
        ("每周客户情况", "2026-W48", {"work": "拜访", "progress": "好"}),
    ]
    assert "annual_contracts" in shown["promised"]
    assert (await ask(OTHER, "GET", "/api/v1/accounts/a0")).status_code == 404


async def test_r5_a_revoked_account_is_listed_on_request_and_never_as_live(ask: Call, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(account).where(account.c.id == "a1").values(revoked_at=NOW))
    live = (await ask(SALESPERSON, "GET", "/api/v1/accounts")).json()["items"]
    assert [item["id"] for item in live] == ["a2", "a0"]
    everything = (await ask(SALESPERSON, "GET", "/api/v1/accounts?revoked=true")).json()["items"]
    assert [(item["id"], item["live"]) for item in everything] == [("a2", True), ("a1", False), ("a0", True)]
    one = (await ask(SALESPERSON, "GET", "/api/v1/accounts/a1")).json()
    assert (one["live"], one["status_label"]) == (False, "已撤销，现为非大客户")
    assert datetime.fromisoformat(one["revoked_at"]) == NOW
    application = (await ask(SALESPERSON, "GET", "/api/v1/applications/a1")).json()
    assert "R5" in application["what_next"]
    assert datetime.fromisoformat(application["account_revoked_at"]) == NOW

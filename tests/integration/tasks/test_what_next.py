"""`what_next` of every subject says who, what, until when, and what follows by itself (api.md; N5, N8, N10, N12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.accounts import accounts, applications
from db.projects import projects
from db.tasks import tasks
from domain.accounts.application import Stage
from domain.accounts.named_account import Obstacle, Rejection
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskKind
from tests.integration.projects.project_door import APPLICANT, CLERK, NOW, VP, Call, asked, door, filled, row, task
from tests.integration.tasks.test_late_answers import reviewed
from tests.samples import application_form


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        yield connection


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with door(engine, database_url) as asking:
        yield asking


async def five_accounts(connection: AsyncConnection) -> None:
    for number in range(4):  # beside the one that the record begins with
        held = f"held-{number}"
        application = await applications.find(connection, "a1")
        assert application is not None
        await applications.add(
            connection,
            application.model_copy(
                update={"id": held, "workflow_id": f"application-{held}", "form": application_form(f"已有客户{number}")}
            ),
        )
        account = accounts.AccountRow(
            id=held,
            application_id=held,
            salesperson=APPLICANT,
            department="sales-north",
            form=application_form(f"已有客户{number}"),
            slot=number + 2,
            account_limit=5,
            gm_decision=None,
            activated_at=NOW,
        )
        await accounts.activate(connection, account, ())


async def said(call: Call, person: str = APPLICANT, path: str = "/applications/a1") -> str:
    return str((await call(person, "GET", path)).json()["what_next"])


async def test_n12_what_next_says_who_until_when_and_who_follows_by_itself(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection)
    await connection.commit()
    words = await said(call)
    for part in ("李明", "王芳", "2026年12月6日", "总经理", "N12", "两位均同意后即成为大客户"):
        assert part in words
    assert "特别" not in words


async def test_n8_what_next_of_a_sixth_application_tells_of_the_special_reason_and_the_general_manager(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection)
    await five_accounts(connection)
    await connection.commit()
    for part in ("特别说明理由", "总经理批准", "N8"):
        assert part in await said(call)
    assert "即成为大客户" not in await said(call)
    await applications.change(connection, "a1", stage=Stage.COMMERCE_CHECK.value)
    await connection.commit()
    for part in ("项目商务部", "特别说明理由", "总经理批准"):
        assert part in await said(call)


async def test_n10_what_next_of_a_rejection_that_is_final_offers_no_appeal(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection)
    final = Rejection(task_id="r-li", kind=TaskKind.VP_REVIEW, person="zhang.wei", reason="不符", at=NOW)
    await applications.change(connection, "a1", stage=Stage.REJECTED.value, rejection=final)
    await connection.commit()
    shown = (await call(APPLICANT, "GET", "/applications/a1")).json()
    assert "二次审核" not in shown["what_next"] + shown["stage_label"]


async def test_a2_what_next_of_an_applicant_who_has_left_speaks_of_no_conflict(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection)
    left = {"code": Obstacle.APPLICANT_LEFT.value, "rule": "A2"}
    await applications.change(connection, "a1", stage=Stage.REFUSED.value, end_reason=left)
    await connection.commit()
    shown = (await call(CLERK, "GET", "/applications/a1")).json()
    assert "离职" in shown["what_next"]
    assert "冲突" not in shown["what_next"]
    assert "离职" in shown["end_reason"]["text"]


async def test_p2_what_next_of_a_project_says_until_when_and_what_follows_by_itself(
    connection: AsyncConnection, call: Call
) -> None:
    await projects.add(connection, row("p", stage=ProjectStage.APPROVAL))
    await tasks.open_task(
        connection, task("t", TaskKind.PROJECT_APPROVAL, subject="p", slot=APPLICANT), [asked("t", VP)]
    )
    await projects.add(connection, row("q", stage=ProjectStage.HELD))
    holding = task("u", TaskKind.SUPPLY_INFORMATION, subject="q", due_at=NOW + timedelta(days=14))
    await tasks.open_task(connection, holding, [asked("u", APPLICANT)])
    await connection.commit()
    for part in ("李明", "2026年12月6日", "请总经理代为处理"):
        assert part in await said(call, path="/projects/p")
    for part in ("杨帆", "2026年12月15日", "自动提醒"):
        assert part in await said(call, path="/projects/q")

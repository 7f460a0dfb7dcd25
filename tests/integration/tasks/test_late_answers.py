"""Whoever answers too late is told what became of the task: who decided what and when, and why (N9, N12, N13, D2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretBytes
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.gateway.receipts import refused
from crypto.keyring import Keyring
from crypto.links import link_token
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from db.disputes import disputes
from db.projects import projects
from db.reference_data import ReferenceData, import_organisation
from db.tasks import tasks
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.accounts.application import Stage
from domain.accounts.named_account import choices_for
from domain.disputes.dispute import DisputeStage
from domain.organisation import Delegation
from domain.policy import load_policy
from domain.projects.project import ProjectStage
from domain.tasks.task import AssigneeCapacity, TaskKind, TaskStatus
from tests.integration.projects.project_door import (
    APPLICANT,
    CLERK,
    GENERAL_MANAGER,
    HOLDER,
    NOW,
    ORGANISATION,
    OTHER_VP,
    VP,
    Call,
    dispute,
    door,
    filled,
    row,
)
from tests.integration.projects.project_door import task as project_task
from tests.samples import APPLICATION_FORM

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
DELEGATE = "sun.li"
COMMERCE = "lin.xia"
HOUR = timedelta(hours=1)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with filled(engine) as connection:
        yield connection


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with door(engine, database_url, base_url="http://here", link_keys=KEYS) as asking:
        yield asking


def page(task_id: str, person: str) -> str:
    return f"/d/{link_token(_link(task_id, person), KEYS)}"


def _link(task_id: str, person: str) -> str:
    return f"{task_id}-{person.replace('.', '-')}"


def asked(task_id: str, person: str, **more: Any) -> AskedRow:
    return AskedRow(
        person=person,
        task_id=task_id,
        link_id=_link(task_id, person),
        link_expires_at=NOW + timedelta(days=30),
        asked_at=NOW - HOUR,
        **more,
    )


async def reviewed(connection: AsyncConnection, stage: Stage = Stage.VP_REVIEW) -> None:
    """One application that both VPs review; 孙丽 may decide for 王芳."""
    digest = await ReferenceData(load_policy()).pin_policy(connection)
    await applications.add(
        connection,
        ApplicationRow(
            id="a1",
            workflow_id="application-a1",
            applicant=APPLICANT,
            department="sales-north",
            stage=stage,
            round=1,
            form=APPLICATION_FORM,
            policy_digest=digest,
            submitted_at=NOW - timedelta(days=3),
            stage_since=NOW - HOUR,
        ),
    )
    for vp in (VP, OTHER_VP):
        delegate = (
            [asked(f"r-{vp[:2]}", DELEGATE, capacity=AssigneeCapacity.DELEGATE, on_behalf_of=vp)]
            if vp == OTHER_VP
            else []
        )
        await tasks.open_task(connection, review(vp), [asked(f"r-{vp[:2]}", vp), *delegate])


def review(vp: str) -> TaskRow:
    return TaskRow(
        id=f"r-{vp[:2]}",
        workflow_id="application-a1",
        subject_type="application",
        subject_id="a1",
        kind=TaskKind.VP_REVIEW,
        slot=vp,
        round=1,
        status=TaskStatus.OPEN,
        choices=choices_for(TaskKind.VP_REVIEW),
        opened_at=NOW - HOUR,
        due_at=NOW + timedelta(days=5),
        due_provisional=False,
    )


def decided(task_id: str, person: str, choice: str, reason: str = "", **more: Any) -> DecisionRow:
    values = {
        "task_id": task_id,
        "kind": TaskKind.VP_REVIEW,
        "choice": choice,
        "reason": reason,
        "person": person,
        "message_id": f"m-{task_id}",
        "fields": {},
        "said_at": NOW,
        "decided_at": NOW,
    }
    return DecisionRow.model_validate(values | more)


async def test_n12_a_late_answer_says_who_decided_what_when_why_and_on_whose_behalf(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection)
    behalf = {"capacity": AssigneeCapacity.DELEGATE, "on_behalf_of": OTHER_VP}
    assert await tasks.decide(connection, decided("r-wa", DELEGATE, "reject", "潜力不足", **behalf))
    await connection.commit()
    late = await call(OTHER_VP, "POST", "/api/v1/tasks/r-wa/answer", {"choice": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "already_answered")
    assert late.json()["decided"] == {
        "choice": "reject",
        "by": "孙丽",
        "on_behalf_of": "王芳",
        "at": NOW.isoformat(),
        "reason": "潜力不足",
    }
    for words in ("孙丽", "王芳", "不同意", "2026年12月1日", "10:00"):
        assert words in late.json()["detail"]
    for method, status in (("GET", 200), ("POST", 409)):
        shown = await call(OTHER_VP, method, page("r-wa", OTHER_VP), data={"choice": "approve"})
        assert shown.status_code == status
        for words in ("孙丽", "代表王芳", "不同意", "2026年12月1日", "10:00", "潜力不足"):
            assert words in shown.text
        assert ("您的“同意”未被记录，无需再处理。" in shown.text) is (method == "POST")


async def test_n9_the_other_vp_is_told_whose_rejection_took_their_task_away(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection, Stage.REJECTED)
    assert await tasks.decide(connection, decided("r-li", VP, "reject", "潜力不足", decided_at=NOW - HOUR))
    await tasks.close(connection, ["r-wa"], TaskStatus.WITHDRAWN, at=NOW, because="rejected")
    await connection.commit()
    late = await call(OTHER_VP, "POST", "/api/v1/tasks/r-wa/answer", {"choice": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "task_withdrawn")
    assert late.json()["closed"] == {"because": "rejected", "by": "李明", "at": NOW.isoformat()}
    assert "decided" not in late.json()
    shown = await call(OTHER_VP, "GET", page("r-wa", OTHER_VP))
    for words in ("李明", "驳回", "2026年12月1日", "10:00"):
        assert words in late.json()["detail"]
        assert words in shown.text
    pressed = await call(OTHER_VP, "POST", page("r-wa", OTHER_VP), data={"choice": "approve"})
    assert pressed.status_code == 409
    assert "您的“同意”未被记录，无需再处理。" in pressed.text
    assert "未被记录" not in shown.text


async def test_n13_an_approver_is_told_that_the_applicant_has_withdrawn(
    connection: AsyncConnection, call: Call
) -> None:
    await reviewed(connection, Stage.WITHDRAWN)
    await tasks.close(connection, ["r-li", "r-wa"], TaskStatus.WITHDRAWN, at=NOW, because="withdrawn")
    await connection.commit()
    late = await call(VP, "POST", "/api/v1/tasks/r-li/answer", {"choice": "approve"})
    assert late.json()["closed"] == {"because": "withdrawn", "by": "杨帆", "at": NOW.isoformat()}
    shown = await call(VP, "GET", page("r-li", VP))
    for words in ("杨帆", "撤回", "2026年12月1日"):
        assert words in late.json()["detail"]
        assert words in shown.text


async def test_d2_a_side_is_told_who_asked_for_the_meeting(connection: AsyncConnection, call: Call) -> None:
    await projects.add(connection, row("p2", stage=ProjectStage.DISPUTED, account_id="account-1"))
    wanted = {"wanted": {"by": HOLDER, "reason": "谈不拢", "at": NOW.isoformat()}}
    await disputes.add(connection, dispute("p2", DisputeStage.CALLING_MEETING, meeting=wanted))
    agreeing = project_task("t2", TaskKind.AGREE_SPLIT, subject="p2", slot=APPLICANT, workflow_id="dispute-p2-1")
    await tasks.open_task(connection, agreeing, [asked("t2", APPLICANT)])
    await tasks.close(connection, ["t2"], TaskStatus.WITHDRAWN, at=NOW, because="calling_meeting")
    await connection.commit()
    late = await call(APPLICANT, "POST", "/api/v1/tasks/t2/answer", {"choice": "disagree", "reason": "同上"})
    assert late.json()["closed"] == {"because": "calling_meeting", "by": "徐静", "at": NOW.isoformat()}
    shown = await call(APPLICANT, "GET", page("t2", APPLICANT))
    for words in ("徐静", "协调会议", "2026年12月1日"):
        assert words in late.json()["detail"]
        assert words in shown.text


@pytest.mark.parametrize(
    ("stage", "said", "words"),
    [
        (ProjectStage.CONTRACT_SIGNED, {"contract": {"amount": "1.00", "by": CLERK}}, "登记收到合同审核申请"),
        (ProjectStage.ENDED, {"loss": {"reason": "预算取消", "by": APPLICANT}}, "报告丢单"),
    ],
)
async def test_u7_u8_commerce_is_told_who_ended_the_project_before_they_answered(
    connection: AsyncConnection, call: Call, stage: ProjectStage, said: dict[str, Any], words: str
) -> None:
    """A contract that a colleague received on paper, and a loss, close the contract review application."""
    await projects.add(connection, row("p2", stage=stage, **said))
    await tasks.open_task(
        connection, project_task("t2", TaskKind.CONTRACT_REVIEW, subject="p2"), [asked("t2", COMMERCE)]
    )
    await tasks.close(connection, ["t2"], TaskStatus.WITHDRAWN, at=NOW, because=stage.value)
    await connection.commit()
    late = await call(COMMERCE, "POST", "/api/v1/tasks/t2/answer", {"choice": "send_back", "reason": "缺少签字页"})
    who = "高媛" if "contract" in said else "杨帆"
    assert late.json()["closed"] == {"because": stage.value, "by": who, "at": NOW.isoformat()}
    shown = await call(COMMERCE, "GET", page("t2", COMMERCE))
    for part in (who, words):
        assert part in late.json()["detail"]
        assert part in shown.text


async def test_n12_a_delegate_whose_time_is_over_reads_that_and_who_decides_now(
    connection: AsyncConnection, call: Call
) -> None:
    over = NOW - timedelta(minutes=30)
    given = Delegation(person=OTHER_VP, delegate=DELEGATE, start=NOW - timedelta(days=2), end=over)
    await import_organisation(connection, ORGANISATION.model_copy(update={"delegations": (given,)}), now=NOW, by="test")
    await reviewed(connection)
    await tasks.remove_assignees(connection, "r-wa", [DELEGATE], at=over)
    await connection.commit()
    late = await call(DELEGATE, "POST", "/api/v1/tasks/r-wa/answer", {"choice": "approve"})
    assert (late.status_code, late.json()["code"]) == (403, "delegation_over")
    assert late.json()["closed"] == {"because": "delegation_over", "on_behalf_of": "王芳", "at": over.isoformat()}
    shown = await call(DELEGATE, "GET", page("r-wa", DELEGATE))
    assert shown.status_code == 200
    for words in ("代理", "王芳", "结束", "2026年12月1日", "09:30"):
        assert words in late.json()["detail"]
        assert words in shown.text
    assert "申请已由他人驳回" not in shown.text


async def test_n12_a_delegate_who_comes_when_both_are_over_reads_who_decided_and_that_their_time_is_over(
    connection: AsyncConnection, call: Call
) -> None:
    over = NOW - timedelta(minutes=30)
    given = Delegation(person=OTHER_VP, delegate=DELEGATE, start=NOW - timedelta(days=2), end=over)
    await import_organisation(connection, ORGANISATION.model_copy(update={"delegations": (given,)}), now=NOW, by="test")
    await reviewed(connection)
    await tasks.remove_assignees(connection, "r-wa", [DELEGATE], at=over)
    assert await tasks.decide(connection, decided("r-wa", OTHER_VP, "reject", "只告诉被请求的人"))
    await connection.commit()
    late = await call(DELEGATE, "POST", "/api/v1/tasks/r-wa/answer", {"choice": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "already_answered")
    assert late.json()["decided"] == {"choice": "reject", "by": "王芳", "at": NOW.isoformat()}
    shown = await call(DELEGATE, "GET", page("r-wa", DELEGATE))
    for words in ("王芳", "不同意", "您代表王芳的代理已于2026年12月1日 周二 09:30结束"):
        assert words in late.json()["detail"]
        assert words in shown.text
    assert "只告诉被请求的人" not in shown.text + late.text  # X2


async def test_n12_somebody_whose_task_went_to_another_reads_to_whom(connection: AsyncConnection, call: Call) -> None:
    await reviewed(connection)
    await tasks.remove_assignees(connection, "r-wa", [OTHER_VP], at=NOW)
    await tasks.add_assignees(connection, [asked("r-wa", GENERAL_MANAGER)])
    await connection.commit()
    shown = await call(OTHER_VP, "GET", page("r-wa", OTHER_VP))
    for words in ("改由", "张伟", "2026年12月1日"):
        assert words in shown.text
    assert "申请已由他人驳回" not in shown.text


async def test_x2_an_old_receipt_still_reads_as_what_became_of_the_task() -> None:
    """Receipts of before keep what was decided without a name around it."""
    before = refused(
        {"status": "refused", "code": "already_answered", "choice": "pass", "by": "高媛", "at": "2026-12-01"}
    )
    assert before.facts == {"decided": {"choice": "pass", "by": "高媛", "at": "2026-12-01"}}
    closed = refused({"status": "refused", "code": "task_withdrawn", "closed_because": "rejected", "at": None})
    assert closed.facts == {"closed": {"because": "rejected"}}

"""A year of Named Accounts is reviewed over HTTP and mail: one is kept with new targets, one is revoked (R4, R5)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.reviews.periods import Rhythm
from embedded.demo.driver import Portal, until
from tests.e2e.support.journey import COMMERCE_MANAGER, GENERAL_MANAGER, Journey
from tests.e2e.support.stack import Stack, new_form

HOLDER, OTHER = "yang.fan", "xu.jing"
WHY = "全年无合同签约，客户计划未执行"


def rows_of(task: dict[str, Any]) -> list[str]:
    """The accounts that the one choice of a task asks about."""
    (choice,) = task["choices"]
    (field,) = choice["fields"]
    return [option["value"] if isinstance(option, dict) else option for option in field["options"]]


@pytest.fixture(scope="module")
def accounts(stack: Stack) -> tuple[Journey, Journey]:
    return Journey(stack, HOLDER).activate(), Journey(stack, HOLDER).activate()


def test_r4_r5_n14_a3_a_revoked_customer_is_another_salespersons_to_apply_for(
    stack: Stack, accounts: tuple[Journey, Journey]
) -> None:
    portal, (gone, kept) = stack.portal, accounts
    held = portal.application(HOLDER, kept.id)
    assert held["stage"] == "active"
    year = stack.opens(Rhythm.YEARLY).id
    start = portal.open_task(COMMERCE_MANAGER, year)
    assert portal.answer(COMMERCE_MANAGER, start["id"], "start").status == 200
    decide = portal.open_task(GENERAL_MANAGER, year)
    task = portal.call(GENERAL_MANAGER, "GET", f"/tasks/{decide['id']}").json
    assert set(rows_of(task)) == {gone.id, kept.id}
    revoke = {"id": gone.id, "decision": "revoke", "reason": WHY}
    keep = {"id": kept.id, "decision": "keep", "target_contracts": "3000000.00", "target_revenue": "2000000.00"}
    keep["requirements"] = "上半年完成灾备验收"
    half = portal.answer(GENERAL_MANAGER, decide["id"], "decide", fields={"accounts": [revoke]})
    assert (half.status, half.json["errors"][0]["field"]) == (422, "fields.accounts"), "one row is missing"
    assert portal.answer(GENERAL_MANAGER, decide["id"], "decide", fields={"accounts": [revoke, keep]}).status == 200

    seen = portal.call(HOLDER, "GET", f"/accounts/{gone.id}").json
    assert seen["revoked_at"]
    after = portal.call(HOLDER, "GET", f"/accounts/{kept.id}").json
    assert after["revoked_at"] is None
    assert [(target["contracts"], target["requirements"]) for target in after["targets"]] == [
        ("3000000.00", "上半年完成灾备验收")
    ]
    held_now = portal.call(HOLDER, "GET", f"/accounts?salesperson={HOLDER}").json["items"]
    assert [account["id"] for account in held_now] == [kept.id], "the count went down"

    anew = Journey(stack, OTHER, new_form(gone.customer)).activate()
    assert portal.call(OTHER, "GET", f"/accounts/{anew.id}").json["salesperson"]["id"] == OTHER
    told = stack.mailbox.wait(HOLDER, year, WHY)
    assert gone.customer in told.text
    assert "R5" in told.text


@pytest.mark.usefixtures("accounts")
def test_r1_x3_a_week_goes_on_after_the_worker_was_killed(stack: Stack) -> None:
    portal = stack.portal
    stack.opens(Rhythm.WEEKLY)

    def asked() -> dict[str, Any] | None:
        mine = [task for task in portal.tasks(HOLDER) if task["kind"] == "weekly_update" and task["status"] == "open"]
        return mine[0] if mine else None

    update = until("a weekly task", asked)
    stack.stop(stack.worker, grace=0)
    task = portal.call(HOLDER, "GET", f"/tasks/{update['id']}").json
    rows = [{"id": account, "work": "拜访", "progress": "方案已交"} for account in rows_of(task)]
    stored = Portal(stack.web).answer(HOLDER, update["id"], "report", fields={"accounts": rows}, key="week-1")
    assert stored.status == 202
    stack.start(stack.worker)
    until(
        "the answer is recorded",
        lambda: portal.answer(HOLDER, update["id"], "report", fields={"accounts": rows}, key="week-1").status == 200,
    )
    plan = portal.open_task("zhao.lei", update["subject"]["id"])
    assert plan["kind"] == "weekly_review"


def test_r1_r4_u1_u9_a_command_says_when_each_schedule_fires_next(stack: Stack) -> None:
    """The workers have made them; doing it again changes nothing."""
    once, again = stack.cli("schedules"), stack.cli("schedules")
    assert (once.exit_code, again.exit_code) == (0, 0), once.stderr
    assert once.stdout == again.stdout
    assert [line.split()[0] for line in once.stdout.splitlines()] == [
        "period-weekly",
        "period-monthly",
        "period-quarterly",
        "period-half_yearly",
        "period-yearly",
    ]


@pytest.mark.usefixtures("accounts")
def test_r3_r4_x2_what_a_period_tells_is_read_again_by_those_who_may(stack: Stack) -> None:
    portal = stack.portal
    ended = stack.opens(Rhythm.QUARTERLY).id

    def told() -> bool:
        kept = portal.call(GENERAL_MANAGER, "GET", "/reports").json["items"]
        return any(report["kind"] == "accounts" and report["period"]["id"] == ended for report in kept)

    until(f"{ended} is told", told)
    whole = portal.call(GENERAL_MANAGER, "GET", f"/reports/accounts?period={ended}")
    assert (whole.status, whole.json["period"]["id"]) == (200, ended)
    sheet = portal.call(GENERAL_MANAGER, "GET", f"/reports/accounts.xlsx?period={ended}")
    assert (sheet.status, sheet.body[:2]) == (200, b"PK")
    operator = portal.call("song.jie", "GET", "/reports")
    assert operator.status == 403, "who runs the system sees no customer"

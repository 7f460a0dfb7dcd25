"""The chapters of the demo, each with its own people and customer."""

from __future__ import annotations

import copy
import json
import subprocess
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from embedded.demo.driver import until
from embedded.demo.names import who_else_is_registered
from embedded.demo.projects import PROJECT_CHAPTERS
from embedded.demo.tale import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, SECOND_CLERK, VPS, Broken, Case, Tale
from embedded.welcome import ORGANISATION_FILE

A_MINUTE = timedelta(minutes=1)


def from_form_to_account(tale: Tale) -> None:
    """N1–N7."""
    case = Case(tale, "yang.fan")
    _an_incomplete_form(tale, case)
    told = case.submit()
    tale.holds(not told["conflicts"], "account.no_conflict")
    case.mails(submitted=("yang.fan",), task=(CLERK, SECOND_CLERK))
    asked = [vp for vp in VPS for task in tale.portal.tasks(vp) if task["subject"]["id"] == case.id]
    tale.holds(not asked, "account.commerce_first")
    evidence = {item["kind"]: item for item in case.seen(CLERK)["evidence"]}
    tale.holds(len(evidence) == 7, "account.evidence", kinds=len(evidence))
    tale.holds(len(evidence["past_projects"]["findings"]) == 2, "account.past_projects")
    case.commerce(note="已电话核实，付款良好")
    case.mails(task=VPS)
    page = case.link(VPS[0])
    case.act("account.looks", person=tale.names[VPS[0]])
    shown = [page.open().words for _ in range(2)]
    tale.holds(all("已电话核实，付款良好" in words and case.name in words for words in shown), "account.page_shows")
    tale.holds(len(case.decisions()) == 1, "account.looking_changes_nothing")
    case.by_link(VPS[0], "approve")
    tale.holds(case.seen()["stage"] == "vp_review", "account.one_is_not_enough")
    case.by_link(VPS[1], "approve", "同意，重点客户")
    case.reaches("active")
    account = case.account()
    held = (account["name"], account["salesperson"]["id"]) == (case.name, "yang.fan")
    tale.holds(held, "account.is_account", customer=case.name, person=tale.names["yang.fan"])
    case.mails(activated=("yang.fan", "zhao.lei", *VPS, COMMERCE_MANAGER))
    case.act("account.again", person=tale.names[VPS[0]])
    again = page.answer("reject", "改主意了")
    tale.holds(again.status == 409 and len(case.decisions()) == 3, "account.once")


def _an_incomplete_form(tale: Tale, case: Case) -> None:
    """N1: every mistake is reported at once, and no process starts."""
    form = copy.deepcopy(case.form)
    form["customer"]["name"], form["products"], form["forecast"]["annual_contracts"] = "", [], "很多"
    tale.act("account.incomplete", person=tale.names[case.salesperson])
    got = tale.portal.submit(case.salesperson, form)
    wrong = got.json.get("errors", [])
    for error in wrong:
        tale.note(f"  {error['field']}: {error['message']}")
    fields = {error["field"] for error in wrong}
    every = {"customer.name", "products", "forecast.annual_contracts"}
    tale.holds(got.status == 422 and fields == every, "account.every_mistake")


def rejection_and_appeal(tale: Tale) -> None:
    """N9, N10."""
    case = Case(tale, "huang.lei", "杭州临江电气有限公司")
    case.submit()
    case.mails(submitted=("huang.lei",), task=(CLERK, SECOND_CLERK))
    case.commerce()
    case.mails(task=VPS)
    other = case.link(VPS[1])
    case.act("page_reject", person=tale.names[VPS[0]], said=tale.words("no_reason"))
    tale.holds(case.link(VPS[0]).answer("reject").status == 422, "appeal.reason_needed")
    case.by_link(VPS[0], "reject", "客户预算尚未落实")
    rejection = case.reaches("rejected")["rejection"]
    tale.holds(rejection["reason"] == "客户预算尚未落实" and rejection["appeal_until"], "appeal.rejected")
    case.mails(task_withdrawn=(VPS[1],), rejected=("huang.lei", "zhao.lei", COMMERCE_MANAGER))
    tale.holds(other.open().status == 200 and other.answer("approve").status == 409, "appeal.other_link")
    reason = "预算已于本周批复，附批复文号"
    case.act("appeal.appeals", person=tale.names["huang.lei"], reason=reason)
    got = tale.portal.appeal("huang.lei", case.id, reason)
    tale.holds(got.status == 200, "appeal.accepted")
    case.mails(task=(GENERAL_MANAGER,), appeal_filed=(COMMERCE_MANAGER, *VPS))
    words = case.link(GENERAL_MANAGER).open().words
    tale.holds("客户预算尚未落实" in words and reason in words, "appeal.both_sides")
    case.by_link(GENERAL_MANAGER, "approve", "情况属实")
    case.reaches("active")
    tale.holds(case.account()["approved_by_general_manager"], "appeal.final")
    case.mails(activated=("huang.lei", "zhao.lei", *VPS, COMMERCE_MANAGER))


def the_sixth_account(tale: Tale) -> None:
    """N8."""
    limit = tale.policy.accounts.limit
    tale.act("sixth.before", person=tale.names["zhou.min"], limit=limit)
    for number in range(1, limit + 1):
        earlier = Case(tale, "zhou.min", f"苏州示例客户{number}号有限公司", quiet=True)
        earlier.submit()
        earlier.commerce()
        earlier.both_approve()
        earlier.reaches("active")
    case = Case(tale, "zhou.min", "无锡太湖轴承有限公司")
    case.submit()
    case.mails(submitted=("zhou.min",), task=(CLERK, SECOND_CLERK))
    case.commerce()
    case.mails(task=VPS)
    case.act("page_approve", person=tale.names[VPS[0]], said=tale.words("no_reason"))
    tale.holds(case.link(VPS[0]).answer("approve").status == 422, "sixth.reason_needed")
    for vp in VPS:
        case.by_link(vp, "approve", "战略客户，团队已扩充")
    case.reaches("gm_approval")
    tale.holds(case.seen()["account_id"] is None, "sixth.not_yet")
    case.mails(task=(GENERAL_MANAGER,))
    case.by_link(GENERAL_MANAGER, "approve")
    case.reaches("active")
    account = case.account()
    tale.holds(account["approved_by_general_manager"], "sixth.done", number=limit + 1)
    case.mails(activated=("zhou.min", "zhao.lei", *VPS, COMMERCE_MANAGER))


def returned_and_completed(tale: Tale) -> None:
    """N5."""
    case = Case(tale, "xu.jing", "宁波东港仓储有限公司")
    case.submit()
    case.mails(submitted=("xu.jing",), task=(CLERK, SECOND_CLERK))
    old = case.link(CLERK)
    case.commerce("return", "请补充里程碑")
    case.mails(task=("xu.jing",))
    task = tale.portal.open_task("xu.jing", case.id)
    tale.act("returned.supplies", person=tale.names["xu.jing"])
    plan = {**case.form["account_plan"], "milestones": "2027-03-31 客户立项"}
    got = tale.portal.answer(
        "xu.jing", task["id"], "supply", fields={"application": {**case.form, "account_plan": plan}}
    )
    if got.status != 200:
        raise Broken(f"{got.status} {got.text[:300]}")
    seen = case.reaches("commerce_check")
    tale.holds(seen["round"] == 2 and seen["form"]["account_plan"] == plan, "returned.round_two")
    case.mails(task=(CLERK, SECOND_CLERK))
    calm, late = old.open(), old.answer("pass")
    tale.holds(calm.status == 200 and late.status == 409, "returned.old_link")
    tale.holds(case.seen()["stage"] == "commerce_check", "returned.unchanged")
    case.by_link(CLERK, "pass")
    case.mails(task=VPS)


def withdrawn(tale: Tale) -> None:
    """N13."""
    case = Case(tale, "zhu.hong", "常州运河新材料有限公司")
    case.submit()
    case.mails(submitted=("zhu.hong",), task=(CLERK, SECOND_CLERK))
    case.commerce()
    case.mails(task=VPS)
    link = case.link(VPS[0])
    tale.holds(tale.portal.withdraw(CLERK, case.id, "不该由我").status == 403, "withdrawn.only_theirs")
    case.act("withdrawn.withdraws", person=tale.names["zhu.hong"], reason="客户项目暂停")
    tale.portal.withdraw("zhu.hong", case.id, "客户项目暂停")
    seen = case.reaches("withdrawn")
    tale.holds(not seen["tasks"], "withdrawn.nothing_open")
    case.mails(withdrawn=("zhu.hong", CLERK, SECOND_CLERK, *VPS))
    tale.holds(link.open().status == 200 and link.answer("approve").status == 409, "withdrawn.link")
    tale.holds(case.seen()["stage"] == "withdrawn", "withdrawn.stays")


def a_delegate(tale: Tale) -> None:
    """Separation of duties and delegation (People and roles)."""
    now = datetime.now(UTC)
    start, end = (now + timedelta(days=days) for days in (-1, 5))
    given = f'\n[[delegation]]\nperson = "li.ming"\ndelegate = "liu.yang"\nstart = {start.isoformat()}\n'
    given += f'end = {end.isoformat()}\nreason = "年假"\n'
    company = organisation_text(tale.texts.language)
    tale.act("delegate.given", person=tale.names["li.ming"], delegate=tale.names["liu.yang"])
    _import(tale, company + given)
    case = Case(tale, "ma.chao", "扬州瘦西湖食品有限公司")
    case.submit()
    case.mails(submitted=("ma.chao",), task=(CLERK, SECOND_CLERK))
    case.commerce()
    case.mails(task=("li.ming", "liu.yang", "wang.fang"))
    late = case.link("li.ming")
    case.by_link("liu.yang", "approve", "代李明审阅")
    case.mails(decided_for_you=("li.ming",))
    decided = [decision for decision in case.seen()["decisions"] if decision["kind"] == "vp_review"]
    on_record = [
        (decision["person"]["id"], decision["on_behalf_of"]["id"], decision["capacity"]) for decision in decided
    ]
    tale.holds(on_record == [("liu.yang", "li.ming", "delegate")], "delegate.on_behalf")
    tale.holds(late.answer("reject", "我不同意").status == 409, "delegate.first_counts")
    case.by_link("wang.fang", "approve")
    case.reaches("active")
    case.mails(activated=("ma.chao", "chen.jing", *VPS, COMMERCE_MANAGER))
    tale.act("delegate.over", person=tale.names["li.ming"])
    _import(tale, company)


def a_signal_by_hand(tale: Tale) -> None:
    """X1, X3: anybody with access to the engine can send signals; without the gateway's seal they are rejected."""
    case = Case(tale, "hu.bin", "镇江金山机械有限公司")
    case.submit()
    case.commerce()
    task = tale.portal.open_task(VPS[0], case.id)
    case.mails(submitted=("hu.bin",), task=(CLERK, SECOND_CLERK, *VPS))
    before = (case.seen()["stage"], case.seen()["tasks"], case.decisions())
    forged = {"task_id": task["id"], "choice": "approve", "person": VPS[0], "message_id": "0" * 40, "seal": "k1:AAAA"}
    tale.act("forged.sends")
    words = ["workflow", "signal", "--workflow-id", f"application-{case.id}", "--name", "answer_task"]
    tale.note(f'$ temporal {" ".join(words)} --input \'{{"choice": "approve", …}}\'')
    program = Path(sysconfig.get_path("scripts")) / "temporal"
    done = subprocess.run(
        [program, *words, "--address", tale.installation.engine, "--input", json.dumps(forged)],
        capture_output=True,
        timeout=30,
        check=False,
    )
    tale.holds(done.returncode == 0, "forged.engine_takes_it")

    def noticed() -> object:
        return next((entry for entry in case.record() if entry["event"] == "statement_unsealed"), None)

    tale.holds(until("the forged signal is on record", noticed), "forged.on_record")
    tale.holds((case.seen()["stage"], case.seen()["tasks"], case.decisions()) == before, "forged.nothing_changed")
    case.both_approve()
    case.reaches("active")
    case.mails(activated=("hu.bin", "chen.jing", *VPS, COMMERCE_MANAGER))


def silence(tale: Tale) -> None:
    """N12: moves the clock of this one process on the real engine."""
    rule = tale.policy.deadlines
    case = Case(tale, "guo.tao", "盐城黄海风电有限公司")
    case.submit()
    case.mails(submitted=("guo.tao",), task=(CLERK, SECOND_CLERK))
    case.commerce()
    case.mails(task=VPS)
    task = tale.portal.open_task(VPS[0], case.id)
    opened = datetime.fromisoformat(task["opened_at"])
    review = next(deadline for kind, deadline in rule.items() if kind == "vp_review")
    for number, days in enumerate(review.remind_after, 1):
        _nothing_before(tale, case, opened, days, "reminder_sent", 2 * (number - 1))
        case.mails(reminder=VPS)
        if number == len(review.remind_after):
            case.by_link("wang.fang", "approve")
    last = review.stand_in_after or 0
    _nothing_before(tale, case, opened, last, "stand_in_asked", 0)
    case.mails(stand_in=(GENERAL_MANAGER,), stand_in_asked=("li.ming",))
    words = case.link(GENERAL_MANAGER).open().words
    tale.holds(tale.names["li.ming"] in words, "silence.page", person=tale.names["li.ming"])
    case.by_link(GENERAL_MANAGER, "approve", "代李明决定")
    case.reaches("active")
    stood_in = [
        (decision["person"]["id"], decision["on_behalf_of"]["id"], decision["capacity"])
        for decision in case.seen()["decisions"]
        if decision["on_behalf_of"]
    ]
    tale.holds(stood_in == [(GENERAL_MANAGER, "li.ming", "stand_in")], "silence.on_record")
    case.mails(decided_for_you=("li.ming",), activated=("guo.tao", "david.brown", *VPS, COMMERCE_MANAGER))


def _nothing_before(tale: Tale, case: Case, opened: datetime, days: int, event: str, so_far: int) -> None:
    """Check that `event` has not happened a minute before `days` working days; leaves the clock a minute after."""
    moment = tale.calendar.add_working_days(opened, days).at

    def count() -> int:
        return sum(entry["event"] == event for entry in case.record())

    case.passes_time(moment - A_MINUTE - case.now())
    shown = tale.texts.moment(case.now(), tale.zone)
    tale.holds(count() == so_far, "silence.not_yet", days=days, at=shown)
    case.passes_time(moment + A_MINUTE - case.now())
    case.act("silence.passes", days=days, at=tale.texts.moment(case.now(), tale.zone))
    until(event, lambda: count() > so_far)


def the_record_verifies(tale: Tale) -> None:
    """X1."""
    tale.act("verify.proves")
    export = tale.installation.home.path / "record.jsonl"
    code, _ = tale.command("verify", "--export", str(export))
    tale.holds(code == 0, "verify.holds")
    lines = export.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if '"answer_accepted"' in line and '"reject"' in line)
    lines[at] = lines[at].replace('"reject"', '"approve"')
    changed = tale.installation.home.path / "tampered.jsonl"
    changed.write_text("".join(lines), encoding="utf-8")
    tale.act("verify.tampers")
    code, _ = tale.command("verify", "--file", str(changed))
    tale.holds(code == 1, "verify.noticed")


CHAPTERS: dict[str, Callable[[Tale], None]] = {
    "account": from_form_to_account,
    "appeal": rejection_and_appeal,
    "sixth": the_sixth_account,
    "returned": returned_and_completed,
    "withdrawn": withdrawn,
    "names": who_else_is_registered,
    "silence": silence,
    "delegate": a_delegate,
    "forged": a_signal_by_hand,
    **PROJECT_CHAPTERS,
    "verify": the_record_verifies,
}
"""In playing order; the key names the chapter's texts."""


def organisation_text(language: str) -> str:
    """The sample organisation; for English readers everybody reads English."""
    text = ORGANISATION_FILE.read_text(encoding="utf-8")
    if language == "zh":
        return text
    head, *people = text.split("[[person]]\n")
    people = [
        person if "\nlanguage" in person else person.replace("\nroles", f'\nlanguage = "{language}"\nroles')
        for person in people
    ]
    return "[[person]]\n".join([head, *people])


def _import(tale: Tale, text: str) -> None:
    file = tale.installation.home.path / "org.toml"
    file.write_text(text, encoding="utf-8")
    code, said = tale.command("org", "import", str(file))
    if code:
        raise Broken(said)

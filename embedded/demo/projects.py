"""The chapters of the demo on projects: registration, disputes, and their life (P, D, U)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from embedded.demo.project_tale import ProjectCase
from embedded.demo.tale import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, SECOND_CLERK, Broken, Tale

NORTH_VP, EAST_VP = "li.ming", "wang.fang"
NORTH_GM, EAST_GM, INDUSTRY_GM = "zhao.lei", "chen.jing", "david.brown"
COO = "liu.yang"
PRODUCT_MANAGERS = ("tang.bo", "peter.wong")


def under_ones_own_account(tale: Tale) -> None:
    """P1, P2, P9: straight to the VP; held, completed, approved; a number that other systems can check."""
    case = ProjectCase(tale, "yang.fan", _account(tale, "yang.fan"), project="云岭工厂备份系统升级")
    case.submit()
    seen = case.reaches("approval")
    tale.holds(seen["track"] == "own_account", "own.straight")
    case.mails(project_submitted=("yang.fan",), task=(NORTH_VP,))
    case.on_page(NORTH_VP, "hold", "请补充招标编号")
    case.reaches("held")
    case.mails(task=("yang.fan",))
    completed = case.form | {"tender_number": "ZB-2027-018"}
    case.decides("yang.fan", "supply", fields={"project": completed})
    seen = case.reaches("approval")
    tale.holds(seen["round"] == 2 and seen["form"]["tender_number"] == "ZB-2027-018", "own.again")
    case.mails(task=(NORTH_VP,))
    case.on_page(NORTH_VP, "approve")
    number = case.reaches("active")["number"]
    tale.holds(re.fullmatch(r"P\d{4}-\d{5}", number), "own.number", number=number)
    case.mails(project_approved=("yang.fan", NORTH_GM, COMMERCE_MANAGER))
    tale.act("own.checks")
    tale.holds(case.check(CLERK, number)["allowed"], "own.allowed")
    tale.holds(not case.check(CLERK, "P1999-00001")["allowed"], "own.unknown")


def under_anothers_account(tale: Tale) -> None:
    """P3, D1, D3: all concerned are told; both confirm the same text."""
    case = ProjectCase(tale, "huang.lei", _account(tale, "ma.chao"), project="瘦西湖食品冷链监控平台")
    case.submit()
    case.reaches("disputed")
    sides = ("huang.lei", "ma.chao")
    leaders = (NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, GENERAL_MANAGER)
    case.mails(project_submitted=("huang.lei",), registered_under_account=("ma.chao", *leaders), task=sides)
    text = "马超负责客户关系，黄磊负责方案与交付"
    wrong = _split({"huang.lei": "49.99", "ma.chao": "50"})
    tale.act("shared.wrong", person=tale.names["huang.lei"])
    tale.holds(
        case.refuses("huang.lei", "agreement", {"responsible": "huang.lei", "cooperation": text, "split": wrong}, 422),
        "shared.hundred",
    )
    split = _split({"huang.lei": "40", "ma.chao": "60"})
    told = {"text": text, "split": _shown(tale, split)}
    case.says(
        "huang.lei",
        "agreement",
        {"responsible": "huang.lei", "cooperation": text, "split": split},
        "shared.proposes",
        **told,
    )
    tale.holds(case.seen()["stage"] == "disputed", "shared.one_is_not_enough")
    case.mails(task=("ma.chao",))
    tale.holds(text in case.link("ma.chao").open().words, "shared.page", person=tale.names["ma.chao"])
    case.on_page("ma.chao", "agree")
    case.reaches("approval")
    case.mails(agreed=(*sides, *leaders), task=(EAST_VP,))
    case.on_page(EAST_VP, "approve")
    agreed = case.reaches("active")["agreement"]
    tale.holds(agreed["how"] == "agreed" and _percents(agreed) == {"huang.lei": "40", "ma.chao": "60"}, "shared.done")
    case.mails(project_approved=(*sides, NORTH_GM, COMMERCE_MANAGER))


def a_conflict(tale: Tale) -> None:
    """P4–P8, P10, D2, D3: refused for a conflict, objected to, settled by the coordination meeting."""
    customer = "徐州淮海交通科技有限公司"
    first = ProjectCase(tale, "xu.jing", customer, project="淮海交通调度中心网络改造")
    first.submit()
    first.mails(project_submitted=("xu.jing",), task=(COMMERCE_MANAGER,))
    first.to_vp(COMMERCE_MANAGER, CLERK)
    first.mails(task=(CLERK, EAST_VP))
    first.on_page(EAST_VP, "approve")
    first.reaches("active")
    first.mails(project_approved=("xu.jing", EAST_GM, COMMERCE_MANAGER))
    later = ProjectCase(tale, "zhou.min", customer, project="淮海交通机房网络设备采购")
    later.submit()
    later.mails(project_submitted=("zhou.min",), task=(COMMERCE_MANAGER,))
    later.decides(COMMERCE_MANAGER, "assign", fields={"clerk": SECOND_CLERK}, clerk=tale.names[SECOND_CLERK])
    later.mails(task=(SECOND_CLERK,))
    page = later.link(SECOND_CLERK).open().words
    tale.holds(first.name in page, "conflict.shown")
    later.decides(SECOND_CLERK, "suspect", "客户相同，内容相近", fields={"suspects": [first.id]})
    later.mails(task=(EAST_VP,))
    later.on_page(EAST_VP, "conflict", "徐静已跟进半年，内容重合")
    refused = later.reaches("refused")
    tale.holds(refused["refusal"]["reason"] == "徐静已跟进半年，内容重合", "conflict.refused")
    later.mails(conflict_refused=("zhou.min", NORTH_VP, EAST_VP))
    later.says("zhou.min", "objection", {"reason": "采购范围不同"}, "conflict.objects", reason="采购范围不同")
    later.mails(task=(NORTH_VP,))
    later.on_page(NORTH_VP, "call_meeting")
    sides = ("zhou.min", "xu.jing")
    concerned = (*sides, NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, GENERAL_MANAGER)
    later.mails(meeting_wanted=concerned, task=(COMMERCE_MANAGER,))
    _the_meeting(tale, later, first, sides)


def _the_meeting(tale: Tale, later: ProjectCase, first: ProjectCase, sides: tuple[str, str]) -> None:
    """D2, D3."""
    starts = (datetime.now(tale.zone) + timedelta(days=7)).replace(hour=14, minute=0, second=0, microsecond=0)
    people = (*sides, NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, GENERAL_MANAGER)
    place = "三号会议室"
    meeting = {"starts_at": starts.isoformat(), "duration_minutes": 60, "place": place, "participants": list(people)}
    shown = tale.texts.moment(starts, tale.zone)
    later.decides(COMMERCE_MANAGER, "called", fields=meeting, at=shown, place=place)
    invited = later.mails(meeting_called=people, task=(NORTH_VP,))
    calendars = [mail.calendar for mail in invited if mail.calendar]
    right = [
        invitation
        for invitation in calendars
        if "METHOD:REQUEST" in invitation and place in invitation and "BEGIN:VEVENT" in invitation
    ]
    tale.holds(len(right) == len(people), "conflict.invitation", count=len(people))
    split = _split({"zhou.min": "30", "xu.jing": "70"})
    outcome = {"responsible": "xu.jing", "split": split, "summary": "由徐静负责，周敏配合投标"}
    said = {"responsible": tale.names["xu.jing"], "split": _shown(tale, split)}
    later.decides(NORTH_VP, "record", fields=outcome, **said)
    seen = later.reaches("approval")
    tale.holds(seen["salesperson"]["id"] == "xu.jing", "conflict.responsible", person=tale.names["xu.jing"])
    later.mails(meeting_recorded=people, task=(NORTH_VP,))
    both = [_percents(case.seen()["agreement"]) for case in (later, first)]
    tale.holds(both == [{"zhou.min": "30", "xu.jing": "70"}] * 2, "conflict.binds_both")
    later.on_page(NORTH_VP, "approve")
    later.reaches("active")
    later.mails(project_approved=(*sides, EAST_GM, COMMERCE_MANAGER))


def three_months_of_silence(tale: Tale) -> None:
    """U1–U6, P9: moves the clock of this one process on the real engine."""
    who, customer = "guo.tao", _account(tale, "guo.tao")
    case = ProjectCase(tale, who, customer, project="黄海风电集控中心存储")
    number = _approved(case, NORTH_VP, INDUSTRY_GM)
    news = {"progress": "完成方案交流", "next_steps": "提交报价", "stage": "tender"}
    got = case.says(who, "updates", news, "life.updates", progress=news["progress"])
    tale.holds(got["number"] == 1 and len(got["next_events"]) == 3, "life.clocks")
    for event in case.seen(who)["next_events"]:
        at = tale.texts.moment(datetime.fromisoformat(event["at"]), tale.zone)
        tale.note(f"  {at} · {tale.words('life.ahead.' + event['what'])}")
    case.silent_until("two_weeks")
    case.mails(silent_two_weeks=(who, INDUSTRY_GM))
    case.silent_until("one_month")
    case.mails(silent_one_month=(who, INDUSTRY_GM, NORTH_VP))
    case.silent_until("three_months")
    case.reaches("shelved")
    case.mails(shelved=(who, INDUSTRY_GM, NORTH_VP))
    tale.holds(not case.check(CLERK, number)["allowed"], "life.number_counts_no_more")
    new = case.resume("客户换届，采购暂停", "新任领导已批准预算")
    new.mails(resume_submitted=(who,), task=(CLERK, SECOND_CLERK))
    new.on_page(CLERK, "accept")
    seen = new.reaches("approval")
    tale.holds(seen["resumes"] == case.id and seen["number"] is None, "life.new_registration")
    new.mails(project_submitted=(who,), task=(NORTH_VP,))
    new.on_page(NORTH_VP, "approve")
    seen = new.reaches("active")
    tale.holds(
        seen["number"] != number and case.seen()["resumed_by"] == new.id, "life.new_number", number=seen["number"]
    )
    new.mails(project_approved=(who, INDUSTRY_GM, COMMERCE_MANAGER))
    tale.holds(new.check(CLERK, seen["number"])["allowed"], "own.allowed")


def won_and_lost(tale: Tale) -> None:
    """U7, U8, A6."""
    customer = _account(tale, "hu.bin")
    won = ProjectCase(tale, "hu.bin", customer, project="金山机械虚拟化平台")
    number = _approved(won, EAST_VP, EAST_GM)
    contract = {"amount": "2750000.00", "contract_number": "HT-2027-0031"}
    amount = tale.texts.money(Decimal(contract["amount"]))
    won.says("hu.bin", "contract-review", contract, "ends.hands_in", amount=amount)
    won.mails(task=(CLERK, SECOND_CLERK))
    tale.holds(won.seen()["status"] == "active", "ends.not_yet")
    fields = {"number": contract["contract_number"], "amount": contract["amount"]}
    won.decides(CLERK, "received", fields=fields)
    seen = won.reaches("contract_signed")
    tale.holds((seen["status"], seen["contract"]["amount"]) == ("contract_signed", contract["amount"]), "ends.signed")
    won.mails(contract_signed=("hu.bin", EAST_GM, COMMERCE_MANAGER))
    won.check(CLERK, number)
    lost = ProjectCase(tale, "hu.bin", customer, project="金山机械桌面云")
    _approved(lost, EAST_VP, EAST_GM)
    tale.holds(lost.refuses("hu.bin", "loss", {}, 422), "ends.reason_needed")
    lost.says("hu.bin", "loss", {"reason": "价格高于竞争对手"}, "ends.loses", reason="价格高于竞争对手")
    lost.reaches("ended")
    lost.mails(lost=(EAST_GM, *PRODUCT_MANAGERS))
    news = {"progress": "x", "next_steps": "y"}
    tale.holds(lost.refuses("hu.bin", "updates", news, 409), "ends.no_more_updates")


PROJECT_CHAPTERS: dict[str, Callable[[Tale], None]] = {
    "own": under_ones_own_account,
    "shared": under_anothers_account,
    "conflict": a_conflict,
    "life": three_months_of_silence,
    "ends": won_and_lost,
}
"""In playing order; the key names the chapter's texts."""


def _account(tale: Tale, salesperson: str) -> str:
    """The customer that an earlier chapter made a Named Account of `salesperson`."""
    items = tale.portal.call(salesperson, "GET", "/accounts").json["items"]
    mine = [item["name"] for item in items if item["salesperson"]["id"] == salesperson]
    if not mine:
        raise Broken(f"{salesperson}: 0 accounts")
    return str(mine[0])


def _approved(case: ProjectCase, vp: str, department_gm: str) -> str:
    """Registered under the salesperson's own account and approved; its number."""
    case.submit()
    case.reaches("approval")
    case.decides(vp, "approve")
    number: str = case.reaches("active")["number"]
    case.mails(
        project_submitted=(case.salesperson,),
        task=(vp,),
        project_approved=(case.salesperson, department_gm, COMMERCE_MANAGER),
    )
    return number


def _split(shares: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"person": person, "percent": percent} for person, percent in shares.items()]


def _shown(tale: Tale, split: list[dict[str, str]]) -> str:
    return tale.texts.join([f"{tale.names[share['person']]} {share['percent']} %" for share in split])


def _percents(agreement: Mapping[str, Any]) -> dict[str, str]:
    return {share["person"]["id"]: share["percent"] for share in agreement["split"]}

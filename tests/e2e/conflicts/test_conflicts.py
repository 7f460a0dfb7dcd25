"""Conflict detection over HTTP, mail and page: found with the reason in words, masked for whom it is not, over from the
moment that ends it (N3, N14, P3–P5, P10, A5, X2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.conflicts.conftest import PETROLEUM
from tests.e2e.support.checks import CHECK, check, customer, evidence_of, findings, stack_task
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.names import company_name, project_name
from tests.e2e.support.project_journey import ProjectJourney, new_project
from tests.e2e.support.stack import Stack, new_form

MASK = "受保护，登记在先，请联系商务部"
HURTING = [
    "云\N{DRAGON}\N{FAMILY}\N{VARIATION SELECTOR-16}" * 20,
    "云\u034f岭\u3164精\u0301密\u180b",
    "e\u0301" * 90,
    "有限公司",
    "股份",
    "1234567890",
    "'; DROP TABLE party; --",
    ".*(a+)+$[^\\]{1,99}",
    "云%_\\%",
    "\N{DESERET CAPITAL LETTER LONG I}" * 50,
    "\u00a0\u3000\u2003x\u00a0y",
    "<script>alert(1)</script>",
    "A" * 200,
]
"""Names that are none, or that something in between may take for more than a name."""


def test_n3_n14_an_application_under_an_abbreviation_is_stopped_for_a_look_with_the_reason_in_words(
    stack: Stack, petroleum: Journey
) -> None:
    """N3, N14, A5, X4: 中石油 against 中国石油天然气集团有限公司: on the page, in the mail, in the API."""
    second = Journey(stack, "xu.jing", new_form("中石油"))
    found = [finding for finding in findings(evidence_of(second), "accounts") if finding["subject_id"] == petroleum.id]
    assert found, "the account is found"
    assert found[0]["level"] in ("same", "related", "look")
    assert found[0]["name"] == PETROLEUM
    assert all(len(words) > 3 for words in found[0]["because"])
    words = found[0]["because"][0]
    page = second.link(CLERK).open()
    assert PETROLEUM in page.words
    assert words in page.words
    mail = stack.mailbox.wait(CLERK, second.id, PETROLEUM)
    assert words in mail.text
    english = stack.portal.call("anna.miller", "GET", f"/applications/{second.id}").json
    (theirs,) = [finding for finding in findings(english, "accounts") if finding["subject_id"] == petroleum.id]
    assert theirs["because"]
    assert theirs["because"] != found[0]["because"]


def test_p3_p4_a_project_for_the_same_end_user_through_another_channel_is_found(stack: Stack) -> None:
    """P3, P4, P5, A5: the customer and the channel differ; the end user is one."""
    end_user, name = company_name(), project_name()
    first = ProjectJourney(
        stack, "yang.fan", new_project(name=name, end_user={"name": end_user}, channel={"name": company_name()})
    ).active()
    second = ProjectJourney(
        stack, "ma.chao", new_project(name=name, end_user={"name": end_user}, channel={"name": company_name()})
    ).to_clerk()
    task = stack_task(second, CLERK)
    seen = stack.portal.call(CLERK, "GET", f"/tasks/{task['id']}").json
    (match,) = [match for match in seen["project"]["matches"] if match["subject_id"] == first.id]
    assert match["earlier"]
    assert match["level"] in ("same", "related")
    assert any("最终用户相同" in words for words in match["because"])
    page = second.link(CLERK).open()
    assert "最终用户相同" in page.words
    second.answer(CLERK, "suspect", "同一最终用户、同名项目", fields={"suspects": [first.id]})
    second.reaches("conflict_confirmation")


def test_n3_two_unrelated_companies_with_near_names_pass_without_a_wolf(stack: Stack) -> None:
    """N3: 北京银行 and 南京银行 are two banks: nothing adverse, nothing to be looked at."""
    Journey(stack, "yang.fan", new_form("北京银行股份有限公司"))
    second = Journey(stack, "xu.jing", new_form("南京银行股份有限公司"))
    assert "conflicts" not in second.submitted.json or second.submitted.json["conflicts"] == []
    shown = evidence_of(second)
    names = [finding["name"] for kind in ("accounts", "applications", "projects") for finding in findings(shown, kind)]
    assert "北京银行股份有限公司" not in names
    answer = check(stack, CLERK, customer=customer("南京银行"))
    assert "北京银行股份有限公司" not in [match["name"] for match in answer["matches"]]


def test_p10_a_shelved_project_takes_no_part_from_the_moment_of_shelving(stack: Stack) -> None:
    """P10, U8: what ends a project takes it out at once, for the dry run and for a new registration alike."""
    first = ProjectJourney(stack, "yang.fan").active()
    name = first.form["customer"]["name"]
    assert [match["id"] for match in check(stack, CLERK, customer=customer(name))["matches"]] == [first.id]
    assert first.say("loss", {"reason": "价格"}).status == 200
    first.reaches("ended")
    assert check(stack, CLERK, customer=customer(name))["matches"] == []


# ---- the dry run ----------------------------------------


def test_x2_what_the_asker_may_not_see_is_masked(stack: Stack) -> None:
    """N14, P4, A5, X2: that there is something and whom to ask; no name, no id, no salesperson, no date."""
    account = Journey(stack, "yang.fan").activate()
    mine = check(stack, "yang.fan", customer=customer(account.customer))
    assert (mine["verdict"], mine["verdict_label"]) == ("same", "同一")
    (match,) = mine["matches"]
    assert (match["kind"], match["id"], match["name"]) == ("account", account.id, account.customer)
    assert (match["masked"], match["level"], match["earlier"]) == (False, "same", True)
    assert match["because"] == ["名称相同"]
    assert match["since"]
    assert match["score"] > 0.9
    theirs = stack.portal.call("he.xin", "POST", CHECK, {"customer": customer(account.customer)})
    (match,) = theirs.json["matches"]
    assert match["masked"]
    assert [match[name] for name in ("id", "name", "salesperson", "since", "status", "score", "customer_name")] == (
        [None] * 7
    )
    assert match["because"][0] == MASK
    for hidden in (account.id, account.customer, "杨帆", "yang.fan"):
        assert hidden not in theirs.text
    assert theirs.json["verdict"] == "same"
    # Whoever sees everything for their work is shown everything.
    for person in (CLERK, COMMERCE_MANAGER, GENERAL_MANAGER):
        assert not check(stack, person, customer=customer(account.customer))["matches"][0]["masked"]
    noted = stack.query(
        "SELECT person, through FROM subject_read WHERE subject_id = $1 AND subject_type = 'account' ORDER BY id",
        account.id,
    )
    assert {(reading["person"], reading["through"]) for reading in noted} >= {
        ("yang.fan", "check"),
        ("he.xin", "check, masked"),
    }


def test_x2_what_somebody_else_has_declared_is_not_told_with_ones_own(stack: Stack) -> None:
    """N3, X2: one's own registration is found through another's declaration, which names companies of theirs."""
    group, member = company_name(), company_name()
    declaring = new_form(group)
    declaring["customer"] |= {"related_parties": [{"name": member, "relation": "子公司"}]}
    Journey(stack, "yang.fan", declaring)
    own = ProjectJourney(stack, "he.xin", new_project(member))
    for person, told in (("he.xin", False), (CLERK, True)):
        answer = check(stack, person, customer=customer(group))
        (match,) = [match for match in answer["matches"] if match["id"] == own.id]
        assert match["level"] == "look"
        assert any(group in words for words in match["because"]) is told


def test_x2_the_later_applicant_is_told_and_nothing_of_whose_it_is(stack: Stack) -> None:
    """N14, X2: in the answer, in the mail, in the API; neither name nor salesperson."""
    first = Journey(stack, "yang.fan").activate()
    second = Journey(stack, "he.xin", new_form(first.customer))
    told = second.submitted.json
    assert [conflict["kind"] for conflict in told["conflicts"]] == ["account"]
    mail = stack.mailbox.wait("he.xin", second.id, "N14")
    second.reaches("commerce_check")
    seen = stack.portal.call("he.xin", "GET", f"/applications/{second.id}")
    assert seen.json["evidence"] == []
    assert [(conflict["kind"], conflict["message"]) for conflict in seen.json["conflicts"]] == [("account", MASK)]
    for text in (mail.text, mail.html, seen.text, second.submitted.text):
        assert "杨帆" not in text
        assert first.id not in text


def test_the_dry_run_changes_nothing_but_the_reading_log(stack: Stack) -> None:
    before = stack.quiet()
    check(stack, "yang.fan", customer=customer("云岭"), project={"name": "核心网扩容"})
    assert stack.counts() == before


def test_a_look_while_typing_takes_whatever_is_there(stack: Stack) -> None:
    """P4: one character says nothing, a missing field is no error, a whole form is taken as it stands."""
    for draft in (
        {"customer": {"name": "云"}},
        {"customer": {"name": "云岭"}},
        {"end_user": {"name": "云岭"}},
        {"related_parties": [{"name": "云岭"}, {"name": ""}]},
        {"project": {"name": "扩"}},
        {"project": {"tender_number": "ZB-2027-018"}},
        {"customer": new_form()["customer"], "project": new_project(), "end_user": None},
    ):
        assert check(stack, "yang.fan", **draft)["verdict"] == "none", draft
    for draft in ({}, {"customer": {"name": " "}}, {"customer": None}, {"project": {"name": ""}}):
        got = stack.portal.call("yang.fan", "POST", CHECK, draft)
        assert got.status == 422
        assert got.json["errors"][0]["field"] == "customer"


@pytest.mark.parametrize("name", HURTING)
def test_names_made_to_hurt_get_an_answer(stack: Stack, name: str) -> None:
    """Never a 5xx: at the dry run, and when it is meant."""
    draft = {
        "customer": {"name": name, "aliases": [name]},
        "related_parties": [{"name": name}],
        "end_user": {"name": name},
        "project": {"name": name, "tender_number": name, "vendor": name},
    }
    got = stack.portal.call("yang.fan", "POST", CHECK, draft)
    assert got.status == 200, got.text


def test_names_made_to_hurt_reach_commerce_and_find_themselves(stack: Stack) -> None:
    """N3: whatever somebody calls a customer, the process goes on, and a name always matches itself."""
    first = [Journey(stack, "yang.fan", new_form(name)) for name in HURTING]
    second = [Journey(stack, "he.xin", new_form(name)) for name in HURTING]
    for left, right in zip(first, second, strict=True):
        found = findings(evidence_of(right), "applications")
        assert left.id in [finding["subject_id"] for finding in found], left.customer
        assert stack.portal.withdraw("yang.fan", left.id, "测试").status == 200
        assert stack.portal.withdraw("he.xin", right.id, "测试").status == 200


UNREADABLE = {"\u202e司公限有岭云\u202c": "U+202E", "\u3164\u1160\ufe0f": "文字或数字", "（）——": "文字或数字"}


def test_n1_n14_a_name_nobody_can_read_is_refused_at_every_door_beside_all_other_mistakes(stack: Stack) -> None:
    """N1, N14, P1, P4: form, project, dry run and the page of it."""
    story = Journey(stack, "yang.fan", new_form("云岭"))
    of_customer = ("customer.name", "customer.related_parties.0.name")
    for name, words in UNREADABLE.items():
        related = [{"name": name, "relation": "子公司"}]
        form = new_form(name) | {"resources": ""}
        form["customer"] |= {"aliases": [name], "related_parties": related}
        project = new_project(name=name, end_user={"name": name}, channel={"name": name})
        draft = {"customer": {"name": name, "related_parties": related}, "project": {"name": name}}
        for path, body, fields in (
            ("/applications", form, {*of_customer, "customer.aliases.0", "resources"}),
            ("/projects", project, {"name", "end_user.name", "channel.name"}),
            (CHECK, draft, {*of_customer, "project.name"}),
        ):
            got = stack.portal.call("yang.fan", "POST", path, body)
            assert (got.status, got.json["code"]) == (422, "fields_wrong"), got.text
            assert {problem["field"] for problem in got.json["errors"]} == fields
            assert words in next(
                problem["message"] for problem in got.json["errors"] if problem["field"].endswith("name")
            )
    assert stack.portal.withdraw("yang.fan", story.id, "测试").status == 200


def test_n14_names_nobody_can_tell_apart_are_one_customer_and_the_clerk_is_told(stack: Stack) -> None:
    """N14, N5: told at submission, shown to commerce, and what is odd about the name on page and by API."""
    name = company_name()
    odd = f"{name[:1]}\u034f{name[1:2]}\uffa0{name[2:3]}\u0301{name[3:]}"
    first = Journey(stack, "yang.fan", new_form(name))
    second = Journey(stack, "he.xin", new_form(odd))
    assert second.submitted.json["conflicts"], "N14: told at submission"
    assert first.id in [finding["subject_id"] for finding in findings(evidence_of(second), "applications")]
    (told,) = evidence_of(second)["unusual_names"]
    assert told["name"] == odd
    assert "U+034F COMBINING GRAPHEME JOINER" in told["characters"]
    page = second.link(CLERK).open()
    assert "U+034F" in page.words
    looked = check(stack, "yang.fan", customer=customer(odd))
    assert (looked["verdict"], looked["unusual_names"][0]["name"]) == ("same", odd)
    for person, application in (("yang.fan", first), ("he.xin", second)):
        assert stack.portal.withdraw(person, application.id, "测试").status == 200


def test_a_name_of_ten_thousand_characters_is_refused_clearly(stack: Stack) -> None:
    long = "云" * 10_000
    draft = {"customer": {"name": long}, "end_user": {"name": long}, "project": {"name": long}}
    got = stack.portal.call("yang.fan", "POST", CHECK, draft)
    assert got.status == 422
    assert {problem["field"] for problem in got.json["errors"]} == {"customer.name", "end_user.name", "project.name"}
    wrong = {"customer": {"name": "云岭", "uscc": "91310115MA0000001X"}, "project": {"name": "x", "amount": "-1"}}
    got = stack.portal.call("yang.fan", "POST", CHECK, wrong)
    assert {problem["field"] for problem in got.json["errors"]} == {"customer.uscc", "project.amount"}


def test_who_may_ask(stack: Stack) -> None:
    """X2: an operator sees no customer, and a product manager is told of lost projects only."""
    statuses = {
        person: stack.portal.call(person, "POST", CHECK, {"customer": customer("云岭")}).status
        for person in ("yang.fan", CLERK, VPS[0], GENERAL_MANAGER, "peter.wong", "song.jie")
    }
    assert statuses == {
        "yang.fan": 200,
        CLERK: 200,
        VPS[0]: 200,
        GENERAL_MANAGER: 200,
        "peter.wong": 403,
        "song.jie": 403,
    }
    assert stack.portal.call(None, "POST", CHECK, {"customer": customer("云岭")}).status == 401


def test_the_page_to_look_before_submitting_works_without_script_and_for_it(stack: Stack) -> None:
    """P4, X2, X4: the same detection, masked alike; nothing of it is kept, and only a file of ours may run."""
    account = Journey(stack, "yang.fan").activate()
    empty = stack.web.request("GET", "/check")
    assert empty.status == 200
    policy = empty.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert stack.web.request("GET", "/static/check.js").status == 200

    def post(person: str | None, part: bool = False, **typed: str) -> Any:
        token = stack.portal.token(person) if person else "x"
        sent = {"Content-Type": "application/x-www-form-urlencoded"} | ({"X-Part": "result"} if part else {})
        return stack.web.request("POST", "/check", urlencode({"token": token, **typed}).encode(), sent)

    mine = post("yang.fan", customer=account.customer)
    assert (mine.status, account.customer in mine.words, "名称相同" in mine.words) == (200, True, True)
    assert "该客户已是您名下的大客户" in mine.words  # one's own account is no alarm
    assert 'class="card bad"' not in mine.text
    assert 'formaction="/check?lang=en"' in mine.text  # the other language keeps what was typed
    theirs = post("he.xin", part=True, customer=account.customer, related_parties="甲\n乙")
    assert (theirs.status, MASK in theirs.words) == (200, True)
    assert "<form" not in theirs.text
    for hidden in (account.id, account.customer, "杨帆"):
        assert hidden not in theirs.text
    assert post("yang.fan", customer="<b>x</b>", uscc="91310115MA0000001X").status == 422
    assert "<b>x</b>" not in post("yang.fan", customer="<b>x</b>").text
    assert post("yang.fan").status == 200
    assert post(None, customer="云岭").status == 401
    assert post("song.jie", customer="云岭").status == 403


# ---- what clerks say ----------------------------------------

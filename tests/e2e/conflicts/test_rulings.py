"""What a clerk says of a match is kept with its author, used again, learned, and taken back (N3, N5, N14, P4, X1)."""

from __future__ import annotations

from typing import Any

from embedded.demo.driver import until
from tests.e2e.support.checks import check, customer, evidence_of, findings, stack_task
from tests.e2e.support.journey import CLERK, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.names import company_name
from tests.e2e.support.project_journey import ProjectJourney, new_project
from tests.e2e.support.stack import Stack, new_form


def test_n3_n5_what_the_clerk_clears_on_the_page_is_cleared_later_and_lets_the_application_through(
    stack: Stack,
) -> None:
    """N3, N5, N14, X1: by whom, when and why; it no longer speaks against the second application."""
    name = company_name()
    first = ProjectJourney(stack, "yang.fan", new_project(name)).active()
    story = Journey(stack, "he.xin", new_form(name))
    (found,) = findings(evidence_of(story), "projects")
    assert (found["subject_id"], found["grave"], found["level"]) == (first.id, True, "same")
    page = story.link(CLERK)
    assert "核实结果" in page.open().words
    typed = {"matches.0.id": first.id, "matches.0.ruling": "cleared"}
    refused = page.post({"choice": "pass", "reason": "", "confirm": "yes", **typed})
    assert refused.status == 422
    assert "请说明理由" in refused.words
    assert page.answer("pass", **typed, **{"matches.0.reason": "该项目已移交大客户"}).status == 200
    seen = story.reaches("vp_review")
    (found,) = findings(seen, "projects")
    assert (found["grave"], found["ruled"]["ruling"], found["ruled"]["person"]) == (False, "cleared", "高媛")
    shown = story.link(VPS[0]).open().words
    assert "已核实不冲突（高媛" in shown
    assert "该项目已移交大客户" in shown
    assert "match_ruled" in story.event_names()
    assert "该项目已移交大客户" in stack.mailbox.wait(VPS[0], story.id).text
    # The salesperson whose application it is sees none of it (X2).
    own = stack.portal.call("he.xin", "GET", f"/applications/{story.id}/dossier").text
    assert "该项目已移交大客户" not in own
    assert first.id not in own


def test_p4_what_the_clerk_says_of_a_registration_goes_with_it_by_the_api(stack: Stack) -> None:
    """P4, N11: per match, by the portal; the dossier has it, printed as well."""
    name = company_name()
    first = ProjectJourney(stack, "yang.fan", new_project(name)).active()
    second = ProjectJourney(stack, "ma.chao", new_project(name)).to_clerk()
    task = stack_task(second, CLERK)
    fields = {field["name"]: field for choice in task["choices"] for field in choice["fields"]}
    assert fields["matches"]["kind"] == "rulings"
    assert fields["matches"]["options"] == [first.id]
    rows = [{"id": first.id, "ruling": "cleared", "reason": "两个机房"}]
    second.answer(CLERK, "clear", fields={"matches": rows})
    seen = second.reaches("approval")
    (match,) = seen["matches"]
    assert (match["ruled"]["ruling"], match["ruled"]["person"]["id"], match["ruled"]["reason"]) == (
        "cleared",
        CLERK,
        "两个机房",
    )
    printed = stack.web.request(
        "GET",
        f"/api/v1/projects/{second.id}/dossier",
        None,
        {"Authorization": f"Bearer {stack.portal.token(GENERAL_MANAGER)}", "Accept": "text/html"},
    )
    assert "两个机房" in printed.words
    # The newest dry run says so as well, and does not count it.
    again = new_project(name, name=second.form["name"])
    answer = check(stack, CLERK, customer=again["customer"], project=again)
    ruled = {match["id"]: match["ruled"] for match in answer["matches"]}
    assert set(ruled) == {first.id, second.id}


def test_n3_x1_a_name_that_a_clerk_finds_to_be_one_company_is_learned_and_taken_back_once_cleared(
    stack: Stack, petroleum: Journey
) -> None:
    """N3, N14, X1: the reason is then what people have said; cleared later, it is shown as cleared and as nothing
    else, by whom and why."""

    def met() -> Any:
        (match,) = [
            match
            for match in check(stack, CLERK, customer=customer("中石油"))["matches"]
            if match["id"] == petroleum.id
        ]
        return match

    first = Journey(stack, "zhu.hong", new_form("中石油"))
    evidence_of(first)
    rows = [{"id": petroleum.id, "ruling": "same_company", "reason": "公司网站所用简称"}]
    first.answer(CLERK, "return", "与现有大客户为同一公司", fields={"matches": rows})
    first.reaches("returned")
    assert met()["level"] == "same"
    assert "此前已由人工确认是同一公司" in met()["because"][0]
    assert stack.portal.withdraw("zhu.hong", first.id, "重复").status == 200
    second = Journey(stack, "zhu.hong", new_form("中石油"))
    (found,) = findings(evidence_of(second), "accounts")
    assert found["ruled"]["ruling"] == "same_company"
    rows = [{"id": petroleum.id, "ruling": "cleared", "reason": "营业执照显示为另一公司"}]
    second.answer(CLERK, "pass", fields={"matches": rows})
    second.reaches("vp_review")
    seen = met()
    assert (seen["ruled"]["ruling"], seen["ruled"]["reason"]) == ("cleared", "营业执照显示为另一公司")
    assert "此前已由人工确认" not in str(seen["because"])
    taken_back = stack.query("SELECT removed_by, removed_because FROM learned_alias WHERE subject_id = $1", first.id)
    assert [tuple(row.values()) for row in taken_back] == [(CLERK, "营业执照显示为另一公司")]


def test_n14_a_collision_that_a_clerk_has_cleared_no_longer_stands_in_the_way(stack: Stack) -> None:
    """N3, N14: two companies that one declares to be bound; once cleared, both may become accounts."""
    shared = company_name()
    party = {"name": shared, "relation": "参股公司"}
    form = new_form()
    form["customer"] |= {"related_parties": [party]}
    first = Journey(stack, "yang.fan", form)
    story = Journey(stack, "he.xin", new_form(shared))
    (found,) = findings(evidence_of(story), "applications")
    assert (found["subject_id"], found["level"], found["declared"], found["grave"]) == (first.id, "related", True, True)
    assert any("关联客户" in words for words in found["because"])

    def ruled() -> None:
        rows = [{"id": first.id, "ruling": "cleared", "reason": "仅为少量参股"}]
        story.answer(CLERK, "pass", fields={"matches": rows})

    ruled()
    for vp in VPS:
        story.answer(vp, "approve")
    until("the second one is an account", lambda: story.seen_by(GENERAL_MANAGER)["stage"] == "active")

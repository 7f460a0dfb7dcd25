"""Several tasks decided at once in the inbox: shown first, each recorded by itself, and each said what became of it."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.e2e.support.console import FORM, Console, held
from tests.e2e.support.journey import GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.stack import Stack, new_form


def test_n6_what_is_selected_is_decided_each_by_a_statement_of_its_own(stack: Stack) -> None:
    stories = [Journey(stack, person).to_vps() for person in ("zhu.hong", "zhu.hong", "he.xin")]
    form = new_form()
    taken = Journey(stack, "wu.qiang", form)
    taken.reaches("commerce_check")
    colliding = Journey(stack, "luo.dan", form).to_vps()
    tasks = {story.id: stack.portal.open_task(VPS[0], story.id)["id"] for story in (*stories, colliding)}
    desk = Console(stack.web, VPS[0])
    inbox = desk.open("/inbox?order=newest")
    assert all(f'value="{task}"' in inbox.text for task in tasks.values())
    query = urlencode([("task", task) for task in tasks.values()])
    shown = desk.open(f"/inbox/together?{query}")
    assert shown.status == 200
    assert "确认处理这 3 项" in shown.words
    assert "存在冲突，请单独处理" in shown.words
    assert [stack.portal.stage(GENERAL_MANAGER, story.id, "vp_review")["id"] for story in stories]  # nothing is decided
    stories[2].answer(VPS[1], "reject", "毛利过低")  # meanwhile
    stories[2].reaches("rejected")
    values = [(name, value) for name, value in held(shown.text, "/inbox/together").items() if name != "task"]
    sent = urlencode([*values, *(("task", task) for task in tasks.values())]).encode()
    for _ in range(2):  # a button pressed twice
        done = desk.web.request("POST", "/inbox/together", sent, {**FORM, "Cookie": desk.cookie})
        assert done.status == 200
        assert done.words.count("已记录：同意") == 2, "whichever answer the browser shows"
        assert done.words.count("未记录") == 2

    for story in stories[:2]:
        decisions = [line for line in story.seen_by(GENERAL_MANAGER)["decisions"] if line["kind"] == "vp_review"]
        assert [(line["person"]["id"], line["choice"]) for line in decisions] == [(VPS[0], "approve")]
    late = [line for line in stories[2].seen_by(GENERAL_MANAGER)["decisions"] if line["kind"] == "vp_review"]
    assert [line["choice"] for line in late] == ["reject"]
    assert not [line for line in colliding.seen_by(GENERAL_MANAGER)["decisions"] if line["kind"] == "vp_review"]
    assert stories[0].event_names().count("answer_accepted") == 2  # commerce and this one


def test_x2_a_task_of_others_cannot_be_selected(stack: Stack) -> None:
    story = Journey(stack, "zhu.hong").to_vps()
    task = stack.portal.open_task(VPS[0], story.id)["id"]
    stranger = Console(stack.web, "zhao.lei")
    assert stranger.open(f"/inbox/together?task={task}").status == 404
    assert stranger.open("/inbox/together").status == 200

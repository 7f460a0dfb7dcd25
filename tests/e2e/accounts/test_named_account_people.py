"""Who decides, who follows whom, and who may read an application (N6, N11, N12, X1, X2)."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embedded.demo.driver import until
from embedded.welcome import ORGANISATION_FILE
from tests.e2e.support.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER, VPS, Journey
from tests.e2e.support.stack import Stack

SAMPLE = ORGANISATION_FILE.read_text(encoding="utf-8")


@pytest.fixture
def import_organisation(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Imports an organisation file as an operator does; the sample company is back afterwards."""

    def run(text: str) -> None:
        file = tmp_path / "org.toml"
        file.write_text(text, encoding="utf-8")
        done = stack.cli("org", "import", str(file))
        assert done.exit_code == 0, done.stderr + done.stdout

    yield run
    run(SAMPLE)


def delegation(person: str, delegate: str) -> str:
    now = datetime.now(UTC)
    start, end = (now + timedelta(days=days) for days in (-1, 2))
    moments = f"start = {start.isoformat()}\nend = {end.isoformat()}\n"
    return f'\n[[delegation]]\nperson = "{person}"\ndelegate = "{delegate}"\n{moments}reason = "年假"\n'


def gone(person: str) -> str:
    """The sample company without `person`: still listed, no longer active."""
    return SAMPLE.replace(f'id = "{person}"\n', f'id = "{person}"\nactive = false\n')


def test_a_delegate_decides_and_the_record_says_on_whose_behalf(
    stack: Stack, import_organisation: Callable[[str], None]
) -> None:
    import_organisation(SAMPLE + delegation("li.ming", "liu.yang") + delegation("wang.fang", "huang.lei"))
    story = Journey(stack, "yang.fan").to_vps()
    page = story.link("liu.yang").open()
    assert "刘洋以代理人身份，代表李明" in page.words
    story.by_link("liu.yang", "approve", "代李明审阅")
    decided = [d for d in story.seen_by(CLERK)["decisions"] if d["kind"] == "vp_review"]
    assert [(d["person"]["id"], d["on_behalf_of"]["id"], d["capacity"]) for d in decided] == [
        ("liu.yang", "li.ming", "delegate")
    ]
    assert "刘洋" in stack.mailbox.wait("li.ming", story.id, "已代您处理").text
    late = story.link("li.ming").answer("reject", "我不同意")
    assert late.status == 409
    assert "刘洋" in late.words  # who decided, before them
    accepted = [e for e in story.events() if e["event"] == "answer_accepted"][-1]
    assert (accepted["actor"]["id"], accepted["body"]["on_behalf_of"]) == ("liu.yang", "li.ming")  # X1

    # 黄磊 is the delegate of 王芳 and applies himself: never asked, never heard, on his own application.
    own = Journey(stack, "huang.lei").to_vps()
    asked = {person["person"]["id"] for task in own.reaches("vp_review")["tasks"] for person in task["asked"]}
    assert asked == {"li.ming", "liu.yang", "wang.fang"}
    task = stack.portal.open_task("wang.fang", own.id)
    assert stack.portal.answer("huang.lei", task["id"], "approve").status == 404


def test_n6_a_person_leaves_and_their_open_tasks_go_to_whoever_takes_their_place(
    stack: Stack, import_organisation: Callable[[str], None]
) -> None:
    story = Journey(stack, "zhou.min").to_vps()
    dead = story.link("wang.fang")
    successor = gone("wang.fang").replace('"li.ming", "wang.fang"', '"li.ming", "liu.yang"')
    successor = successor.replace('vp = "wang.fang"', 'vp = "liu.yang"').replace(
        'roles = ["coo", "management"]', 'roles = ["coo", "management", "vp"]'
    )
    import_organisation(successor)
    fresh = story.link("liu.yang")
    assert dead.open().status == 404  # a link of somebody who has left tells nothing
    assert dead.answer("approve").status in (404, 409)
    assert stack.portal.call("wang.fang", "GET", "/tasks").status == 403
    assert fresh.answer("approve").status == 200
    story.by_link("li.ming", "approve")
    story.reaches("active")
    moved = [e for e in story.events() if e["event"] == "tasks_refreshed"]
    assert [(e["body"]["asked"], e["body"]["no_longer_asked"]) for e in moved] == [(["liu.yang"], ["wang.fang"])]


def test_x2_who_may_see_an_application_and_that_reading_is_recorded(stack: Stack) -> None:
    story = Journey(stack, "xu.jing")
    path = f"/applications/{story.id}"
    stack.portal.open_task(CLERK, story.id)
    sees = {"xu.jing", "chen.jing", "wang.fang", CLERK, "anna.miller", COMMERCE_MANAGER, GENERAL_MANAGER}
    for person in ("hu.bin", "yang.fan", "zhao.lei", "song.jie", "tang.bo", "sun.li", "liu.yang"):
        assert stack.portal.call(person, "GET", path).status == 404, person
        assert stack.portal.call(person, "GET", f"{path}/dossier").status == 404, person
        listed = stack.portal.call(person, "GET", "/applications?limit=100").json["items"]
        assert story.id not in [application["id"] for application in listed], person
        assert stack.portal.withdraw(person, story.id, "看看").status == 404, person
    assert stack.portal.call("li.ming", "GET", path).status == 404  # not his department, not asked yet
    for person in sees:
        assert stack.portal.call(person, "GET", path).status == 200, person
    assert not story.seen_by("xu.jing")["evidence"]
    assert not stack.portal.dossier("xu.jing", story.id)["rounds"][0]["evidence"]
    assert not story.seen_by("chen.jing")["evidence"]
    assert story.seen_by(CLERK)["evidence"]
    story.to_vps().link("li.ming").open()
    assert story.seen_by("li.ming")["evidence"]
    readers = {
        (row["person"], row["through"])
        for row in stack.query("select person, through from subject_read where subject_id = $1", story.id)
    }
    assert {person for person, _ in readers} == sees | {"li.ming"}
    assert {("li.ming", "link"), ("xu.jing", "dossier"), (CLERK, "api")} <= readers


def test_n11_the_dossier_holds_forms_evidence_decisions_mails_and_the_record(stack: Stack) -> None:
    story = Journey(stack, "luo.dan")
    story.commerce("return", "补充里程碑")
    form = {**story.form, "account_plan": {**story.form["account_plan"], "milestones": "三月立项"}}
    story.answer("luo.dan", "supply", fields={"application": form})
    story.activate()
    told = story.told()
    dossier = stack.portal.dossier(CLERK, story.id)
    assert [entry["form"]["account_plan"]["milestones"] for entry in dossier["rounds"]] == [
        story.form["account_plan"]["milestones"],
        "三月立项",
    ]
    assert all(len(entry["evidence"]) == 7 for entry in dossier["rounds"])
    assert len(dossier["application"]["decisions"]) == 5
    assert len(dossier["mails"]) == sum(map(len, told.values()))
    assert [e["seq"] for e in dossier["record"]] == sorted(e["seq"] for e in dossier["record"])
    page = stack.portal.call(CLERK, "GET", f"/applications/{story.id}/dossier", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    for shown in (story.customer, "补充里程碑", "三月立项", "李明", "王芳"):
        assert shown in page.words
    assert "<script" not in page.text


def test_x1_a_signal_sent_by_hand_changes_nothing_and_shows_in_the_record(stack: Stack) -> None:
    story = Journey(stack, "he.xin").to_vps()
    story.link(VPS[0])
    task = stack.portal.open_task(VPS[0], story.id)
    before = story.seen_by(CLERK)
    forged = {"task_id": task["id"], "choice": "approve", "person": VPS[0], "message_id": "0" * 40, "seal": "k1:AAAA"}
    by_hand: list[tuple[str, object]] = [
        ("answer_task", forged),
        ("answer_task", ["not", "a", "statement"]),
        # Texts that no database keeps must not stop the process either.
        ("answer_task", {"person": "a\0b", "message_id": "\0", "task_id": task["id"]}),
        ("answer_task", {"person": VPS[0], "task_id": task["id"], "fields": {"note_credit": ["\0"]}}),
        ("answer_task", {"person": "\ud800", "task_id": task["id"]}),
        ("withdraw", {"person": "he.xin", "reason": "x", "workflow_id": f"application-{story.id}"}),
        ("appeal", {"person": "he.xin", "reason": "x"}),
    ]
    for name, value in by_hand:
        done = subprocess.run(
            [
                *(str(Path(sysconfig.get_path("scripts")) / "temporal"), "workflow", "signal"),
                *("--address", stack.environment["TEMPORAL_ADDRESS"], "--workflow-id", f"application-{story.id}"),
                *("--name", name, "--input", json.dumps(value)),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    # What cannot be read at all looks alike and is noted once; what is not even JSON never reaches the process.
    def noticed() -> bool:
        return story.event_names().count("statement_unsealed") == 4

    until("every forged signal is on record", noticed)
    after = story.seen_by(CLERK)
    assert (after["stage"], after["tasks"], after["decisions"]) == (
        before["stage"],
        before["tasks"],
        before["decisions"],
    )
    claimed = [e["body"]["claimed_person"] for e in story.events() if e["event"] == "statement_unsealed"]
    assert sorted(claimed) == sorted([VPS[0], "", "he.xin", "he.xin"])
    for vp in VPS:
        story.by_link(vp, "approve")
    story.reaches("active")
    assert stack.cli("verify").exit_code == 0  # X1: the record still proves itself

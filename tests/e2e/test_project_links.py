"""Every kind of field on the pages behind the mails of projects, as a browser without script sends it."""

from __future__ import annotations

from collections.abc import Mapping

from embedded.driver import Answer
from tests.e2e.journey import CLERK, COMMERCE_MANAGER, GENERAL_MANAGER
from tests.e2e.project_journey import COO, EAST_VP, NORTH_VP, ProjectJourney, named_account, new_project
from tests.e2e.stack import Stack
from tests.unit.test_pages import Inputs

MINE, THEIRS = "yang.fan", "xu.jing"


def by_link(story: ProjectJourney, person: str, typed: Mapping[str, str], nth: int = 1) -> Answer:
    """Open the page and send its inputs as they stand, with `typed` over them."""
    link = story.link(person, nth)
    shown = link.open()
    assert shown.status == 200, shown.words
    return link.post({**Inputs(shown.text).values, "confirm": "yes", **typed})


def position(story: ProjectJourney, person: str, name: str, value: str) -> str:
    """Which checkbox of a page stands for `value`."""
    radios = Inputs(story.link(person).open().text).radios
    return next(key for key, values in radios.items() if key.startswith(f"{name}.") and values == [value])


def test_p4_p5_p2_a_project_goes_from_assignment_to_approval_by_mail_alone(stack: Stack) -> None:
    """P4, P5, P2, P6, P9, A5: a person from a list, registrations ticked, the form completed."""
    first = ProjectJourney(stack, "ma.chao").active(EAST_VP)
    story = ProjectJourney(stack, MINE, new_project(first.form["customer"]["name"]))
    story.reaches("assignment")
    assert by_link(story, COMMERCE_MANAGER, {"choice": "assign"}).status == 422  # nobody chosen
    assert by_link(story, COMMERCE_MANAGER, {"choice": "assign", "clerk": CLERK}).status == 200
    story.reaches("conflict_check")
    page = story.link(CLERK).open().words
    for shown in (first.form["name"], "马超", first.form["relationship"], story.form["relationship"], "登记先后"):
        assert shown in page
    ticked = {position(story, CLERK, "suspects", first.id): first.id}
    assert by_link(story, CLERK, {"choice": "clear", **ticked}).status == 422  # suspected and cleared at once
    assert by_link(story, CLERK, {"choice": "suspect", "reason": "客户相同", **ticked}).status == 200
    story.reaches("conflict_confirmation")
    assert "客户相同" in story.link(EAST_VP).open().words
    assert by_link(story, EAST_VP, {"choice": "no_conflict"}).status == 200
    story.reaches("approval")
    assert by_link(story, NORTH_VP, {"choice": "hold", "reason": "请补充毛利"}).status == 200
    story.reaches("held")
    assert "请补充毛利" in story.link(MINE).open().words
    wrong = by_link(story, MINE, {"gross_margin": "很多"})
    assert wrong.status == 422
    assert "很多" in wrong.text
    assert by_link(story, MINE, {"gross_margin": "¥123,456.00"}).status == 200
    story.reaches("approval")
    assert by_link(story, NORTH_VP, {"choice": "approve"}, 2).status == 200
    done = story.reaches("active")
    assert done["form"]["gross_margin"] == "123456.00"
    assert done["number"]


def test_d1_d3_both_sides_agree_on_a_split_by_mail_alone(stack: Stack) -> None:
    """D1, D3: a text put on the table, and the very same text confirmed by the other side."""
    story = ProjectJourney(stack, MINE, new_project(named_account(stack, THEIRS)))
    story.reaches("disputed")
    short = by_link(
        story, MINE, {"choice": "agree", "cooperation": "联合投标", "split.0.percent": "60", "split.1.percent": "39.99"}
    )
    assert short.status == 422
    assert "99.99" in short.words
    typed = {"split.0.percent": "60", "split.1.percent": "40"}
    assert by_link(story, MINE, {"choice": "agree", "cooperation": "联合投标", **typed}).status == 200
    page = story.link(THEIRS, 2).open().words
    assert "联合投标" in page
    assert by_link(story, THEIRS, {"choice": "agree"}, 2).status == 200
    agreed = story.reaches("approval")["agreement"]
    assert [(share["person"]["id"], share["percent"]) for share in agreed["split"]] in (
        [(MINE, "60"), (THEIRS, "40")],
        [(THEIRS, "60"), (MINE, "40")],
    )
    old = story.link(THEIRS).open()
    assert "<form" not in old.text  # the request of before the text no longer counts


def test_d2_a_meeting_is_called_and_recorded_by_mail_alone(stack: Stack) -> None:
    """D2, D3: when in the business time zone, whom, and what was decided."""
    story = ProjectJourney(stack, MINE, new_project(named_account(stack, THEIRS)))
    story.reaches("disputed")
    assert by_link(story, THEIRS, {"choice": "disagree", "reason": "无法一致"}).status == 200
    asking = story.link(COMMERCE_MANAGER).open()
    assert "无法一致" in asking.words
    suggested = [value for name, value in Inputs(asking.text).values.items() if name.startswith("participants.")]
    assert {COO, GENERAL_MANAGER, NORTH_VP, EAST_VP} <= set(suggested)
    past = by_link(story, COMMERCE_MANAGER, {"choice": "called", "starts_at": "2020-01-01T09:00", "place": "三楼"})
    assert past.status in (409, 422)
    called = by_link(story, COMMERCE_MANAGER, {"choice": "called", "starts_at": "2030-12-03T14:00", "place": "三楼"})
    assert called.status == 200, called.words
    meeting = story.reaches("disputed")["dispute"]["meeting"]
    assert meeting["starts_at"] == "2030-12-03T14:00:00+08:00"
    assert "三楼" in story.link(EAST_VP).open().words
    recorded = by_link(
        story, EAST_VP, {"choice": "record", "responsible": THEIRS, "summary": "由徐静负责", "split.0.percent": "100"}
    )
    assert recorded.status == 200, recorded.words
    assert story.reaches("approval")["salesperson"]["id"] == THEIRS

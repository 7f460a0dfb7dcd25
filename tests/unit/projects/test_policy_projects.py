"""What the company may set for projects: the form of a project number, the order of the reminders (P8, P9, U2–U5)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.policy import DEFAULT_POLICY_FILE, Policy, Projects, load_policy
from domain.tasks.task import TaskKind

POLICY = load_policy()
SHIPPED = DEFAULT_POLICY_FILE.read_text(encoding="utf-8")


def projects(**changed: Any) -> Projects:
    return Projects.model_validate(POLICY.projects.model_dump() | changed)


@pytest.mark.parametrize(
    ("number_format", "number"),
    [
        ("P{year}-{sequence:05}", "P2026-00042"),
        ("{year}{sequence:04d}", "20260042"),
        ("{sequence}-{year}", "42-2026"),
        ("HX-{year}-P-{sequence}", "HX-2026-P-42"),
    ],
)
def test_p9_a_number_holds_the_year_and_its_place_in_it(number_format: str, number: str) -> None:
    assert projects(number_format=number_format).number(2026, 42) == number


@pytest.mark.parametrize(
    "number_format",
    [
        "",
        "P",
        "P{year}",
        "P{sequence}",
        "{year}-{sequence} ",
        "{year}/{sequence}",
        "项目{year}-{sequence}",
        "{year}-{sequence}\n",
        "{year}-{sequence}-{department}",
        "{year}-{sequence}-{}",
        "{year}-{sequence}-{0}",
        "{year}-{sequence.name}",
        "{year}-{sequence[0]}",
        "{year.__class__}-{sequence}",
        "{year}-{sequence",
        "{year}-{sequence}}",
        "{year}-{sequence:z}",
        "{year}-{sequence:,}",
        "{year}-{sequence:e}",
        "{year}-{sequence:040}",
        "{year!s:.3}-{sequence}",  # 2026 and 2027 alike
        "{year!s:.2}-{sequence}",
        "{year}-{sequence!s:.1}",  # 1 and 10 alike
        "{year}-{sequence!s:.2}",
        "{year}-{sequence!s:.5}",
        5,
        None,
    ],
)
def test_p9_a_format_that_could_give_a_number_twice_or_one_nobody_can_type_is_refused(number_format: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        projects(number_format=number_format)
    assert [error["loc"] for error in caught.value.errors()] == [("number_format",)]


@given(
    ones=st.tuples(st.integers(2000, 2999), st.integers(1, 999_999)),
    others=st.tuples(st.integers(2000, 2999), st.integers(1, 999_999)),
    number_format=st.sampled_from(
        ["P{year}-{sequence:05}", "{year}{sequence}", "{sequence}{year}", "{sequence:x}-{year}"]
    ),
)
def test_p9_no_two_approvals_have_one_number(
    ones: tuple[int, int], others: tuple[int, int], number_format: str
) -> None:
    form = projects(number_format=number_format)
    assert (form.number(*ones) == form.number(*others)) is (ones == others)
    assert re.fullmatch(r"[A-Za-z0-9-]{1,32}", form.number(*ones))


@pytest.mark.parametrize(
    ("weeks", "vp", "shelve"),
    [(2, 1, 3), (1, 1, 2), (3, 1, 2), (4, 2, 3), (7, 2, 36)],
)
def test_u2_u3_u4_the_salesperson_first_then_the_vp_then_the_shelf(weeks: int, vp: int, shelve: int) -> None:
    found = projects(remind_after_weeks=weeks, remind_vp_after_months=vp, shelve_after_months=shelve)
    assert (found.remind_after_weeks, found.remind_vp_after_months, found.shelve_after_months) == (weeks, vp, shelve)


@pytest.mark.parametrize(
    ("weeks", "vp", "shelve"),
    [
        (4, 1, 3),  # a February is four weeks
        (5, 1, 3),
        (2, 3, 3),
        (2, 4, 3),
        (14, 1, 3),
    ],
)
def test_u5_reminders_out_of_order_are_refused(weeks: int, vp: int, shelve: int) -> None:
    with pytest.raises(ValidationError, match="come before"):
        projects(remind_after_weeks=weeks, remind_vp_after_months=vp, shelve_after_months=shelve)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("remind_after_weeks", 0),
        ("remind_vp_after_months", 0),
        ("shelve_after_months", 37),
        ("objection_months", 0),
        ("objection_months", 25),
        ("remind_after_weeks", "soon"),
        ("remember_after_weeks", 2),
    ],
)
def test_p8_and_u2_to_u4_numbers_out_of_bounds_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        projects(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


# Files

Write = Callable[[str], Path]


@pytest.fixture
def policy_file(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "policy.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def without(table: str) -> str:
    """The shipped file without one table."""
    cut = re.sub(rf"^\[{re.escape(table)}\]\n(?:(?!\[).*\n?)*", "", SHIPPED, flags=re.MULTILINE)
    assert cut != SHIPPED
    return cut


def test_the_shipped_file_holds_what_the_regulation_says() -> None:
    """P8, U2, U3, U4; every kind of task has its deadlines (N12)."""
    assert POLICY.projects.model_dump() == {
        "number_format": "P{year}-{sequence:05}",
        "objection_months": 1,
        "remind_after_weeks": 2,
        "remind_vp_after_months": 1,
        "shelve_after_months": 3,
        "loss_told_departments": (),
    }
    assert set(POLICY.deadlines) == set(TaskKind)
    assert type(POLICY) is Policy


def test_a_file_without_projects_is_refused_by_that_name(policy_file: Write) -> None:
    with pytest.raises(ValidationError) as caught:
        load_policy(policy_file(without("projects")))
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [(("projects",), "missing")]


@pytest.mark.parametrize("kind", TaskKind)
def test_n12_a_file_without_the_deadlines_of_a_kind_is_refused_by_that_name(kind: TaskKind, policy_file: Write) -> None:
    with pytest.raises(ValidationError, match=f"no deadlines for {kind.value}") as caught:
        load_policy(policy_file(without(f"deadlines.{kind.value}")))
    assert [error["loc"] for error in caught.value.errors()] == [("deadlines",)]


def test_everything_that_is_wrong_with_a_file_is_told_at_once(policy_file: Write) -> None:
    text = without("deadlines.call_meeting").replace("remind_after_weeks = 2 ", "remind_after_weeks = 9 ")
    text = text.replace("limit = 5 ", "limit = 0 ").replace("[deadlines.agree_split]", "[deadlines.agree]")
    with pytest.raises(ValidationError) as caught:
        load_policy(policy_file(text))
    assert {error["loc"][0] for error in caught.value.errors()} == {"accounts", "projects", "deadlines"}
    assert ("deadlines", "agree", "[key]") in {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize("text", ["", "[projects", "version = 1\nversion = 2"])
def test_a_file_that_is_no_policy_at_all_is_refused_too(text: str, policy_file: Write) -> None:
    with pytest.raises(ValueError, match=r"(?i)expected|overwrite|required"):
        load_policy(policy_file(text))

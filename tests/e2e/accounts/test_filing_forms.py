"""What a salesperson types into the two forms is answered as by the API, and is never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from embedded.demo.driver import Answer
from tests.e2e.support.console import FORM, Console, held
from tests.e2e.support.names import company_name
from tests.e2e.support.project_journey import new_project
from tests.e2e.support.stack import Stack, new_form
from web.forms.form import flatten

FORMS = ("/apply", "/register")
NO_ROWS = {"customer.related_parties.0.name": ""}
"""A browser sends the empty row of a list that nothing was typed into."""


def send(desk: Console, path: str, fields: dict[str, str]) -> Answer:
    return desk.web.request("POST", path, urlencode(fields).encode(), {**FORM, "Cookie": desk.cookie})


def fill_in(desk: Console, path: str, typed: dict[str, str], step: str) -> tuple[Answer, str]:
    """Send the empty form with `typed`. Returns the answer, and the id of the draft."""
    fields = held(desk.open(path).text, path)
    own = {name: fields[name] for name in ("csrf", "form_key", "draft", "spare")}
    return send(desk, path, own | NO_ROWS | typed | {"step": step}), own["draft"]


@pytest.mark.parametrize("path", FORMS)
def test_x3_a_double_click_is_one_submission_and_ends_the_draft(stack: Stack, path: str) -> None:
    desk = Console(stack.web, "yang.fan")
    form = new_form() if path == "/apply" else new_project()
    preview, draft = fill_in(desk, path, flatten(form), "preview")
    assert preview.status == 200, preview.words
    fields = held(preview.text, path) | {"step": "submit"}
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: send(desk, path, fields), range(2))
    assert (first.status, second.status) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert desk.open(f"{path}?draft={draft}").status == 404


@pytest.mark.parametrize("path", FORMS)
def test_n1_p1_a_draft_survives_sign_out_and_is_nobody_elses(stack: Stack, path: str) -> None:
    name = company_name()
    saved, draft = fill_in(Console(stack.web, "yang.fan"), path, {"customer.name": name}, "save")
    assert saved.status == 303
    other = Console(stack.web, "xu.jing")
    assert other.open(f"{path}?draft={draft}").status == 404
    assert name not in other.open(path).text
    taken, _ = fill_in(other, path, {"customer.name": "别人的", "draft": draft}, "save")
    assert taken.status == 422
    assert held(taken.text, path)["customer.name"] == "别人的"
    assert held(Console(stack.web, "yang.fan").open(f"{path}?draft={draft}").text, path)["customer.name"] == name
    assert Console(stack.web, "li.ming").open(path).status == 403


def test_n1_a_draft_that_cannot_be_saved_stays_on_the_page(stack: Stack) -> None:
    text = "a" * 310_000
    got, _ = fill_in(Console(stack.web, "yang.fan"), "/apply", {"cooperation": text}, "save")
    assert got.status == 422
    assert "草稿未能保存" in got.words
    assert held(got.text, "/apply")["cooperation"] == text


@pytest.mark.parametrize("step", ["preview", "save", "more", "submit"])
@pytest.mark.parametrize("path", FORMS)
def test_n1_p1_a_control_character_is_refused_and_what_was_typed_stays(stack: Stack, path: str, step: str) -> None:
    got, _ = fill_in(Console(stack.web, "yang.fan"), path, {"customer.name": "甲\0乙"}, step)
    assert got.status == (200 if step == "more" else 422)
    assert "甲\0乙" in got.text


def test_n1_a_number_of_rows_that_nobody_typed_adds_the_usual_ones(stack: Stack) -> None:
    assert fill_in(Console(stack.web, "yang.fan"), "/apply", {"spare": "9" * 5000}, "more")[0].status == 200

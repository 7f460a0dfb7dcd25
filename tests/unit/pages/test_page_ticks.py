"""A page that is shown again with errors keeps every tick and lists a missing one (X4, N5, R1-R6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api.problems import Refusal
from domain.accounts.named_account import RULES
from domain.organisation import Language
from domain.projects.rules import PROJECT_TASK_RULES
from domain.refusals import RefusalCode
from domain.reviews.review import REVIEW_TASK_RULES
from domain.tasks.task import TaskKind
from tests.inputs import Inputs
from tests.unit.pages import page_samples
from tests.unit.projects import page_samples as project_pages
from tests.unit.reviews import test_review_pages
from texts.catalogue import LANGUAGES, Texts
from web.links.answers import field_errors
from web.models import FormError

Render = Callable[..., str]
PAGES: list[tuple[Render, TaskKind]] = [
    *((page_samples.page, kind) for kind in RULES),
    *((project_pages.page, kind) for kind in PROJECT_TASK_RULES),
    *((test_review_pages.page, kind) for kind in REVIEW_TASK_RULES),
]
NAMES = [f"{render.__module__.rpartition('.')[2]}-{kind}" for render, kind in PAGES]


def ticked(inputs: Inputs, wanted: dict[str, str]) -> dict[str, str]:
    """What a browser sends once the last option of every group is ticked, and the page confirmed."""
    return {**inputs.values, **{name: options[-1] for name, options in inputs.radios.items()}, **wanted}


@pytest.mark.parametrize(("render", "kind"), PAGES, ids=NAMES)
def test_every_tick_is_kept_when_the_page_is_shown_again_with_errors(render: Render, kind: TaskKind) -> None:
    sent = ticked(Inputs(render(kind)), {"reason": ""})
    again = Inputs(render(kind, entered=sent, errors=(FormError(field="reason", message="请写理由"),)))
    assert sent["confirm"] == "yes"
    lost = {name: sent[name] for name in again.radios if again.values.get(name) != sent[name]}
    assert not lost


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("render", "kind"), PAGES, ids=NAMES)
def test_a_missing_confirmation_is_listed_among_the_errors_and_is_not_ticked_for_anybody(
    render: Render, kind: TaskKind, language: Language
) -> None:
    sent = ticked(Inputs(render(kind)), {"confirm": ""})
    missing: Any = field_errors(Refusal(422, RefusalCode.CONFIRM_MISSING), Texts(language))
    html = render(kind, language=language, entered=sent, errors=(*missing, FormError(field="reason", message="?")))
    inputs = Inputs(html)
    assert "f-confirm" in inputs.anchors
    assert "f-confirm" in inputs.ids
    assert html.count(missing[0].message) == 2, "in the list, and beside the box"
    assert "confirm" not in inputs.checked

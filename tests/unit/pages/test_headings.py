"""Headings never skip a level, so that a screen reader finds its way through every page (X4, N11)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.accounts.application import ApplicationForm
from domain.accounts.eligibility import Background, evaluate
from domain.accounts.named_account import RULES
from domain.policy import load_policy
from domain.projects.rules import PROJECT_TASK_RULES
from domain.reviews.review import REVIEW_TASK_RULES
from tests.unit.pages import page_samples
from tests.unit.pages.page_samples import EVIDENCE, NOON
from tests.unit.projects import page_samples as project_pages
from tests.unit.reviews import test_review_pages
from texts.catalogue import LANGUAGES
from web.conflicts.check_page import render_check
from web.dossier.page import render_dossier
from web.links.status_page import LinkStatus, LinkStatusPage, render_status
from web.models import FormError, Remark


class Headings(HTMLParser):
    """The levels of a page's headings, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag: str, _: Any) -> None:
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))


def skipped(html: str) -> list[tuple[int, int]]:
    """Where a heading is more than one level below the one before it."""
    levels = [0, *Headings(html).levels]
    return [(above, below) for above, below in pairwise(levels) if below > above + 1]


FORM = ApplicationForm.model_validate(page_samples.FORM)
PERSON = {"id": "yang.fan", "name": "杨帆"}
PROPOSAL = {"cooperation": "联合投标", "split": [{**PERSON, "percent": "60"}], "by": PERSON}
NOTE = {
    "proposal": PROPOSAL,
    "agreement": {**PROPOSAL, "how": "agreed"},
    "other_side": ["徐静"],
    "meeting": {"place": "三楼", "participants": [PERSON, PERSON], "wanted": {"by": PERSON, "reason": "谈不拢"}},
    "precedents": [
        {"summary": "由徐静负责", "split": [{**PERSON, "percent": "40"}], "meeting": {"wanted": {"by": PERSON}}}
    ],
}
WITH_ERRORS: dict[str, Any] = {
    "errors": (FormError(field="reason", message="?"), FormError(field="confirm", message="?"))
}
DOSSIERS: list[dict[str, Any]] = [
    {
        "application": {
            "id": "NA-17",
            "customer_name": "华东精密",
            "eligibility": evaluate(FORM, Background(), load_policy().eligibility).model_dump(mode="json"),
            "tasks": [{"kind": "vp_review", "asked": [{"person": PERSON, "capacity": "holder"}], "opened_at": NOON}],
            "decisions": [{"kind": "vp_review", "choice": "approve", "reason": "战略", "person": PERSON}],
            "rejection": {"by": PERSON, "reason": "预算"},
        },
        "rounds": [
            {
                "round": number,
                "form": FORM.model_dump(mode="json"),
                "evidence": [item.model_dump(mode="json") for item in EVIDENCE],
            }
            for number in (1, 2)
        ],
        "record": [{"at": NOON.isoformat(), "event": "task_opened", "body": {"asked": [{"person": "yang.fan"}]}}],
    },
    {
        "project": {
            "id": "p",
            "name": "核心网扩容",
            "credits": [{"person": PERSON, "percent": "100"}],
            "loss": {"by": PERSON},
        },
        "rounds": [{"round": 1, "form": project_pages.FORM.model_dump(mode="json"), "matches": [NOTE]}],
        "disputes": [{"stage": "negotiation", **NOTE}, {"stage": "agreed", **NOTE}],
    },
]


def pages() -> Iterator[tuple[str, str]]:
    """Every kind of page, plain and with everything on it that it may hold."""
    remark = Remark(text="理由充分", person_name="王总", at=NOON)
    for kind in RULES:
        yield f"application-{kind}", page_samples.page(kind)
        yield (
            f"application-{kind}-bare",
            page_samples.page(kind, eligibility=(), evidence=(), decisions=(), accounts_held=None),
        )
        yield (
            f"application-{kind}-wrong",
            page_samples.page(kind, return_remark=remark, **WITH_ERRORS),
        )
    for kind in PROJECT_TASK_RULES:
        yield f"project-{kind}", project_pages.page(kind)
        yield f"project-{kind}-bare", project_pages.page(kind, weighed=(), note={}, decisions=())
        yield f"project-{kind}-noted", project_pages.page(kind, note=NOTE, reason_remark=remark, **WITH_ERRORS)
    for kind in REVIEW_TASK_RULES:
        yield f"review-{kind}", test_review_pages.page(kind)
        yield f"review-{kind}-many", test_review_pages.page(kind, 15, **WITH_ERRORS)
    for status in LinkStatus:
        yield f"status-{status}", render_status(LinkStatusPage(kind=status, path="/d/t"))
    for language in LANGUAGES:
        yield f"check-{language}", render_check(language, {"customer": "", "related_parties": ""}, wrong=("?",))
    for number, dossier in enumerate(DOSSIERS):
        yield f"dossier-{number}", render_dossier(dossier)


PAGES = dict(pages())


@pytest.mark.parametrize("name", PAGES)
def test_no_heading_of_any_page_skips_a_level(name: str) -> None:
    assert Headings(PAGES[name]).levels[:1] == [1]
    assert not skipped(PAGES[name])


VALUES = st.recursive(
    st.one_of(st.none(), st.text(max_size=3), st.just(DOSSIERS[0]["rounds"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["form", "evidence", "wanted", "x"]), inner, max_size=2),
    ),
    max_leaves=10,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(["rounds", "meeting", "disputes", "x"]), VALUES, max_size=3))
def test_n11_no_heading_of_a_dossier_of_any_shape_skips_a_level(dossier: dict[str, Any]) -> None:
    assert not skipped(render_dossier(dossier))

"""The printable dossier: words and no keys, colours that mean something in print, both languages (N11, X4)."""

from __future__ import annotations

import base64
import hashlib
import re
import typing
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from api.accounts.models import ApplicationView
from api.projects.models import ProjectView
from domain.accounts.evidence import Evidence
from domain.projects.project import ProjectForm
from domain.subject import SubjectType
from tests.unit.pages.page_samples import EVIDENCE, FORM, NOON
from texts.catalogue import Texts
from web.dossier.blocks import DossierBlocks
from web.dossier.page import dossier_headers, render_dossier
from web.rendering import PAGE_HEADERS, STATIC_DIR

ZONE = ZoneInfo("Asia/Shanghai")


def words_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<body")[2]).split())


def colour_in_print(*classes: str) -> str:
    """The colour that the style sheet gives in print to an element of `classes`, an outer class before `>`."""
    css = re.sub(r"/\*.*?\*/", "", (STATIC_DIR / "baobei.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    screen, _, printed = css.rpartition("@media print {")
    rules = re.findall(
        r"([^{}]+)\{([^{}]*)\}", re.sub(r"@media \((?:max|min)[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", screen)
    )
    rules += re.findall(r"([^{}]+)\{([^{}]*)\}", re.sub(r"@page \{[^}]*\}", "", printed))
    found = []
    for place, (selectors, body) in enumerate(rules):
        colour = re.search(r"(?:^|;)\s*color:\s*([^;]+)", body)
        for selector in selectors.split(","):
            if colour and selector.strip() in classes:
                found.append((selector.count("."), place, colour[1].strip()))
    return max(found)[2] if found else ""


@pytest.mark.parametrize(
    ("classes", "colour"),
    [
        ((".verdict", ".pending > .verdict"), "var(--soft)"),
        ((".verdict", ".failed > .verdict"), "var(--bad)"),
        ((".verdict", ".passed > .verdict"), "var(--good)"),
        ((".tag",), "var(--accent)"),
        ((".tag", ".tag.bad"), "var(--bad)"),
        ((".tag", ".tag.good"), "var(--good)"),
        ((".said",), ""),
    ],
)
def test_e5_in_print_only_what_is_good_is_green(classes: tuple[str, ...], colour: str) -> None:
    assert colour_in_print(*classes) == colour


def test_in_print_only_what_stands_in_the_print_block_is_set_for_print() -> None:
    css = (STATIC_DIR / "baobei.css").read_text(encoding="utf-8")
    printed = css.rpartition("@media print {")[2]
    assert printed.count("{") + 1 == printed.count("}")
    lines = printed.strip("\n").splitlines()
    assert not [line for line in lines[:-1] if not line.startswith("  ")]


def fields_of(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """Every field that a view may show, with those of the views inside it; forms and evidence have their own layout."""
    if model in seen or issubclass(model, ProjectForm | Evidence):
        return
    seen.add(model)
    model.model_rebuild()  # what it refers to may be defined below it
    for name, field in model.model_fields.items():
        if name == "form":
            continue
        yield name
        for inner in models_in(field.annotation):
            yield from fields_of(inner, seen)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


@pytest.mark.parametrize(
    ("subject", "view"), [(SubjectType.APPLICATION, ApplicationView), (SubjectType.PROJECT, ProjectView)]
)
def test_x4_everything_that_a_dossier_may_show_has_a_label(subject: SubjectType, view: Any) -> None:
    blocks = DossierBlocks(Texts("zh"), ZONE, subject)
    spoken = {"text", "body"}  # a step of the record says these without a label
    names = {name for name in fields_of(view, set()) if name not in spoken and not name.endswith("_label")}
    assert {"tasks", "asked", "decisions", "characters"} <= names
    # In a Chinese document a label of plain letters is the key itself.
    assert not {name for name in names if blocks.parts({name: "x"})[0].label.isascii()}


GATHERED = {
    "credit": ["background_register", 2, True],
    "litigation": ["background_register", 0, False],
    "projects": ["project_register", 0, True],
}
ASKED = [
    {"person": "gao.yuan", "capacity": "holder", "on_behalf_of": None},
    {"person": "li.qiang", "capacity": "delegate", "on_behalf_of": "li.ming"},
]
PEOPLE = [{"id": "gao.yuan", "name": "高媛"}, {"id": "li.qiang", "name": "李强"}, {"id": "li.ming", "name": "李明"}]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "zh",
            (
                "资信情况（背景资料库：2 份记录）",
                "涉讼情况（背景资料库：未能取得）",
                "现已登记的项目（项目登记册：无记录）",
                "被请求人：高媛（本人）、李强（代理人，代表 李明）",
                "对拒绝登记的异议（P8）",
                "编号 p-9",
                "登记：旧项目",
            ),
        ),
        (
            "en",
            (
                "Credit standing (background register: 2 on record)",
                "Litigation (background register: unavailable)",
                "Registered projects (project register: nothing on record)",
                "Assignees: 高媛 (in person), 李强 (delegate, on behalf of 李明)",
                "objection to a refusal (P8)",
                "ID p-9",
                "Registration: 旧项目",
            ),
        ),
    ],
)
def test_n11_the_record_in_a_dossier_is_said_in_words(language: Any, said: tuple[str, ...]) -> None:
    html = render_dossier(
        {
            "project": {"id": "p1", "name": "核心网扩容", "involved": PEOPLE},
            "weighed": [{"subject_id": "p-9", "name": "旧项目", "own": False, "body": {"x": [1]}}],
            "disputes": [{"id": "p1-1", "origin": "P8"}],
            "record": [
                {"at": NOON.isoformat(), "event": "evidence_gathered", "body": {"found": GATHERED}},
                {"at": NOON.isoformat(), "event": "task_opened", "body": {"asked": ASKED}},
                {"at": NOON.isoformat(), "event": "match_ruled", "body": {"subject_id": "p-9"}},
            ],
        },
        language=language,
    )
    words = words_of(html)
    for sentence in said:
        assert sentence in words
    assert "p-9：" not in words


def test_x4_labels_of_an_english_dossier_begin_with_a_capital() -> None:
    """Beside "Amount (RMB)" a label such as "weaker matches left out" reads like a key."""
    project = {"id": "p1", "name": "Core", "weaker_matches": 0, "credits": [{"person": PEOPLE[0], "percent": "100"}]}
    html = render_dossier({"project": project}, language="en")
    labels = re.findall(r"<(?:dt|h2|th scope=\"col\")>([^<]+)<", html)
    assert "Weaker matches not listed" in labels
    assert [label for label in labels if not label[0].isupper()] == []


DECIDED = {
    "task_id": "5ddaef609a01c220319d7d2368863e78",
    "kind": "vp_review",
    "round": 2,
    "choice": "approve",
    "reason": "战略客户",
    "special_reason": True,
    "person": {"id": "sun.li", "name": "孙丽"},
    "on_behalf_of": {"id": "wang.fang", "name": "王芳"},
    "capacity": "delegate",
    "decided_at": "2026-12-01T00:22:19.442724Z",
}


def test_n11_decisions_are_one_table_and_the_record_is_an_annex() -> None:
    plain = DECIDED | {"choice": "reject", "reason": "", "special_reason": False, "on_behalf_of": None}
    own = {"id": "NA-17", "decisions": [DECIDED, plain], "conflicts": [], "evidence": []}
    record = [{"at": NOON.isoformat(), "event": "submitted", "body": {}}]
    html = render_dossier({"application": own, "record": record})
    table = html[html.index("<table") : html.index("</table>")]
    assert table.count("<tr>") == 3
    for said in ("主管VP审核", "同意", "不同意", "孙丽（代理人，代表 王芳）", "特别说明的理由（N8）\n战略客户"):
        assert said in table
    assert str(DECIDED["task_id"]) not in html
    assert '<section class="card annex"><h2>完整记录（防篡改）</h2>' in html
    assert "冲突</h2>" not in html  # an empty part is left out
    assert "核查资料由审批人查看" in html


def test_n11_a_dossier_carries_its_style_sheet_and_the_headers_allow_that_one_alone() -> None:
    html = render_dossier({"application": {"id": "NA-17"}})
    (styles,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert styles == (STATIC_DIR / "baobei.css").read_text(encoding="utf-8")
    assert "stylesheet" not in html
    digest = base64.b64encode(hashlib.sha256(styles.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in dossier_headers()["Content-Security-Policy"]
    assert dossier_headers().keys() == PAGE_HEADERS.keys()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_dossier_shows_everything_it_is_given(language: Any) -> None:
    """N11, X4: form, evidence, decisions and the record, and what the page has never heard of."""
    dossier = {
        "application": {
            "id": "NA-17",
            "stage": "active",
            "customer_name": "华东精密",
            "applicant": {"id": "zhang", "name": "张伟"},
            "submitted_at": "2026-12-14T04:00:00Z",
            "decisions": [
                {"kind": "vp_review", "choice": "approve", "reason": "战略", "person": {"id": "li", "name": "李强"}}
            ],
        },
        "rounds": [
            {"round": 1, "form": FORM, "evidence": [item.model_dump(mode="json") for item in EVIDENCE]},
            {"round": 2, "form": {"broken": "残缺"}, "evidence": []},
        ],
        "record": [
            {
                "at": "2026-12-14T04:00:00Z",
                "event": "answer_accepted",
                "text": "",
                "body": {"x": [{"y": "深处"}]},
                "seq": 7,
            }
        ],
        "never_heard_of": [{"p": {"q": ["留存", {"r": None}]}}],
    }
    html = render_dossier(dossier, language=language)
    for shown in (
        "华东精密",
        "张伟",
        "李强",
        "战略",
        "华精贸易",
        "三个项目",
        "甲&lt;i&gt;",
        "残缺",
        "深处",
        "留存",
        "7",
    ):
        assert shown in html
    assert ("答复已记录" if language == "zh" else "Answer recorded") in html
    assert ("2026年12月14日 周一 12:00" if language == "zh" else "Mon 14 Dec 2026, 12:00") in html
    assert "b-x" not in html


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(
            ["form", "evidence", "eligibility", "timeline", "record", "application", "rounds", "customer", "x"]
        ),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_a_dossier_of_any_shape_is_shown(dossier: dict[str, Any]) -> None:
    """N11."""
    assert "<h1>" in render_dossier(dossier)

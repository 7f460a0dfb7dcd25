"""What was compared and what was said of it: documents of before, what teaches, the form of an answer (N3, P4, P5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflicts.detection import Found, closest, ruled_on
from conflicts.fingerprints import company, of_both, registration
from conflicts.learned import groups_of, learned_keys
from db.accounts.applications import KeyedParty
from domain.accounts.evidence import Evidence, Finding
from domain.accounts.named_account import choices_for
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Compared, LearnedAlias, Link, Ruled, Ruling
from domain.conflicts.verdict import Level, Reason, Verdict
from domain.projects.rules import project_choices
from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import AnswerChoice, TaskKind
from matching.projects import ProjectSides
from matching.reasons import REASON_PARAMS
from texts.catalogue import LANGUAGES, Texts
from texts.conflicts.verdicts import because, match_sentence, reason_sentence, sentences

NOON = datetime(2026, 12, 14, 4, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def link(fingerprint: str, **more: Any) -> Link:
    return Link.model_validate({"fingerprint": fingerprint, "level": "same", **more})


def said(ruling: Ruling, minute: int = 0) -> Ruled:
    return Ruled(ruling=ruling, person="gao.yuan", at=NOON.replace(minute=minute), reason="两家公司")


def test_n3_matches_stored_before_verdicts_existed_are_still_read() -> None:
    """N3, N14, N11: a dossier of an earlier version keeps its reasons, and what they meant."""
    same = Finding.model_validate(
        {"subject_type": "account", "subject_id": "a", "name": "云岭", "because": ["same_uscc", "same_name"]}
    )
    assert (same.verdict.level, same.conflict) == (Level.SAME, True)
    assert because(same.verdict, Texts("zh")) == "统一社会信用代码或注册号相同；名称相同"
    related = Match.model_validate(
        {
            **{"subject_type": "project", "subject_id": "p", "name": "扩容", "salesperson": "x", "status": "active"},
            **{"since": NOON.isoformat(), "because": ["same_name", "related_party"]},
        }
    )
    assert (related.verdict.level, related.declared, related.conflict) == (Level.RELATED, True, True)
    kept = Evidence.model_validate(
        {"kind": "credit", "source": "x", "gathered_at": NOON.isoformat(), "findings": [
            {"subject_type": "register", "subject_id": "r", "name": "云岭", "because": []}]}
    )  # fmt: skip
    assert not kept.findings[0].verdict.found
    again = Finding.model_validate(same.model_dump(mode="json"))
    assert again == same


@pytest.mark.parametrize(
    ("level", "declared", "ruled", "conflict"),
    [
        (Level.SAME, False, None, True),
        (Level.SAME, False, Ruling.CLEARED, False),
        (Level.SAME, False, Ruling.SUSPECTED, True),
        (Level.RELATED, True, None, True),
        (Level.RELATED, False, None, False),
        (Level.LOOK, False, None, False),
        (Level.LOOK, False, Ruling.CONFLICT, False),
    ],
)
def test_n14_only_the_same_company_collides_and_a_cleared_one_does_not(
    level: Level, declared: bool, ruled: Ruling | None, conflict: bool
) -> None:
    comparison = Compared(verdict=Verdict(level=level), declared=declared, ruled=said(ruled) if ruled else None)
    assert comparison.conflict is conflict


def test_a_match_is_cleared_once_all_its_links_are() -> None:
    """N3, P4: the newest ruling of each counts; one that speaks against outweighs any that clears."""
    both = [link("a"), link("b")]
    assert ruled_on(both, {}) is None
    assert ruled_on(both, {"a": said(Ruling.CLEARED)}) is None
    cleared = ruled_on(both, {"a": said(Ruling.CLEARED), "b": said(Ruling.CLEARED, 5)})
    assert cleared is not None
    assert (cleared.ruling, cleared.at.minute) == (Ruling.CLEARED, 5)
    against = ruled_on(both, {"a": said(Ruling.CLEARED, 9), "b": said(Ruling.CONFLICT)})
    assert against is not None
    assert against.ruling is Ruling.CONFLICT
    assert ruled_on([], {"a": said(Ruling.CLEARED)}) is None


@pytest.mark.parametrize(
    ("more", "teaches"),
    [
        ({"asked": "中石油", "registered": "中国石油天然气集团有限公司"}, True),
        ({"asked": "中石油", "registered": "中国石油天然气集团有限公司", "registered_uscc": "1"}, True),
        ({"asked": "中石油", "asked_uscc": "2", "registered": "中国石油", "registered_uscc": "1"}, False),
        ({"asked": "中石油", "asked_uscc": "2" * 15, "registered": "中国石油", "registered_uscc": "1"}, True),
        ({"asked": "云岭", "registered": "云岭", "exact": True}, False),
        ({}, False),
    ],
)
def test_a_ruling_adds_an_alias_unless_names_match_or_codes_differ(more: dict[str, Any], teaches: bool) -> None:
    assert link("f", **more).teaches is teaches


def named(name: str, role: str = "customer", uscc: str | None = None) -> KeyedParty:
    return KeyedParty(role=role, name=name, name_key=name, uscc=uscc)


def test_a_fingerprint_is_symmetric_and_changes_with_anything_compared() -> None:
    """N3, P4: a name, a code, a related party, the project itself."""
    left, right = [named("甲")], [named("乙")]
    base = of_both(company(left[0], left), company(right[0], right))
    assert base == of_both(company(right[0], right), company(left[0], left))
    for changed in (
        [named("甲甲")],
        [named("甲", uscc="1")],
        [named("甲"), named("丙", "related_party")],
        [named("甲"), named("甲别名", "alias")],
    ):
        assert of_both(company(changed[0], changed), company(right[0], right)) != base
    beside = [named("甲"), named("丁", "end_user")]
    assert of_both(company(beside[0], beside), company(right[0], right)) == base
    project = ProjectSides(name="核心网扩容", products=("存储",))
    whole = of_both(registration(left, project), registration(right, None))
    assert whole == of_both(registration(right, None), registration(left, project))
    for other_project in (project.model_copy(update={"name": "二期"}), project.model_copy(update={"vendor": "x"})):
        assert of_both(registration(left, other_project), registration(right, None)) != whole


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=8))
def test_learned_aliases_form_groups_in_any_order(pairs: list[tuple[str, str]]) -> None:
    """P5: a group holds everything that is linked, and nothing else."""
    known = [
        LearnedAlias(name=a, name_key=a, other=b, other_key=b, person="x", at=NOON, subject_id="s", task_id="t")
        for a, b in pairs
        if a != b
    ]
    groups = groups_of(known)
    for alias in known:
        assert groups[alias.name_key] == groups[alias.other_key] >= {alias.name_key, alias.other_key}
    for key, group in groups.items():
        assert all(groups[member] == group for member in group)
        assert set(learned_keys([key], known)) == set(group) - {key}


@pytest.mark.parametrize("choice", [AnswerChoice.PASS, AnswerChoice.RETURN, AnswerChoice.CLEAR, AnswerChoice.SUSPECT])
def test_n5_p4_a_ruling_needs_a_reason_and_a_match_that_was_found(choice: str) -> None:
    """N5, P4: every wrong row at once, each under its own name."""
    of_project = choice in (AnswerChoice.CLEAR, AnswerChoice.SUSPECT)
    kind = TaskKind.CONFLICT_CHECK if of_project else TaskKind.COMMERCE_CHECK
    offered = (
        project_choices(kind, suspects=("p-1",), matches=("p-1", "p-2"))
        if of_project
        else choices_for(kind, matches=("p-1", "p-2"))
    )
    suspects: dict[str, Any] = {"suspects": ["p-1"]} if choice == AnswerChoice.SUSPECT else {}

    def wrong(rows: Any, reason: str = "理由") -> list[tuple[str, str]]:
        found = answer_problems(offered, choice=choice, reason=reason, fields={**suspects, "matches": rows})
        return [(problem.field, problem.key) for problem in found]

    assert wrong([{"id": "p-2", "ruling": "cleared"}]) == []
    assert wrong([{"id": "p-2", "ruling": "same_company", "reason": "简称"}]) == []
    assert wrong([{"id": "p-3", "ruling": "cleared"}]) == [("fields.matches.0.id", "not_among_options")]
    assert ("fields.matches.0.ruling", "literal_error") in wrong([{"id": "p-2", "ruling": "suspected"}])
    assert ("fields.matches", "ruled_twice") in wrong([{"id": "p-2", "ruling": "cleared"}] * 2)
    bare = wrong([{"id": "p-2", "ruling": "cleared"}], reason="")
    assert ("fields.matches.0.reason", "ruling_reason_required") in bare
    assert wrong("x")
    assert wrong([1])
    assert wrong([{"id": ["x"], "ruling": {}}])
    if choice == AnswerChoice.SUSPECT:
        assert wrong([{"id": "p-1", "ruling": "cleared"}]) == [("fields.matches.0.ruling", "cleared_and_suspected")]
        assert wrong([{"id": "p-1", "ruling": "same_company"}]) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_x2_a_masked_reason_names_nobody(language: Any) -> None:
    """X2, X4: whatever the reason, and whatever it would name."""
    texts = Texts(language)
    own = {"learned_alias": ("name", "other"), "one_hop": ("party", "through"), "unheard_of": ("name",)}
    for key, params in {**REASON_PARAMS, **own}.items():
        reason = Reason(key=key, params=dict.fromkeys(params, "秘密公司"))
        masked = reason_sentence(reason, texts, masked=True)
        assert masked.strip()
        assert "秘密公司" not in masked
        assert reason_sentence(reason, texts).strip()
        assert reason_sentence(Reason(key=key), texts).strip(), "one kept without what it names is still said"


def test_x4_a_match_is_described_with_its_reasons_and_ruling() -> None:
    match = Compared(
        verdict=Verdict(level=Level.LOOK, reasons=(Reason(key="one_hop", params={"party": "乙", "through": "丙"}),)),
        ruled=Ruled(ruling=Ruling.CLEARED, person="高媛", at=NOON, reason="行业不同"),
    )
    words = match_sentence(match, Texts("zh"), ZONE)
    assert words.startswith("需核对：“乙”与“丙”相互关联")
    assert words.endswith("已核实不冲突（高媛，2026年12月14日 周一 12:00）：行业不同")
    assert sentences(match.verdict, Texts("en")) == [
        "“乙” is related to “丙”, which is related to this registration (indirect; for checking only)"
    ]
    assert match_sentence(Compared(), Texts("zh"), ZONE) == ""


def found(number: int, level: Level, *, live: bool = True, ruled: Ruled | None = None) -> Found:
    return Found(
        subject_type="project",
        subject_id=f"{number:03}",
        name="x",
        since=NOON,
        earlier=True,
        live=live,
        verdict=Verdict(level=level, score=1 - number / 1000),
        ruled=ruled,
    )


def test_n3_people_see_the_strongest_matches_and_every_live_collision() -> None:
    """N3, P4, P10: history and weak likeness never push out what counts; how many are left out is said."""
    looks = [found(n, Level.LOOK) for n in range(30)]
    history = [found(100 + n, Level.SAME, live=False) for n in range(30)]
    collisions = [found(200 + n, Level.SAME) for n in range(15)]
    cleared = [found(300, Level.SAME, ruled=said(Ruling.CLEARED))]
    everything = [*looks, *history, *cleared, *collisions]
    kept, more = closest(everything, 10)
    assert kept == collisions
    assert more == len(everything) - len(collisions)
    kept, more = closest(everything, 20)
    assert kept == [*looks[:5], *collisions]
    assert closest(everything, 500) == (everything, 0)

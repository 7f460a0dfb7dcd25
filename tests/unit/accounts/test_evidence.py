"""What is known, what is not, and what has changed since somebody looked (N5, N15, E2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.accounts.background import background_of
from domain.accounts.eligibility import Background, evaluate
from domain.accounts.evidence import Correction, Evidence, EvidenceKind, Finding
from domain.conflicts.verdict import Level, Verdict
from domain.policy import load_policy
from embedded.welcome import sample_organisation
from tests.integration.tasks.race_ground import form
from texts.accounts.eligibility import eligibility_lines
from texts.catalogue import Texts
from texts.view_lines import EvidenceLine

NOW = datetime(2026, 11, 30, 2, tzinfo=UTC)
RULES = load_policy().eligibility
SAID = Correction(value=False, source="法院公告网", by="gao.yuan", at=NOW)


def litigation(*findings: Finding, **more: object) -> Evidence:
    given = {"kind": EvidenceKind.LITIGATION, "source": "background_register", "gathered_at": NOW, **more}
    return Evidence.model_validate({**given, "findings": findings})


def entry(said: str, *, related: bool = False, source: str = "法务部") -> Finding:
    return Finding(
        subject_type="register",
        subject_id="某公司",
        name="某公司",
        detail={"lawsuit_with_us": said, "register_source": source},
        grave=said == "yes",
        related=related,
    )


@pytest.mark.parametrize(
    ("item", "known", "passed"),
    [
        (litigation(), None, None),
        (litigation(entry("no")), False, True),
        (litigation(entry("yes")), True, False),
        (litigation(entry("no"), entry("yes", source="信用报告")), True, False),
        (litigation(entry("no"), available=False), None, None),
        (litigation(entry("yes"), available=False), True, False),
        (litigation(entry("no", related=True)), None, None),
        (litigation(entry("yes", related=True)), None, None),
        (litigation(entry("no"), entry("yes", related=True)), False, None),
        (litigation(corrected=SAID), False, True),
        (litigation(entry("yes"), corrected=SAID), False, True),
        (litigation(entry("no"), corrected=SAID.model_copy(update={"value": True})), True, False),
    ],
)
def test_e2_and_n15_what_nobody_knows_is_never_met_and_what_a_clerk_has_corrected_decides(
    item: Evidence, known: bool | None, passed: bool | None
) -> None:
    background = background_of([item])
    assert background.lawsuit_with_us is known
    clause = evaluate(form("某公司"), background, RULES).clause("E2-lawsuit")
    assert clause.passed is passed
    assert clause.no_information is (known is None and item.available)


@pytest.mark.parametrize(("language", "words"), [("zh", "没有资料"), ("en", "no information")])
def test_n15_nothing_known_reads_no_information_and_not_met(language: str, words: str) -> None:
    texts = Texts("zh" if language == "zh" else "en")
    nothing = [litigation(), litigation(kind=EvidenceKind.CREDIT)]
    lines = {line.clause: line for line in eligibility_lines(evaluate(form("某公司"), background_of(nothing), RULES))}
    assert texts.text(lines["E2"].verdict_key) == words
    assert words in EvidenceLine.of(nothing[0], sample_organisation()).sentence(texts)
    assert [texts.text(key) for key in lines["E2"].found] == [
        texts.text(f"eligibility.e2.{part}.unknown") for part in ("lawsuit", "arrears")
    ]
    # Before anything was gathered, or where somebody could not be asked, it is for people, and nothing is said of it.
    for background in (Background(), background_of([litigation(available=False)])):
        (line,) = [one for one in eligibility_lines(evaluate(form("某公司"), background, RULES)) if one.clause == "E2"]
        assert line.verdict_key == "eligibility.for_people"


def test_e2_e5_and_n15_what_a_clerk_has_found_stands_beside_sources_that_know_nothing() -> None:
    """N5: "nothing found" would read as if the sources had said no; E5: which part of E2 fails is said."""
    texts = Texts("zh")
    item = litigation(corrected=SAID.model_copy(update={"value": True}))
    assert EvidenceLine.of(item, sample_organisation()).sentence(texts) == "各来源均无记录"
    background = background_of([item, litigation(kind=EvidenceKind.CREDIT, corrected=SAID)])
    (e2,) = [one for one in eligibility_lines(evaluate(form("某公司"), background, RULES)) if one.clause == "E2"]
    assert (e2.passed, [texts.text(key) for key in e2.found]) == (False, ["与我司有诉讼"])


def collision(name: str, **more: object) -> Finding:
    same = Verdict(level=Level.SAME, score=1)
    given = {"subject_type": "account", "subject_id": name, "name": name, "verdict": same, "grave": True, **more}
    return Finding.model_validate(given)


def accounts(*findings: Finding, days: int = 0, **more: object) -> Evidence:
    given = {"kind": EvidenceKind.ACCOUNTS, "source": "account_register", "gathered_at": NOW + timedelta(days=days)}
    return Evidence.model_validate({**given, "findings": findings, **more})


def test_n15_evidence_gathered_again_says_what_is_new_what_is_gone_and_since_when() -> None:
    before = accounts(collision("甲"), collision("乙"), note="已致电", note_by="gao.yuan")
    again = before.gathered_again(accounts(collision("乙"), collision("丙"), days=21), since_asked=False)
    assert [(one.name, one.changed) for one in again.findings] == [("乙", False), ("丙", True)]
    assert [one.name for one in again.gone] == ["甲"]
    assert (again.changed_since, again.gathered_at) == (NOW, NOW + timedelta(days=21))
    assert (again.note, again.note_by) == ("已致电", "gao.yuan")


def test_n15_evidence_that_is_still_the_same_is_of_the_new_moment_and_not_marked() -> None:
    again = accounts(collision("甲")).gathered_again(accounts(collision("甲"), days=21), since_asked=False)
    assert (again.changed_since, again.gathered_at) == (None, NOW + timedelta(days=21))


def test_n15_a_match_that_was_cleared_or_another_detail_is_a_change() -> None:
    before = accounts(collision("甲"))
    for other in (collision("甲", grave=False), collision("甲", detail={"status": "active"})):
        assert before.gathered_again(accounts(other, days=1), since_asked=False).changed_since == NOW


def test_n15_what_changed_since_people_were_asked_stays_marked_until_others_are_asked() -> None:
    asked = accounts(collision("甲"))
    twice = asked
    for days, found in ((1, (collision("乙"),)), (2, (collision("乙"), collision("丙")))):
        twice = twice.gathered_again(accounts(*found, days=days), since_asked=True)
    assert [(one.name, one.changed) for one in twice.findings] == [("乙", True), ("丙", True)]
    assert [one.name for one in twice.gone] == ["甲"]
    assert twice.changed_since == NOW
    next_asked = twice.gathered_again(accounts(collision("乙"), collision("丙"), days=3), since_asked=False)
    assert (next_asked.changed_since, next_asked.gone) == (None, ())

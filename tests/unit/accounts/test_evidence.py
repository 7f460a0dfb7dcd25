"""What is known, what is not, and what has changed since somebody looked (N5, N15, E2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from domain.accounts.background import background_of
from domain.accounts.eligibility import Background, evaluate
from domain.accounts.evidence import FACTS, Correction, Evidence, EvidenceKind, Finding
from domain.conflicts.verdict import Level, Verdict
from domain.notices import Notice
from domain.organisation import Language
from domain.policy import load_policy
from embedded.welcome import sample_organisation
from tests.samples import application_form
from tests.unit.pages.page_samples import page as decision_page
from texts.accounts.eligibility import eligibility_lines, in_short
from texts.catalogue import LANGUAGES, Texts
from texts.mails.facts import MailFacts
from texts.mails.mail import render_mail
from texts.view_lines import EvidenceLine
from web.dossier.page import render_dossier

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
    clause = evaluate(application_form("某公司"), background, RULES).clause("E2-lawsuit")
    assert clause.passed is passed
    assert clause.no_information is (known is None and item.available)


@pytest.mark.parametrize(("language", "words"), [("zh", "没有资料"), ("en", "no information")])
def test_n15_nothing_known_reads_no_information_and_not_met(language: str, words: str) -> None:
    texts = Texts("zh" if language == "zh" else "en")
    nothing = [litigation(), litigation(kind=EvidenceKind.CREDIT)]
    lines = {
        line.clause: line
        for line in eligibility_lines(evaluate(application_form("某公司"), background_of(nothing), RULES))
    }
    assert texts.text(lines["E2"].verdict_key) == words
    assert words in EvidenceLine.of(nothing[0], sample_organisation()).sentence(texts)
    assert [texts.text(key) for key in lines["E2"].found] == [
        texts.text(f"eligibility.e2.{part}.unknown") for part in ("lawsuit", "arrears")
    ]
    # Before anything was gathered, or where somebody could not be asked, it is for people, and nothing is said of it.
    for background in (Background(), background_of([litigation(available=False)])):
        (line,) = [
            eligibility_line
            for eligibility_line in eligibility_lines(evaluate(application_form("某公司"), background, RULES))
            if eligibility_line.clause == "E2"
        ]
        assert line.verdict_key == "eligibility.for_people"


def test_e2_e5_and_n15_what_a_clerk_has_found_stands_beside_sources_that_know_nothing() -> None:
    """N5: "nothing found" would read as if the sources had said no; E5: which part of E2 fails is said."""
    texts = Texts("zh")
    item = litigation(corrected=SAID.model_copy(update={"value": True}))
    assert EvidenceLine.of(item, sample_organisation()).sentence(texts) == "各来源均无记录"
    background = background_of([item, litigation(kind=EvidenceKind.CREDIT, corrected=SAID)])
    (e2,) = [
        line
        for line in eligibility_lines(evaluate(application_form("某公司"), background, RULES))
        if line.clause == "E2"
    ]
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
    assert [(finding.name, finding.changed) for finding in again.findings] == [("乙", False), ("丙", True)]
    assert [finding.name for finding in again.gone] == ["甲"]
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
    assert [(finding.name, finding.changed) for finding in twice.findings] == [("乙", True), ("丙", True)]
    assert [finding.name for finding in twice.gone] == ["甲"]
    assert twice.changed_since == NOW
    next_asked = twice.gathered_again(accounts(collision("乙"), collision("丙"), days=3), since_asked=False)
    assert (next_asked.changed_since, next_asked.gone) == (None, ())


def said_of(line: Evidence, language: Language = "zh") -> str:
    return EvidenceLine.of(line, sample_organisation()).sentence(Texts(language))


def listed(kind: EvidenceKind, *, related: bool = False, name: str = "某公司", **detail: str) -> Finding:
    fact = FACTS[kind]
    of_party = {"related_party": "母公司"} if related else {}
    return Finding(
        subject_type="register",
        subject_id=name,
        name=name,
        detail={
            **of_party,
            **detail,
            "register_source": detail.get("register_source", "商务部台账"),
            "as_of": "2026-11-01",
        },
        grave=detail.get(fact) == "yes",
        related=related,
    )


LITIGATION, CREDIT = EvidenceKind.LITIGATION, EvidenceKind.CREDIT


@pytest.mark.parametrize(
    ("item", "zh", "en"),
    [
        (litigation(listed(LITIGATION, lawsuit_with_us="no")), "与我司无诉讼", "no lawsuit with us"),
        (
            litigation(listed(LITIGATION, lawsuit_with_us="yes", lawsuits="2025 年服务合同纠纷，一审中")),
            "与我司有诉讼，2025 年服务合同纠纷，一审中",
            "a lawsuit with us, 2025 年服务合同纠纷，一审中",
        ),
        (
            litigation(listed(CREDIT, credit_standing="良好", malicious_arrears="no"), kind=CREDIT),
            "无恶意欠款，良好",
            "no malicious arrears, 良好",
        ),
        (
            litigation(
                listed(LITIGATION, lawsuit_with_us="no"),
                listed(LITIGATION, lawsuit_with_us="yes", register_source="法务部"),
                listed(LITIGATION, related=True, name="母公司甲", lawsuit_with_us="no"),
            ),
            "与我司有诉讼（法务部）；与我司无诉讼（商务部台账）；关联客户母公司甲（母公司）：与我司无诉讼",
            "a lawsuit with us (法务部); no lawsuit with us (商务部台账); "
            "related party 母公司甲 (母公司): no lawsuit with us",
        ),
        (
            litigation(listed(LITIGATION, related=True, name="母公司甲", lawsuit_with_us="no")),
            "没有资料（各来源均无记录，不等于没有问题）；关联客户母公司甲（母公司）：与我司无诉讼",
            "no information (no source has a record of the customer, which does not mean that there are no problems); "
            "related party 母公司甲 (母公司): no lawsuit with us",
        ),
        (
            litigation(listed(LITIGATION, lawsuit_with_us="yes"), available=False),
            "未能取得，请人工核实；与我司有诉讼",
            "not available; please check for yourself; a lawsuit with us",
        ),
        (
            litigation(listed(CREDIT, number="AA"), kind=CREDIT),
            "没有资料（各来源均无记录，不等于没有问题）；编号：AA",
            None,
        ),
    ],
)
def test_n4_e2_what_the_sources_say_is_said_and_not_counted(item: Evidence, zh: str, en: str | None) -> None:
    """N15: of a related party alone something is known, of the customer nothing: that is said first."""
    assert said_of(item) == zh
    assert en is None or said_of(item, "en") == en


def test_n4_of_many_entries_the_gravest_are_said_and_how_many_more_there_are() -> None:
    entries = [
        listed(LITIGATION, related=True, name=f"关联{number}", lawsuit_with_us="yes" if number == 7 else "no")
        for number in range(8)
    ]
    words = said_of(litigation(listed(LITIGATION, lawsuit_with_us="no"), *entries))
    assert words.startswith("与我司无诉讼；关联客户关联7（母公司）：与我司有诉讼；")
    assert words.endswith("；另有 4 条")


@pytest.mark.parametrize(
    ("item", "zh", "en"),
    [
        (accounts(collision("甲")), "甲，冲突", "甲, conflict"),
        (accounts(collision("甲"), collision("乙", grave=False)), "甲、乙，其中冲突 1 条，待核对 1 条", None),
        (accounts(collision("甲", grave=False)), "甲，待核对", "甲, to check"),
        (
            accounts(*(collision(name) for name in "甲乙丙丁戊己"), more=2),
            "甲、乙、丙、丁、戊 等 8 条，其中冲突 6 条",
            "甲, 乙, 丙, 丁, 戊 and others (8 in all), 6 of them in conflict",
        ),
        (
            accounts(
                Finding(subject_type="account", subject_id="A-1", name="青岛海澜港务"), kind=EvidenceKind.ACCOUNTS_HELD
            ),
            "青岛海澜港务",
            "青岛海澜港务",
        ),
        (
            accounts(collision("甲", grave=False, detail={"project_name": "机房"}), kind=EvidenceKind.PAST_PROJECTS),
            "机房",
            None,
        ),
        (accounts(kind=EvidenceKind.ACCOUNTS_HELD), "未发现", "none found"),
    ],
)
def test_n3_n4_what_was_found_is_named_and_not_counted(item: Evidence, zh: str, en: str | None) -> None:
    assert said_of(item) == zh
    assert en is None or said_of(item, "en") == en


def test_n3_a_mail_says_of_a_past_project_whose_it_was_and_how_it_ended() -> None:
    past = Finding(
        subject_type="earlier_project",
        subject_id="2023-017",
        name="云岭精密",
        detail={"project_name": "机房", "salesperson": "yang.fan", "status": "contract_signed", "amount": "1860000.00"},
        verdict=Verdict(level=Level.SAME, score=1),
    )
    line = EvidenceLine.of(accounts(past, kind=EvidenceKind.PAST_PROJECTS), sample_organisation())
    words = line.found[0].sentence(Texts("zh"), load_policy().zone)
    for said in ("云岭精密", "项目：机房", "责任销售：杨帆", "状态：签署合同", "金额：186 万元"):
        assert said in words


def test_n4_a_mail_that_waits_since_an_earlier_version_counts_as_it_did() -> None:
    kept = EvidenceLine.model_validate({"kind": "litigation", "count": 1})
    assert kept.sentence(Texts("zh")) == "1 条"


@pytest.mark.parametrize("language", LANGUAGES)
def test_e2_and_n15_where_nothing_is_known_neither_mail_nor_page_nor_dossier_says_met(language: Language) -> None:
    """E2, N15: no information, in grey, wherever the clause or what it rests on is shown."""
    texts = Texts(language)
    nothing = (litigation(), litigation(kind=CREDIT))
    judged = evaluate(application_form("某公司"), background_of(nothing), RULES)
    (e2,) = [line for line in in_short(judged) if line.clause == "E2"]
    lines = tuple(EvidenceLine.of(item, sample_organisation()) for item in nothing)
    facts = MailFacts(kind=Notice.TASK, subject_id="NA-17", language=language, evidence_lines=lines, eligibility=(e2,))
    dossier = {"application": {"id": "NA-17", "eligibility": judged.model_dump(mode="json")}}
    shown = {
        "mail": render_mail(facts).text,
        "html": render_mail(facts).html,
        "page": decision_page(eligibility=(e2,), evidence=nothing, language=language),
        "dossier": render_dossier(dossier, language=language),
    }
    met, unknown = texts.text("eligibility.passed"), texts.text("eligibility.no_information")
    for place, words in shown.items():
        clause = words.partition(texts.text("clause.E2"))
        near = clause[0][-120:] + clause[2][:120]
        assert unknown in near, place
        assert met not in re.sub("<[^>]*>", " ", near).replace(texts.text("clause.E2"), "").split(), place
    for place in ("mail", "html"):
        assert shown[place].count(texts.text("evidence_line.no_information")) == 2, place
    assert '<li class="pending">' in shown["page"]


def test_n3_past_projects_are_said_by_what_they_amount_to_and_whose_they_were() -> None:
    past = [
        Finding(
            subject_type="earlier_project",
            subject_id=f"2023-{number}",
            name="云岭精密",
            detail={"project_name": name, "salesperson": "yang.fan", "status": "contract_signed", "amount": amount},
            verdict=Verdict(level=Level.SAME, score=1),
        )
        for number, (name, amount) in enumerate([("机房", "1860000.00"), ("网络", "960000.00")])
    ]
    both = accounts(*past, kind=EvidenceKind.PAST_PROJECTS)
    assert said_of(both) == "机房、网络，杨帆，合计 282 万元"
    assert said_of(both, "en") == "机房, 网络, 杨帆, ¥2,820,000 in all"
    assert said_of(accounts(past[0], kind=EvidenceKind.PAST_PROJECTS)) == "机房，杨帆，186 万元"
    assert said_of(accounts(*past, kind=EvidenceKind.PAST_PROJECTS, more=1)).endswith("杨帆")

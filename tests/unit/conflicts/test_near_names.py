"""N3: names as they are written, and what is made of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.conflicts.grams import STANDING, is_pair, of_head
from domain.conflicts.verdict import Level
from matching.names.anatomy import anatomy
from matching.names.grams import grams
from matching.parties import Party, compare


def level(asked: str, registered: str) -> Level:
    return compare(Party(name=asked), Party(name=registered)).level


def reasons(asked: str, registered: str) -> list[str]:
    return [reason.key for reason in compare(Party(name=asked), Party(name=registered)).reasons]


@pytest.mark.parametrize(
    ("asked", "registered", "reason"),
    [
        ("中石油", "中国石油天然气集团有限公司", "abbreviation"),
        ("云岭精密", "苏州云岭精密制造股份有限公司", "abbreviation"),
        ("雲嶺精密", "苏州云岭精密制造股份有限公司", "abbreviation"),
        ("苏州云岭精密", "苏州云岭精密制造股份有限公司", "abbreviation_same_place"),
        ("苏州云岭精密制造股份有限公司", "云岭精密", "abbreviation"),
        ("皖云岭", "安徽云岭科技股份有限公司", None),
    ],
)
def test_an_abbreviation_is_the_company_it_abbreviates(asked: str, registered: str, reason: str | None) -> None:
    assert level(asked, registered) is Level.SAME
    assert reason is None or reason in reasons(asked, registered)


@pytest.mark.parametrize(
    ("asked", "registered"),
    [("s客户5", "s客户50"), ("上海市第5中学", "上海市第50中学"), ("云岭3号矿业有限公司", "云岭4号矿业")],
)
def test_names_with_different_numbers_give_a_look_at_most(asked: str, registered: str) -> None:
    """N3: a number is there to tell one from the other."""
    assert level(asked, registered) in (Level.LOOK, Level.NONE)
    assert level(registered, asked) in (Level.LOOK, Level.NONE)


@pytest.mark.parametrize(
    ("latin", "chinese", "word"),
    [
        ("Yunling Precision Manufacturing Co., Ltd.", "苏州云岭精密制造股份有限公司", "yunling"),
        ("Yun Ling Precision", "苏州云岭精密制造股份有限公司", "yunling"),
        ("SUZHOU YUNLING", "蘇州雲嶺精密", "yunling"),
    ],
)
def test_a_pinyin_name_gives_a_look_from_either_side(latin: str, chinese: str, word: str) -> None:
    """N3, N14: with the word and the brand it spells; found by the same gram."""
    left, right = Party(name=latin), Party(name=chinese)
    for verdict in (compare(left, right), compare(right, left)):
        assert verdict.level is Level.LOOK
        (reason,) = verdict.reasons
        assert (reason.key, reason.params["word"]) == ("spelled_in_pinyin", word)
    assert set(left.grams) & set(right.grams)


@pytest.mark.parametrize(
    ("latin", "chinese"),
    [("Precision Ltd", "苏州云岭精密制造股份有限公司"), ("Li Na", "李娜服装店"), ("ABB", "云岭ABB电气有限公司")],
)
def test_other_latin_names_are_not_taken_for_pinyin(latin: str, chinese: str) -> None:
    found = compare(Party(name=latin), Party(name=chinese))
    assert "spelled_in_pinyin" not in {reason.key for reason in found.reasons}


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("国网", "国家电网有限公司"),
        ("中石油", "中国石油天然气集团有限公司"),
        ("贵州茅台", "贵州茅台酒股份有限公司"),
        ("北京银行", "南京银行股份有限公司"),
        ("云岭", "安徽云岭科技股份有限公司"),
    ],
)
def test_short_and_full_name_match_in_either_order(short: str, full: str) -> None:
    """N3, N14: the account may be registered under either."""
    left, right = Party(name=short), Party(name=full)
    there, back = compare(left, right), compare(right, left)
    assert (there.level, there.score) == (back.level, back.score)


@pytest.mark.parametrize(
    ("asked", "registered", "reason"),
    [
        ("云岭精密制造有限公司北京分公司", "云岭精密制造有限公司", "branch_of"),
        ("云岭精密制造有限公司", "云岭精密制造有限公司北京分公司", "has_branch"),
        ("云岭精密制造有限公司北京分公司", "云岭精密制造有限公司上海分公司", "same_head_office"),
    ],
)
def test_a_branch_belongs_to_its_head_office(asked: str, registered: str, reason: str) -> None:
    assert level(asked, registered) is Level.RELATED
    assert reason in reasons(asked, registered)


@pytest.mark.parametrize(
    ("asked", "registered"),
    [
        ("北京银行", "南京银行"),
        ("北京银行股份有限公司", "南京银行股份有限公司"),
        ("天津金昊国际贸易有限公司", "天津金滨国际贸易有限公司"),
        ("上海立泰电器有限公司", "上海生泰电器有限公司"),
        ("中国移动", "中国联通"),
        ("有限公司", "股份有限公司"),
        ("123456", "654321"),
    ],
)
def test_similar_names_of_different_companies_are_not_a_conflict(asked: str, registered: str) -> None:
    assert level(asked, registered) in (Level.NONE, Level.LOOK)


HURTING = [
    *("云" * 10_000, "云岭" * 5_000, "有限公司" * 2_500, "公司" * 5_000, "北京市" * 3_000, "科技" * 5_000),
    *(
        "😀" * 10_000,
        "👩\u200d👩\u200d👧" * 100,
        "\u202e云岭\u202c",
        "a\u0301" * 5_000,
        "\x00",
        " ",
        "()",
        "（",
        "）（",
    ),
    *("有限公司", "公司", "集团", "股份有限公司", "1234567890", "١٢٣", "Co., Ltd.", "('; DROP TABLE party; --", "%_\\"),
    *(
        "(.*)+$",
        "[[[",
        "{{7*7}}",
        "((((((((((" * 100,
        "中国" * 100 + "有限公司" * 100,
        "(北京)" * 500,
        "é" * 10_000,
        "a b " * 2_000,
    ),
]


@pytest.mark.parametrize("name", HURTING, ids=range(len(HURTING)))
def test_hostile_names_are_compared_in_bounded_time(name: str) -> None:
    started = time.process_time()
    party = Party(name=name)
    assert compare(party, party).level is Level.SAME
    for other in ("云岭精密有限公司", "Yunling Co., Ltd.", *HURTING[:6]):
        compare(party, Party(name=other))
        compare(Party(name=other), party)
    assert len(party.grams) < 1000
    assert all(-(2**31) <= gram < 2**31 for gram in party.grams)
    assert time.process_time() - started < 2.0


LETTERS = "北南京上海市银行云岭精密制造移动联通石油集团科技贸易甲乙丙（）() aBc019"
NAMES = st.text(LETTERS, min_size=2, max_size=16).filter(lambda name: any(c.isalnum() for c in name))


@given(NAMES)
def test_a_name_matches_itself_in_any_width_and_script(name: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    traditional = name.translate(str.maketrans("银云岭联团贸", "銀雲嶺聯團貿"))
    for variant in (wide, traditional, f" {name} "):
        assert level(name, variant) is Level.SAME
        assert grams(anatomy(variant)) == grams(anatomy(name))


@given(NAMES, st.sampled_from(["有限公司", "有限责任公司", "股份有限公司"]))
def test_adding_a_legal_form_never_removes_a_match(name: str, form: str) -> None:
    assert level(name + form, name) is Level.SAME
    assert level(name, name + form) is Level.SAME


@given(NAMES, NAMES, st.sampled_from(["有限公司", "有限责任公司", "股份有限公司"]))
def test_adding_a_legal_form_never_hides_what_was_found(name: str, other: str, form: str) -> None:
    if level(name, other) is not Level.NONE:
        assert level(name + form, other) is not Level.NONE


@given(NAMES, st.data())
def test_an_abbreviation_shares_a_gram_with_its_name(name: str, data: st.DataObject) -> None:
    core = anatomy(name).core
    assume(len(core) > 1)
    at = data.draw(st.integers(0, max(len(core) - 2, 0)))
    behind = data.draw(st.integers(at + 1, max(at + 1, min(at + 5, len(core) - 1))))
    short = core[at] + core[behind : behind + 1]
    if len(short) == 2 and all("\u4e00" <= c <= "\u9fff" for c in short):
        assert (set(grams(anatomy(short))) - {STANDING}) & set(grams(anatomy(name)))


@given(st.text(max_size=300))
def test_any_text_can_be_parsed(name: str) -> None:
    parts = anatomy(name)
    assert parts.core in parts.text
    assert parts.brand in parts.core
    assert grams(parts) == sorted(set(grams(parts)))


def test_a_head_office_has_its_own_grams() -> None:
    """N3: a member of a group finds the group, not all that have two characters in common."""
    member, group = anatomy("中国大唐环境产业股份有限公司"), anatomy("中国大唐集团有限公司")
    asked = {of_head(gram) for gram in grams(member) if is_pair(gram)}
    assert asked & set(grams(group))
    assert not asked & set(grams(anatomy("西安大唐餐饮有限公司")))

"""N3, N14: when two names are one company, and when they are not."""

from __future__ import annotations

import time
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.base import Frozen
from domain.conflicts.verdict import Level
from domain.names import Name, as_submitted, unusual
from matching.names.names import name_key
from matching.parties import Party, compare, parties_of
from matching.reasons import REASON_PARAMS
from tests.samples import APPLICATION_FORM

A_USCC, B_USCC = "91320594MA27XK3C44", "91310115MA1K4BCD29"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("北京银行", "北京银行股份有限公司"),
        ("臺灣積體電路製造股份有限公司", "台湾积体电路制造"),
        ("雲嶺精密有限責任公司", "云岭精密"),
        ("北京银行", "北 京\u3000银\u00a0行"),
        ("云岭精密有限公司", "云岭精密有限责任公司"),
        ("云岭精密有限责任公司", "云岭精密股份有限公司"),
        ("深圳市振业(集团)股份有限公司", "深圳市振业（集团）股份有限公司"),
        ("深圳市振业(集团)股份有限公司", "深圳市振业集团有限公司"),
        ("中国石油天然气集团公司", "中国石油天然气集团有限公司"),
        ("ＡＢＣ科技有限公司", "abc科技有限公司"),
        ("ABC 科技", "ABC科技"),
        ("“云岭”精密", "云岭精密"),
        ("云岭·精密", "云岭精密"),
        ("Huawei Technologies Co., Ltd.", "HUAWEI TECHNOLOGIES"),
        ("Huawei Technologies Co.,Ltd", "Huawei Technologies Company Limited"),
        ("Huawei Technologies Co.Ltd", "Huawei  Technologies, Inc."),
        (
            "Société Générale S.A.",
            "SOCIETE\u0301 GE\u0301NE\u0301RALE SA".replace("SOCIETE\u0301", "SOCIE\u0301TE\u0301"),
        ),
        ("安永华明会计师事务所(特殊普通合伙)", "安永华明会计师事务所"),
        ("\u202e云岭精密\u202c\u200b", "云岭精密"),
        ("云岭精密😀", "云岭精密"),
        ("云岭精密有限公司 Ltd.", "云岭精密"),
        ("Straße AG", "STRASSE"),
        ("云岭精密 Co., Ltd.", "云岭精密"),
        ("KK有限公司", "KK"),
        ("AG Limited", "AG 公司"),
    ],
)
def test_spellings_of_one_name_have_one_key(left: str, right: str) -> None:
    assert name_key(left) == name_key(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("北京银行股份有限公司", "南京银行股份有限公司"),
        ("云岭精密有限公司", "云岭精密有限公司苏州分公司"),
        ("云岭精密有限公司苏州分公司", "云岭精密有限公司苏州"),
        ("云岭集团有限公司", "云岭有限公司"),
        ("Zinc", "Z"),
        ("上海KK", "上海"),
        ("上海CO", "上海"),
        ("KK有限公司", "AB有限公司"),
        ("Cisco", "Cis"),
        ("有限公司", "股份有限公司"),
        ("!!!", "???"),
        ("😀", "🐉"),
        ("中国移动", "中国联通"),
        ("A1科技", "A11科技"),
    ],
)
def test_different_companies_have_different_keys(left: str, right: str) -> None:
    assert name_key(left) != name_key(right)


@pytest.mark.parametrize(
    "name",
    ["\u200f", " ", "有限公司", "Co., Ltd.", "()（）", "\x00", "\ufe0f"],
)
def test_blank_names_still_get_a_key(name: str) -> None:
    assert name_key(name)


@pytest.mark.parametrize(
    ("first", "repeated", "times"),
    [
        ("", "云", 10_000),
        ("", "有限公司", 2_500),
        ("", "Co., Ltd ", 1_200),
        ("", "x Ltd 有限公司 ", 900),
        ("", "a\u0301\u0327", 3_400),
        ("a", "\u0301\u0327", 5_000),
        ("", "\ufdfa", 10_000),
        ("", "😀", 10_000),
        ("", "👩\u200d👩\u200d👧", 2_000),
        ("", "\u202e", 10_000),
        ("", "\u3000", 10_000),
        ("", "\ud800", 10_000),
        ("", "İ", 10_000),
        ("", "각", 10_000),
        ("", "\u1100\u1161\u11a8", 3_000),
    ],
)
def test_keys_of_hostile_names_take_linear_time(first: str, repeated: str, times: int) -> None:
    """By the processor's time within this run, whatever else the machine does; the square would be a hundred times."""

    def seconds(name: str) -> float:
        name_key.cache_clear()
        started = time.thread_time()
        assert name_key(name)
        return time.thread_time() - started

    short, long = first + repeated * (times // 10), first + repeated * times
    seconds(short)
    took = [(seconds(short), seconds(long)) for _ in range(3)]
    assert min(long for _, long in took) < 40 * min(short for short, _ in took)


@given(st.text(min_size=1))
def test_every_name_gets_a_key(name: str) -> None:
    assert name_key(name)


LETTERS = st.text("北南京上海银行云岭精密制造移动abcdefghijk0123456789", min_size=1, max_size=20)


@given(
    LETTERS,
    st.sampled_from(["有限公司", "有限责任公司", "股份有限公司", "（有限合伙）", " Co., Ltd.", ", Inc.", " GmbH"]),
)
def test_a_legal_form_at_the_end_changes_nothing(name: str, form: str) -> None:
    assert name_key(name + form) == name_key(name)


@given(st.lists(LETTERS, min_size=1, max_size=4), st.sampled_from([" ", "\u3000", "-", "（", "】", "\u200b", "，"]))
def test_case_width_and_spacing_between_chinese_change_nothing(parts: list[str], gap: str) -> None:
    name = "云" + "云".join(parts) + "云"
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name.upper())
    assert name_key(gap + wide.replace("云", f"{gap}云{gap}")) == name_key(name)


@given(LETTERS, LETTERS)
def test_letters_and_digits_are_never_lost(left: str, right: str) -> None:
    assert (name_key(f"{left}云") == name_key(f"{right}云")) == (left == right)


# -- parties --------------------------------------------------------------------------------------------------------


def test_the_parties_of_the_sample_are_the_customer_its_names_and_its_related_parties() -> None:
    form = APPLICATION_FORM
    parties = parties_of(form)
    assert [party.role for party in parties] == ["customer", "alias", "alias", *["related_party"] * 3]
    assert {party.uscc for party in parties[:3]} == {form.customer.uscc}
    assert parties[3].relation == "母公司"
    assert parties[-1].uscc is None


def test_the_sample_meets_e1_a() -> None:
    """E1 (a): 400,000 in the first year and 1,000,000 in each later one."""
    form = APPLICATION_FORM
    assert form.forecast.first_year_gross_margin >= 400_000
    assert form.forecast.later_year_gross_margin >= 1_000_000
    assert form.customer.legal_person
    assert not form.centralised_procurement


def test_an_alias_that_only_repeats_the_name_is_left_out() -> None:
    form = APPLICATION_FORM
    customer = form.customer.model_copy(update={"aliases": ("苏州云岭精密制造有限公司", "云岭", "云岭", "云 岭")})
    names = [party.name for party in parties_of(form.model_copy(update={"customer": customer}))]
    assert names[:2] == ["苏州云岭精密制造股份有限公司", "云岭"]
    assert len(names) == 5


def test_a_related_party_may_be_empty() -> None:
    form = APPLICATION_FORM
    customer = form.customer.model_copy(update={"related_parties": (), "aliases": ()})
    assert len(parties_of(form.model_copy(update={"customer": customer}))) == 1


@pytest.mark.parametrize(
    ("asked", "registered", "reasons"),
    [
        (Party(name="甲"), Party(name="甲有限公司"), ("same_name",)),
        (Party(name="甲", uscc=A_USCC), Party(name="乙", uscc=A_USCC), ("same_uscc",)),
        (Party(name="甲", uscc=A_USCC), Party(name="乙", uscc=f" {A_USCC.lower()} "), ("same_uscc",)),
        (Party(name="甲", uscc=A_USCC), Party(name="甲", uscc=A_USCC), ("same_uscc", "same_name")),
        (Party(name="甲", uscc=A_USCC), Party(name="甲", uscc=B_USCC), ("same_name_other_uscc",)),
        (Party(name="甲", uscc=A_USCC), Party(name="甲"), ("same_name",)),
        (Party(name="甲", uscc=A_USCC), Party(name="甲", uscc=" "), ("same_name",)),
        (Party(name="甲"), Party(name="乙"), ()),
        (Party(name="甲", role="alias"), Party(name="甲"), ("same_alias",)),
        (Party(name="甲"), Party(name="甲", role="alias"), ("same_alias",)),
        (Party(name="甲"), Party(name="甲", role="related_party"), ("same_name", "related_party")),
        (Party(name="甲", role="related_party"), Party(name="甲", role="alias"), ("same_alias", "related_party")),
        (
            Party(name="甲", uscc=A_USCC, role="related_party"),
            Party(name="乙", uscc=A_USCC, role="related_party"),
            ("same_uscc", "related_party"),
        ),
        (Party(name="甲", role="related_party"), Party(name="乙", role="related_party"), ()),
    ],
)
def test_reasons_for_two_parties_being_one_company(asked: Party, registered: Party, reasons: tuple[str, ...]) -> None:
    assert tuple(reason.key for reason in compare(asked, registered).reasons) == reasons


PARTIES = st.builds(
    Party,
    name=st.one_of(st.sampled_from(["甲", "甲有限公司", "乙", "A Co", "a"]), st.text(min_size=1, max_size=10)),
    uscc=st.sampled_from([None, A_USCC, B_USCC]),
    role=st.sampled_from(["customer", "alias", "related_party"]),
)


@given(PARTIES)
def test_a_party_matches_itself(party: Party) -> None:
    """N3; a related party is itself, but its customer is another one."""
    alone = compare(party, party).level
    assert alone is (Level.RELATED if party.role == "related_party" else Level.SAME)


@given(PARTIES, PARTIES)
def test_different_codes_are_different_customers_whatever_the_names(left: Party, right: Party) -> None:
    if left.uscc and right.uscc and left.uscc != right.uscc:
        assert compare(left, right).level is not Level.SAME


@given(PARTIES, PARTIES)
def test_a_match_by_code_or_name_is_symmetric(left: Party, right: Party) -> None:
    if left.key == right.key or (left.uscc and left.uscc == right.uscc):
        assert compare(left, right).level is compare(right, left).level


@given(PARTIES, PARTIES)
def test_every_verdict_has_reasons_with_all_parameters(left: Party, right: Party) -> None:
    verdict = compare(left, right)
    assert verdict.found == bool(verdict.reasons)
    for reason in verdict.reasons:
        assert set(reason.params) == set(REASON_PARAMS[reason.key])


def test_a_party_needs_a_name() -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        Party(name="")


UNSEEN = (
    "\u034f\u180b\u17b4\u0301\u1160\u115f\u3164\uffa0\u00ad"
    "\u200b\u2060\u2063\ufe0f\ufeff\u302a\u20dd\U000e0020\U000e0101"
)


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda character: f"U+{ord(character):04X}")
def test_n14_invisible_characters_do_not_make_another_customer(unseen: str) -> None:
    name = "中国石油天然气集团有限公司"
    odd = f"中{unseen}国石油{unseen}{unseen}天然气集{unseen}团有限公{unseen}司{unseen}"
    assert name_key(odd) == name_key(name)
    assert compare(Party(name=odd), Party(name=name)).level is Level.SAME
    short, plain = (compare(Party(name=name), Party(name=name)) for name in (f"中{unseen}石油", "中石油"))
    assert (short.level, short.score) == (plain.level, plain.score)
    assert unusual(odd) == (unseen,)


def test_n14_combining_marks_are_kept_and_radicals_count_as_characters() -> None:
    assert name_key("Škoda") != name_key("Skoda")
    assert name_key("พืช") != name_key("พช")
    assert name_key("⻰源电力⻔业") == name_key("龙源电力门业")
    assert unusual("Škoda（上海）พืช 云岭精密股份有限公司") == ()
    assert unusual("Len\u043evo") == ("\u043e",)
    assert unusual("⻰源") == ("⻰",)


class _Handed(Frozen):
    name: Name


HANDED = TypeAdapter[_Handed](Annotated[_Handed, as_submitted])


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("\u202e云岭\u202c", "bidi_control"),
        ("云岭\u200f", "bidi_control"),
        ("云\u2066岭", "bidi_control"),
        ("\u3164\uffa0", "no_visible_letter"),
        ("\u0301\u0301", "no_visible_letter"),
        ("——", "no_visible_letter"),
    ],
)
def test_n1_unreadable_names_are_refused_on_submission_but_still_read_if_stored(name: str, error: str) -> None:
    with pytest.raises(ValidationError) as refused:
        HANDED.validate_python({"name": name})
    assert [problem["type"] for problem in refused.value.errors()] == [error]
    assert _Handed.model_validate({"name": name}).name == name


def test_n1_names_of_letters_or_digits_in_any_script_are_accepted() -> None:
    for name in ("360", "3M", "พืช", "云岭", "É", "중앙", "云\u034f岭"):
        assert HANDED.validate_python({"name": name}).name == name

"""How texts are formed: plurals, parameters, moments, money, errors."""

from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from babel import Locale

from tests.unit.texts.test_texts import NINE, SHANGHAI
from texts.catalogue import Plural, Texts, catalogue, language_of, placeholders

COUNTS = frozenset(
    {
        "cells",
        "count",
        "days",
        "decimal_places",
        "entries",
        "gone",
        "held",
        "kinds",
        "limit",
        "max_digits",
        "max_length",
        "min_length",
        "minutes",
        "rows",
        "seconds",
        "usual",
        "whole_digits",
    }
)
"""Parameters that say how many of something there are."""
THE_SAME_FOR_ONE = frozenset({"dossier.gathered.found", "evidence_line.found", "evidence_line.names_and_more"})
"""English texts with a count in which no word depends on it: 1 found, 2 found."""


def test_x4_an_english_text_that_counts_something_has_plural_forms() -> None:
    """1 person, 2 people."""
    english = {key: entry["en"] for key, entry in catalogue().items()}
    counting = {key: words for key, words in english.items() if placeholders(words) & COUNTS}
    assert {key for key, words in counting.items() if not isinstance(words, Plural)} == THE_SAME_FOR_ONE
    assert {
        key: words.by for key, words in english.items() if isinstance(words, Plural) and words.by not in COUNTS
    } == {
        "demo.some_failed": "failed",
        "review_proposal.plan_failed": "said",
        "review_proposal.plan_held": "said",
    }


def test_x4_plural_forms_are_those_of_the_language_and_show_what_each_other_shows() -> None:
    """CLDR: English has two forms, Chinese has one and needs no table."""
    locales = {"zh": Locale.parse("zh_CN"), "en": Locale.parse("en")}
    plural = [
        (key, language, words)
        for key, entry in catalogue().items()
        for language, words in entry.items()
        if isinstance(words, Plural)
    ]
    for key, language, words in plural:
        assert words.forms.keys() == locales[language].plural_form.tags | {"other"}, key
        assert len(set(words.forms.values())) > 1, f"{key}: {language} needs no table"
        assert {placeholders(form) for form in words.forms.values()} == {placeholders(words)}, key
    assert {language for _, language, _ in plural} == {"en"}


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1 error found"), ("1", "1 error found"), (0, "0 errors found"), (2, "2 errors found"), ("11", "11 errors")],
)
def test_a_number_or_its_digits_choose_the_plural_form(number: object, words: str) -> None:
    assert Texts("en").text("command.mistakes", count=number).startswith(words)
    assert Texts("zh").text("command.mistakes", count=number).startswith(f"共 {number} 处错误")


def test_a_count_that_is_none_is_refused_and_an_error_still_has_words() -> None:
    texts = Texts("en")
    with pytest.raises(KeyError):
        texts.text("command.mistakes")
    with pytest.raises(InvalidOperation):
        texts.text("command.mistakes", count="many")
    assert texts.error("too_short", {"min_length": "many"}) == texts.text("error.invalid")
    assert texts.error("too_short", {"min_length": 1}) == "At least 1 entry is needed; please add it."


@pytest.mark.parametrize(
    "english",
    [
        '""',
        "3",
        '{ one = "a" }',
        '{ one = "", other = "b" }',
        '{ single = "a", other = "b" }',
        '{ by = 3, one = "a", other = "b" }',
    ],
)
def test_x4_a_catalogue_with_a_text_that_is_none_is_not_read(
    english: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.toml").write_text(f'[page]\nkey = {{ zh = "字", en = {english} }}\n', encoding="utf-8")
    monkeypatch.setattr("texts.catalogue.CATALOGUE_DIR", tmp_path)
    with pytest.raises(ValueError, match=r"page\.key"):
        catalogue.__wrapped__()


def test_chinese_is_the_default() -> None:
    """X4."""
    assert Texts().text("stage.active") == "已生效"
    assert language_of(None) == language_of("fr") == "zh"
    assert language_of("en") == "en"


def test_an_unknown_key_or_a_missing_parameter_raises() -> None:
    texts = Texts("en")
    with pytest.raises(KeyError):
        texts.text("no.such.key")
    with pytest.raises(KeyError):
        texts.text("page.asked")


def test_a_parameter_is_never_read_as_a_template() -> None:
    assert Texts("en").text("page.asked", person="{person.__class__}") == "{person.__class__}, please decide"


def test_a_moment_is_written_in_the_zone_and_a_naive_one_is_refused() -> None:
    assert Texts("zh").moment(NINE, SHANGHAI) == "2026年12月14日 周一 09:00"
    assert Texts("en").moment(NINE, SHANGHAI) == "Mon 14 Dec 2026, 09:00"
    assert Texts("zh").day(NINE.replace(hour=16), SHANGHAI) == "2026年12月15日 周二"
    with pytest.raises(ValueError, match="time zone"):
        Texts("zh").moment(NINE.replace(tzinfo=None), SHANGHAI)


def test_money_is_written_exactly_and_in_one_way_in_both_languages() -> None:
    assert Texts("zh").money(Decimal("1250000")) == Texts("en").money(Decimal("1250000.00")) == "¥1,250,000.00"
    assert Texts("zh").money(Decimal("400000.01")) == "¥400,000.01"
    assert Texts("en").money(Decimal("400000")) == "¥400,000.00"
    assert Texts("en").money(Decimal("-0.50")) == "-¥0.50"


def test_an_error_without_words_or_parameters_gets_the_general_sentence() -> None:
    texts = Texts("en")
    assert texts.error("string_too_long", {"max_length": 200}).startswith("Too long: at most 200")
    assert texts.error("string_too_long") == texts.error("no_such_type") == texts.text("error.invalid")

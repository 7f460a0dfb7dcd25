"""Codes on the form: which are accepted, and what two of them say of two companies (N1, N3)."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.accounts.application import OptionalUscc
from domain.accounts.uscc import kept_apart
from domain.conflicts.verdict import Level
from imports.mistakes import Mistake, mistake_of
from matching.parties import Party, compare

CODE, OTHER_CODE = "91320594MA27XK3C44", "91310115MA1K4BCD29"
NUMBER, OTHER_NUMBER = "320594000000101", "320594000000208"
FIELD: TypeAdapter[str | None] = TypeAdapter(OptionalUscc)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (CODE, CODE),
        (f" {CODE.lower()} ", CODE),
        (NUMBER, NUMBER),
        (" 320594 00000010-1 ", NUMBER),
        ("３２０５９４００００００１０１", NUMBER),
        ("", None),
        (None, None),
    ],
)
def test_the_field_takes_a_credit_code_or_a_registration_number(written: str | None, kept: str | None) -> None:
    """N1."""
    assert FIELD.validate_python(written) == kept


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        *((NUMBER[:-1] + digit, "registration_check_digit") for digit in "023456789"),
        (CODE[:-1] + "5", "uscc_check_digit"),
        (NUMBER[:-1], "uscc_format"),
        (f"{NUMBER}0", "uscc_format"),
        ("32059400000010X", "uscc_format"),
    ],
)
def test_any_other_is_refused_and_why(written: str, wrong: str) -> None:
    """N1."""
    with pytest.raises(ValidationError) as caught:
        FIELD.validate_python(written)
    assert [error["type"] for error in caught.value.errors()] == [wrong]
    key, params = mistake_of(caught.value.errors()[0])
    mistake = Mistake.of(None, "uscc", key, **params)
    assert "码" in mistake.message_zh or "注册号" in mistake.message_zh
    assert "code" in mistake.message_en.lower() or "registration number" in mistake.message_en


@pytest.mark.parametrize(
    ("code", "other", "apart"),
    [
        (CODE, OTHER_CODE, True),
        (NUMBER, OTHER_NUMBER, True),
        (CODE, CODE, False),
        (NUMBER, NUMBER, False),
        (CODE, NUMBER, False),
        (CODE, None, False),
        (None, None, False),
    ],
)
def test_two_codes_of_one_kind_tell_apart_and_a_code_of_each_kind_says_nothing(
    code: str | None, other: str | None, apart: bool
) -> None:
    """N3."""
    assert kept_apart(code, other) is kept_apart(other, code) is apart


@pytest.mark.parametrize(
    ("code", "other", "level"),
    [(NUMBER, OTHER_NUMBER, Level.LOOK), (NUMBER, CODE, Level.SAME), (NUMBER, NUMBER, Level.SAME)],
)
def test_companies_of_one_name(code: str, other: str, level: Level) -> None:
    """N3."""
    assert compare(Party(name="云岭精密", uscc=code), Party(name="云岭精密", uscc=other)).level is level


def test_one_registration_number_is_one_customer_whatever_it_is_called() -> None:
    """N3."""
    found = compare(Party(name="云岭精密", uscc=NUMBER), Party(name="长江大学", uscc=NUMBER))
    assert (found.level, [reason.key for reason in found.reasons]) == (Level.SAME, ["same_uscc"])

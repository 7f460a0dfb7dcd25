"""D3: a split names people and percentages that add up to exactly 100."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.disputes.split import Share, Split

SPLIT: TypeAdapter[tuple[Share, ...]] = TypeAdapter(Split)
PEOPLE = ["sam", "tom", "uma", "vic"]


def split(*percents: Any, people: list[str] | None = None) -> list[dict[str, Any]]:
    people = people or [f"p{n}" for n in range(len(percents))]
    return [{"person": person, "percent": percent} for person, percent in zip(people, percents, strict=True)]


def refusals(sent: object) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        SPLIT.validate_python(sent)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


@pytest.mark.parametrize(
    "percents",
    [
        ("100",),
        ("100.00",),
        ("50", "50"),
        ("70.5", "29.5"),
        ("33.33", "33.33", "33.34"),
        ("99.99", "0.01"),
        (60, 40),
        (Decimal("12.50"), Decimal("87.5")),
        ("5",) * 20,
    ],
)
def test_d3_what_adds_up_to_exactly_100_is_a_split(percents: tuple[Any, ...]) -> None:
    read = SPLIT.validate_python(split(*percents))
    assert sum(share.percent for share in read) == 100
    assert [share.person for share in read] == [f"p{n}" for n in range(len(percents))]
    assert SPLIT.validate_json(SPLIT.dump_json(read)) == read


@pytest.mark.parametrize(
    ("percents", "total"),
    [
        (("99.99",), "99.99"),
        (("50", "49.99"), "99.99"),
        (("33.33", "33.33", "33.33"), "99.99"),
        (("50", "50.01"), "100.01"),
        (("100", "0.01"), "100.01"),
        (("100", "100"), "200"),
    ],
)
def test_d3_what_does_not_is_refused_with_its_total(percents: tuple[str, ...], total: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SPLIT.validate_python(split(*percents))
    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]) == ("split_not_100", {"total": total})


@pytest.mark.parametrize("percents", [("50", "50"), ("60", "60"), ("50.00", "49")])
def test_d3_nobody_stands_in_a_split_twice(percents: tuple[str, ...]) -> None:
    assert refusals(split(*percents, people=["sam", "sam"])) == [((), "split_person_twice")]
    assert refusals(split("40", "20", "40", people=["sam", "tom", "sam"])) == [((), "split_person_twice")]


@pytest.mark.parametrize(
    ("percent", "error"),
    [
        ("0", "greater_than"),
        ("-1", "greater_than"),
        ("100.01", "less_than_equal"),
        ("33.333", "decimal_max_places"),
        ("1e-3", "decimal_max_places"),
        (50.0, "money_as_text"),
        (33.33, "money_as_text"),
        (True, "money_as_text"),
        ("NaN", "finite_number"),
        ("Infinity", "finite_number"),
        ("a third", "decimal_parsing"),
        ("", "decimal_parsing"),
        (None, "decimal_type"),
    ],
)
def test_d3_a_share_is_a_part_of_100_with_two_decimals(percent: Any, error: str) -> None:
    assert refusals(split(percent, "50")) == [((0, "percent"), error)]


@pytest.mark.parametrize("person", ["", " sam", "Sam", "sam tom", "张伟", "x" * 64, None, 5])
def test_d3_a_share_names_a_person_by_id(person: Any) -> None:
    assert [place for place, _ in refusals([{"person": person, "percent": "100"}])] == [(0, "person")]


def test_d3_an_empty_a_boundless_and_an_unknown_share_are_refused_all_at_once() -> None:
    assert refusals([]) == [((), "too_short")]
    assert refusals(split(*["4"] * 25)) == [((), "too_long")]
    assert refusals("sam 100") == [((), "tuple_type")]
    assert refusals([{"person": "sam"}, {"percent": "50", "person": "tom", "note": "x"}, 3]) == [
        ((0, "percent"), "missing"),
        ((1, "note"), "extra_forbidden"),
        ((2,), "model_type"),
    ]


hundredths = st.lists(st.integers(1, 9_999), max_size=19, unique=True).map(
    lambda cuts: [high - low for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), 10_000], strict=True)]
)
"""Any way of cutting 100 % into parts of a hundredth of a percent."""


@given(parts=hundredths)
def test_d3_every_way_to_divide_100_is_taken_and_a_hundredth_more_or_less_is_not(parts: list[int]) -> None:
    percents = [Decimal(part) / 100 for part in parts]
    read = SPLIT.validate_python(split(*map(str, percents)))
    assert [share.percent for share in read] == percents
    cent = Decimal("0.01")
    if percents[0] < 100:
        assert refusals(split(str(percents[0] + cent), *map(str, percents[1:]))) == [((), "split_not_100")]
    if percents[0] > cent:
        assert refusals(split(str(percents[0] - cent), *map(str, percents[1:]))) == [((), "split_not_100")]


@given(
    shares=st.lists(
        st.tuples(st.sampled_from(PEOPLE), st.decimals("0.01", "100", places=2)),
        min_size=1,
        max_size=6,
    )
)
def test_d3_whatever_is_taken_adds_up_and_names_everybody_once(shares: list[tuple[str, Decimal]]) -> None:
    sent = [{"person": person, "percent": str(percent)} for person, percent in shares]
    people = [person for person, _ in shares]
    whole = sum(percent for _, percent in shares) == 100 and len(set(people)) == len(people)
    try:
        SPLIT.validate_python(sent)
    except ValidationError:
        assert not whole
    else:
        assert whole

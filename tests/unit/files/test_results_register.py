"""The results register (R2, R3): all of a file, or every mistake with its line; the record knows whom it means."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports.csv_table import RegisterMistakes, decode_csv
from imports.results_register import ResultEntry, read_results, results_by_account

SAMPLE = Path(__file__).parents[3] / "embedded" / "sample" / "results.csv"
NAMES = {"a1": "云岭", "a2": "恒远", "gone": "旧客户"}
LIVE = {"云岭": "a1", "恒远": "a2"}
NOVEMBER = date(2026, 11, 1)
HEADER = "account,customer,month,other_contracts,revenue,payments\n"

Found = dict[tuple[str, date], ResultEntry]


def taken(text: str) -> Found:
    return results_by_account(read_results(text), names=NAMES, live=LIVE, this_month=NOVEMBER)


def told(text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(RegisterMistakes) as caught:
        taken(text)
    assert all(mistake.message_zh and mistake.message_en for mistake in caught.value.mistakes)
    return [(mistake.line, mistake.field) for mistake in caught.value.mistakes]


def test_r2_the_sample_is_good_and_read_by_the_name_of_the_customer() -> None:
    read = read_results(decode_csv(SAMPLE.read_bytes()))
    name = "苏州云岭精密制造股份有限公司"
    found = results_by_account(read, names={}, live={name: "a1"}, this_month=NOVEMBER)
    assert found["a1", NOVEMBER].other_contracts == Decimal("480000.00")
    assert found["a1", date(2026, 10, 1)].revenue == Decimal("320000.00")


def test_r2_an_account_is_meant_by_its_id_or_by_its_customer() -> None:
    text = HEADER + "a1,,2026-11,1,2,3\n,恒远,2026-11,4,5,6\na2,恒远,2026-10,0,0,0\ngone,,2026-01,7,8,9.50\n"
    assert {key: entry.payments for key, entry in taken(text).items()} == {
        ("a1", NOVEMBER): Decimal(3),
        ("a2", NOVEMBER): Decimal(6),
        ("a2", date(2026, 10, 1)): Decimal(0),
        ("gone", date(2026, 1, 1)): Decimal("9.50"),
    }


@pytest.mark.parametrize("written", ["2026-11", "2026/11", "2026/11/1", "2026.11", "2026年11月", "２０２６-11"])
def test_r2_months_are_read_as_spreadsheets_write_them(written: str) -> None:
    assert list(taken(f"客户,月份,其他合同,收入,回款\n云岭,{written},0,0,0\n")) == [("a1", NOVEMBER)]


def test_r2_all_mistakes_of_a_file_are_reported_with_line_and_column() -> None:
    rows = (
        "a1,,2026-13,1,2,3",
        "a1,,2026-11,-1,2.001,",
        ",无名氏,2026-11,1,2,3",
        ",旧客户,2026-11,1,2,3",
        "a9,,2026-11,1,2,3",
        "a1,恒远,2026-10,1,2,3",
        ",,2026-11,1,2,3",
        "a2,,2027-01,1,2,3",
        "a2,,2026-09,1,2,3",
        ",恒远,2026-09,1,2,3",
        "a2,,2026-08,1000000000000,2,3",
        "a2,,2026-07,1,2",
    )
    assert told(HEADER + "\n".join(rows)) == [
        (2, "month"),
        (3, "other_contracts"),
        (3, "payments"),
        (3, "revenue"),
        (4, "customer"),
        (5, "customer"),
        (6, "account"),
        (7, "customer"),
        (8, "customer"),
        (9, "month"),
        (11, "month"),
        (12, "other_contracts"),
        (13, ""),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "")]),
        ("month,other_contracts,revenue,payments\n2026-11,1,2,3\n", [(1, "customer"), (2, "customer")]),
        ("customer,month,revenue\n云岭,2026-11,1\n", [(1, "other_contracts"), (1, "payments")]),
        ("customer,month,other_contracts,revenue,payments,profit\n", [(1, "profit")]),
    ],
)
def test_r2_a_table_of_another_kind_is_refused(text: str, expected: list[tuple[int, str]]) -> None:
    assert told(text) == expected


def test_r2_the_books_of_the_next_month_may_be_open_and_a_later_one_is_a_slip() -> None:
    row = "a1,,2027-{},1,2,3\n"
    december = results_by_account(
        read_results(HEADER + row.format("01")), names=NAMES, live=LIVE, this_month=date(2026, 12, 1)
    )
    assert list(december) == [("a1", date(2027, 1, 1))]
    assert told(HEADER + "a1,,2026-12,1,2,3\n" + row.format("01")) == [(3, "month")]


@given(st.text(max_size=200) | st.lists(st.sampled_from([*HEADER.strip().split(","), "a1", "云岭", "2026-11", "1", '"',
                                                         ",", "\n", "\0", "x"]), max_size=30).map("".join))  # fmt: skip
def test_r2_whatever_a_file_holds_is_read_or_refused(text: str) -> None:
    found: Found = {}
    with contextlib.suppress(RegisterMistakes):
        found = taken(HEADER + text)
    assert all(account in NAMES and month.day == 1 for account, month in found)

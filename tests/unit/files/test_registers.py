"""The two CSV registers that commerce imports (N3, N4, E2): all of a file, or every mistake with its line."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.register_entries import RegisteredStatus
from imports.mistakes import Mistake
from imports.registers import RegisterMistakes, decode_csv, read_background, read_projects

SAMPLES = Path(__file__).parents[3] / "embedded" / "sample"
BACKGROUND = "name,uscc,credit_standing,malicious_arrears,lawsuit_with_us,lawsuits,as_of,source\n"
GOOD_BACKGROUND = BACKGROUND + "云岭,91320594MA27XK3C44,good,no,yes,one,2026-11-01,ledger\n"
PROJECTS = (
    "id,name,customer_name,customer_uscc,end_user_name,end_user_uscc,salesperson,status,"
    "registered_on,closed_on,amount,note\n"
)
GOOD_PROJECTS = PROJECTS + "P1,机房,云岭,,,,杨帆,active,2026-01-02,,100.00,\n"


def told(text: str, projects: bool = False) -> list[tuple[int | None, str]]:
    with pytest.raises(RegisterMistakes) as caught:
        (read_projects if projects else read_background)(text)
    mistakes: tuple[Mistake, ...] = caught.value.mistakes
    assert all(mistake.message_zh and mistake.message_en for mistake in mistakes)
    return [(mistake.line, mistake.field) for mistake in mistakes]


def test_the_sample_registers_are_good() -> None:
    background = read_background(decode_csv((SAMPLES / "background.csv").read_bytes()))
    projects = read_projects(decode_csv((SAMPLES / "projects.csv").read_bytes()))
    assert any(entry.malicious_arrears for entry in background)
    assert any(entry.lawsuit_with_us for entry in background)
    assert {entry.status for entry in projects} == set(RegisteredStatus)
    assert projects[0].amount == Decimal("1860000.00")


def test_an_entry_of_the_background_register_is_typed() -> None:
    (entry,) = read_background(GOOD_BACKGROUND)
    assert entry.lawsuit_with_us
    assert not entry.malicious_arrears
    assert entry.as_of == date(2026, 11, 1)


def test_headings_may_be_chinese_and_columns_in_any_order() -> None:
    text = "来源,截止日期,与我司诉讼,恶意拖欠,客户名称\n台账,2026年11月1日,有,否,云岭\n"
    (entry,) = read_background(text)
    assert (entry.name, entry.uscc, entry.as_of, entry.lawsuit_with_us) == ("云岭", None, date(2026, 11, 1), True)


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_do_no_harm() -> None:
    content = b"\xef\xbb\xbf" + (GOOD_BACKGROUND + "\n,,,,,,,\n").replace("\n", "\r\n").encode()
    assert read_background(decode_csv(content)) == read_background(GOOD_BACKGROUND)


def test_a_quoted_cell_may_hold_commas_quotes_and_lines_and_later_lines_are_counted_right() -> None:
    text = GOOD_BACKGROUND.replace("one", '"a, ""b""\nc"') + "x,,,maybe,no,,2026-11-01,s\n"
    assert told(text) == [(4, "malicious_arrears")]
    assert read_background(text.replace("maybe", "no"))[0].lawsuits == 'a, "b"\nc'


@pytest.mark.parametrize("written", ["2026-11-01", "2026/11/1", "2026.11.1", "2026年11月1日", "２０２６-11-01"])
def test_dates_are_read_as_spreadsheets_write_them(written: str) -> None:
    assert read_background(GOOD_BACKGROUND.replace("2026-11-01", written))[0].as_of == date(2026, 11, 1)


@pytest.mark.parametrize("content", ["客户名称\n北京".encode("gbk"), b"name\n" + "北京".encode("gb18030")])
def test_gbk_is_refused_by_name_and_line(content: bytes) -> None:
    with pytest.raises(RegisterMistakes) as caught:
        decode_csv(content)
    (mistake,) = caught.value.mistakes
    assert mistake.line == (2 if content.startswith(b"name") else 1)
    assert "GBK" in mistake.message_en
    assert "GBK" in mistake.message_zh


@pytest.mark.parametrize("content", [b"name\r\nx\xff", b"\xff\xfen\x00", b"\xfe\xff\x00n"])
def test_other_encodings_are_refused(content: bytes) -> None:
    with pytest.raises(RegisterMistakes):
        decode_csv(content)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("云岭,", ",", [(2, "name")]),
        ("C44", "C45", [(2, "uscc")]),
        ("91320594MA27XK3C44", "123", [(2, "uscc")]),
        (",no,", ",,", [(2, "malicious_arrears")]),
        (",yes,", ",perhaps,", [(2, "lawsuit_with_us")]),
        ("2026-11-01", "2026-02-30", [(2, "as_of")]),
        ("2026-11-01", "2026-11/01", [(2, "as_of")]),
        ("2026-11-01", "", [(2, "as_of")]),
        ("ledger", "", [(2, "source")]),
        ("ledger", "ledger,x", [(2, "")]),
        (",ledger", "", [(2, "")]),
        (",source\n", ",src\n", [(1, "src"), (1, "source")]),
        ("uscc,", "名称,", [(1, "name")]),
        ("one", '"one', [(2, "")]),
        ("one", '"one"x', [(2, "")]),
        ("one", "o\x00e", [(2, "")]),
        ("one", "o\x07e", [(2, "lawsuits")]),
        ("one", "x" * 10_001, [(2, "lawsuits")]),
        ("one", "x" * 200_000, [(2, "")]),
    ],
)
def test_each_mistake_of_the_background_register(old: str, new: str, expected: list[tuple[int, str]]) -> None:
    assert told(GOOD_BACKGROUND.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("P1,n,c,,,,s,active,2026-01-02,,,", [(3, "id")]),
        ("P2,\u202en,\u3164,,——,,s,active,2026-01-02,,,", [(3, "name"), (3, "customer_name"), (3, "end_user_name")]),
        ("P2,n,c,,,,s,lost,2026-01-02,,,", [(3, "status")]),
        ("P2,n,c,,,,s,ended,2026-01-02,2026-01-01,,", [(3, "closed_on")]),
        ("P2,n,c,,,,s,active,2026-01-02,2026-01-03,,", [(3, "closed_on")]),
        ("P2,n,c,,,,s,active,2026-01-02,,-1,", [(3, "amount")]),
        ("P2,n,c,,,,s,active,2026-01-02,,1.234,", [(3, "amount")]),
        ("P2,n,c,,,,s,active,2026-01-02,,1e3,", [(3, "amount")]),
        ('P2,n,c,,,,s,active,2026-01-02,,"1,00",', [(3, "amount")]),
        ("P2,n,c,,,,s,active,2026-01-02,,9999999999999,", [(3, "amount")]),
        ("P2,n,c,,,91320594MA27XK3C44,s,active,2026-01-02,,,", [(3, "end_user_name")]),
        ("P1,,,x,,,,gone,soon,never,much,", [
            (3, "name"), (3, "customer_name"), (3, "salesperson"), (3, "status"), (3, "registered_on"),
            (3, "closed_on"), (3, "amount"), (3, "customer_uscc"), (3, "id"),
        ]),
    ],
)  # fmt: skip
def test_each_mistake_of_the_project_register(row: str, expected: list[tuple[int, str]]) -> None:
    assert told(GOOD_PROJECTS + row + "\n", projects=True) == expected


def test_every_mistake_comes_at_once() -> None:
    text = GOOD_BACKGROUND + ",,,no,no,,2026-11-01,s\nx,,,no,no\ny,1,,no,no,,soon,s\n"
    assert told(text) == [(3, "name"), (4, ""), (5, "as_of"), (5, "uscc")]


def test_one_company_stands_once_for_one_source_and_date() -> None:
    row = GOOD_BACKGROUND.splitlines()[1]
    assert told(f"{GOOD_BACKGROUND}{row}\n") == [(3, "name")]
    assert len(read_background(f"{GOOD_BACKGROUND}{row.replace('ledger', 'court')}\n")) == 2


@pytest.mark.parametrize("text", ["", "\n\n", "x,y\n1,2\n", "\ufeff"])
def test_a_file_without_a_usable_header_is_refused(text: str) -> None:
    assert told(text)


def test_a_header_without_rows_is_an_empty_register() -> None:
    assert read_background(BACKGROUND) == ()
    assert read_projects(PROJECTS) == ()


@given(st.binary(max_size=200))
def test_no_bytes_raise_another_exception(content: bytes) -> None:
    try:
        text = decode_csv(content)
        read_background(text)
    except RegisterMistakes:
        pass


CELLS = st.one_of(
    st.sampled_from(["", "yes", "否", "active", "搁置", "2026-01-02", "0000-00-00", "1,0", '"', "91320594MA27XK3C44"]),
    st.text(max_size=8),
)


@given(st.lists(st.lists(CELLS, min_size=8, max_size=12), max_size=4), st.booleans())
def test_no_rows_raise_another_exception(rows: list[list[str]], quoted: bool) -> None:
    quote = (lambda cell: '"' + cell.replace('"', '""') + '"') if quoted else str
    body = "\n".join(",".join(quote(cell) for cell in row) for row in rows)
    for read, header in ((read_background, BACKGROUND), (read_projects, PROJECTS)):
        with suppress(RegisterMistakes):
            read(header + body)

"""Parts of the API that need no server: pages of a list, and the signal of each statement."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from api.gateway.gateway import SIGNALS
from api.paging import Page, page_of, parse_cursor
from domain.statements import Reassign, Said

Row = tuple[datetime, str]
ROWS: list[Row] = [(datetime(2026, 11, 30, 8, tzinfo=UTC) - timedelta(hours=hours), f"p{hours}") for hours in range(7)]


def page_after(cursor: str | None, limit: int) -> Page[str]:
    """A page of `ROWS` as a route makes it: one row more than the limit, from the cursor on."""
    after = parse_cursor(cursor, "moment", "id")
    rows = [row for row in ROWS if after is None or row < (datetime.fromisoformat(after[0]), after[1])]
    return page_of(rows[: limit + 1], limit, key=lambda row: row, view=lambda row: row[1])


@pytest.mark.parametrize("limit", range(1, 9))
def test_pages_show_every_row_once_and_in_order(limit: int) -> None:
    shown: list[str] = []
    cursor = None
    while True:
        page = page_after(cursor, limit)
        assert 0 < len(page.items) <= limit
        shown += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert shown == [subject_id for _, subject_id in ROWS]


def test_an_empty_list_is_one_empty_page() -> None:
    page = page_of([], 5, key=lambda row: (row,), view=str)
    assert (page.items, page.next_cursor) == ([], None)


def test_every_statement_that_a_person_makes_through_the_api_has_a_signal() -> None:
    statements = set(get_args(get_args(Said)[0]))
    assert set(SIGNALS) == statements - {Reassign}, "an operator reassigns on the command line"
    assert len(set(SIGNALS.values())) == len(SIGNALS)

"""Keyset paging: opaque cursors, and one page of a list."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

from api.problems import Refusal
from domain.refusals import RefusalCode

T = TypeVar("T")
R = TypeVar("R")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None


def page_of(
    rows: Sequence[R], limit: int, *, key: Callable[[R], tuple[object, ...]], view: Callable[[R], T]
) -> Page[T]:
    """One page of at most `limit` items.

    `rows`: up to `limit + 1` rows in the order of the list; the extra one shows that another page follows.
    `key`: the values that the list is ordered by, for the cursor. `view`: the item of a row.
    """
    page = rows[:limit]
    return Page(
        items=[view(row) for row in page],
        next_cursor=cursor_of(*key(page[-1])) if len(rows) > limit else None,
    )


def cursor_of(*parts: object) -> str:
    """An opaque cursor for the last row of a page."""
    written = json.dumps([_written(part) for part in parts])
    return base64.urlsafe_b64encode(written.encode()).rstrip(b"=").decode()


def _written(part: object) -> str:
    if isinstance(part, datetime):
        return part.isoformat()
    return f"{part:f}" if isinstance(part, Decimal) else str(part)  # never 4.9E+7


def parse_cursor(cursor: str | None, *kinds: Literal["number", "moment", "amount", "id"]) -> tuple[str, ...] | None:
    """The parts that `cursor_of` encoded. Raises `Refusal` 422 for anything else."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        if not isinstance(parts, list) or len(parts) != len(kinds):
            raise ValueError
        for part, kind in zip(parts, kinds, strict=True):
            if kind == "number":
                if part not in ("0", "1"):  # the rank of an open and of a closed task
                    raise ValueError
            elif kind == "moment":
                moment = datetime.fromisoformat(part)
                if moment.tzinfo is None:
                    raise ValueError
                moment.astimezone(UTC)  # year 1 in an eastern zone is before PostgreSQL's earliest timestamp
            elif kind == "amount":
                if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,6})?", str(part)):
                    raise ValueError
            elif kind == "id" and not (isinstance(part, str) and part.isascii() and part.isprintable()):
                raise ValueError
        return tuple(str(part) for part in parts)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise Refusal(422, RefusalCode.CURSOR_INVALID) from None

"""What the front door asks and tells the record for every message and every page: one statement each, because it is
done so often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from db.connection.direct import Direct
from db.connection.plain import Shape
from db.messages import Receipt
from db.tables import receipt, task, task_person
from db.tasks.tasks import AskedRow, TaskRow
from domain.disputes.dispute import DisputeStage

_TASK = Shape(TaskRow, *task.c)
_MINE = Shape(AskedRow, *task_person.c)
_OF_MESSAGE = Shape(Receipt, *receipt.c)

_ASKED = f"""
    SELECT {_TASK.sql}, {_MINE.sql}, {_OF_MESSAGE.sql}
    FROM task
    JOIN task_person ON task_person.task_id = task.id AND task_person.person = $2
    LEFT JOIN receipt ON receipt.message_id = $3
    WHERE task.id = $1"""
_CLAIM = f"""
    WITH claimed AS (
        INSERT INTO idempotency_key (message_id, person, body_hash) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING
        RETURNING body_hash
    )
    SELECT claimed.body_hash, {_OF_MESSAGE.sql}
    FROM (SELECT) AS once LEFT JOIN claimed ON true LEFT JOIN receipt ON receipt.message_id = $1"""
_BOUND = f"""
    SELECT idempotency_key.body_hash, {_OF_MESSAGE.sql}
    FROM idempotency_key LEFT JOIN receipt USING (message_id)
    WHERE message_id = $1"""
_SENT = f"""
    SELECT EXISTS (SELECT FROM idempotency_key WHERE message_id = $1 AND person = $2), {_OF_MESSAGE.sql}
    FROM (SELECT) AS once LEFT JOIN receipt ON receipt.message_id = $1"""
_NOTE_READ = """
    INSERT INTO reading (person, subject_type, subject_id, through)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])"""
_DISPUTE_STAGE = "SELECT stage FROM dispute WHERE workflow_id = $1"
_RECEIPT = f"SELECT {_OF_MESSAGE.sql} FROM receipt WHERE message_id = $1"


class Asked(NamedTuple):
    """A task, what it is to one of those it asks or asked, and what became of the message they sent now."""

    task: TaskRow
    mine: AskedRow
    receipt: Receipt | None


class Sent(NamedTuple):
    """What is known of a message to whoever asks for it by its id."""

    known: bool
    """They sent it, whatever has become of it."""
    receipt: Receipt | None


class BoundMessage(NamedTuple):
    """What an idempotency key is bound to."""

    body_hash: str
    receipt: Receipt | None


async def asked(record: Direct, task_id: str, person: str, message_id: str) -> Asked | None:
    """None when there is no such task, or it never asked `person`."""
    row = await record.row(_ASKED, task_id, person, message_id)
    if row is None:
        return None
    about_task, rest = row[: len(task.c)], row[len(task.c) :]
    about_me, about_message = rest[: len(task_person.c)], rest[len(task_person.c) :]
    return Asked(_TASK.read(about_task), _MINE.read(about_me), _receipt(about_message))


async def dispute_is_open(record: Direct, workflow_id: str) -> bool:
    """Whether that is the process of a dispute which has not ended. Raises `RecordAway`."""
    row = await record.row(_DISPUTE_STAGE, workflow_id)
    return row is not None and not DisputeStage(row[0]).ended


async def bind_message(record: Direct, message_id: str, person: str, body_hash: str) -> BoundMessage:
    """Bind a key to a body, or find what it is bound to. Of two racing callers the second waits for the first."""
    row = await record.row(_CLAIM, message_id, person, body_hash)
    if row is None or row[0] is None:
        row = await record.row(_BOUND, message_id)
    if row is None:  # deleted meanwhile: bound to a body that nobody knows
        return BoundMessage("", None)
    return BoundMessage(row[0], _receipt(row[1:]))


async def find_receipt(record: Direct, message_id: str) -> Receipt | None:
    """The receipt of a message, if it has been judged."""
    row = await record.row(_RECEIPT, message_id)
    return _receipt(row) if row else None


async def sent(record: Direct, message_id: str, person: str) -> Sent:
    """What became of a message that `person` sent; nothing of anybody else's."""
    row = await record.row(_SENT, message_id, person)
    assert row is not None
    found = _receipt(row[1:])
    return Sent(row[0], found) if found is None or found.person == person else Sent(False, None)


async def note_read(record: Direct, person: str, read: Sequence[tuple[str, str, str]]) -> None:
    """X2: each of these customers was read. Type and id of the subject, and through what."""
    await record.row(_NOTE_READ, person, *([one[place] for one in read] for place in range(3)))


def _receipt(values: Sequence[Any]) -> Receipt | None:
    """None where the outer join found none: all its columns are empty then."""
    return None if all(value is None for value in values) else _OF_MESSAGE.read(values)

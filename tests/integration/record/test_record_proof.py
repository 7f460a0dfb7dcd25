"""The record proves itself: whoever changes it, even with all rights on the database, is found out (X1)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import pytest
from pydantic import SecretBytes
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.keyring import Keyring
from crypto.seal import head_seal_holds, seal_head
from db import audit
from db.audit import Anchor, Event, Proof

KEYS = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
OTHER_KEYS = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
NOW = datetime(2026, 11, 23, 1, 30, 0, 123456, tzinfo=UTC)


def sealed(keys: Keyring) -> Callable[[int, str, str], bool]:
    return lambda seq, digest, seal: head_seal_holds(seq, digest, seal, keys)


async def write(engine: AsyncEngine, *events: str) -> None:
    async with engine.begin() as connection:
        await audit.append(
            connection,
            [
                Event(
                    event=name, at=NOW, actor="li.ming", subject_id="a1", body={"reason": "同意 “好”", "n": [1, None]}
                )
                for name in events
            ],
            lambda seq, digest: seal_head(seq, digest, KEYS),
        )


async def prove(engine: AsyncEngine, anchor: Anchor | None = None, lines: list[str] | None = None) -> Proof:
    async with engine.connect() as connection:
        return await audit.verify(connection, sealed(KEYS), anchor, None if lines is None else lines.append)


def whats(proof: Proof) -> list[tuple[int, str]]:
    return [(fault.seq, fault.what) for fault in proof.faults]


@pytest.fixture
async def bad_owner(superuser: asyncpg.Connection) -> asyncpg.Connection:
    """Somebody with every right on the database, who has switched the refusals off."""
    await superuser.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    return superuser


async def test_an_untouched_record_holds_and_names_its_head(engine: AsyncEngine) -> None:
    assert await prove(engine) == Proof(entries=0, head=(0, audit.GENESIS), seal_checked=True)
    await write(engine, "one", "two")
    await write(engine, "three")
    proof = await prove(engine)
    assert (proof.entries, proof.head[0], proof.faults) == (3, 3, ())
    await write(engine, "four")
    assert not (await prove(engine, anchor=proof.head)).faults


async def test_many_writers_at_once_leave_one_chain(engine: AsyncEngine) -> None:
    await asyncio.gather(*(write(engine, f"a{n}", f"b{n}") for n in range(15)))
    proof = await prove(engine)
    assert (proof.entries, proof.faults) == (30, ())


COPY = """
INSERT INTO audit
    SELECT {}, at, workflow_id, subject_id, event, actor, body, hash, hash FROM audit WHERE seq = 4
"""
SWAP = """
UPDATE audit SET seq = -seq WHERE seq IN (2, 3);
UPDATE audit SET seq = 5 + seq WHERE seq < 0;
"""


@pytest.mark.parametrize(
    ("tampering", "expected"),
    [
        ("UPDATE audit SET actor = 'wang.fang' WHERE seq = 2", [(2, "changed")]),
        ("UPDATE audit SET body = jsonb_set(body, '{reason}', '\"不同意\"') WHERE seq = 4", [(4, "changed")]),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 1", [(1, "changed")]),
        ("UPDATE audit SET subject_id = null WHERE seq = 3", [(3, "changed")]),
        ("UPDATE audit SET at = 'infinity' WHERE seq = 1", [(1, "changed")]),
        ("UPDATE audit SET body = 'null' WHERE seq = 1", [(1, "changed")]),
        ("DELETE FROM audit WHERE seq = 1", [(1, "missing")]),
        ("DELETE FROM audit WHERE seq IN (2, 3)", [(2, "missing")]),
        (SWAP, [(2, "reordered"), (2, "changed"), (3, "reordered"), (3, "changed"), (4, "reordered")]),
        ("DELETE FROM audit WHERE seq = 4", [(4, "cut_off")]),
        ("DELETE FROM audit", [(1, "cut_off")]),
        ("DELETE FROM audit_head", [(5, "cut_off")]),
        ("INSERT INTO audit_head SELECT 2, seq, hash, seal FROM audit_head", [(5, "cut_off")]),
        ("UPDATE audit_head SET seal = ''", [(4, "head_forged")]),
        (
            "DELETE FROM audit WHERE seq = 4;"
            "UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit WHERE seq = 3)",
            [(3, "head_forged")],
        ),
        (
            COPY.format(5),
            [(5, "changed"), (6, "cut_off")],
        ),
        (
            COPY.format(-5),
            [(-5, "reordered"), (-5, "changed")],
        ),
    ],
)
async def test_tampering_is_found_and_named(
    engine: AsyncEngine, bad_owner: asyncpg.Connection, tampering: str, expected: list[tuple[int, str]]
) -> None:
    await write(engine, "one", "two", "three", "four")
    await bad_owner.execute(tampering)
    lines: list[str] = []
    found = whats(await prove(engine, lines=lines))
    assert found == expected
    # Whoever is handed an export of such a record sees the same.
    assert whats(audit.verify_export(lines, sealed(KEYS))) == found


async def rewrite_all(owner: asyncpg.Connection) -> None:
    """Change an entry, then compute every hash after it anew, as anyone can: the chain itself needs no key."""
    rows = await owner.fetch("SELECT * FROM audit ORDER BY seq")
    previous = audit.GENESIS
    for row in rows:
        event = Event(
            event=row["event"],
            at=row["at"],
            actor="wang.fang" if row["seq"] == 2 else row["actor"],
            workflow_id=row["workflow_id"],
            subject_id=row["subject_id"],
            body=json.loads(row["body"]),
        )
        fresh = audit.chain_hash(row["seq"], event, previous)
        await owner.execute(
            "UPDATE audit SET actor = $2, previous_hash = $3, hash = $4 WHERE seq = $1",
            row["seq"],
            event.actor,
            previous,
            fresh,
        )
        previous = fresh
    await owner.execute("UPDATE audit_head SET hash = $1", previous)


async def test_a_recomputed_chain_is_detected_by_the_seal_of_its_head(
    engine: AsyncEngine, bad_owner: asyncpg.Connection
) -> None:
    await write(engine, "one", "two", "three")
    noted = (await prove(engine)).head
    await rewrite_all(bad_owner)
    assert whats(await prove(engine)) == [(3, "head_forged")]
    assert whats(await prove(engine, anchor=noted)) == [(3, "anchor_differs"), (3, "head_forged")]


async def test_a_record_truncated_to_a_genuine_head_is_detected_by_the_anchor(
    engine: AsyncEngine, bad_owner: asyncpg.Connection
) -> None:
    await write(engine, "one", "two")
    [older] = await bad_owner.fetch("SELECT seq, hash, seal FROM audit_head")
    await write(engine, "three")
    noted = (await prove(engine)).head
    await bad_owner.execute("DELETE FROM audit WHERE seq > 2")
    await bad_owner.execute("UPDATE audit_head SET seq = $1, hash = $2, seal = $3", *older.values())
    assert not (await prove(engine)).faults
    assert whats(await prove(engine, anchor=noted)) == [(3, "cut_off")]


async def test_an_export_is_proved_without_a_database(engine: AsyncEngine) -> None:
    await write(engine, "one", "two", "three")
    lines: list[str] = []
    proof = await prove(engine, lines=lines)
    assert not proof.faults
    assert audit.verify_export(lines, sealed(KEYS)) == proof
    assert audit.verify_export(lines, None) == proof.model_copy(update={"seal_checked": False})
    assert whats(audit.verify_export(lines, sealed(OTHER_KEYS))) == [(3, "head_forged")]
    assert whats(audit.verify_export(lines, None, anchor=(2, "0" * 64))) == [(2, "anchor_differs")]
    assert whats(audit.verify_export(lines[:-1], None)) == [(4, "cut_off")]
    assert whats(audit.verify_export([lines[0], *lines[2:]], None)) == [(2, "missing")]
    assert whats(audit.verify_export([*lines, lines[0]], None)) == [(4, "unreadable")]
    assert whats(audit.verify_export([], None)) == [(1, "cut_off")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"seq": "1"}',
        "9" * 5000,
        "[" * 100_000,
        '{"seq": 1, "hash": 2}',
        '{"seq": NaN, "hash": ""}',
        '{"seq": 1, "seq": 1, "hash": "a"}',
        '{"seq": 1, "event": "\\ud800", "hash": "a"}',
    ],
)
def test_an_invalid_line_is_reported_as_a_fault(line: str) -> None:
    assert audit.verify_export([line], sealed(KEYS)).faults


def test_an_invalid_head_is_reported_as_a_fault() -> None:
    for head in (
        '{"head": {}}',
        '{"head": {"seq": "1", "hash": 2, "seal": null}}',
        '{"head": {"seq": 1, "hash": "\\ud800"}}',
    ):
        assert audit.verify_export([head], sealed(KEYS)).faults

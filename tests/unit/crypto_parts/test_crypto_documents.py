"""X2: attached files are encrypted piece by piece, and nothing but what was encrypted opens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretBytes

from crypto.codec import TAG_BYTES, UnknownKey
from crypto.documents import HEADER, PIECE, DamagedDocument, decrypted, encrypted
from crypto.keyring import Keyring

RING = Keyring((("k1", SecretBytes(b"1" * 32)), ("k2", SecretBytes(b"2" * 32))))


async def chunks(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def sealed(content: bytes, document: str = "d1", ring: Keyring = RING) -> bytes:
    return b"".join([piece async for piece in encrypted(ring, document, chunks(content))])


async def opened(stored: bytes, document: str = "d1", ring: Keyring = RING, size: int = 70_000) -> bytes:
    return b"".join([piece async for piece in decrypted(ring, document, chunks(stored, size))])


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5])
async def test_x2_what_was_encrypted_comes_back(length: int) -> None:
    content = bytes(position % 251 for position in range(length))
    stored = await sealed(content)
    assert length < 64 or content[:64] not in stored
    assert await opened(stored) == content
    if length < PIECE:
        assert await opened(stored, size=11) == content


async def test_x2_no_piece_is_larger_than_memory_allows() -> None:
    pieces = [len(piece) async for piece in encrypted(RING, "d1", chunks(bytes(5 * PIECE)))]
    assert max(pieces) == PIECE + TAG_BYTES


async def test_x2_the_same_file_twice_is_not_the_same_bytes() -> None:
    assert await sealed(b"same") != await sealed(b"same")


async def test_x2_an_older_key_still_opens_and_a_missing_one_is_named() -> None:
    stored = await sealed(b"old", ring=Keyring(RING.keys[:1]))
    assert await opened(stored) == b"old"
    with pytest.raises(UnknownKey, match="k1"):
        await opened(stored, ring=Keyring(RING.keys[1:]))


async def test_x2_what_was_changed_cut_off_swapped_or_taken_from_another_does_not_open() -> None:
    content = bytes(3 * PIECE)
    stored = await sealed(content)
    step = PIECE + TAG_BYTES
    first, second = stored[HEADER : HEADER + step], stored[HEADER + step : HEADER + 2 * step]
    forged = [
        stored[:-1],
        stored[: HEADER + 2 * step],
        stored[: HEADER + step // 2],
        stored[:HEADER],
        stored[: HEADER - 1],
        b"",
        b"x" * 500,
        stored + b"x",
        stored[:HEADER] + second + first + stored[HEADER + 2 * step :],
        stored[: HEADER + 9] + bytes((stored[HEADER + 9] ^ 1,)) + stored[HEADER + 10 :],
        stored[: HEADER - 1] + bytes((stored[HEADER - 1] ^ 1,)) + stored[HEADER:],
    ]
    for wrong in forged:
        with pytest.raises(DamagedDocument):
            await opened(wrong)
    with pytest.raises(DamagedDocument):
        await opened(stored, document="d2")

"""Encrypts attached files piece by piece, so that memory holds a piece and never a whole file.

Each file has a key of its own, derived from the payload key and a random salt. The nonce of a piece is its position and
whether it is the last: pieces that are swapped, cut off or taken from another document do not open.
"""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.codec import TAG_BYTES, UnknownKey
from crypto.keyring import KEY_BYTES, KEY_ID, Keyring

PURPOSE: Final = b"baobei-document.v1"
PIECE: Final = 256 * 1024
"""Bytes of content in each piece but the last."""
SALT_BYTES: Final = 32
LONGEST_KEY_ID: Final = 32
HEADER: Final = len(PURPOSE) + LONGEST_KEY_ID + SALT_BYTES
"""Bytes before the first piece: what this is, the id of the key filled up with spaces, the salt."""


class DamagedDocument(Exception):
    """What is stored is not what was encrypted for this document."""


async def encrypted(keyring: Keyring, document_id: str, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """`content` encrypted with the newest key, which the result names."""
    key_id, secret = keyring.newest
    salt = os.urandom(SALT_BYTES)
    cipher = _cipher(secret, salt, document_id)
    yield PURPOSE + key_id.encode("ascii").ljust(LONGEST_KEY_ID) + salt
    held, position = bytearray(), 0
    async for chunk in content:
        held += chunk
        while len(held) > PIECE:
            yield cipher.encrypt(_nonce(position, last=False), bytes(held[:PIECE]), None)
            del held[:PIECE]
            position += 1
    yield cipher.encrypt(_nonce(position, last=True), bytes(held), None)


async def decrypted(keyring: Keyring, document_id: str, stored: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """What `encrypted` was given.

    Raises `UnknownKey` when its key is not in `keyring`, and `DamagedDocument` for anything else that does not open,
    before any byte of the damaged piece.
    """
    cipher: AESGCM | None = None
    held, position = bytearray(), 0
    async for chunk in stored:
        held += chunk
        if cipher is None:
            if len(held) < HEADER:
                continue
            cipher = _named_cipher(keyring, document_id, bytes(held[:HEADER]))
            del held[:HEADER]
        while len(held) > PIECE + TAG_BYTES:
            yield _opened(cipher, _nonce(position, last=False), bytes(held[: PIECE + TAG_BYTES]))
            del held[: PIECE + TAG_BYTES]
            position += 1
    if cipher is None:
        raise DamagedDocument("the header is cut off")
    yield _opened(cipher, _nonce(position, last=True), bytes(held))


def _named_cipher(keyring: Keyring, document_id: str, header: bytes) -> AESGCM:
    """The cipher of a document, with the key that its header names."""
    purpose, name, salt = header[: len(PURPOSE)], header[len(PURPOSE) : -SALT_BYTES], header[-SALT_BYTES:]
    key_id = name.decode("ascii", "replace").rstrip()
    if purpose != PURPOSE or not KEY_ID.fullmatch(key_id):
        raise DamagedDocument("the header is not ours")
    secret = keyring.secret(key_id)
    if secret is None:
        raise UnknownKey(f"no payload key called {key_id} is configured")
    return _cipher(secret, salt, document_id)


def _cipher(secret: bytes, salt: bytes, document_id: str) -> AESGCM:
    info = PURPOSE + b"\0" + document_id.encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret))


def _nonce(position: int, *, last: bool) -> bytes:
    return struct.pack(">QI", position, int(last))


def _opened(cipher: AESGCM, nonce: bytes, sealed: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, sealed, None)
    except (InvalidTag, ValueError):  # ValueError: shorter than a tag
        raise DamagedDocument("a piece does not open") from None

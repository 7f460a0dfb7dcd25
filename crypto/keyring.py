"""Named secret keys, so that keys can be rotated while data protected by older keys stays readable."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from pydantic import SecretBytes

KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""The pattern of key ids. Nothing else can be configured as a key id."""


@dataclass(frozen=True)
class Keyring:
    """Keys by id, oldest first. The last one protects new data; all of them read existing data.

    A replaced key stays in the keyring as long as data protected by it exists.
    """

    keys: tuple[tuple[str, SecretBytes], ...]

    @property
    def newest(self) -> tuple[str, bytes]:
        """Id and bytes of the current key."""
        key_id, secret = self.keys[-1]
        return key_id, secret.get_secret_value()

    def secret(self, key_id: str) -> bytes | None:
        """The bytes of the key `key_id`, or None when there is no such key."""
        return next((secret.get_secret_value() for known, secret in self.keys if known == key_id), None)

    def secrets(self) -> list[bytes]:
        """The bytes of all keys, oldest first."""
        return [secret.get_secret_value() for _, secret in self.keys]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Parse comma-separated `id:base64(32 bytes)` entries, newest last.

        Raises `ValueError` that names the invalid entry without revealing the secret.
        """
        keys: list[tuple[str, SecretBytes]] = []
        for position, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            if not colon or not KEY_ID.fullmatch(key_id):
                raise ValueError(f"key {position} is not written as id:base64 (id of letters, digits, - and _)")
            try:
                secret = base64.b64decode(encoded.translate(str.maketrans("-_", "+/")), validate=True)
            except (binascii.Error, ValueError):
                raise ValueError(f"key {key_id} is not valid base64") from None
            if len(secret) != KEY_BYTES:
                raise ValueError(f"key {key_id} has {len(secret)} bytes, {KEY_BYTES} are needed")
            if any(key_id == known for known, _ in keys):
                raise ValueError(f"key id {key_id} is given twice")
            keys.append((key_id, SecretBytes(secret)))
        return cls(tuple(keys))

"""The seal of a statement: proof that it came through the API, made with a key that Temporal does not have."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TypeVar

from crypto.keyring import Keyring
from domain.statements import Statement

PURPOSE = b"baobei-seal.v1"

S = TypeVar("S", bound=Statement)


def seal(statement: S, keyring: Keyring) -> S:
    """A copy of `statement` sealed with the newest key.

    Raises `ValueError` when the statement cannot be serialized to JSON (text that is not valid Unicode).
    """
    key_id, secret = keyring.newest
    return statement.model_copy(update={"seal": f"{key_id}.{_mac(secret, statement)}"})


def seal_holds(statement: Statement, keyring: Keyring) -> bool:
    """Whether the API sealed exactly this statement, with any key of the keyring. Never raises."""
    key_id, _, mac = statement.seal.partition(".")
    secret = keyring.secret(key_id)
    if secret is None or statement.unreadable:
        return False
    try:
        # As bytes, because comparing non-ASCII text raises.
        return hmac.compare_digest(_mac(secret, statement).encode(), mac.encode())
    except (ValueError, RecursionError):
        return False


def _mac(secret: bytes, statement: Statement) -> str:
    # The type of the statement is sealed as well, so that a withdrawal never passes as an appeal.
    message = b"\0".join((PURPOSE, type(statement).__name__.encode(), _canonical(statement)))
    return base64.urlsafe_b64encode(hmac.digest(secret, message, hashlib.sha256)).rstrip(b"=").decode()


def _canonical(statement: Statement) -> bytes:
    """A canonical encoding that survives the round trip through the payload converter.

    It goes through pydantic's JSON first, as the converter does, so that values without a JSON representation (an
    infinity becomes null) are already replaced. Fields with default values are omitted, so that a field added later
    does not break older seals.
    """
    written = statement.model_dump_json(exclude={"seal"}, exclude_defaults=True)
    return json.dumps(json.loads(written), sort_keys=True, separators=(",", ":")).encode()


HEAD_PURPOSE = b"baobei-audit-head.v1"


def seal_head(seq: int, digest: str, keyring: Keyring) -> str:
    """The seal of the last audit event (X1), which the database's owner cannot forge."""
    key_id, secret = keyring.newest
    return f"{key_id}.{_head_mac(secret, seq, digest)}"


def head_seal_holds(seq: int, digest: str, sealed: str, keyring: Keyring) -> bool:
    """Whether `sealed` is a valid seal of this head. Never raises."""
    key_id, _, mac = sealed.partition(".")
    secret = keyring.secret(key_id)
    if secret is None:
        return False
    try:
        return hmac.compare_digest(_head_mac(secret, seq, digest).encode(), mac.encode())
    except ValueError:  # a lone surrogate, which JSON and the command line can contain
        return False


def _head_mac(secret: bytes, seq: int, digest: str) -> str:
    message = b"\0".join((HEAD_PURPOSE, str(seq).encode(), digest.encode()))
    return base64.urlsafe_b64encode(hmac.digest(secret, message, hashlib.sha256)).rstrip(b"=").decode()

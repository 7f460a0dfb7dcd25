"""The token in a mail link: signed, the same whenever a mail is sent again, and never stored."""

from __future__ import annotations

import hashlib
import hmac
import re

from itsdangerous import Signer

from crypto.keyring import Keyring

SALT = b"baobei-link.v1"
LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The pattern of link ids: safe in a URL, without the separator."""

LONGEST_TOKEN = 120


class ForgedLink(Exception):
    """The token was not issued by us, or its key has been removed."""


def link_token(link_id: str, keyring: Keyring) -> str:
    """The token for `link_id`, signed with the newest key.

    Consists of letters, digits, `-`, `_` and one dot, and ends in a letter or digit, so that mail clients do not cut it
    off. Raises `ValueError` for an id that is not safe in a URL.
    """
    if not LINK_ID.fullmatch(link_id):
        raise ValueError("a link id has 1 to 64 letters, digits, - and _")
    _, secret = keyring.newest
    return _sign(link_id, secret)


def link_id_of(token: str, keyring: Keyring) -> str:
    """The id in a token signed with any key of the keyring. Raises `ForgedLink` for everything else."""
    link_id, _, signature = token.rpartition(".")
    if not signature or len(token) > LONGEST_TOKEN or not token.isascii() or not LINK_ID.fullmatch(link_id):
        raise ForgedLink("not a link of ours")
    # Signing again and comparing the whole token accepts exactly one encoding; decoding the signature first, as
    # `Signer.unsign` does, accepts several (base64 has spare bits). All keys are tried, so that timing reveals nothing.
    held = [hmac.compare_digest(_sign(link_id, secret), token) for secret in keyring.secrets()]
    if not any(held):
        raise ForgedLink("not a link of ours")
    return link_id


def _sign(link_id: str, secret: bytes) -> str:
    # SHA-256, because the library's default is SHA-1.
    signer = Signer(secret, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.sign(link_id).decode()

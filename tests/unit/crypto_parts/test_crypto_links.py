"""A link in a mail is accepted exactly as we wrote it, and in no other spelling."""

import hashlib
import itertools
import random
import re
import secrets
import string
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, Signer
from pydantic import SecretBytes

from crypto.keyring import Keyring
from crypto.links import SALT, ForgedLink, link_id_of, link_token

OLD = Keyring((("k1", SecretBytes(secrets.token_bytes(32))),))
NEW = Keyring((*OLD.keys, ("k2", SecretBytes(secrets.token_bytes(32)))))
LATER = Keyring(NEW.keys[1:])
ALPHABET = string.ascii_letters + string.digits + "-_"
link_ids = st.text(ALPHABET, min_size=1, max_size=64)


def accepted(token: str, keyring: Keyring = NEW) -> bool:
    try:
        link_id_of(token, keyring)
    except ForgedLink:
        return False
    return True


@given(link_id=link_ids)
def test_a_token_crosses_a_mail_and_an_address_unchanged(link_id: str) -> None:
    token = link_token(link_id, NEW)
    assert quote(token) == token
    address = f"https://baobei.example.com/d/{token}"
    assert len(address) < 200
    # What mail programs do to find a link in plain text: up to white space, without closing punctuation.
    (found,) = re.findall(r"https?://\S+", f"查看并审批: {address}\n")
    assert found.rstrip(".,;:!?)>]-_~'\"") == address
    assert link_id_of(unquote(urlsplit(found).path.rpartition("/")[2]), NEW) == link_id


@given(link_id=link_ids)
def test_a_mail_sent_again_carries_the_same_link(link_id: str) -> None:
    assert link_token(link_id, NEW) == link_token(link_id, NEW)


@given(link_id=link_ids)
def test_keys_can_be_replaced(link_id: str) -> None:
    assert link_id_of(link_token(link_id, OLD), NEW) == link_id
    assert not accepted(link_token(link_id, OLD), LATER)
    assert link_id_of(link_token(link_id, NEW), LATER) == link_id


def mutants(token: str) -> set[str]:
    """Every near miss of a token: one character changed, dropped, doubled or added anywhere, and other spellings."""
    made: set[str] = set()
    for at, character in itertools.product(range(len(token)), ALPHABET + ".=+/ %\n\u0430\u200b"):
        made.add(token[:at] + character + token[at + 1 :])
        made.add(token[:at] + character + token[at:])
    for at in range(len(token) + 1):
        made.update({token[:at], token[at:], token[:at] + token[at + 1 :], token[:at].swapcase() + token[at:]})
    for tail in ("=", "==", "A", ".", "/", " ", "\n", "\0", "?", "#", "%3D", "\ud800"):
        made.update({token + tail, tail + token})
    made.update({token.upper(), token.lower(), token[::-1], token + token, token.replace("-", "+").replace("_", "/")})
    return made - {token}


def test_tens_of_thousands_of_mutants_and_none_accepted() -> None:
    tried = 0
    for token in (link_token(secrets.token_urlsafe(16), ring) for ring in (OLD, NEW, OLD, NEW)):
        for mutant in mutants(token):
            tried += 1
            assert not accepted(mutant), mutant
    assert tried > 30_000


def test_the_library_alone_would_accept_other_spellings() -> None:
    """Why the whole token is compared: base64 has spare bits, and decoding ignores what it does not know."""
    signer = Signer(NEW.newest[1], salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256)
    token = link_token("abc", NEW)
    loose = 0
    for mutant in mutants(token):
        try:
            signer.unsign(mutant)
        except (BadSignature, UnicodeEncodeError):
            continue
        loose += 1
    assert loose > 0


@given(text=st.text(max_size=150))
def test_no_text_is_accepted_and_nothing_else_is_raised(text: str) -> None:
    assert not accepted(text)
    assert not accepted(f"{text}.{text}")


def test_a_signature_moved_to_another_link_is_refused() -> None:
    first, second = (link_token(link_id, NEW) for link_id in ("link-1", "link-2"))
    assert not accepted(f"link-1.{second.partition('.')[2]}")
    assert not accepted(f"link-2.{first.partition('.')[2]}")


def test_a_signature_made_for_another_purpose_or_with_a_weaker_digest_is_refused() -> None:
    secret = NEW.newest[1]
    others = [
        Signer(secret, salt=b"other", key_derivation="hmac", digest_method=hashlib.sha256),
        Signer(secret, salt=SALT, key_derivation="hmac", digest_method=hashlib.sha1),
        Signer(secret, salt=SALT, key_derivation="django-concat", digest_method=hashlib.sha256),
        Signer(secrets.token_bytes(32), salt=SALT, key_derivation="hmac", digest_method=hashlib.sha256),
    ]
    for signer in others:
        assert not accepted(signer.sign("abc").decode())


@pytest.mark.parametrize("link_id", ["", "a.b", "a/b", "a b", "é", "x" * 65, "a\n"])
def test_an_id_that_would_not_survive_in_an_address_is_refused(link_id: str) -> None:
    with pytest.raises(ValueError, match="link id"):
        link_token(link_id, NEW)


def test_no_token_ends_in_punctuation() -> None:
    numbers = random.Random(1)
    for _ in range(2_000):
        token = link_token("".join(numbers.choices(ALPHABET, k=22)), NEW)
        assert token[-1].isalnum()
        assert len(token) == 66

"""Whose signature on a token is believed, while the issuer changes its keys."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any, Self

import pytest

from api.auth.token_verifier import LEEWAY_SECONDS, TokenVerifier
from api.problems import Refusal, Unavailable
from runtime.settings import Settings
from tests.servers.issuer import AUDIENCE, NAME, Issuer, SigningKey

PATIENCE = 30.0
"""Seconds after which a test gives up waiting."""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(SigningKey("RS256")) as made:
        yield made


@pytest.fixture
def door(issuer: Issuer) -> TokenVerifier:
    return TokenVerifier(
        Settings(embedded=True, oidc_issuer=NAME, oidc_audience=AUDIENCE, oidc_jwks_url=issuer.jwks_url)
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock by which fetched keys age; tests put it forward."""
    moved = SimpleNamespace(by=0.0)
    fake = SimpleNamespace(monotonic=lambda: time.monotonic() + moved.by)
    monkeypatch.setattr("api.auth.issuer_keys.time", fake)
    return moved


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock by which tokens expire; a test puts it forward."""
    moved = SimpleNamespace(by=0.0)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=moved.by)

    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    monkeypatch.setattr("api.auth.token_verifier.time", SimpleNamespace(time=lambda: time.time() + moved.by))
    return moved


async def refused(door: TokenVerifier, token: str) -> str:
    with pytest.raises(Refusal) as refusal:
        await door.login_of(token)
    assert refusal.value.status == 401
    return refusal.value.code


async def test_a_withdrawn_issuer_key_is_accepted_for_five_minutes_at_most(
    door: TokenVerifier, issuer: Issuer, clock: SimpleNamespace
) -> None:
    stolen, fresh = issuer.keys[0], SigningKey("ES256")
    assert await door.login_of(stolen.token("li.ming")) == "li.ming"
    issuer.keys = [fresh]
    clock.by += 301
    assert await refused(door, stolen.token("li.ming")) == "token_invalid"
    assert await door.login_of(fresh.token("li.ming")) == "li.ming"


async def test_a_new_key_is_found_by_its_id_and_a_flood_of_unknown_ids_is_not_passed_on(
    door: TokenVerifier, issuer: Issuer, clock: SimpleNamespace
) -> None:
    assert await door.login_of(issuer.keys[0].token("li.ming")) == "li.ming"
    issuer.keys.append(SigningKey("ES256"))
    clock.by += 31
    assert await door.login_of(issuer.keys[1].token("li.ming")) == "li.ming"
    before = issuer.fetched
    for _ in range(10):
        assert await refused(door, SigningKey("ES256").token("li.ming")) == "token_invalid"
    assert issuer.fetched == before


async def test_a_slow_issuer_does_not_delay_callers_with_a_known_key(
    door: TokenVerifier, issuer: Issuer, clock: SimpleNamespace
) -> None:
    """Tokens under ids that nobody knows wait for one fetch together, while everybody else is answered from memory."""
    key = issuer.keys[0]
    assert await door.login_of(key.token("li.ming")) == "li.ming"
    clock.by += 31
    before = issuer.fetched
    issuer.answers.clear()
    strangers = [asyncio.create_task(refused(door, SigningKey("ES256").token("li.ming"))) for _ in range(12)]
    async with asyncio.timeout(PATIENCE):
        while issuer.fetched == before:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert await door.login_of(key.token("wang.fang")) == "wang.fang"
    assert not any(stranger.done() for stranger in strangers), "they still wait"
    issuer.answers.set()
    assert await asyncio.gather(*strangers) == ["token_invalid"] * 12
    assert issuer.fetched == before + 1


async def test_an_issuer_that_gives_no_answer_is_not_asked_again_at_once(
    door: TokenVerifier, issuer: Issuer, clock: SimpleNamespace
) -> None:
    key, unknown = issuer.keys[0], SigningKey("ES256")
    assert await door.login_of(key.token("li.ming")) == "li.ming"
    clock.by += 31
    issuer.status = 500
    before = issuer.fetched
    for _ in range(5):
        with pytest.raises(Unavailable):
            await door.login_of(unknown.token("li.ming"))
        assert await door.login_of(key.token("wang.fang")) == "wang.fang"
    assert issuer.fetched == before + 1
    clock.by += 300  # what is known is too old to be believed
    for _ in range(5):
        with pytest.raises(Unavailable):
            await door.login_of(key.token("li.ming"))
    assert issuer.fetched == before + 2
    issuer.status = 200
    clock.by += 6
    assert await door.login_of(key.token("li.ming")) == "li.ming"


async def test_known_keys_are_renewed_beside_the_requests(
    door: TokenVerifier, issuer: Issuer, clock: SimpleNamespace
) -> None:
    key = issuer.keys[0]
    assert await door.login_of(key.token("li.ming")) == "li.ming"
    before = issuer.fetched
    clock.by += 200
    issuer.answers.clear()
    assert await door.login_of(key.token("wang.fang")) == "wang.fang"
    issuer.answers.set()
    async with asyncio.timeout(PATIENCE):
        while issuer.fetched == before or door._keys._flight:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    clock.by += 200
    issuer.status = 500
    assert await door.login_of(key.token("li.ming")) == "li.ming", "as young as its last renewal"


async def test_tokens_for_others_from_others_too_old_or_signed_with_the_public_key_are_refused(
    door: TokenVerifier, issuer: Issuer
) -> None:
    key = issuer.keys[0]
    wrong: list[dict[str, Any]] = [{"aud": "another-portal"}, {"iss": "https://elsewhere.example/"}, {"sub": 7}]
    for claims in wrong:
        assert await refused(door, key.token("li.ming", **claims)) == "token_invalid"
    assert (
        await refused(door, key.token("li.ming", iat=int(time.time()) - 600, exp=int(time.time()) - 60))
        == "token_expired"
    )
    own = SigningKey("RS256")
    own.id = key.id
    assert await refused(door, own.token("li.ming")) == "token_invalid"
    for algorithm in ("HS256", "none"):
        assert await refused(door, _by_hand(key, algorithm)) == "token_invalid"


async def test_a_token_verified_before_still_expires_and_says_nothing_for_another(
    door: TokenVerifier, issuer: Issuer, later: SimpleNamespace
) -> None:
    key = issuer.keys[0]
    token = key.token("li.ming", exp=time.time() + 240)
    for _ in range(3):  # the first fetches the keys, the second is remembered, the third is believed
        assert await door.login_of(token) == "li.ming"
    head, _, signature = token.split(".")
    other = key.token("wang.fang").split(".")[1]
    assert await refused(door, f"{head}.{other}.{signature}") == "token_invalid"
    later.by = 240 + LEEWAY_SECONDS - 60
    assert await door.login_of(token) == "li.ming"
    later.by = 240 + LEEWAY_SECONDS + 1
    assert await refused(door, token) == "token_expired"


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    door: TokenVerifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.auth.token_verifier.MOST_CACHED", 2)
    for login in ("li.ming", "wang.fang", "gao.yuan", "yang.fan", "li.ming"):
        assert await door.login_of(issuer.keys[0].token(login)) == login
    assert len(door._cached) == 2


def _by_hand(key: SigningKey, algorithm: str) -> str:
    """A token whose secret is what everybody may read."""
    claims = {"iss": NAME, "aud": AUDIENCE, "sub": "li.ming", "iat": 0, "exp": 2**33}
    written = b".".join(_coded({"alg": algorithm, "kid": key.id, "typ": "JWT"}, claims))
    public = json.dumps(key.jwk).encode()
    mac = hmac.digest(public, written, "sha256") if algorithm == "HS256" else b""
    return (written + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def _coded(*parts: dict[str, Any]) -> list[bytes]:
    return [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]

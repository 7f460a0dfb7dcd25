"""Who speaks: a bearer token's signature, issuer, audience and expiry, mapped to a person of the organisation."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jwt
from jwt import PyJWKSet
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from api.auth.issuer_keys import IssuerKeys
from api.problems import Refusal
from domain.organisation import Organisation, Person
from domain.refusals import RefusalCode
from runtime.settings import Settings

ALGORITHMS = ("RS256", "ES256")
LEEWAY_SECONDS = 30
CHALLENGE = {"WWW-Authenticate": "Bearer"}
MOST_BELIEVED = 2000
"""Tokens remembered as verified."""


class VerifiedToken(NamedTuple):
    """What a verified token says."""

    login: str
    expires: int
    """Seconds since 1970."""


class TokenVerifier:
    """Verifies tokens against the issuer's key set, which it fetches and keeps; new keys are found by their id."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.oidc_jwks_url)
        # Verified tokens, believed no longer than the key set they were verified with: one request in many verifies.
        self._believed: dict[str, VerifiedToken] = {}
        self._believed_by: PyJWKSet | None = None

    async def login_of(self, token: str | None) -> str:
        """The login a valid token names. Raises `Refusal` 401, or `Unavailable` when the key set cannot be had."""
        if token is None or not token.strip():
            raise Refusal(401, RefusalCode.TOKEN_MISSING, headers=CHALLENGE)
        token = token.strip()
        held = self._keys.held
        if held is not self._believed_by:
            self._believed, self._believed_by = {}, held
        known = self._believed.get(token)
        if known is None or known.expires <= time.time() - LEEWAY_SECONDS:
            known = self._read(await self._verified(token))
            if held is not None and held is self._believed_by is self._keys.held:
                self._believe(token, known)
        return known.login

    def _believe(self, token: str, known: VerifiedToken) -> None:
        if len(self._believed) >= MOST_BELIEVED:
            del self._believed[next(iter(self._believed))]  # the one remembered longest
        self._believed[token] = known

    def _read(self, claims: dict[str, Any]) -> VerifiedToken:
        login = claims.get(self._settings.oidc_person_claim)
        if not isinstance(login, str) or not login:
            raise Refusal(401, RefusalCode.TOKEN_INVALID, headers=CHALLENGE)
        return VerifiedToken(login, int(claims["exp"]))

    async def _verified(self, token: str) -> dict[str, Any]:
        try:
            key = await self._keys.key(str(jwt.get_unverified_header(token)["kid"]))
            if key is None:
                raise Refusal(401, RefusalCode.TOKEN_INVALID, headers=CHALLENGE)
            return jwt.decode(
                token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._settings.oidc_issuer,
                audience=self._settings.oidc_audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", self._settings.oidc_person_claim]},
            )
        except ExpiredSignatureError:
            raise Refusal(401, RefusalCode.TOKEN_EXPIRED, headers=CHALLENGE) from None
        except (PyJWTError, LookupError, ValueError, TypeError, RecursionError):
            # LookupError: no key is named. TypeError: a key of another kind than `alg`.
            raise Refusal(401, RefusalCode.TOKEN_INVALID, headers=CHALLENGE) from None


def person_of(login: str, organisation: Organisation) -> Person:
    """The active person who goes by `login`. Raises `Refusal` 403."""
    person = organisation.by_login.get(login)
    if person is None:
        raise Refusal(403, RefusalCode.PERSON_UNKNOWN)
    if not person.active:
        raise Refusal(403, RefusalCode.PERSON_INACTIVE)
    return person

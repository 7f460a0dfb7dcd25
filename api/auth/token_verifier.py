"""The authenticated user: checks a bearer token and maps its login to a person of the organisation."""

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
MOST_CACHED = 2000
"""Maximum number of cached verified tokens."""


class VerifiedToken(NamedTuple):
    """The claims used of a verified token."""

    login: str
    expires: int
    """Seconds since 1970."""


class TokenVerifier:
    """Verifies tokens against the issuer's key set, and caches verified tokens."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.oidc_jwks_url)
        # Verified tokens, cached no longer than the key set they were verified with.
        self._cached: dict[str, VerifiedToken] = {}
        self._verified_with: PyJWKSet | None = None

    async def login_of(self, token: str | None) -> str:
        """The login of a valid token. Raises `Refusal` 401, or `Unavailable` when the key set cannot be fetched."""
        if token is None or not token.strip():
            raise Refusal(401, RefusalCode.TOKEN_MISSING, headers=CHALLENGE)
        token = token.strip()
        held = self._keys.held
        if held is not self._verified_with:
            self._cached, self._verified_with = {}, held
        known = self._cached.get(token)
        if known is None or known.expires <= time.time() - LEEWAY_SECONDS:
            known = self._claims(await self._verified(token))
            if held is not None and held is self._verified_with is self._keys.held:
                self._cache(token, known)
        return known.login

    def _cache(self, token: str, known: VerifiedToken) -> None:
        if len(self._cached) >= MOST_CACHED:
            del self._cached[next(iter(self._cached))]  # the oldest entry
        self._cached[token] = known

    def _claims(self, claims: dict[str, Any]) -> VerifiedToken:
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
            # LookupError: the token names no key. TypeError: the key does not fit `alg`.
            raise Refusal(401, RefusalCode.TOKEN_INVALID, headers=CHALLENGE) from None


def person_of(login: str, organisation: Organisation) -> Person:
    """The active person with this login. Raises `Refusal` 403."""
    person = organisation.by_login.get(login)
    if person is None:
        raise Refusal(403, RefusalCode.PERSON_UNKNOWN)
    if not person.active:
        raise Refusal(403, RefusalCode.PERSON_INACTIVE)
    return person

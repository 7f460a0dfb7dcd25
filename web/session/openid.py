"""Sign-in by OpenID Connect: authorisation code with PKCE, state and nonce, at whatever issuer is configured."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, Final

import httpx2
import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from itsdangerous import BadData, URLSafeTimedSerializer
from jwt.exceptions import PyJWTError

from api.auth.issuer_keys import IssuerKeys
from api.auth.token_verifier import ALGORITHMS, LEEWAY_SECONDS
from api.problems import Unavailable
from domain.base import Wire
from domain.refusals import RefusalCode
from runtime.settings import Settings

SALT: Final = b"baobei-sign-in.v1"
LONGEST_ATTEMPT_SECONDS: Final = 600
"""How long somebody may take at the issuer."""
DISCOVERY_KEPT_SECONDS: Final = 3600
PROVIDER_SECONDS: Final = 5.0


class SignInFailed(Exception):
    """The issuer did not confirm who somebody is. The message is for the record, never for the page."""


class Attempt(Wire):
    """A sign-in that is under way; travels in a signed cookie of the browser that began it."""

    state: str
    nonce: str
    verifier: str
    back: str
    """The path to go to afterwards."""


class OpenIdProvider:
    """The issuer, as its discovery document describes it. Nothing is fetched before somebody signs in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.oidc_jwks_url)
        self._found: dict[str, Any] = {}
        self._found_at = 0.0

    @property
    def redirect_uri(self) -> str:
        return f"{self._settings.public_url}/sign-in/back"

    async def begin(self, back: str) -> tuple[str, str]:
        """Where to send the browser, and the value of the cookie that goes with it. Raises `Unavailable`."""
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            back=back,
        )
        found = await self._discovered()
        async with self._client() as client:
            url, _ = client.create_authorization_url(
                found["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), self._signer().dumps(attempt.model_dump())

    async def finish(self, cookie: str | None, address: str) -> tuple[str, str]:
        """The login of whoever came back to `address`, and where they wanted to go.

        Raises `SignInFailed` for anything but an answer to an attempt of this browser; `Unavailable`.
        """
        try:
            held = self._signer().loads(cookie or "", max_age=LONGEST_ATTEMPT_SECONDS)
            attempt = Attempt.model_validate(held)
        except BadData as error:
            raise SignInFailed("no attempt of this browser") from error
        found = await self._discovered()
        try:
            async with self._client() as client:
                token = await client.fetch_token(
                    found["token_endpoint"],
                    authorization_response=address,
                    state=attempt.state,
                    code_verifier=attempt.verifier,
                )
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Unavailable(RefusalCode.ISSUER_AWAY) from error
        except (AuthlibBaseError, ValueError, KeyError) as error:
            raise SignInFailed(f"{type(error).__name__}") from error
        return await self._login_of(token.get("id_token"), attempt.nonce), attempt.back

    async def _login_of(self, id_token: object, nonce: str) -> str:
        try:
            if not isinstance(id_token, str):
                raise SignInFailed("no ID token")
            named = jwt.get_unverified_header(id_token).get("kid")
            key = await (self._keys.key(str(named)) if named else self._keys.only_key())
            if key is None:
                raise SignInFailed("unknown key")
            claims = jwt.decode(
                id_token,
                key.key,
                algorithms=list(ALGORITHMS),
                issuer=self._settings.oidc_issuer,
                audience=self._settings.oidc_client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", self._settings.oidc_person_claim]},
            )
        except (PyJWTError, LookupError, ValueError, TypeError, RecursionError) as error:
            raise SignInFailed(f"{type(error).__name__}") from error
        login = claims.get(self._settings.oidc_person_claim)
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInFailed("another nonce")
        if not isinstance(login, str) or not login:
            raise SignInFailed("no login")
        return login

    async def _discovered(self) -> dict[str, Any]:
        if self._found and time.monotonic() - self._found_at < DISCOVERY_KEPT_SECONDS:
            return self._found
        address = f"{self._settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            async with httpx2.AsyncClient(timeout=PROVIDER_SECONDS) as client:
                found = (await client.get(address)).raise_for_status().json()
            wanted = {name: str(found[name]) for name in ("authorization_endpoint", "token_endpoint", "issuer")}
        except (httpx2.HTTPError, json.JSONDecodeError, LookupError, TypeError) as error:
            raise Unavailable(RefusalCode.ISSUER_AWAY) from error
        if wanted["issuer"].rstrip("/") != self._settings.oidc_issuer.rstrip("/"):
            raise Unavailable(RefusalCode.ISSUER_AWAY)
        self._found, self._found_at = wanted, time.monotonic()
        return wanted

    def _client(self) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self._settings.oidc_client_id,
            client_secret=self._settings.oidc_client_secret.get_secret_value() or None,
            scope=self._settings.oidc_scopes,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            timeout=PROVIDER_SECONDS,
        )

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._settings.link_keys.secrets(), salt=SALT)

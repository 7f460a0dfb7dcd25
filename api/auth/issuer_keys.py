"""The key set of the token issuer: one fetch for all requests that wait for it, cached for all others."""

from __future__ import annotations

import asyncio
import time

from jwt import PyJWK, PyJWKClient, PyJWKSet

from api.problems import Unavailable
from domain.refusals import RefusalCode

FETCH_SECONDS = 5.0
"""Time limit for the issuer's response."""
TRUSTED_SECONDS = 300.0
"""How long a key set is trusted, and so how long a key that the issuer withdrew still counts."""
RENEWED_SECONDS = 150.0
"""Age from which a key set is renewed in the background, so that a slow issuer delays no request."""
COOL_DOWN_SECONDS = 30.0
"""Minimum time between two fetches for an unknown key, or for a renewal in the background after a failure."""
RETRY_SECONDS = 5.0
"""Minimum time until the next fetch after a failure, while requests cannot be served without it."""


class IssuerKeys:
    """The issuer's keys by id.

    A token can name any key id, so unknown ids must not slow down other requests: there is one fetch at a time, with a
    pause after each.
    """

    def __init__(self, url: str) -> None:
        # It follows no redirects. Its own cache is off: it is guarded by a lock that is held during the fetch.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_SECONDS)
        self._set: PyJWKSet | None = None
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._flight: asyncio.Task[None] | None = None

    @property
    def held(self) -> PyJWKSet | None:
        """The key set, while it is not too old to be trusted."""
        return self._set if time.monotonic() - self._fetched_at < TRUSTED_SECONDS else None

    async def key(self, key_id: str) -> PyJWK | None:
        """The issuer's key of that id, or None. Raises `Unavailable` when the key set cannot be fetched."""
        if self.held is None:
            if self._since_tried() >= RETRY_SECONDS or self._flight:
                await self._fetched()
        elif key_id not in self._keys:
            if self._since_tried() >= COOL_DOWN_SECONDS or self._flight:
                await self._fetched()
            elif self._tried_at > self._fetched_at:  # the last fetch failed: the key may be a new one
                raise Unavailable(RefusalCode.ISSUER_AWAY)
        elif time.monotonic() - self._fetched_at >= RENEWED_SECONDS and self._since_tried() >= COOL_DOWN_SECONDS:
            self._begin()
        if self.held is None:
            raise Unavailable(RefusalCode.ISSUER_AWAY)
        return self._keys.get(key_id)

    async def only_key(self) -> PyJWK | None:
        """The issuer's key, if it has one only: its ID tokens then need not name it (OpenID Connect Core 10.1).

        Raises `Unavailable` when the key set cannot be fetched.
        """
        if self.held is None and (self._since_tried() >= RETRY_SECONDS or self._flight):
            await self._fetched()
        if self.held is None:
            raise Unavailable(RefusalCode.ISSUER_AWAY)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _since_tried(self) -> float:
        return time.monotonic() - self._tried_at

    def _begin(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch(), name="issuer keys")
        return self._flight

    async def _fetched(self) -> None:
        """Wait for the fetch in progress, or start one. Raises `Unavailable` when it fails."""
        await asyncio.shield(self._begin())
        if self._tried_at > self._fetched_at:
            raise Unavailable(RefusalCode.ISSUER_AWAY)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):  # the client's own time-out applies to each read
                # In a thread: in embedded mode this very process serves the key set.
                found = await asyncio.to_thread(self._client.get_jwk_set)
        except Exception:  # any failure means there is no usable key set
            self._tried_at = time.monotonic()
        else:
            self._set = found
            self._keys = {key.key_id: key for key in found.keys if key.key_id and key.public_key_use in ("sig", None)}
            self._fetched_at = self._tried_at = time.monotonic()
        finally:
            self._flight = None

"""The key set of the token issuer: fetched once for all who wait for it, and answered from memory by everybody else."""

from __future__ import annotations

import asyncio
import time

from jwt import PyJWK, PyJWKClient, PyJWKSet

from api.problems import Unavailable
from domain.refusals import RefusalCode

FETCH_SECONDS = 5.0
"""How long the issuer may take to answer."""
BELIEVED_SECONDS = 300.0
"""How long a key set counts: a key that the issuer withdrew is believed no longer than that."""
RENEWED_SECONDS = 150.0
"""From this age on a key set is renewed beside the requests, so that a slow issuer holds nobody up."""
COOL_DOWN_SECONDS = 30.0
"""Until the issuer is asked again for a key that it did not have, or beside the requests after it gave no answer."""
AWAY_SECONDS = 5.0
"""Until it is asked again after it gave no answer, where somebody has to wait for it."""


class IssuerKeys:
    """Keys by their id. Tokens name whatever id they like, so an unknown one costs nobody else anything: one fetch at a
    time, and after each a pause."""

    def __init__(self, url: str) -> None:
        # It follows no redirection and keeps nothing here: what it keeps it guards with a lock, during the fetch too.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_SECONDS)
        self._set: PyJWKSet | None = None
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._flight: asyncio.Task[None] | None = None

    @property
    def held(self) -> PyJWKSet | None:
        """The key set, while it is not too old to be believed."""
        return self._set if time.monotonic() - self._fetched_at < BELIEVED_SECONDS else None

    async def key(self, key_id: str) -> PyJWK | None:
        """The issuer's key of that id, None when it has none. Raises `Unavailable` when the key set cannot be had."""
        if self.held is None:
            if self._since_tried() >= AWAY_SECONDS or self._flight:
                await self._fetched()
        elif key_id not in self._keys:
            if self._since_tried() >= COOL_DOWN_SECONDS or self._flight:
                await self._fetched()
            elif self._tried_at > self._fetched_at:  # it gave no answer: the key may be one that it has made since
                raise Unavailable(RefusalCode.ISSUER_AWAY)
        elif time.monotonic() - self._fetched_at >= RENEWED_SECONDS and self._since_tried() >= COOL_DOWN_SECONDS:
            self._begin()
        if self.held is None:
            raise Unavailable(RefusalCode.ISSUER_AWAY)
        return self._keys.get(key_id)

    def _since_tried(self) -> float:
        return time.monotonic() - self._tried_at

    def _begin(self) -> asyncio.Task[None]:
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch(), name="issuer keys")
        return self._flight

    async def _fetched(self) -> None:
        """Wait for the fetch under way, or for a new one. Raises `Unavailable` when it brings nothing."""
        await asyncio.shield(self._begin())
        if self._tried_at > self._fetched_at:
            raise Unavailable(RefusalCode.ISSUER_AWAY)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):  # the client's own is for each read
                # In a thread: in the embedded mode it comes from this very process.
                found = await asyncio.to_thread(self._client.get_jwk_set)
        except Exception:  # whatever it answered, it was no key set
            self._tried_at = time.monotonic()
        else:
            self._set = found
            self._keys = {key.key_id: key for key in found.keys if key.key_id and key.public_key_use in ("sig", None)}
            self._fetched_at = self._tried_at = time.monotonic()
        finally:
            self._flight = None

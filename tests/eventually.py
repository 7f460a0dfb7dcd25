"""Waiting for something that can be seen, with a deadline; never for a number of seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 60.0
"""Real seconds after which a test gives up waiting: many, for a machine busy with others."""


async def eventually(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Poll until `condition` holds. Raises `TimeoutError` saying `what` never came."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        if loop.time() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.005)

"""Plays the whole scenario on an installation that is deleted afterwards."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import time
from pathlib import Path

from rich.console import Console

from crypto.keyring import Keyring
from domain.organisation import Language
from embedded import welcome
from embedded.demo.chapters import CHAPTERS, organisation_text
from embedded.demo.driver import NeverHappened
from embedded.demo.installation import Installation
from embedded.demo.tale import Broken, Tale
from embedded.screen import Screen
from imports.organisation_file import read_organisation
from texts.catalogue import Texts

TROUBLE = (Broken, NeverHappened, LookupError, OSError, ValueError, TypeError, StopIteration)
"""Exceptions that a chapter may raise when the product does not behave as it should."""


async def run(language: Language, *, keep: bool, screen: Screen) -> bool:
    """Play everything and tell it. Returns whether all of it held. Raises StartError.

    Ctrl-C stops it; nothing is left running, and the folder goes unless `keep`.
    """
    texts = Texts(language)
    # Not below another user's folder: as root, PostgreSQL runs as a user of its own.
    folder = Path(tempfile.mkdtemp(prefix="baobei-demo-"))
    playing = asyncio.create_task(_play(folder, texts, screen, keep=keep))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, playing.cancel)
    try:
        return await playing
    except asyncio.CancelledError:
        screen.say(texts.text("demo.stopped"))
        return False
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _play(folder: Path, texts: Texts, screen: Screen, *, keep: bool) -> bool:
    started = time.monotonic()
    screen.say(texts.text("demo.starts"))
    async with Installation(folder, Screen(Console(quiet=True))) as installation:
        seal_keys = Keyring.parse(installation.environment["BAOBEI_SEAL_KEYS"])
        company = read_organisation(organisation_text(texts.language))
        await welcome.import_sample_once(installation.postgres.url(), seal_keys, company)
        screen.say(texts.text("demo.ready", seconds=f"{time.monotonic() - started:.0f}"))
        tale = await asyncio.to_thread(Tale, installation, texts, screen.say)
        for number, (key, chapter) in enumerate(CHAPTERS.items(), 1):
            tale.chapter(number, key)
            try:
                await asyncio.to_thread(chapter, tale)
            except TROUBLE as error:
                tale.judge(False, texts.text("demo.cut_short", why=str(error) or type(error).__name__))
        port = installation.ports.api
    screen.say("")
    seconds = f"{time.monotonic() - started:.0f}"
    key = "demo.all_held" if not tale.failed else "demo.some_failed"
    screen.say(texts.text(key, held=tale.held, failed=tale.failed, seconds=seconds))
    if keep:
        screen.say(texts.text("demo.kept", folder=folder, port=port))
    return not tale.failed

"""The demo plays the whole story and says so, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.support.stack import ROOT


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: under root PostgreSQL is another user, and has to pass through."""
    with tempfile.TemporaryDirectory(prefix="baobei-demo-test-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.mark.timeout(600)
def test_the_demo_holds_in_all_its_chapters_and_leaves_nothing_behind(folder: Path) -> None:
    """N1–N14, P, D and U as `make demo` tells them; the record verifies (X1)."""
    done = subprocess.run(
        [sys.executable, "cli.py", "demo", "--lang", "en"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert re.search(r"All \d{3,} checks passed", done.stdout)
    assert [int(number) for number in re.findall(r"^━━ (\d+)", done.stdout, re.MULTILINE)] == list(range(1, 16))
    assert not re.search(r"/d/[A-Za-z0-9_-]{9,}", done.stdout), "a link is shown shortened, never so that it works"
    assert not list(folder.iterdir())
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
    assert not left

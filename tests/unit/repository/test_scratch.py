"""Folders of tests' servers: whoever uses one keeps it, and what a run that was killed has left goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import scratch as folders
from tests.servers.scratch import PREFIX, scratch

LONG_AGO = (0, 0)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "MEMORY", tmp_path)
    monkeypatch.setattr(folders, "ROOM", 0)
    return tmp_path


def test_a_folder_is_there_while_it_is_used_and_gone_afterwards(memory: Path) -> None:
    with scratch("one") as folder:
        (folder / "file").write_text("x")
        assert folder.parent == memory
    assert list(memory.iterdir()) == []


def test_only_what_nobody_uses_any_more_is_removed(memory: Path) -> None:
    abandoned, just_made, others = memory / f"{PREFIX}old-x", memory / f"{PREFIX}new-x", memory / "somebody-elses"
    for made in (abandoned, just_made, others):
        (made / "data").mkdir(parents=True)
    for old in (abandoned, others):
        os.utime(old, LONG_AGO)
    with scratch("in-use") as used:
        os.utime(used, LONG_AGO)
        with scratch("next") as following:
            assert set(memory.iterdir()) == {used, following, just_made, others}


def test_without_room_in_memory_it_is_a_folder_on_the_disk(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "ROOM", 1 << 60)
    with scratch("one") as folder:
        assert folder.parent != memory
        assert folder.is_dir()

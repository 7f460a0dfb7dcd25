"""The home of the one-machine mode, its ports, and the complaints of the command line."""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.errors import StartError
from embedded.home import Home, environment, read_environment
from embedded.processes.ports import Ports, check_free, free_row
from runtime.settings import Settings, load_settings

ROOT = Path(__file__).parents[3]


def test_a_home_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with Home(tmp_path), pytest.raises(StartError, match=rf"already in use by process {os.getpid()}"):
        Home(tmp_path).open()
    with Home(tmp_path):
        pass


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be written \(Not a directory\)"):
        Home(tmp_path / "file" / "home").open()


@contextlib.contextmanager
def somebody_without_rights() -> Iterator[None]:
    """Root may write everywhere, so it becomes nobody for a while."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_home_without_permission_is_named() -> None:
    with tempfile.TemporaryDirectory(prefix="baobei-closed-") as closed:  # not pytest's own: that one nobody may enter
        Path(closed).chmod(0o555)
        with somebody_without_rights(), pytest.raises(StartError, match=r"cannot be written \(Permission denied\)"):
            Home(Path(closed) / "home").open()


def test_secrets_are_made_once_differ_and_are_private(tmp_path: Path) -> None:
    with Home(tmp_path / "home") as home:
        first = home.secrets()
        home.ensure_dev_key()
        assert home.secrets() == first
        for path in (home.path / "secrets.json", home.dev_key):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert len(set(vars(first).values())) == len(vars(first))


def test_damaged_secrets_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{}")
    with Home(tmp_path) as home, pytest.raises(StartError, match="is damaged"):
        home.secrets()
    assert (tmp_path / "secrets.json").read_text() == "{}"


def test_the_settings_left_for_other_commands_are_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Home(tmp_path) as home:
        values = environment(
            home.path, Ports.from_first(8700), home.secrets(), "postgresql+asyncpg://b:x@127.0.0.1:1/b"
        )
        home.write_environment(values)
    read = read_environment(tmp_path)
    assert read == values
    for name, value in read.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.embedded
    assert settings.home == tmp_path
    assert settings.public_url == "http://127.0.0.1:8700"
    assert {name.lower().removeprefix("baobei_") for name in read if name.startswith("BAOBEI_")} <= set(
        Settings.model_fields
    )
    with pytest.raises(StartError, match="is not a home that was started"):
        read_environment(tmp_path / "elsewhere")


def test_a_busy_port_is_named_with_its_purpose_and_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartError, match=rf"^Port {port} \(wanted for the API\) is already in use.*--port\.$"):
            check_free([("the API", port)])


@pytest.mark.parametrize("first", [0, -1, 65529, 70000])
def test_a_row_of_ports_that_does_not_fit_is_refused(first: int) -> None:
    with pytest.raises(StartError, match="cannot be used"):
        Ports.from_first(first)


def cli(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "cli.py", *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_command_line_errors_are_one_line_without_a_traceback(tmp_path: Path) -> None:
    port = free_row()
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", port)):
        busy = cli("up", "--home", str(tmp_path / "home"), "--port", str(port))
    unwritable = cli("up", "--home", str(tmp_path / "file" / "home"), "--port", str(port))
    with Home(tmp_path / "held"):
        held = cli("up", "--home", str(tmp_path / "held"), "--port", str(port))
    for done, words in (
        (busy, f"Port {port} (wanted for the API) is already in use"),
        (unwritable, "cannot be written"),
        (held, "is already in use by process"),
    ):
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_an_old_python_can_read_the_command_line_and_is_told() -> None:
    source = (ROOT / "cli.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    assert isinstance(tree.body[1], ast.Import)
    assert isinstance(tree.body[2], ast.If)
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.version_info = (3, 6, 9, 'final', 0); exec({source!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("Python 3.11 or newer is needed; this is 3.6")
    assert told.stderr.count("\n") == 1


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").write_text("")
    return subprocess.run(["make", "-C", str(folder), *words], capture_output=True, text=True, check=False, timeout=30)


def test_make_reports_a_wrong_python_in_one_line(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    for script, words in (
        ("#!/bin/sh\nexit 1\n", "Python 3.11 or newer is needed"),
        ('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "install its venv package"),
    ):
        fake.write_text(script)
        fake.chmod(0o755)
        done = make(tmp_path, "up", f"PYTHON={fake}")
        assert done.returncode != 0
        assert words in done.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()
    assert "Python 3.11 or newer is needed" in make(tmp_path, "up", "PYTHON=").stderr


def test_make_help_lists_every_target(tmp_path: Path) -> None:
    listed = {line.split()[1] for line in make(tmp_path, "help").stdout.splitlines() if line.startswith("  make ")}
    assert listed == {"up", "test", "check", "demo", "bench", "lock", "format", "help", "clean"}

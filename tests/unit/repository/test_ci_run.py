"""The gate calls both words, in order, and stops loudly at the first that fails."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / ".ci" / "run"


def run(folder: Path, fails: str) -> tuple[int, list[str]]:
    """Run the gate with a `make` that only writes down what it is asked for, and fails at `fails`."""
    asked = folder / "asked"
    make = folder / "make"
    make.write_text(f'#!/bin/sh\necho "$1" >> {asked}\n[ "$1" != "{fails}" ]\n')
    make.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    finished = subprocess.run([SCRIPT], env=environment, cwd=folder, capture_output=True, timeout=60, check=False)
    return finished.returncode, asked.read_text().split()


@pytest.mark.parametrize(
    ("fails", "code", "asked"),
    [("", 0, ["check", "test"]), ("check", 1, ["check"]), ("test", 1, ["check", "test"])],
)
def test_check_then_test(tmp_path: Path, fails: str, code: int, asked: list[str]) -> None:
    assert run(tmp_path, fails) == (code, asked)

"""The gate calls both words, in order, and stops loudly at the first that fails."""

import importlib.resources
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / ".ci" / "run"


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


def test_the_public_ci_runs_the_same_gate() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        (".github/workflows/ci.yml", "github-workflows"),
        (".github/dependabot.yml", "dependabot"),
        (".github/ISSUE_TEMPLATE/bug.yml", "github-issue-forms"),
        (".github/ISSUE_TEMPLATE/rule.yml", "github-issue-forms"),
        (".github/ISSUE_TEMPLATE/config.yml", "github-issue-config"),
    ],
)
def test_the_files_for_the_host_of_the_repository_follow_their_schemas(file: str, schema: str) -> None:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json"
    rules = json.loads(vendored.read_text(encoding="utf-8"))
    read = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    named = {"on" if key is True else key: value for key, value in read.items()}  # YAML 1.1 takes `on` for true
    assert [error.message for error in jsonschema.validators.validator_for(rules)(rules).iter_errors(named)] == []


def test_the_hooks_call_what_make_check_calls() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for tool in ("ruff format", "ruff check", "mypy ."):
        assert any(entry.startswith(f".venv/bin/{tool}") for entry in entries)
        assert f"$(BIN)/{tool}" in makefile

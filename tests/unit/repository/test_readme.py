"""What the two READMEs name exists, and they name the same; the pages beside them keep their promises too."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import temporalio.bridge
import typer.main

from cli import app
from domain.policy import Policy
from domain.tasks.task import TaskKind
from runtime.settings import Settings, variable

ROOT = Path(__file__).parents[3]
READMES = ("README.md", "README.zh.md")
PAGES = (
    *READMES,
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "tests/README.md",
    *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md"))),
)
OUTSIDE_SETTINGS = {"BAOBEI_TAG"}
"""Read by the Compose file, not by a process."""


def words(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def make_words(page: str) -> set[str]:
    return set(re.findall(r"\bmake ([a-z]+)(?=[` \n])", " ".join(code(page))))


def code(page: str) -> list[str]:
    """What stands in backticks, and indented blocks."""
    text = words(page)
    indented = re.findall(r"^    (?=\S)(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return [f"{snippet} " for snippet in [*re.findall(r"`([^`\n]+)`", text), *indented]]


def cli_commands(page: str) -> set[str]:
    return set(re.findall(r"\bcli\.py ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", words(page)))


def variables(page: str) -> set[str]:
    return set(re.findall(r"\b(?:BAOBEI|TEMPORAL)_[A-Z_]+\b", words(page)))


def paths(page: str) -> set[str]:
    """Files and folders in backticks, and the targets of links within the project."""
    quoted = {
        snippet.strip()
        for snippet in code(page)
        if re.fullmatch(r"(?!/)[\w.-]+(/[\w.-]+)*/ |[\w./-]+\.(py|toml|csv|md|yml|sh|in|lock|json) ", snippet)
    }
    here = (ROOT / page).parent
    linked = {
        str((here / target.partition("#")[0]).resolve().relative_to(ROOT))
        for target in re.findall(r"\]\(([^)#][^)]*)\)", words(page))
        if "://" not in target
    }
    return quoted | linked


def shared(name: Callable[[str], set[str]]) -> set[str]:
    """What both READMEs name, which has to be the same."""
    english, chinese = (name(page) - set(READMES) for page in READMES)
    assert english == chinese
    assert english
    return english


def test_the_make_targets_exist_and_all_are_named() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", words("Makefile"), re.MULTILINE)
    assert shared(make_words) == set(phony.split())


def test_the_commands_exist_and_all_are_named() -> None:
    assert shared(cli_commands) == set(leaves(typer.main.get_command(app)))


def leaves(command: Any, *path: str) -> list[str]:
    inside: dict[str, Any] | None = getattr(command, "commands", None)
    if inside is None:
        return [" ".join(path)]
    return [leaf for name, inner in inside.items() for leaf in leaves(inner, *path, name)]


def test_the_settings_exist_and_all_are_named() -> None:
    ours = {name for name in shared(variables) if name.startswith("BAOBEI_")}
    assert ours == {variable(name) for name in Settings.model_fields}


def test_temporals_own_variables_are_read_by_its_client() -> None:
    (library,) = Path(temporalio.bridge.__file__).parent.glob("*temporal_sdk_bridge*")
    known = library.read_bytes()
    theirs = {name for name in shared(variables) if name.startswith("TEMPORAL_")} - {"TEMPORAL_CONFIG_FILE"}
    assert not [name for name in theirs if name.encode() not in known]


@pytest.mark.parametrize("page", PAGES)
def test_the_paths_exist(page: str) -> None:
    made_by_the_reader = {"record.jsonl", "org.toml", "/org.toml", ".home"}
    missing = {path for path in paths(page) - made_by_the_reader if not _somewhere(path)}
    assert not missing


def _somewhere(path: str) -> bool:
    """As it stands, or, for a file named without its folder, as the only one of its name that is meant."""
    return (ROOT / path).exists() or (("/" not in path) and any(ROOT.glob(f"[!.]*/{path}")))


def test_both_readmes_name_the_same_paths_and_have_the_same_sections() -> None:
    shared(paths)
    headings = [re.findall(r"^#+", words(page), re.MULTILINE) for page in READMES]
    assert headings[0] == headings[1]
    rows = [words(page).count("\n| ") for page in READMES]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_name_beyond_the_readmes_exists(page: str) -> None:
    assert cli_commands(page) <= set(leaves(typer.main.get_command(app)))
    ours = {name for name in variables(page) if name.startswith("BAOBEI_")}
    assert ours <= {variable(name) for name in Settings.model_fields} | OUTSIDE_SETTINGS


def test_links_within_the_pages_go_to_headings_that_are_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)]*#[^)]+)\)", words(page)):
            file, _, anchor = target.partition("#")
            there = ((ROOT / page).parent / file).resolve() if file else ROOT / page
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
            }, target


def test_the_policy_page_names_every_field() -> None:
    text = words("docs/policy.md")
    for name, field in Policy.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        for key in inner or {name: None}:
            named = f"`{key}`" in text or f"`{name}.{key}`" in text or f"[{key}." in text
            assert named, (name, key)
    assert all(f"`{kind.value}`" in text for kind in TaskKind)


def test_every_decision_is_in_the_index() -> None:
    pages = {page.name for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert pages == set(re.findall(r"\((\d[\w-]+\.md)\)", words("docs/decisions/README.md")))

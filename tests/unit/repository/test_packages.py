"""The locks pin what `pyproject.toml` names, with hashes, and name no index address."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> set[str]:
    """The packages of `requirements`, without extras, versions and markers."""
    return {normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


def pinned(lock: str) -> dict[str, str]:
    """Package to version, as `lock` has them."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    return {normal(name): version for name, version in found}


def test_what_the_project_names_is_locked() -> None:
    product = named(PROJECT["project"]["dependencies"])
    tools = named(PROJECT["dependency-groups"]["dev"])
    assert product <= pinned("requirements.lock").keys()
    assert product | tools <= pinned("requirements-dev.lock").keys()
    assert not product & tools


def test_tests_run_on_the_versions_of_the_product() -> None:
    assert pinned("requirements.lock").items() <= pinned("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes_and_no_address_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in package for package in packages if package.strip())

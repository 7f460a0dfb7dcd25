"""The version of the product, which stands once: in `pyproject.toml`."""

import tomllib
from pathlib import Path
from typing import Final

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"

VERSION: Final[str] = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]

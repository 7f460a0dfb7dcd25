"""Data goes one way: the arrows between rooms that design allows, and none besides."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

EVERYTHING = frozenset(
    "domain matching conflicts crypto texts workflows db activities api embedded bench settings temporal_client cli "
    "keys_in_use logs sandbox schedules worker_health commands reports registered startup".split()
)
"""What composition may import: every room, but never `worker`, which is only ever run."""

ALLOWED: dict[str, frozenset[str]] = {
    "domain": frozenset(),
    "matching": frozenset({"domain"}),
    "crypto": frozenset({"domain"}),
    "texts": frozenset({"domain"}),
    "reports": frozenset({"domain", "texts"}),
    "workflows": frozenset({"domain", "texts", "activities"}),
    "db": frozenset({"domain"}),
    "conflicts": frozenset({"domain", "matching", "db"}),
    "activities": frozenset({"domain", "matching", "conflicts", "db", "settings", "crypto", "texts", "reports"}),
    "api": frozenset(
        {"domain", "conflicts", "db", "workflows", "settings", "crypto", "texts", "temporal_client", "reports"}
    ),
    # Composition, but narrow: rooms or other composition import them.
    "settings": frozenset({"domain", "crypto"}),
    "temporal_client": frozenset({"settings", "crypto", "workflows"}),
    "registered": frozenset({"activities", "workflows"}),
    "startup": frozenset(),
    "schedules": frozenset({"domain", "workflows"}),
    "logs": frozenset({"settings"}),
    "worker_health": frozenset({"settings"}),
    "sandbox": frozenset({"workflows"}),
    "keys_in_use": frozenset({"settings", "crypto", "db"}),
    "embedded": EVERYTHING,
    "cli": EVERYTHING,
    "commands": EVERYTHING,
    "worker": EVERYTHING,
    "bench": EVERYTHING,
}
COMPOSITION = frozenset({"embedded", "cli", "commands", "worker", "bench"})

RESERVED: dict[str, frozenset[str]] = {
    "sqlalchemy": frozenset({"db", "activities", "conflicts"}) | COMPOSITION,
    "asyncpg": frozenset({"db", "activities"}) | COMPOSITION,
    "alembic": frozenset({"db"}) | COMPOSITION,
    "fastapi": frozenset({"api", "embedded"}),
    "starlette": frozenset({"api", "embedded"}),
    "temporalio": frozenset(ALLOWED) - {"domain", "matching", "conflicts", "texts", "db", "settings"},
    "asyncio": frozenset(ALLOWED) - {"domain", "matching", "texts", "crypto", "settings"},
}
"""Outside libraries that belong to some rooms only."""

CLOCKS = frozenset({"now", "utcnow", "today"})
"""`datetime.now()` and its like: in the domain the time is an argument."""

NOT_ROOMS = frozenset({"tests", "docs"})


class Import(NamedTuple):
    line: int
    target: str
    """The first part of the imported name: a room of ours, a library, or a module of the language."""


def imports_of(source: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Everything `source`, a module in `package`, imports: anywhere, relatively, and by name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name.partition(".")[0]) for alias in names)
            case ast.ImportFrom(module=module, level=0):
                yield Import(node.lineno, str(module).partition(".")[0])
            case ast.ImportFrom(names=names, module=module, level=level):
                kept = package[: len(package) - level + 1]
                if kept or module:
                    yield Import(node.lineno, (*kept, *str(module).split("."))[0])
                else:
                    yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(node.lineno, (name.partition(".")[0] if not name.startswith(".") else package[0]))


def forbidden(source: str, path: str) -> list[str]:
    """What `source`, standing at `path`, may not do; one readable line for each."""
    parts = Path(path).with_suffix("").parts
    room, package = parts[0], parts[:-1]
    found = []
    for line, target in imports_of(source, package):
        ours = target in ALLOWED or target in NOT_ROOMS
        if ours and target != room and target not in ALLOWED[room]:
            found.append(f"{path}:{line}: {room} may not import {target}")
        if target in RESERVED and room not in RESERVED[target]:
            found.append(f"{path}:{line}: {target} has no place in {room}")
    if room == "domain":
        found += [
            f"{path}:{node.lineno}: the domain asks no clock"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
        ]
    return found


def modules() -> list[Path]:
    """Every Python file of the product, relative to the root."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    return sorted(path for path in found if not path.parts[0].startswith(".") and path.parts[0] not in NOT_ROOMS)


def test_every_module_stands_in_a_room_of_the_table() -> None:
    assert {path.with_suffix("").parts[0] for path in modules()} <= set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_the_modules_of_a_room_import_only_along_the_arrows(room: str) -> None:
    of_room = [path for path in modules() if path.with_suffix("").parts[0] == room]
    assert of_room
    found = [one for path in of_room for one in forbidden((ROOT / path).read_text(encoding="utf-8"), path.as_posix())]
    assert found == []


@pytest.mark.parametrize("room", ["workflows", "domain"])
def test_what_the_sandbox_runs_again_for_every_instance_stays_empty(room: str) -> None:
    assert (ROOT / room / "__init__.py").read_bytes() == b""


def test_nobody_may_import_the_worker() -> None:
    assert not any("worker" in allowed for allowed in ALLOWED.values())


def test_the_arrows_between_rooms_make_no_circle() -> None:
    left = {room: allowed for room, allowed in ALLOWED.items() if room not in COMPOSITION}
    while left:
        leaves = [room for room, allowed in left.items() if not allowed & left.keys()]
        assert leaves, f"a circle among {sorted(left)}"
        for room in leaves:
            del left[room]


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("domain/x.py", "import temporalio.workflow", "temporalio has no place in domain"),
        ("domain/x.py", "def f():\n    import asyncio", "domain/x.py:2: asyncio has no place in domain"),
        ("domain/x.py", "from sqlalchemy.orm import Session", "sqlalchemy has no place in domain"),
        ("domain/x.py", "from datetime import datetime\nx = datetime.now()", "asks no clock"),
        ("domain/x.py", "import datetime\nx = datetime.datetime.utcnow()", "asks no clock"),
        ("domain/x.py", "import db.tables", "domain may not import db"),
        ("workflows/x.py", "if True:\n    from db import tables", "workflows may not import db"),
        ("workflows/x.py", "from . import y\nfrom .. import db", "workflows may not import db"),
        ("workflows/x.py", "from ..db import tables", "workflows may not import db"),
        ("workflows/inner/x.py", "from ...db.tables import T", "workflows may not import db"),
        ("activities/x.py", "import importlib\nimportlib.import_module('api.app')", "activities may not import api"),
        ("api/x.py", "from activities.records import Records", "api may not import activities"),
        ("api/x.py", "import sqlalchemy", "sqlalchemy has no place in api"),
        ("texts/x.py", "import fastapi", "fastapi has no place in texts"),
        ("cli.py", "import worker", "cli may not import worker"),
        ("embedded/x.py", "from worker import main", "embedded may not import worker"),
        ("db/x.py", "from tests.unit import helpers", "db may not import tests"),
    ],
)
def test_this_test_sees_a_wrong_arrow(path: str, source: str, complaint: str) -> None:
    assert any(complaint in found for found in forbidden(source, path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("domain/x.py", "from domain.base import Frozen\nfrom . import base\nimport re"),
        ("activities/x.py", "from db.tables import T\nimport sqlalchemy\nfrom datetime import datetime"),
        ("api/x.py", "from workflows.messages import Start\nimport fastapi\nimport temporal_client"),
        ("worker.py", "import activities.records, workflows.messages, settings"),
    ],
)
def test_this_test_lets_right_arrows_pass(path: str, source: str) -> None:
    assert forbidden(source, path) == []

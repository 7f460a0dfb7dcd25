"""Data goes one way: the arrows between rooms that design allows, and none besides."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]

ALLOWED: dict[str, str] = {
    "domain": "",
    "matching": "domain",
    "crypto": "domain",
    "texts": "domain",
    "db": "domain",
    "reports": "domain texts",
    "conflicts": "domain matching db",
    "imports": "domain texts db crypto matching conflicts",
    "activities": "domain matching conflicts db texts reports crypto",
    "workflows": "domain activities texts",
    "documents": "domain db crypto",
    "delivery": "domain db texts reports crypto runtime.settings",
    "api": "domain db conflicts texts reports crypto documents workflows.messages "
    "runtime.settings runtime.temporal_client runtime.version",
    "web": "api domain db conflicts texts reports crypto documents workflows.messages runtime.settings",
    "runtime": "domain db crypto activities workflows",
    "commands": "EVERYTHING",
    "embedded": "EVERYTHING",
    "bench": "EVERYTHING",
    "cli": "EVERYTHING",
    "worker": "EVERYTHING",
}
"""What each room may import beside itself and libraries: whole rooms, or single modules of one."""

COMPOSITION = frozenset(room for room, allowed in ALLOWED.items() if allowed == "EVERYTHING")
"""They put the other rooms together: they may import all of them, but nobody imports `worker`, which is only run."""

RESERVED: dict[str, frozenset[str]] = {
    "sqlalchemy": frozenset({"db", "activities", "conflicts", "imports", "delivery", "documents"}) | COMPOSITION,
    "asyncpg": frozenset({"db", "activities", "delivery"}) | COMPOSITION,
    "alembic": frozenset({"db"}) | COMPOSITION,
    "obstore": frozenset({"documents"}),
    "puremagic": frozenset({"documents"}),
    "fastapi": frozenset({"api", "web", "embedded"}),
    "starlette": frozenset({"api", "web", "embedded", "runtime"}),
    "temporalio": frozenset(ALLOWED) - {"domain", "matching", "conflicts", "texts", "db", "reports", "imports", "web"},
    "asyncio": frozenset(ALLOWED) - {"domain", "matching", "texts", "crypto", "reports"},
}
"""Outside libraries that belong to some rooms only."""

CLOCKS = frozenset({"now", "utcnow", "today"})
"""`datetime.now()` and its like: in the domain the time is an argument."""

NOT_ROOMS = frozenset({"tests", "docs"})


class Import(NamedTuple):
    line: int
    target: str
    """The dotted name that is imported: a module, or a name in one."""

    @property
    def room(self) -> str:
        return self.target.partition(".")[0]


def imports_of(source: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Everything `source`, a module in `package`, imports: anywhere, relatively, and by name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(names=names, module=module, level=level):
                parents = package[: len(package) - level + 1] if level else ()
                base = ".".join((*parents, *([module] if module else [])))
                yield from (Import(node.lineno, f"{base}.{alias.name}".lstrip(".")) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(node.lineno, name if not name.startswith(".") else package[0])


def permits(room: str, target: str) -> bool:
    """Whether a module in `room` may import `target`, a dotted name of ours."""
    if ALLOWED[room] == "EVERYTHING":
        return target.partition(".")[0] not in {"worker", *NOT_ROOMS}
    return any(target == allowed or target.startswith(f"{allowed}.") for allowed in (room, *ALLOWED[room].split()))


def forbidden(source: str, path: str) -> list[str]:
    """What `source`, standing at `path`, may not do; one readable line for each."""
    parts = Path(path).with_suffix("").parts
    room, package = parts[0], parts[:-1]
    found = []
    for line, target in (imported[:2] for imported in imports_of(source, package)):
        top = target.partition(".")[0]
        if (top in ALLOWED or top in NOT_ROOMS) and not permits(room, target):
            found.append(f"{path}:{line}: {room} may not import {target}")
        if top in RESERVED and room not in RESERVED[top]:
            found.append(f"{path}:{line}: {top} has no place in {room}")
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
    found = [
        wrong for path in of_room for wrong in forbidden((ROOT / path).read_text(encoding="utf-8"), path.as_posix())
    ]
    assert found == []


@pytest.mark.parametrize("room", ["workflows", "domain"])
def test_what_the_sandbox_runs_again_for_every_instance_stays_empty(room: str) -> None:
    assert (ROOT / room / "__init__.py").read_bytes() == b""


def routes_imported_by_routes(source: str, path: str) -> list[str]:
    """The modules named `routes` that another one, standing at `path`, imports."""
    parts = Path(path).with_suffix("").parts
    if parts[-1] != "routes":
        return []
    return [target for _, target in imports_of(source, parts[:-1]) if "routes" in target.split(".")]


def test_routes_never_import_routes() -> None:
    """What several routes share is a parameter (`api/params.py`), an answer or a view, and has a place of its own."""
    routes = [path for path in modules() if path.stem == "routes"]
    assert len(routes) > 5
    found = {
        path.as_posix(): routes_imported_by_routes((ROOT / path).read_text(encoding="utf-8"), path.as_posix())
        for path in routes
    }
    assert {path: targets for path, targets in found.items() if targets} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from api.tasks.routes import check_answer", ["api.tasks.routes.check_answer"]),
        ("from api.tasks import routes", ["api.tasks.routes"]),
        ("def f():\n    import api.tasks.routes", ["api.tasks.routes"]),
        ("from ..tasks.routes import x", ["api.tasks.routes.x"]),
        ("from api.tasks.answering import check_answer", []),
    ],
)
def test_this_test_sees_routes_that_import_routes(source: str, found: list[str]) -> None:
    assert routes_imported_by_routes(source, "api/projects/routes.py") == found
    assert routes_imported_by_routes(source, "api/app.py") == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {name_of(path): path for path in modules()}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, path in names.items():
        for imported in imports_of((ROOT / path).read_text(encoding="utf-8"), path.parts[:-1]):
            target = imported.target if imported.target in names else imported.target.rpartition(".")[0]
            if target in names and target != name:
                sorter.add(name, target)
    try:
        sorter.prepare()
    except CycleError as circle:
        pytest.fail(f"a circle: {' -> '.join(circle.args[1])}")


def name_of(path: Path) -> str:
    """The dotted name of a module at `path`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def test_the_readme_lists_the_rooms_of_this_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)/` \|", readme, flags=re.MULTILINE))
    assert listed - {"deploy", "docs", "tests"} == {room for room in ALLOWED if (ROOT / room).is_dir()}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("domain/x.py", "import temporalio.workflow", "temporalio has no place in domain"),
        ("domain/x.py", "def f():\n    import asyncio", "domain/x.py:2: asyncio has no place in domain"),
        ("domain/x.py", "from sqlalchemy.orm import Session", "sqlalchemy has no place in domain"),
        ("domain/x.py", "from datetime import datetime\nx = datetime.now()", "asks no clock"),
        ("domain/x.py", "import datetime\nx = datetime.datetime.utcnow()", "asks no clock"),
        ("domain/x.py", "import db.tables", "domain may not import db.tables"),
        ("workflows/x.py", "if True:\n    from db import tables", "workflows may not import db"),
        ("workflows/x.py", "from . import y\nfrom .. import db", "workflows may not import db"),
        ("workflows/x.py", "from ..db import tables", "workflows may not import db"),
        ("workflows/inner/x.py", "from ...db.tables import T", "workflows may not import db"),
        ("activities/x.py", "import importlib\nimportlib.import_module('api.app')", "activities may not import api"),
        ("api/x.py", "from activities.tasks.records import Records", "api may not import activities"),
        ("api/x.py", "from workflows.desk import Desk", "api may not import workflows.desk.Desk"),
        ("api/x.py", "from runtime import schedules", "api may not import runtime.schedules"),
        ("api/x.py", "from web.pages import render", "api may not import web.pages.render"),
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
        ("worker.py", "import activities.tasks.records, workflows.messages, settings"),
    ],
)
def test_this_test_lets_right_arrows_pass(path: str, source: str) -> None:
    assert forbidden(source, path) == []

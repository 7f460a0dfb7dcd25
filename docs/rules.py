"""Make `docs/rules.md`: every rule in a sentence, where it is decided, and which tests name it.

    .venv/bin/python -m docs.rules

The sentences stand in `docs/rules.toml`. The rest is read from the code: a rule is decided where a module names its id,
and tested by every test whose name carries it, such as `test_n9_a_rejection_needs_a_reason`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SENTENCES = ROOT / "docs" / "rules.toml"
PAGE = ROOT / "docs" / "rules.md"

DECIDING_ROOM = "domain"
NOT_THE_PRODUCT = frozenset({"tests", "docs", "bench", "embedded"})
MOST_SHOWN = 3
"""Modules and test files that a row names. How many more there are is left out: the page would always be stale."""

CHAPTERS = {
    "A": "Principles · 原则",
    "N": "Named Account application · 大客户申请",
    "E": "Eligibility · 基本条件",
    "P": "Project registration · 项目登记",
    "D": "Disputes · 争议",
    "U": "Project life · 项目过程",
    "R": "Reviews · 评审",
    "L": "A company that changes · 变化中的公司",
    "X": "Across all of it · 通用",
}

_ID = re.compile(r"\b([ANEPDURLX])([1-9]\d?)(?:(?:–|-| to )([ANEPDURLX])?([1-9]\d?))?\b")
_IN_TEST_NAME = re.compile(r"_([anepdurlx][1-9]\d?)(?=_|$)")

HEAD = """# The rules of the regulation

Every rule has one id, and code, tests and documents name it by that id. This page is made by `python -m docs.rules`
from `docs/rules.toml` and from the code; do not edit it by hand. *Decided in* names the modules that cite the rule
most, those of `domain/` where it has any. *Tested in* names the files with the most tests that carry the id in their
names; `git grep -i "_n9_" tests` finds every test of N9.
"""


@dataclass(frozen=True)
class Rule:
    """One rule: its sentences, where the regulation is decided, and what tests it."""

    id: str
    english: str
    chinese: str
    planned: bool
    decided: tuple[str, ...]
    """Paths of modules, most citations first."""
    tested: tuple[str, ...]
    """Paths of test files, most tests first."""


def rule_ids(text: str) -> Iterator[str]:
    """Every rule id that `text` cites; a range such as U2–U4 or N1 to N3 cites all its members."""
    for letter, first, until, last in _ID.findall(text):
        yield f"{letter}{first}"
        if last and until in ("", letter):
            yield from (f"{letter}{number}" for number in range(int(first) + 1, int(last) + 1))


def modules(*, of_tests: bool) -> Iterator[tuple[str, str]]:
    """Path and source of every Python file of the tests, or of the product without its tools and measurements."""
    for path in sorted(ROOT.rglob("*.py")):
        room = path.relative_to(ROOT).parts[0]
        if (room == "tests") if of_tests else not room.startswith(".") and room not in NOT_THE_PRODUCT:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def citations() -> dict[str, Counter[str]]:
    """For each rule id, how often each module of the product cites it."""
    cited: dict[str, Counter[str]] = {}
    for path, source in modules(of_tests=False):
        for rule_id in rule_ids(source):
            cited.setdefault(rule_id, Counter())[path] += 1
    return cited


def named_tests() -> dict[str, Counter[str]]:
    """For each rule id, how many tests of each file carry it in their names."""
    named: dict[str, Counter[str]] = {}
    for path, source in modules(of_tests=True):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for rule_id in _IN_TEST_NAME.findall(node.name):
                    named.setdefault(rule_id.upper(), Counter())[path] += 1
    return named


def _ranked(counted: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(counted, key=lambda path: (-counted[path], path)))


def rules() -> list[Rule]:
    """Every rule of `docs/rules.toml`, in its order, with what the code says of it.

    Raises `KeyError` where a rule lacks a sentence in one of the languages.
    """
    cited, named = citations(), named_tests()
    found = []
    for rule_id, entry in tomllib.loads(SENTENCES.read_text(encoding="utf-8")).items():
        by_module = cited.get(rule_id, Counter())
        domain = {path: count for path, count in by_module.items() if path.startswith(f"{DECIDING_ROOM}/")}
        found.append(
            Rule(
                id=rule_id,
                english=entry["en"],
                chinese=entry["zh"],
                planned=entry.get("planned", False),
                decided=tuple(entry.get("decided", ())) or _ranked(domain or by_module),
                tested=_ranked(named.get(rule_id, Counter())),
            )
        )
    return found


def _links(paths: tuple[str, ...]) -> str:
    shown = [f"[{path}](../{path})" for path in paths[:MOST_SHOWN]]
    return "<br>".join([*shown, "…"] if len(paths) > len(shown) else shown)


def page(all_rules: Iterable[Rule]) -> str:
    """The Markdown of `docs/rules.md`."""
    lines = [HEAD]
    chapter = ""
    for rule in all_rules:
        if rule.id[0] != chapter:
            chapter = rule.id[0]
            lines += [f"## {chapter}. {CHAPTERS[chapter]}", "", "| id | rule | decided in | tested in |"]
            lines += ["| --- | --- | --- | --- |"]
        decided = "planned" if rule.planned else _links(rule.decided)
        tested = "planned" if rule.planned else _links(rule.tested)
        lines.append(f"| {rule.id} | {rule.english}<br>{rule.chinese} | {decided} | {tested} |")
    return re.sub(r"\n(## )", r"\n\n\1", "\n".join(lines)).replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(rules()), encoding="utf-8")

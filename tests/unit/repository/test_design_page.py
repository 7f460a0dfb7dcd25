"""`docs/design.md` has the principles that code and pages cite, and the arrows that the import test allows."""

import re
from pathlib import Path

from tests.unit.repository.test_imports import ALLOWED, COMPOSITION

ROOT = Path(__file__).parents[3]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
PRINCIPLES = {int(number) for number in re.findall(r"^(\d+)\. \*\*", DESIGN, re.MULTILINE)}
CITED = re.compile(r"\bprinciples? (\d+(?:(?:, | and )\d+)*)", re.IGNORECASE)


def cited(text: str) -> set[int]:
    """The numbers of the principles that `text` cites, also across the end of a line."""
    return {int(number) for found in CITED.findall(" ".join(text.split())) for number in re.findall(r"\d+", found)}


def test_the_principles_are_numbered_without_a_gap() -> None:
    assert sorted(PRINCIPLES) == list(range(1, len(PRINCIPLES) + 1))


def test_every_principle_that_is_cited_exists() -> None:
    pages = [
        path for path in ROOT.rglob("*") if path.suffix in {".py", ".md"} and path.relative_to(ROOT).parts[0][0] != "."
    ]
    found = {number: path for path in pages for number in cited(path.read_text(encoding="utf-8"))}
    assert found.keys() <= PRINCIPLES, {number: found[number] for number in found.keys() - PRINCIPLES}
    assert found


def test_citations_are_found_alone_and_in_lists() -> None:
    assert cited("(design principle 8)") == {8}
    assert cited("Principles 1, 4\nand 12 hold") == {1, 4, 12}
    assert cited("a matter of principle") == set()


def test_the_table_of_rooms_has_the_arrows_that_the_import_test_allows() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", DESIGN, re.MULTILINE)
    assert {room: set(re.findall(r"`([\w.]+)`", arrows)) for room, arrows in rows} == {
        room: set(allowed.split()) for room, allowed in ALLOWED.items() if room not in COMPOSITION
    }

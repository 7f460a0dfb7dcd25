"""The figures of conflict checks on the page."""

from __future__ import annotations

from bench.conflicts.data import Filled
from bench.conflicts.matching import HEADING, AtSize, Checks, checks_section
from bench.conflicts.names import invented
from bench.life.report import with_section


def at(names: int, check: float, reference: float) -> AtSize:
    filled = Filled(names, 12.0, 5 << 20, 7 << 20)
    return AtSize(filled, [check] * 10, [reference] * 3, [2 * check] * 5, 0.4, 3 << 20)


def test_the_largest_is_held_against_the_reference_and_the_smallest() -> None:
    section = "\n".join(checks_section(Checks([at(10_000, 0.02, 0.05), at(1_000_000, 0.05, 0.5)])))
    assert "0.10 of the reference (at most 0.2: holds), 2.5 times its own at 10,000 (at most 4.0: holds)" in section
    assert "| 1,000,000 | 50, 50 ms | 500, 500 ms | 100, 400 ms | 12 s | 5, 7 MiB | 3 MiB |" in section
    slow = "\n".join(checks_section(Checks([at(10_000, 0.02, 0.05), at(1_000_000, 0.2, 0.5)])))
    assert slow.count("**missed**") == 2


def test_the_section_takes_the_place_of_an_earlier_one() -> None:
    page = f"# Page\n\nother\n\n{HEADING}\n\nold\n\n## After\n\nkept\n"
    written = with_section(page, [HEADING, "", "new", ""])
    assert "old" not in written
    assert written.index("other") < written.index("new") < written.index("kept")


def test_made_up_names_are_all_different_and_always_the_same() -> None:
    names = list(invented(500))
    assert len(set(names)) == 500
    assert names == list(invented(500))
    assert names != list(invented(500, seed=2))

"""The figures of the console's pages on the page of benchmarks."""

from __future__ import annotations

from bench.pages.browser import Visit
from bench.pages.pages import LookUps, Pages, Timed
from bench.pages.report import pages_section


def section(*, whole: float = 0.1, tenth: float = 0.1, loaded: int = 20_000, look: float = 0.1) -> str:
    done = Pages(
        projects=100_000,
        asked={"a clerk": 1_200},
        own=300,
        tasks=10_000,
        timed=[Timed("/inbox", "a clerk", [tenth] * 20, [whole] * 20, 26_000)],
        visits={"a clerk": Visit(page=8_000, loaded=loaded, packed=9_000, encodings=frozenset({"gzip"}))},
        look_ups=LookUps(apart=[look] * 20, together=[look] * 20, found=7, cut_short=0),
        seconds=60.0,
    )
    return "\n".join(pages_section(done))


def test_what_holds_is_said_to_hold() -> None:
    assert "**missed**" not in section()
    assert "| `/inbox` | a clerk | 100, 100 ms | 100, 100 ms | holds | 1.00 holds | 26.0 |" in section()


def test_what_is_too_slow_too_much_or_grows_is_said_to_be_missed() -> None:
    assert section(whole=0.2, tenth=0.2).count("**missed**") == 1
    assert section(whole=0.1, tenth=0.05).count("**missed**") == 1
    assert section(loaded=60_000).count("**missed**") == 1
    assert section(look=0.4).count("**missed**") == 2

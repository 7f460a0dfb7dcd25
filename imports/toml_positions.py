"""Finds the lines of keys in a TOML document, which `tomllib` does not report."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_GAP = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# The four kinds of string, longer quotes first.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^\"'#\[\]{}\n]+")


class TomlLines:
    """Lines of every table and key of `text`, a document that `tomllib` has accepted.

    Keys inside inline tables are not told apart: they stand where their outermost key stands.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._scan()

    def of(self, *path: str | int) -> int | None:
        """The line, from 1, of `path` (array elements by index from 0), or of its nearest parent."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None

    def _scan(self) -> None:
        text, position, table = self._text, 0, Path()
        while (position := self._skip(_BLANK, position)) < len(text):
            start = position
            if text[position] == "[":
                array = text.startswith("[[", position)
                parts, position = self._key(position + (2 if array else 1))
                table = self._enter(parts, array, start)
                position = self._end_of_line(position)
            else:
                parts, position = self._key(position)
                for length in range(1, len(parts) + 1):
                    self._note(table + tuple(parts[:length]), start)
                position = self._end_of_line(position)
            if position <= start:  # impossible in a valid document; prevents an endless loop otherwise
                return

    def _note(self, path: Path, position: int) -> None:
        self._lines.setdefault(path, bisect_left(self._ends, position) + 1)

    def _skip(self, pattern: re.Pattern[str], position: int) -> int:
        match = pattern.match(self._text, position)
        return match.end() if match else position

    def _key(self, position: int) -> tuple[list[str], int]:
        """The parts of a dotted key and the position behind it."""
        parts: list[str] = []
        while True:
            position = self._skip(_GAP, position)
            match = _BARE.match(self._text, position) or _STRING.match(self._text, position)
            if match is None:
                return parts, position
            raw = match.group()
            parts.append(tomllib.loads(f"k = {raw}")["k"] if raw[0] in "\"'" else raw)
            position = self._skip(_GAP, match.end())
            if not self._text.startswith(".", position):
                return parts, position
            position += 1

    def _enter(self, parts: list[str], array: bool, position: int) -> Path:
        """Record and return the path of the table that a header opens: in an array, its last element so far."""
        path: Path = ()
        for index, part in enumerate(parts):
            path = (*path, part)
            if array and index == len(parts) - 1:
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
            self._note(path, position)
        return path

    def _end_of_line(self, position: int) -> int:
        """The position after the statement at `position`: the newline outside every bracket and string."""
        text, depth = self._text, 0
        while position < len(text):
            character = text[position]
            if character == "\n" and depth <= 0:
                return position + 1
            if character in "\"'":
                match = _STRING.match(text, position)
                position = match.end() if match else position + 1
            elif character == "#":
                newline = text.find("\n", position)
                position = newline if newline >= 0 else len(text)
            elif match := _PLAIN.match(text, position):
                position = match.end()
            else:
                depth += (character in "[{") - (character in "]}")
                position += 1
        return position

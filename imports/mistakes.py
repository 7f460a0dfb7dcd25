"""Mistakes in a file written by a person: all at once, each with its line and in both languages (X4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from domain.base import Frozen
from texts.catalogue import LANGUAGES, Texts, catalogue, placeholders


class Mistake(Frozen):
    """One mistake to correct."""

    line: int | None
    """Line of the file, counted from 1; None when something is missing from the whole file."""
    field: str
    """Key or column; dotted for a key of a table, as in `person.email`."""
    message_zh: str
    message_en: str

    @classmethod
    def of(cls, line: int | None, field: str, key: str, /, **params: object) -> Mistake:
        """The mistake whose text is `mistake.{key}`. Raises `KeyError` for an unknown key or a missing parameter."""
        zh, en = (Texts(language).text(f"mistake.{key}", **params) for language in LANGUAGES)
        return cls(line=line, field=field, message_zh=zh, message_en=en)


class FileMistakes(Exception):
    """A file was refused. `mistakes` is never empty and is ordered by line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line or 0))
        super().__init__("; ".join(_english(mistake) for mistake in self.mistakes))


def _english(mistake: Mistake) -> str:
    place = f"line {mistake.line}: " if mistake.line is not None else ""
    return f"{place}{mistake.field}: {mistake.message_en}" if mistake.field else f"{place}{mistake.message_en}"


def shown(value: object, limit: int = 60) -> str:
    """`value` in a form fit for a message: one line, no invisible characters, at most `limit` characters."""
    try:
        text = str(value)[: limit + 1]
    except (ValueError, RecursionError):  # integers with thousands of digits, lists nested thousands deep
        text = "…"
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _INVISIBLE else c for c in cut)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def mistake_of(error: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """The text key below `mistake.` of a pydantic error (one of `ValidationError.errors()`), and its parameters."""
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    entry = catalogue().get(f"mistake.{kind}")
    if entry is None or not placeholders(entry["en"]) <= context.keys():
        return "other", {"why": shown(error["msg"], 200)}
    return kind, context

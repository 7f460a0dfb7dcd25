"""Readable names of companies and projects, and the invisible characters in them (N1, N14).

Names that look identical are the same name: invisible characters (`UNSEEN`) are ignored in comparisons. A name without
visible letters, or one displayed in another order than it is stored in, is refused on submission (`as_submitted`).
Names stored earlier can still be read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, WrapValidator
from pydantic_core import PydanticCustomError

from domain.base import Line, OptionalLine

M = TypeVar("M", bound=BaseModel)

UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Unicode's Default_Ignorable_Code_Point: invisible characters, among them the Hangul fillers, which count as
letters."""

BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Unicode's Bidi_Control: they change the display order of what follows."""


def is_mark(character: str) -> bool:
    """Whether the character combines with the one before it."""
    return unicodedata.category(character)[0] == "M"


def is_han(character: str) -> bool:
    """Whether `character` is Chinese (or of one of the rare scripts in the same blocks)."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


def without_unseen(text: str) -> str:
    """`text` without characters that are drawn as nothing, and without marks that belong to no letter that has any.

    Over a Chinese character or a space a mark is a speck at most.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    carries = False
    for character in UNSEEN.sub("", text):
        if is_mark(character):
            if not carries:
                continue
        else:
            carries = character.isalnum() and not is_han(character)
        kept.append(character)
    return "".join(kept)


def unusual(name: str) -> tuple[str, ...]:
    """Misleading characters in order of appearance, without duplicates: invisible ones, combining marks without a
    letter, radicals instead of characters, letters of another script within a word, private-use ones."""
    left = without_unseen(name)
    unseen = [character for character in name if character not in left]
    loose = [
        character for character in left if unicodedata.category(character) in ("Co", "Cn") or _is_radical(character)
    ]
    return tuple(dict.fromkeys([*unseen, *loose, *_mixed(left)]))


def _is_radical(character: str) -> bool:
    return "\u2e80" <= character <= "\u2fdf"


_LOOKS_LATIN: Final = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "LISU", "COPTIC")


def _mixed(name: str) -> list[str]:
    """Letters of other scripts that look Latin, in words with Latin letters."""
    found: list[str] = []
    for word in re.findall(r"\w+", name):
        scripts = {character: unicodedata.name(character, "").partition(" ")[0] for character in word}
        if "LATIN" in scripts.values():
            found += [character for character in word if scripts[character] in _LOOKS_LATIN]
    return found


def describe_characters(characters: Iterable[str]) -> str:
    """Characters by code point and Unicode name: `U+034F COMBINING GRAPHEME JOINER`."""
    return ", ".join(f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip() for character in characters)


_SUBMITTED: ContextVar[bool] = ContextVar("as_submitted", default=False)


def _readable(name: str) -> str:
    if not _SUBMITTED.get() or not name:
        return name
    if controls := BIDI.findall(name):
        raise PydanticCustomError(
            "bidi_control",
            "must not change the direction of writing ({characters})",
            {"characters": describe_characters(dict.fromkeys(controls))},
        )
    if not any(character.isalnum() for character in without_unseen(name)):
        raise PydanticCustomError("no_visible_letter", "must have a letter or a digit that can be seen")
    return name


Name = Annotated[Line, AfterValidator(_readable)]
"""The name of a company or a project."""

OptionalName = Annotated[OptionalLine, AfterValidator(_readable)]
"""A name that may be left empty."""


def handed_in(model: type[M], value: object) -> M:
    """Validate `value` as newly submitted. Raises what `as_submitted` does."""
    token = _SUBMITTED.set(True)
    try:
        return model.model_validate(value)
    finally:
        _SUBMITTED.reset(token)


def _as_submitted(value: Any, handler: Callable[[Any], Any]) -> Any:
    token = _SUBMITTED.set(True)
    try:
        return handler(value)
    finally:
        _SUBMITTED.reset(token)


as_submitted = WrapValidator(_as_submitted)
"""Marks a submitted model: `Annotated[ApplicationForm, as_submitted]`. In addition to the model's other errors it
raises `bidi_control` and `no_visible_letter`. Data already in the record or the engine is read without these checks."""

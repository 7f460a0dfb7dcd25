"""Brands in Latin letters: the pinyin of a Chinese brand, character by character."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from matching.names.anatomy import Anatomy
from matching.names.script import is_han

FEWEST_LETTERS = 5
"""Minimum length of a pinyin brand: shorter ones are often an English word or initials."""

MOST_SYLLABLES = 4
LONGEST_SYLLABLE = 6


class Spelled(NamedTuple):
    """A brand in pinyin: the word, the characters it spells, and their share of the brand (0 to 1)."""

    word: str
    characters: str
    share: float


@cache
def _syllables() -> Mapping[int, str]:
    """The most common reading of each character, without its tone."""
    # Names are spelled character by character; without the phrase tables, memory use is a quarter.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.pinyin_dict import pinyin_dict

    plain = {code: unicodedata.normalize("NFD", readings.split(",")[0]) for code, readings in pinyin_dict.items()}
    return {code: "".join(c for c in reading if c.isascii() and c.isalpha()) for code, reading in plain.items()}


@lru_cache(maxsize=8192)
def spellings(name: Anatomy) -> tuple[Spelled, ...]:
    """Possible pinyin spellings of the beginning of a Chinese brand, longest first."""
    found = []
    for length in range(min(len(name.brand), MOST_SYLLABLES), 1, -1):
        characters = name.brand[:length]
        word = "".join(_syllables().get(ord(c), "") if is_han(c) else "" for c in characters)
        if len(word) >= FEWEST_LETTERS and all(map(is_han, characters)):
            found.append(Spelled(word, characters, length / len(name.brand)))
    return tuple(found)


def latin_words(name: Anatomy) -> Iterator[str]:
    """The words of a name in Latin letters, and each pair of adjacent short ones joined: `Yun Ling` is `Yunling`."""
    yield from name.latin
    for first, second in pairwise(name.latin):
        if len(first) <= LONGEST_SYLLABLE and len(second) <= LONGEST_SYLLABLE:
            yield first + second


def spelled(left: Anatomy, right: Anatomy) -> Spelled | None:
    """The pinyin of the brand of one name, if the other name is in Latin letters and contains it as a word."""
    for latin, chinese in ((left, right), (right, left)):
        if latin.latin and not any(map(is_han, latin.text)):
            words = set(latin_words(latin))
            if met := next((brand for brand in spellings(chinese) if brand.word in words), None):
                return met
    return None

"""Index keys of a name: integers, some of which similar names share.

A pair of characters is a gram if the second follows the first by at most `REACH`, so an abbreviation shares its grams
with the full name (`石油` and `中油` are both in `中国石油`).
"""

from __future__ import annotations

from zlib import crc32

from domain.conflicts.grams import STANDING, is_pair, of_head
from matching.names.anatomy import Anatomy, is_group
from matching.names.pinyin import latin_words, spellings
from matching.names.script import is_han

REACH = 5
"""Maximum distance between the two characters of a pair."""

HEAD_ENDINGS = frozenset({"大学", "学院", "医院", "研究院", "银行", "委员会", "管理局", "局", "院", "政府", "厅"})
"""Institutions that others belong to."""

MOST_CHARACTERS = 60
"""Number of core characters to index: a longer name is found by its beginning."""


def pair_gram(first: str, second: str) -> int:
    """The gram of two characters; two pairs of common Chinese characters never share one."""
    a, b = ord(first) - 0x4E00, ord(second) - 0x4E00
    if 0 <= a < 0x8000 and 0 <= b < 0x8000:
        return a << 15 | b
    return _hashed(f"{first}{second}")


def _hashed(text: str) -> int:
    """Any other gram: a negative number, so that it never equals a pair of Chinese characters."""
    return -1 - (crc32(text.encode("utf-8", "surrogatepass")) & 0x7FFFFFFF)


def grams(name: Anatomy) -> list[int]:
    """The grams of a name, sorted and without duplicates. The legal form and the branch are left out.

    A name that may be the head of others, a group or an institution, has each of its pairs a second time: such names
    are few, so a member finds its head by these where the plain pairs match too many names.
    """
    pairs = _pairs(name)
    found = set(pairs)
    if may_be_head(name):
        found.update(of_head(gram) for gram in pairs if is_pair(gram))
    found.update(_latin_grams(name))
    if "股份" in name.form or is_group(name):
        found.add(STANDING)
    if not found and name.text:
        found.add(_hashed(name.text))
    return sorted(found)


def may_be_head(name: Anatomy) -> bool:
    """Whether others may belong to it: a group, holding, university or authority."""
    return is_group(name) or name.ending in HEAD_ENDINGS


def _pairs(name: Anatomy) -> list[int]:
    text = name.core[:MOST_CHARACTERS]
    return [
        pair_gram(first, second)
        for i, first in enumerate(text)
        if is_han(first)
        for second in text[i + 1 : i + 1 + REACH]
        if is_han(second)
    ]


def _latin_grams(name: Anatomy) -> list[int]:
    """Grams of its words in Latin letters, or of the pinyin of a Chinese brand."""
    found = [_hashed(brand.word) for brand in spellings(name)]
    found += [_hashed(word) for word in latin_words(name)]
    return [*found, *(_hashed(f"{word[:4]}-") for word in name.latin if len(word) > 4)]

"""The parts of a company name: place, brand, trade, legal form, and branch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from matching.names.places import place_at
from matching.names.script import fold, is_han
from matching.names.words import ENDINGS, FORMS, GROUP_WORDS, LONGEST_TRADE, TRADES

MOST = 120
"""Maximum number of characters considered; no registered name is half as long."""

_NOT_WORD = re.compile(r"[^\w]+|_")
_NUMBER = re.compile(r"[0-9一二三四五六七八九十百]+")
_BRACKETS = re.compile(r"[(（\[【〔「『<《]([^()（）\[\]【】〔〕「」『』<>《》]*)[)）\]】〕」』>》]")
_FORM = re.compile(rf"(?:{'|'.join(FORMS)})$")
_UNIT = re.compile(
    r"^(.{2,}?(?:有限责任公司|股份有限公司|有限公司|集团公司|总公司|公司))(?!$)(?!\((?:集团|控股)\))(.+)$"
)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A company name parsed into parts; normalised, without spaces and punctuation."""

    text: str
    """The whole name."""
    head: str
    """The head office of a branch; the whole name if it names no branch."""
    unit: str
    """The words that name the branch, "" for a company itself."""
    core: str
    """The head without legal form."""
    form: str
    """The legal form, "" for a short name."""
    place: str
    """The places at its beginning or in brackets."""
    brand: str
    """The distinguishing part among companies of the same place and trade; never "" unless the core is."""
    brand_at: int
    """Index of the brand in `core`."""
    trade: str
    """The part after the brand."""
    ending: str
    """The kind of institution: 大学, 医院, 银行, 局 …; "" for companies and if unknown."""
    latin: tuple[str, ...]
    """Words in Latin letters or digits."""
    starts: frozenset[int]
    """Indexes in the core where words begin, as far as can be determined without a dictionary."""
    numbers: tuple[str, ...]
    """Numbers, in digits or Chinese characters."""

    @property
    def short(self) -> bool:
        """Whether it has neither a legal form nor the ending of an institution: it may be an abbreviation."""
        return not self.form and not self.ending


@lru_cache(maxsize=8192)
def anatomy(name: str) -> Anatomy:
    """Parse a name. Never raises; time is bounded by `MOST` characters."""
    folded = fold(name[: 4 * MOST])[: 2 * MOST]
    placed = ""
    for inside in _BRACKETS.findall(folded):
        bare = _NOT_WORD.sub("", inside)
        if bare and place_at(bare, 0) == len(bare):
            placed += bare
    text = _NOT_WORD.sub("", folded)[:MOST]
    head, unit = _parted(text)
    found = _FORM.search(head)
    form = found.group() if found and found.start() > 0 else ""
    core = head[: len(head) - len(form)] if form else head
    start = 0
    while (length := place_at(core, start)) and start + length < len(core):
        start += length
    if start and core[start] in "省市县区" and start + 1 < len(core):
        start += 1
    place = core[:start] + placed
    end = _trade_start(core, start)
    if placed and core[end - len(placed) : end] == placed and end - len(placed) > start:
        end -= len(placed)  # 宸展光电(厦门): the place in brackets follows the brand
        end = _trade_start(core[:end], start)
    ending = next(word for word in ENDINGS if core.endswith(word)) if core.endswith(ENDINGS) else ""
    return Anatomy(
        text=text,
        head=head,
        unit=unit,
        core=core,
        form=form,
        place=place,
        brand=core[start:end],
        brand_at=start,
        trade=core[end:],
        ending=ending,
        latin=tuple(_latin_words(folded)),
        starts=_word_starts(core, start, end),
        numbers=tuple(_NUMBER.findall(text)),
    )


def _parted(text: str) -> tuple[str, str]:
    """The head office and the words that name its branch."""
    found = _UNIT.match(text)
    if found and not _FORM.fullmatch(found.group(2)):
        return found.group(1), found.group(2)
    return text, ""


def _trade_start(core: str, start: int) -> int:
    """Index in `core` where the final words for the trade begin; leaves at least one character from `start`."""
    end = len(core)
    while end > start + 1:
        for length in range(min(LONGEST_TRADE, end - start - 1), 0, -1):
            if core[end - length : end] in TRADES:
                end -= length
                break
        else:
            break
    return end


def _latin_words(folded: str) -> list[str]:
    words: list[str] = []
    for part in _NOT_WORD.split(folded.replace("'", "").replace("’", "")):
        current = ""
        for character in part:
            if is_han(character):
                if current:
                    words.append(current)
                current = ""
            else:
                current += character
        if current:
            words.append(current)
    return words[:40]


def is_group(name: Anatomy) -> bool:
    """Whether the name is that of a group or a holding."""
    return any(word in name.text for word in GROUP_WORDS)


def _word_starts(core: str, brand: int, trade: int) -> frozenset[int]:
    """Indexes where `brand` and `trade` begin."""
    found = set()
    at = 0
    while at < len(core):
        found.add(at)
        if at < brand:
            at += place_at(core, at) or 1
        elif at < trade:
            at = min(at + 2, trade)
        else:
            at += next((n for n in range(min(4, len(core) - at), 1, -1) if core[at : at + n] in TRADES), 2)
    return frozenset(found)

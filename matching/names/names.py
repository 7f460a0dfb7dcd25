"""Normalises company names: width, script, case, spacing, punctuation and legal form do not matter."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from matching.names.script import fold, is_han

_CHINESE_FORMS = tuple(
    sorted(
        """
股份有限公司 股份有限责任公司 有限责任公司 责任有限公司 有限公司 股份公司 公司 特殊普通合伙 普通合伙
有限合伙企业 有限合伙
""".split(),
        key=len,
        reverse=True,
    )
)
"""Dropped at the end of a name. 集团 is kept: a group and its member of the same name are two legal persons."""

_NOT_A_FORM = ("分公司", "支公司", "子公司", "总公司")
"""Endings that denote a different unit, not a legal form."""

_LATIN_FORMS = frozenset(
    {
        "ltd",
        "coltd",
        "company",
        "limited",
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "llc",
        "llp",
        "plc",
        "gmbh",
        "pte",
        "pty",
        "bhd",
        "sdn",
    }
)
"""Dropped at the end of a name if they are separate words."""

_SHORT_FORMS = frozenset({"co", "ag", "sa", "sarl", "srl", "bv", "nv", "oy", "ab", "kk"})
"""Likewise, but only after another Latin word: `上海KK` is not `上海`."""

_JOINERS = frozenset(".'’‘`·・‧•")
"""Dropped without splitting words: `S.A.` is `SA`, `L'Oréal` is `LOréal`."""


@lru_cache(maxsize=4096)
def name_key(name: str) -> str:
    """The key that all spellings of one company name share; equal keys mean the same name.

    Width, compatibility forms, traditional or simplified script, case, spacing, punctuation and brackets are dropped
    everywhere, the legal form at the end. Never "" for a non-empty name; never raises; linear time.
    """
    folded = fold(name)
    words = _words(folded)
    return _without_legal_form(words) or "".join(folded.split()) or name


def _words(folded: str) -> list[str]:
    """Runs of Chinese characters and of other letters and digits; spaces separate only the latter."""
    words: list[str] = []
    current: list[str] = []
    parted = False
    for character in folded:
        if not (character.isalnum() or _is_mark(character)):
            parted = parted or character not in _JOINERS
            continue
        if current:
            han, was_han = is_han(character), is_han(current[-1])
            if han != was_han or (parted and not han):
                words.append("".join(current))
                current = []
        current.append(character)
        parted = False
    if current:
        words.append("".join(current))
    return words


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")  # vowel signs belong to the letters of many scripts


def _without_legal_form(words: list[str]) -> str:
    """The words joined, without legal forms at the end unless nothing else is left."""
    count = len(words)
    while count > 1:
        last = words[count - 1]
        if is_han(last[0]):
            kept = _chinese_end(last)
            if kept:
                return "".join((*words[: count - 1], last[:kept]))
        elif last not in _LATIN_FORMS:
            behind_latin = not is_han(words[count - 2][0])
            before_ltd = last == "co" and count < len(words) and not is_han(words[count][0])
            if last not in _SHORT_FORMS or not (behind_latin or before_ltd):
                break
        count -= 1
    if count == 1 and is_han(words[0][0]):
        return words[0][: _chinese_end(words[0])] or words[0]
    return "".join(words[:count])


def _chinese_end(word: str) -> int:
    """The length of `word` without the legal forms at its end."""
    end = len(word)
    while not word.endswith(_NOT_A_FORM, 0, end):
        form = next((form for form in _CHINESE_FORMS if word.endswith(form, 0, end)), None)
        if form is None:
            break
        end -= len(form)
    return end

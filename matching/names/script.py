"""Normalises text: width, case and script are folded, so that names can be compared character by character."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

from domain.names import UNSEEN, is_han, without_unseen

__all__ = ["fold", "is_han"]

_MARKS = "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
_MARK_RUN = re.compile(rf"([{_MARKS}]{{8}})[{_MARKS}]+")
"""Sorting a run of combining marks takes quadratic time; no name stacks more than eight."""


@cache
def _simplified() -> dict[int, str]:
    """Maps traditional to simplified characters, from OpenCC's character table.

    Character by character, without OpenCC's phrases: names are compared, not read, so both spellings only have to give
    the same result, not the best choice of words.
    """
    simplified = _table("TSCharacters.txt")
    # Some variants are customary only in Hong Kong or Taiwan: 衞 for 衛, 裏 for 裡.
    for variants in ("HKVariants.txt", "TWVariants.txt"):
        for common, variant in _table(variants).items():
            simplified.setdefault(ord(variant), simplified.get(common, chr(common)))
    # In OpenCC's table a few map to themselves; in names both spellings are mixed freely.
    return simplified | {ord("乾"): "干", ord("著"): "着", ord("臺"): "台", ord("瞭"): "了", ord("藉"): "借"}


RADICALS = dict(
    zip(
        "⺟⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳",
        "母西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐齿龙龟",
        strict=True,
    )
)
"""Radicals that compatibility forms do not replace; text copied from a PDF contains them."""


@cache
def _look_alike() -> dict[int, str]:
    return _simplified() | {ord(radical): character for radical, character in RADICALS.items()}


def _table(name: str) -> dict[int, str]:
    lines = (files("opencc") / "dictionary" / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line)
    return {ord(old): first for old, new in pairs if len(old) == 1 and len(first := new.split()[0]) == 1}


def fold(text: str) -> str:
    """`text` in compatibility form, lower case and simplified script, without invisible characters. Never raises;
    linear time."""
    return without_unseen(_normal(_normal(UNSEEN.sub("", text)).casefold())).translate(_look_alike())


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", _MARK_RUN.sub(r"\1", text))

"""What is wrong with a file that somebody wrote: every mistake at once, where it stands, in both languages (X4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from domain.base import Frozen


class Mistake(Frozen):
    """One thing to put right."""

    line: int | None
    """Line of the file, counted from 1; None when something is missing from the whole file."""
    field: str
    """Key or column; dotted for a key of a table, as in `person.email`."""
    message_zh: str
    message_en: str


class FileMistakes(Exception):
    """A file was refused. `mistakes` is never empty and is ordered by line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.line or 0))
        super().__init__("; ".join(_english(mistake) for mistake in self.mistakes))


def _english(mistake: Mistake) -> str:
    place = f"line {mistake.line}: " if mistake.line is not None else ""
    return f"{place}{mistake.field}: {mistake.message_en}" if mistake.field else f"{place}{mistake.message_en}"


def shown(value: object, limit: int = 60) -> str:
    """`value` as it may stand inside a message: one line, no invisible characters, at most `limit` characters."""
    try:
        text = str(value)[: limit + 1]
    except (ValueError, RecursionError):  # an integer of thousands of digits, a nest of thousands of lists
        text = "…"
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _INVISIBLE else c for c in cut)


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_SAID = {
    "missing": ("必须填写", "is missing"),
    "string_type": ("必须是文字", "must be text"),
    "string_too_short": ("不能为空", "must not be empty"),
    "string_too_long": ("文字过长（最多 {max_length} 个字符）", "is too long (at most {max_length} characters)"),
    "string_pattern_mismatch": (
        "只能用小写字母开头，含小写字母、数字、点、下划线和连字符，最多 63 个字符",
        "must start with a lower-case letter and hold only lower-case letters, digits, '.', '_' and '-', "
        "63 characters at most",
    ),
    "control_character": ("含有控制字符", "contains control characters"),
    "one_line": ("必须写成一行", "must be a single line"),
    "bidi_control": (
        "含有改变文字方向的不可见字符（{characters}），请删去",
        "must not change the direction of writing ({characters})",
    ),
    "no_visible_letter": ("没有看得见的文字或数字", "must have a letter or a digit that can be seen"),
    "not_unicode": ("含有无效的 Unicode 字符", "is not valid Unicode text"),
    "uscc_format": (
        "必须是 18 位统一社会信用代码或 15 位注册号",
        "must be an 18-character Unified Social Credit Code, or a registration number of 15 digits",
    ),
    "uscc_check_digit": (
        "统一社会信用代码的末位校验码不符，请核对",
        "the last character of the Unified Social Credit Code does not match the other 17",
    ),
    "registration_check_digit": (
        "注册号的末位校验码不符，请核对",
        "the last digit of the registration number does not match the other 14",
    ),
    "bool_type": ("必须是 true 或 false", "must be true or false"),
    "bool_parsing": ("必须是 true 或 false", "must be true or false"),
    "literal_error": ("只能是 {expected}", "must be {expected}"),
    "greater_than_equal": ("不能小于 {ge}", "must be at least {ge}"),
    "less_than": ("必须小于 {lt}", "must be less than {lt}"),
    "decimal_max_places": ("最多两位小数", "must have at most two decimals"),
    "decimal_max_digits": ("数字过长", "has too many digits"),
    "decimal_whole_digits": ("数字过长", "has too many digits"),
}


def said(error: Mapping[str, Any]) -> tuple[str, str]:
    """A pydantic error (one of `ValidationError.errors()`) in Chinese and English."""
    zh, en = _SAID.get(error["type"], ("不符合要求", str(error["msg"])))
    context = error.get("ctx") or {}
    try:
        return zh.format_map(context), en.format_map(context)
    except (KeyError, ValueError, IndexError):
        return "不符合要求", str(error["msg"])

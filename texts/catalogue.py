"""Every text for people, Chinese and English side by side (X4), and how moments and amounts are written.

The texts live in the `*.toml` files beside this module, one `{ zh = "…", en = "…" }` per key, read once on first use.
A text that counts something has plural forms where its language needs them, by the CLDR rules:

    people = { zh = "{count} 人", en = { one = "{count} person", other = "{count} people" } }

The number is the parameter `count`; `{ by = "days", one = …, other = … }` names another one. `Texts` is pure: the same
key and parameters always give the same words.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args

from babel import Locale
from babel.dates import format_date, format_datetime, get_timezone_name

from domain.organisation import Language

DEFAULT_LANGUAGE: Final[Language] = "zh"
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
CATALOGUE_DIR = Path(__file__).parent

_LOCALES: Final[dict[Language, Locale]] = {"zh": Locale.parse("zh_CN"), "en": Locale.parse("en")}
_DAY_PATTERNS: Final[dict[Language, str]] = {"zh": "y年M月d日 EEE", "en": "EEE d MMM y"}
_MOMENT_PATTERNS: Final[dict[Language, str]] = {"zh": "y年M月d日 EEE HH:mm", "en": "EEE d MMM y, HH:mm"}
_MONTH_PATTERNS: Final[dict[Language, str]] = {"zh": "y年M月", "en": "MMM y"}
SHOWN_KEPT: Final = 256
"""How many formatted moments are cached: a page or a mail shows the same few again and again."""

PLURAL_CATEGORIES: Final = frozenset({"zero", "one", "two", "few", "many", "other"})
"""What CLDR calls the plural forms of a language; every language has `other`."""


class Plural(NamedTuple):
    """A text with one form for each plural category of its language."""

    by: str
    """The parameter that decides which form is used: a number, or its digits."""
    forms: Mapping[str, str]


Words = str | Plural
Entry = Mapping[Language, Words]


@cache
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """The words of a template, and the parameter that follows each. Parsed once: a mail has dozens of texts.

    Raises `ValueError` for anything but plain names: a template cannot reach into a parameter's attributes.
    """
    found = []
    for words, name, spec, conversion in string.Formatter().parse(template):
        if spec or conversion or not (name is None or name.isidentifier()):
            raise ValueError(f"not a plain placeholder: {name!r}")
        found.append((words, name))
    return tuple(found)


def _filled(template: str, params: Mapping[str, object]) -> str:
    if "{" not in template and "}" not in template:  # most of them
        return template
    return "".join(words if name is None else f"{words}{params[name]}" for words, name in _pieces(template))


def placeholders(words: Words) -> frozenset[str]:
    """The names of the parameters that a text needs, in any of its plural forms."""
    if isinstance(words, Plural):
        return frozenset({words.by}).union(*(placeholders(form) for form in words.forms.values()))
    return frozenset(name for _, name in _pieces(words) if name is not None)


def _written(words: Words, language: Language, params: Mapping[str, object]) -> str:
    """The words with their parameters, in the plural form that the number asks for.

    Raises `KeyError` for a missing parameter, `decimal.InvalidOperation` when the number is none.
    """
    if isinstance(words, Plural):
        category = _LOCALES[language].plural_form(Decimal(str(params[words.by])))
        words = words.forms[category]
    return _filled(words, params)


def _words(value: object, key: str, source: str) -> Words:
    """One language of an entry: a text, or a table of its plural forms."""
    if isinstance(value, dict):
        forms = {category: form for category, form in value.items() if category != "by"}
        if "other" in forms and forms.keys() <= PLURAL_CATEGORIES and all(map(_is_text, value.values())):
            return Plural(by=value.get("by", "count"), forms=MappingProxyType(forms))
    elif isinstance(value, str) and value:
        return value
    raise ValueError(f"{source}: {key} is neither a text nor a table of plural forms")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _leaves(prefix: str, node: Mapping[str, Any], found: dict[str, Entry], source: str) -> None:
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else name
        if not isinstance(value, dict):
            raise ValueError(f"{source}: {key} is neither a table nor a text in every language")
        if set(value) & set(LANGUAGES):
            if set(value) != set(LANGUAGES):
                raise ValueError(f"{source}: {key} needs exactly the languages {', '.join(LANGUAGES)}")
            if key in found:
                raise ValueError(f"{source}: {key} stands in two catalogues")
            found[key] = MappingProxyType({language: _words(value[language], key, source) for language in LANGUAGES})
        else:
            _leaves(key, value, found, source)


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every key with its words. Raises `ValueError` on a text that lacks a language or a form (X4)."""
    found: dict[str, Entry] = {}
    for path in sorted(CATALOGUE_DIR.rglob("*.toml")):
        _leaves("", tomllib.loads(path.read_text(encoding="utf-8")), found, path.name)
    return MappingProxyType(found)


@lru_cache(SHOWN_KEPT)
def _moment(language: Language, moment: datetime, zone: tzinfo) -> str:
    return format_datetime(moment, _MOMENT_PATTERNS[language], tzinfo=zone, locale=_LOCALES[language])


@lru_cache(SHOWN_KEPT)
def _zone_name(language: Language, zone: tzinfo) -> str:
    return get_timezone_name(zone, width="long", locale=_LOCALES[language])


def language_of(wanted: str | None) -> Language:
    """The requested language, or the default (X4) when the catalogue has no such language."""
    return wanted if wanted in LANGUAGES else DEFAULT_LANGUAGE


class Texts:
    """The texts in one language."""

    def __init__(self, language: Language = DEFAULT_LANGUAGE) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"no texts in {language!r}")
        self.language = language

    def has(self, key: str) -> bool:
        return key in catalogue()

    def text(self, key: str, /, **params: object) -> str:
        """The words of `key` with `params` filled in. Raises `KeyError` for an unknown key or a missing parameter."""
        return _written(catalogue()[key][self.language], self.language, params)

    def label(self, key: str, fallback: str = "") -> str:
        """The words of `key`; of an unknown key, which data may bring, `fallback` or the last part of the key."""
        words = catalogue()[key][self.language] if self.has(key) else None
        if isinstance(words, str) and not placeholders(words):
            return words
        return fallback or key.rpartition(".")[2].replace("_", " ")

    def error(self, kind: str, params: Mapping[str, object] | None = None) -> str:
        """What is wrong with a field or a request, by pydantic error type or refusal code. Never raises.

        A type without a text of its own, or without the parameters its text needs, gets the general sentence.
        """
        entry = catalogue().get(f"error.{kind}")
        if entry is None:
            return self.text("error.invalid")
        try:
            return _written(entry[self.language], self.language, params or {})
        except (KeyError, ArithmeticError):
            return self.text("error.invalid")

    def day(self, moment: datetime, zone: tzinfo) -> str:
        return format_date(
            self._aware(moment).astimezone(zone), _DAY_PATTERNS[self.language], locale=_LOCALES[self.language]
        )

    def date(self, day: date) -> str:
        """A date that belongs to no time zone, such as when a contract is expected."""
        return format_date(day, _DAY_PATTERNS[self.language], locale=_LOCALES[self.language])

    def month(self, name: str) -> str:
        """A month such as `2026-11`. Raises `ValueError` for anything else."""
        return format_date(
            date.fromisoformat(f"{name}-01"), _MONTH_PATTERNS[self.language], locale=_LOCALES[self.language]
        )

    def written_date(self, value: str) -> str:
        """A date in ISO 8601 in the reader's format; any other text unchanged."""
        try:
            return self.date(date.fromisoformat(value))
        except ValueError:
            return value

    def moment(self, moment: datetime, zone: tzinfo) -> str:
        """Day and time in `zone`, e.g. 2026年12月14日 周一 09:00. Raises `ValueError` for a naive moment."""
        return _moment(self.language, self._aware(moment), zone)

    def zone_name(self, zone: tzinfo) -> str:
        """中国标准时间, China Standard Time: stated once on a page, so that every moment on it is unambiguous."""
        return _zone_name(self.language, zone)

    def money(self, amount: Decimal) -> str:
        """`¥1,250,000.00`: the one format of amounts, wherever people read them."""
        return f"{'-' if amount < 0 else ''}¥{abs(amount):,.2f}"

    def money_in_short(self, amount: Decimal) -> str:
        """`125 万元`, `¥1,250,000`: an amount within a sentence. Never rounded: one that is not so short is written in
        full."""
        if amount != amount.to_integral_value():
            return self.money(amount)
        if self.language == "zh" and abs(amount) >= 10_000 and amount % 100 == 0:
            return f"{f'{amount / 10_000:,.2f}'.rstrip('0').rstrip('.')} 万元"
        return f"{'-' if amount < 0 else ''}¥{abs(amount):,.0f}"

    def aside(self, words: str) -> str:
        """`words` in brackets, to follow the words they add to."""
        return f"（{words}）" if self.language == "zh" else f" ({words})"

    def sentences(self, *sentences: str) -> str:
        """The sentences one after the other, without the empty ones."""
        return ("" if self.language == "zh" else " ").join(sentence for sentence in sentences if sentence)

    def join(self, items: list[str] | tuple[str, ...]) -> str:
        return ("、" if self.language == "zh" else ", ").join(items)

    @staticmethod
    def _aware(moment: datetime) -> datetime:
        if moment.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be shown")
        return moment

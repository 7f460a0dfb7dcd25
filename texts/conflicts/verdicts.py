"""Verdicts of conflict detection in sentences (N3, P4), and what people have said of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from domain.conflicts.rulings import Compared, Ruled
from domain.conflicts.verdict import Reason, Verdict
from texts.catalogue import Texts, catalogue, placeholders

PROTECTED = "because.protected"
"""X2: all that somebody is told of a registration that is not theirs to see."""


def reason_sentence(reason: Reason, texts: Texts, *, masked: bool = False) -> str:
    """One reason in words. `masked`: for somebody who may not see the other side, so without any name of it."""
    key = f"because.{reason.key}"
    if masked and texts.has(f"{key}.masked"):
        return texts.text(f"{key}.masked")
    entry = catalogue().get(key)
    if entry is None or (masked and placeholders(entry[texts.language])):
        return texts.text(PROTECTED) if masked else texts.label(key)
    try:
        return texts.text(key, **reason.params)
    except KeyError:  # kept by another version, whose sentence named less
        return texts.label(key)


def sentences(verdict: Verdict, texts: Texts, *, masked: bool = False, nameless: Collection[str] = ()) -> list[str]:
    """Every reason of a verdict, each once, the strongest first. `nameless`: keys of those that are said without names
    even to somebody who may see the other side."""
    return list(
        dict.fromkeys(
            reason_sentence(reason, texts, masked=masked or reason.key in nameless) for reason in verdict.reasons
        )
    )


def joined(words: Sequence[str], texts: Texts) -> str:
    """Sentences one behind the other."""
    return ("；" if texts.language == "zh" else "; ").join(words)


def because(verdict: Verdict, texts: Texts) -> str:
    """All reasons in one line."""
    return joined(sentences(verdict, texts), texts)


def level_label(verdict: Verdict, texts: Texts) -> str:
    return texts.text(f"level.{verdict.level}")


def ruled_sentence(ruled: Ruled, texts: Texts, zone: ZoneInfo) -> str:
    """What was said of a match, by whom, when and why. `ruled.person` is a name here, not an id."""
    key = "ruling.by_with_reason" if ruled.reason.strip() else "ruling.by"
    return texts.text(
        key,
        ruling=texts.text(f"ruling.{ruled.ruling}"),
        person=ruled.person,
        at=texts.moment(ruled.at, zone),
        reason=ruled.reason.strip(),
    )


def match_sentence(match: Compared, texts: Texts, zone: ZoneInfo) -> str:
    """What a match is, why, and what was said of it: 同一：名称相同；…"""
    if not match.verdict.found:
        return ""
    colon = "：" if texts.language == "zh" else ": "
    words = [f"{level_label(match.verdict, texts)}{colon}{because(match.verdict, texts)}"]
    if match.ruled:
        words.append(ruled_sentence(match.ruled, texts, zone))
    return " · ".join(words)

"""Verdicts of conflict detection in sentences (N3, P4), and rulings on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from domain.conflicts.rulings import Compared, Ruled
from domain.conflicts.verdict import Reason, Verdict
from texts.catalogue import Texts, catalogue, placeholders

PROTECTED = "because.protected"
"""X2: the only text shown for a registration that the reader may not see."""


def reason_sentence(reason: Reason, texts: Texts, *, masked: bool = False) -> str:
    """One reason in words. `masked`: for a reader who may not see the other side, hence without its names."""
    key = f"because.{reason.key}"
    if masked and texts.has(f"{key}.masked"):
        return texts.text(f"{key}.masked")
    if not texts.has(key) or (masked and placeholders(catalogue()[key][texts.language])):
        return texts.text(PROTECTED) if masked else texts.label(key)
    try:
        return texts.text(key, **reason.params)
    except KeyError:  # stored by another version, whose text had other parameters
        return texts.label(key)


def sentences(verdict: Verdict, texts: Texts, *, masked: bool = False, nameless: Collection[str] = ()) -> list[str]:
    """Every reason of a verdict, each once, the strongest first. `nameless`: keys of reasons shown without names even
    to a reader who may see the other side."""
    return list(
        dict.fromkeys(
            reason_sentence(reason, texts, masked=masked or reason.key in nameless) for reason in verdict.reasons
        )
    )


def joined(words: Sequence[str], texts: Texts) -> str:
    """Sentences joined into one line."""
    return ("；" if texts.language == "zh" else "; ").join(words)


def because(verdict: Verdict, texts: Texts) -> str:
    """All reasons in one line."""
    return joined(sentences(verdict, texts), texts)


def level_label(verdict: Verdict, texts: Texts) -> str:
    """How strong a match is, in words."""
    return texts.text(f"level.{verdict.level}")


def ruled_sentence(ruled: Ruled, texts: Texts, zone: ZoneInfo) -> str:
    """A ruling on a match: the ruling, its author, time and reason. `ruled.person` is a name here, not an id."""
    key = "ruling.by_with_reason" if ruled.reason.strip() else "ruling.by"
    return texts.text(
        key,
        ruling=texts.text(f"ruling.{ruled.ruling}"),
        person=ruled.person,
        at=texts.moment(ruled.at, zone),
        reason=ruled.reason.strip(),
    )


def match_sentence(match: Compared, texts: Texts, zone: ZoneInfo) -> str:
    """A match: its level, its reasons and the ruling on it: 同一：名称相同；…"""
    if not match.verdict.found:
        return ""
    colon = "：" if texts.language == "zh" else ": "
    words = [f"{level_label(match.verdict, texts)}{colon}{because(match.verdict, texts)}"]
    if match.ruled:
        words.append(ruled_sentence(match.ruled, texts, zone))
    return " · ".join(words)

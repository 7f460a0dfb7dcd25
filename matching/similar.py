"""How similar two names are, in which way, and the reasons to display."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import LCSseq, Levenshtein

from domain.conflicts.verdict import Level, Reason
from domain.policy import Matching
from matching.features import features
from matching.model import likelihood, weight
from matching.names.anatomy import Anatomy, anatomy, is_group
from matching.names.words import FORMS


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the names alone tell about two companies."""

    score: float
    """From 0 to 1: the likelihood that they are one company, or of one group."""
    kin: bool
    """More likely related than identical: a branch, a member of a group, another company of the same brand."""


JOINT_STOCK, GROUP, BRANCH, LENGTH = 1.5, 0.4, 2.5, 0.03
"""Adjustments for a joint stock company, a group, a branch, and each additional character, in units of `weight`."""

STATE, ELSEWHERE, OTHER_KIND = 2.0, 1.0, 1.0
"""Adjustments for a state-owned group (中…), a different place of an institution, a company instead of an
institution."""

ONE_COMPANY = 0.95
"""Score of two names that are written as branches of one company, or as a branch and its head office."""

_NUMBERS = re.compile(r"[0-9]+")

_NOTHING = Likeness(score=0.0, kin=False)


@lru_cache(maxsize=16384)
def likeness(asked: str, registered: str) -> Likeness:
    """How similar two different names are. Never raises; bounded time.

    Cached, because a form is compared with the same names at each of its steps.
    """
    left, right = anatomy(asked), anatomy(registered)
    if not _have_half_in_common(left, right) or left.core in FORMS or right.core in FORMS:
        return _NOTHING  # a legal form alone is not a name
    # A short name stands for the full one, whichever side it is on.
    in_order = (right, left) if right.short and not left.short else (left, right)
    score = likelihood(weight(features(*in_order)) + _leaning(*in_order))
    if left.head == right.head and (left.unit or right.unit):
        score = max(score, ONE_COMPANY)
    return Likeness(score=score, kin=_kin_at_most(left, right))


def reasons_of(asked: str, registered: str) -> tuple[Reason, ...]:
    """Why two names are similar; strongest reason first, always at least one."""
    return tuple(_reasons(anatomy(asked), anatomy(registered), asked, registered))


def kin_at_most(asked: str, registered: str) -> bool:
    """Whether two different names can at most be related, never the same company. Far cheaper than `likeness`."""
    return _kin_at_most(anatomy(asked), anatomy(registered))


def _kin_at_most(left: Anatomy, right: Anatomy) -> bool:
    """Two different full names are two entries of the company register: at most they are related."""
    return bool(left.unit or right.unit) or not (left.short or right.short) or _one_is_head(left, right)


def numbers_differ(asked: str, registered: str) -> bool:
    """Whether both names contain numbers in digits, and the numbers differ."""
    left, right = _NUMBERS.findall(anatomy(asked).text), _NUMBERS.findall(anatomy(registered).text)
    return bool(left and right) and left != right


def _leaning(asked: Anatomy, other: Anatomy) -> float:
    """Adjustment for choosing among equally similar names; it affects the order more than the level.

    A short name usually stands for a well-known company and rarely for a branch. A renamed institution is still in the
    same place, and is rarely a company.
    """
    lean = 0.0
    if other.unit and not asked.unit:
        lean -= BRANCH
    if asked.short:
        lean += JOINT_STOCK * ("股份" in other.form) + GROUP * is_group(other) - LENGTH * len(other.text)
        lean += STATE * _may_be_state_group(asked, other)
    return lean - _of_institution(asked, other) - _of_institution(other, asked)


def _of_institution(left: Anatomy, right: Anatomy) -> float:
    if not left.ending or left.form or right.short:
        return 0.0
    elsewhere = bool(left.place) and left.place != right.place
    return ELSEWHERE * elsewhere + OTHER_KIND * bool(right.form and not right.ending)


def _may_be_state_group(asked: Anatomy, other: Anatomy) -> bool:
    """Whether a short name such as 中石油 or 国投 may stand for 中国… or 国家….

    Members of such a group contain the short name literally: they are not what it stands for.
    """
    if not asked.core.startswith(("中", "国")) or not other.text.startswith(("中国", "国家")) or other.unit:
        return False
    rest = other.core.removeprefix(asked.core).replace("集团", "").replace("控股", "")
    return ("股份" in other.form or is_group(other)) and (asked.core not in other.core or not rest)


def without_form(asked: str, registered: str) -> Likeness:
    """Likeness of `asked` without its legal form: a legal form must not hide a match that was found without it."""
    left, right = anatomy(asked), anatomy(registered)
    if not left.form or left.unit or not _have_half_in_common(left, right):
        return _NOTHING
    return likeness(left.core, registered)


def _have_half_in_common(left: Anatomy, right: Anatomy) -> bool:
    """Whether the names share, in order, at least half the characters of the shorter brand."""
    in_common = LCSseq.similarity(left.core, right.core)
    return in_common > 0 and 2 * in_common >= min(len(left.brand), len(right.brand))


def _one_is_head(left: Anatomy, right: Anatomy) -> bool:
    longer, shorter = (left, right) if len(left.text) > len(right.text) else (right, left)
    return bool(shorter.ending) and longer.text.startswith(shorter.text)


def _reasons(left: Anatomy, right: Anatomy, asked: str, registered: str) -> Iterator[Reason]:
    """Strongest reason first; always at least one."""
    if left.unit and left.head == right.text:
        yield Reason(key="branch_of", params={"name": registered})
        return
    if right.unit and right.head == left.text:
        yield Reason(key="has_branch", params={"name": registered})
        return
    if left.unit and right.unit and left.head == right.head:
        yield Reason(key="same_head_office", params={"name": left.head})
        return
    place = "_same_place" if left.place and left.place == right.place else ""
    if left.core == right.core:
        yield Reason(key="other_legal_form", params={"name": registered})
    elif left.short and _inside(left.core, right.core):
        yield Reason(key=f"abbreviation{place}", params={"short": asked, "full": registered})
    elif right.short and _inside(right.core, left.core):
        yield Reason(key=f"abbreviation{place}", params={"short": registered, "full": asked})
    elif left.text.startswith(right.text) or right.text.startswith(left.text):
        yield Reason(key="name_begins_alike", params={"name": registered})
    elif left.brand == right.brand and len(left.brand) > 1:
        key = "same_brand_in_group" if is_group(left) != is_group(right) else f"same_brand{place}"
        yield Reason(key=key, params={"brand": left.brand, "name": registered})
    elif Levenshtein.distance(left.core, right.core, score_cutoff=2) <= 2 < min(len(left.core), len(right.core)):
        yield Reason(key="near_spelling", params={"name": registered})
    else:
        yield Reason(key="similar_name")


def _inside(short: str, long: str) -> bool:
    return len(short) > 1 and LCSseq.similarity(short, long) == len(short)


def level_of(found: Likeness, bounds: Matching) -> Level:
    """The level for a likeness."""
    if found.score >= bounds.conflict:
        return Level.RELATED if found.kin else Level.SAME
    return Level.LOOK if found.score >= bounds.look else Level.NONE

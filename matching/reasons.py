"""Every reason of a verdict: its text key under `because.`, and the parameters of its sentence (N3, P4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from domain.conflicts.verdict import Reason

REASON_PARAMS: Final[dict[str, tuple[str, ...]]] = {
    "same_uscc": (),
    "same_name": (),
    "same_alias": (),
    "same_name_other_uscc": (),
    "same_tender_number": (),
    "same_project_name": (),
    "near_project_name": ("name",),
    "other_part_of_project": ("name",),
    "branch_of": ("name",),
    "has_branch": ("name",),
    "same_head_office": ("name",),
    "other_legal_form": ("name",),
    "abbreviation_same_place": ("short", "full"),
    "abbreviation": ("short", "full"),
    "name_begins_alike": ("name",),
    "same_brand_in_group": ("brand", "name"),
    "same_brand_same_place": ("brand", "name"),
    "same_brand": ("brand", "name"),
    "near_spelling": ("name",),
    "spelled_in_pinyin": ("word", "brand", "name"),
    "similar_name": (),
    "other_uscc": (),
    "same_end_user": (),
    "same_channel": (),
    "end_user_is_customer": (),
    "customer_is_end_user": (),
    "channel_is_customer": (),
    "customer_is_channel": (),
    "related_party": (),
    "same_products": ("products",),
    "near_amount": (),
    "near_signing": (),
    "same_vendor": ("vendor",),
}
"""Reason keys, strongest first, each with the parameters of its sentence.

A reason whose parameter is a name has a second text without it, `because.{key}.masked`, for people who may not see the
other side (X2).
"""

REASONS: Final[tuple[str, ...]] = tuple(REASON_PARAMS)
"""Every text key of a verdict under `because.`, strongest first."""


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons without duplicates, strongest first."""
    once = {(reason.key, *sorted(reason.params.items())): reason for reason in reasons}
    return tuple(sorted(once.values(), key=lambda reason: REASONS.index(reason.key)))

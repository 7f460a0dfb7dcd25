"""The parties of an application, account or project, and why two of them match (N3, N14, P4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, StringConstraints

from domain.accounts.application import ApplicationForm
from domain.accounts.uscc import kept_apart
from domain.base import Frozen
from domain.conflicts.verdict import Level, Reason, Verdict
from domain.policy import Matching, load_policy
from domain.projects.project import Company, ProjectForm
from matching.names.anatomy import anatomy
from matching.names.grams import grams
from matching.names.names import name_key
from matching.names.pinyin import spelled
from matching.reasons import in_order
from matching.similar import kin_at_most, level_of, likeness, numbers_differ, reasons_of, without_form

PartyRole = Literal["customer", "alias", "related_party", "end_user", "channel"]


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class Party(Frozen):
    """One named party: the customer itself, an alias of the customer, or a company related to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    name: Annotated[str, StringConstraints(min_length=1)]
    uscc: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True)] | None, BeforeValidator(_blank_is_none)
    ] = None
    role: PartyRole = "customer"
    relation: str = ""
    """For a related party: its relation to the customer."""

    @cached_property
    def key(self) -> str:
        return name_key(self.name)

    @cached_property
    def grams(self) -> tuple[int, ...]:
        """Index keys that similar names share with this one."""
        return _grams(self.name)


@lru_cache(1024)
def _grams(name: str) -> tuple[int, ...]:
    """Cached by name, because each step of a process builds the parties of its form again."""
    return tuple(grams(anatomy(name)))


@cache
def shipped() -> Matching:
    """The thresholds of the default policy."""
    return load_policy().matching


_BESIDE: dict[tuple[str, str], str] = {
    ("end_user", "end_user"): "same_end_user",
    ("channel", "channel"): "same_channel",
    ("end_user", "customer"): "end_user_is_customer",
    ("customer", "end_user"): "customer_is_end_user",
    ("channel", "customer"): "channel_is_customer",
    ("customer", "channel"): "customer_is_channel",
}
"""By the roles on both sides (inquiry, registered): the reason that says how both name the company."""


def parties_of(form: ApplicationForm | ProjectForm) -> tuple[Party, ...]:
    """The customer, its aliases and its related parties, without duplicates; an alias carries the customer's USCC.

    For a project also its end user and the channel it is sold through (P3, P4).
    """
    customer = form.customer
    beside: list[Party] = []
    if isinstance(form, ProjectForm):
        named: tuple[tuple[PartyRole, Company | None], ...] = (("end_user", form.end_user), ("channel", form.channel))
        beside = [Party(name=company.name, uscc=company.uscc, role=role) for role, company in named if company]
    parties = [
        Party(name=customer.name, uscc=customer.uscc, role="customer"),
        *(Party(name=alias, uscc=customer.uscc, role="alias") for alias in customer.aliases),
        *(
            Party(name=party.name, uscc=party.uscc, role="related_party", relation=party.relation)
            for party in customer.related_parties
        ),
        *beside,
    ]
    found: dict[tuple[str, str | None, str], Party] = {}
    for party in parties:
        role = "customer" if party.role == "alias" else party.role
        found.setdefault((party.key, party.uscc, role), party)
    return tuple(found.values())


def compare(asked: Party, registered: Party, *, bounds: Matching | None = None) -> Verdict:
    """How close the two companies are, and why (N3, P4).

    `related` instead of `same` if one of the two is only a related party of its customer: the customers then differ.
    Two different codes of the same kind are never `same`, whatever the names; one code always is.

    Args:
        bounds: similarity thresholds; those of the default policy if omitted.
    """
    bounds = bounds or shipped()
    known_apart = kept_apart(asked.uscc, registered.uscc)
    level, score, reasons = Level.NONE, 0.0, []
    if asked.uscc and asked.uscc == registered.uscc:
        level, score = Level.SAME, 1.0
        reasons.append(Reason(key="same_uscc"))
    if asked.key == registered.key:
        level, score = Level.SAME, 1.0
        reasons.append(Reason(key="same_alias" if "alias" in (asked.role, registered.role) else "same_name"))
    elif level is Level.NONE:
        found = likeness(asked.name, registered.name)
        level, score = level_of(found, bounds), found.score
        if level is Level.NONE and level_of(without_form(asked.name, registered.name), bounds) is not Level.NONE:
            level, score = Level.LOOK, bounds.look
        if level in (Level.SAME, Level.RELATED) and numbers_differ(asked.name, registered.name):
            level = Level.LOOK  # 第5中学 and 第50中学: the number distinguishes them
        if level is not Level.NONE and found.score:
            reasons.extend(reasons_of(asked.name, registered.name))
        brand = spelled(anatomy(asked.name), anatomy(registered.name)) if level is Level.NONE else None
        if brand:
            level, score = Level.LOOK, bounds.look + (bounds.conflict - bounds.look) * 0.9 * brand.share
            names = {"word": brand.word, "brand": brand.characters, "name": registered.name}
            reasons = [Reason(key="spelled_in_pinyin", params=names)]
    if level is Level.NONE:
        return Verdict(score=score)
    if known_apart and level is Level.SAME:
        level, score = Level.LOOK, min(score, 0.5)
        named_alike = asked.key == registered.key
        reasons = [Reason(key="same_name_other_uscc")] if named_alike else [*reasons, Reason(key="other_uscc")]
    elif level is Level.SAME and "related_party" in (asked.role, registered.role):
        level = Level.RELATED
    if level in (Level.SAME, Level.RELATED):
        reasons.extend(_roles(asked, registered))
    return Verdict(level=level, score=score, reasons=in_order(reasons))


def may_be_same(asked: Party, registered: Party) -> bool:
    """Whether `compare` could return `same` at all, at a fraction of its cost."""
    if asked.key == registered.key or (asked.uscc and asked.uscc == registered.uscc):
        return True
    return not kin_at_most(asked.name, registered.name)


def _roles(asked: Party, registered: Party) -> Iterator[Reason]:
    """Reasons that say how both sides name the company."""
    if "related_party" in (asked.role, registered.role):
        yield Reason(key="related_party")
    if beside := _BESIDE.get((_side(asked), _side(registered))):
        yield Reason(key=beside)


def _side(party: Party) -> str:
    return "customer" if party.role == "alias" else party.role

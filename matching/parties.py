"""Who an application, an account or a project speaks of, and why two of them are the same (N3, N14, P4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, StringConstraints

from domain.application import ApplicationForm
from domain.base import Frozen
from domain.project import Company, ProjectForm
from domain.verdict import Level, Reason, Verdict
from matching.names import name_key
from matching.reasons import REASONS, in_order

PartyRole = Literal["customer", "alias", "related_party", "end_user", "channel"]


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class Party(Frozen):
    """One name somebody goes by: the customer itself, another name of the customer, or a company bound to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    name: Annotated[str, StringConstraints(min_length=1)]
    uscc: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True)] | None, BeforeValidator(_blank_is_none)
    ] = None
    role: PartyRole = "customer"
    relation: str = ""
    """For a related party: how it is bound to the customer."""

    @cached_property
    def key(self) -> str:
        return name_key(self.name)


_BESIDE: dict[tuple[str, str], str] = {
    ("end_user", "end_user"): "same_end_user",
    ("channel", "channel"): "same_channel",
    ("end_user", "customer"): "end_user_is_customer",
    ("customer", "end_user"): "customer_is_end_user",
    ("channel", "customer"): "channel_is_customer",
    ("customer", "channel"): "customer_is_channel",
}
"""Roles asked and registered, and the reason that says in which way the company is named on both sides."""


def parties_of(form: ApplicationForm | ProjectForm) -> tuple[Party, ...]:
    """The customer, its other names and its related parties, each once; an alias carries the customer's USCC.

    Of a project also its end user and the channel it is sold through (P3, P4).
    """
    customer = form.customer
    beside: list[Party] = []
    if isinstance(form, ProjectForm):
        named: tuple[tuple[PartyRole, Company | None], ...] = (("end_user", form.end_user), ("channel", form.channel))
        beside = [Party(name=one.name, uscc=one.uscc, role=role) for role, one in named if one]
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


def because(asked: Party, registered: Party) -> tuple[str, ...]:
    """Why `asked` and `registered` are the same company, as text keys of `REASONS`; empty when they are not.

    Two different USCCs are two different companies, whatever their names say. `related_party` is added when at least
    one side is a related party: the customers themselves then differ, but N3 counts it as a collision all the same.
    """
    if asked.uscc and registered.uscc and asked.uscc != registered.uscc:
        return ()
    reasons = set()
    if asked.uscc and asked.uscc == registered.uscc:
        reasons.add("same_uscc")
    if asked.key == registered.key:
        reasons.add("same_alias" if "alias" in (asked.role, registered.role) else "same_name")
    if reasons and "related_party" in (asked.role, registered.role):
        reasons.add("related_party")
    beside = _BESIDE.get((_side(asked), _side(registered)))
    if reasons and beside:
        reasons.add(beside)
    return tuple(reason for reason in REASONS if reason in reasons)


def compare(asked: Party, registered: Party, *, aliases: Collection[tuple[str, str]] = ()) -> Verdict:
    """How close the two companies are, and why (N3, P4).

    `related` instead of `same` where one of the two is only a related party of its customer: the customers then
    differ. Two different USCCs are never `same`, whatever the names say.

    Args:
        aliases: pairs of name keys that a person has confirmed to be one company, either way round.
    """
    keys = because(asked, registered)
    learned = (asked.key, registered.key) in aliases or (registered.key, asked.key) in aliases
    if not keys and learned and not (asked.uscc and registered.uscc):
        keys = ("same_alias",)
    if not keys:
        return Verdict()
    level = Level.RELATED if "related_party" in keys else Level.SAME
    return Verdict(level=level, score=1.0, reasons=in_order(Reason(key=key) for key in keys))


def _side(party: Party) -> str:
    return "customer" if party.role == "alias" else party.role


def collision(asked: Iterable[Party], registered: Iterable[Party]) -> tuple[str, ...]:
    """Every reason for which any of `asked` is any of `registered`, the strongest first."""
    others = tuple(registered)
    reasons = {reason for party in asked for other in others for reason in because(party, other)}
    return tuple(reason for reason in REASONS if reason in reasons)

"""Names on a form that contain misleading characters, for the person who checks it (N5, P4)."""

from __future__ import annotations

from collections.abc import Iterator

from domain.accounts.application import ApplicationForm
from domain.base import Frozen
from domain.conflicts.draft import ConflictDraft
from domain.names import describe_characters, unusual
from domain.projects.project import ProjectForm


class UnusualName(Frozen):
    """A name, and its unusual characters."""

    name: str
    characters: str
    """By code point and Unicode name: `U+034F COMBINING GRAPHEME JOINER`."""


def unusual_names(form: ApplicationForm | ProjectForm | ConflictDraft) -> tuple[UnusualName, ...]:
    """Unusual names without duplicates, in the order of the form."""
    found = ((name, unusual(name)) for name in dict.fromkeys(_names(form)))
    return tuple(UnusualName(name=name, characters=describe_characters(odd)) for name, odd in found if odd)


def _names(form: ApplicationForm | ProjectForm | ConflictDraft) -> Iterator[str]:
    customer = form.customer
    if customer:
        yield customer.name
        yield from customer.aliases
        yield from (party.name for party in customer.related_parties)
    if isinstance(form, ConflictDraft):
        yield from (party.name for party in form.related_parties)
        yield form.project.name if form.project else ""
    if isinstance(form, ProjectForm):
        yield form.name
    if not isinstance(form, ApplicationForm):
        yield from (company.name for company in (form.end_user, form.channel) if company)

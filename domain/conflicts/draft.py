"""An unfinished form, for a dry-run conflict check (N3, P4). Every part may be missing."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from domain.accounts.application import OptionalUscc
from domain.base import Line, Money, OptionalLine
from domain.names import Name, OptionalName

FEWEST_CHARACTERS: Final = 2
"""Shorter names are ignored."""


class _Draft(BaseModel):
    """Extra fields are ignored: a complete form may be sent as it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CompanyDraft(_Draft):
    """A company, as far as it is typed."""

    name: OptionalName = ""
    uscc: OptionalUscc = None


class CustomerDraft(CompanyDraft):
    """A customer, as far as it is typed."""

    aliases: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    related_parties: Annotated[tuple[CompanyDraft, ...], Field(max_length=100)] = ()


class ProjectDraft(_Draft):
    """A project, as far as it is typed."""

    name: OptionalName = ""
    products: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    vendor: OptionalLine = ""
    amount: Money | None = None
    expected_signing: date | None = None
    tender_number: OptionalLine = ""


class ConflictDraft(_Draft):
    """At least one of these is required; names of two or more characters are searched for."""

    customer: CustomerDraft | None = None
    related_parties: Annotated[tuple[CompanyDraft, ...], Field(max_length=100)] = ()
    end_user: CompanyDraft | None = None
    channel: CompanyDraft | None = None
    project: ProjectDraft | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is filled in at all."""
        companies = [self.customer, *self.related_parties, self.end_user, self.channel]
        if self.customer:
            companies += [*self.customer.related_parties, *(CompanyDraft(name=name) for name in self.customer.aliases)]
        typed = any(company.name or company.uscc for company in companies if company)
        return not typed and not (self.project and (self.project.name or self.project.tender_number))

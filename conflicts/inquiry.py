"""The subject of a conflict check: a submitted form, or a draft that is still being typed."""

from __future__ import annotations

from collections.abc import Iterable

from db.accounts.applications import KeyedParty
from domain.accounts.application import ApplicationForm
from domain.base import Frozen
from domain.conflicts.draft import FEWEST_CHARACTERS, CompanyDraft, ConflictDraft, CustomerDraft
from domain.projects.project import ProjectForm
from domain.subject import Subject
from matching.parties import Party, PartyRole, parties_of
from matching.projects import ProjectSides


class Inquiry(Frozen):
    """What to check for conflicts: the companies it names and, for a project, its description."""

    parties: tuple[Party, ...] = ()
    project: ProjectSides | None = None
    subject: Subject | None = None
    """None for a dry run, which has no submission time yet."""

    @classmethod
    def of(cls, form: ApplicationForm | ProjectForm, subject: Subject | None = None) -> Inquiry:
        sides = ProjectSides.of(form) if isinstance(form, ProjectForm) else None
        return cls(parties=parties_of(form), project=sides, subject=subject)

    @classmethod
    def about(cls, draft: ConflictDraft) -> Inquiry:
        """An inquiry about an unfinished form. Names of a single character are ignored."""
        customer, project = draft.customer or CustomerDraft(), draft.project
        named: list[tuple[PartyRole, CompanyDraft | None]] = [
            ("customer", customer),
            *(("alias", CompanyDraft(name=alias, uscc=customer.uscc)) for alias in customer.aliases),
            *(("related_party", company) for company in (*customer.related_parties, *draft.related_parties)),
            ("end_user", draft.end_user),
            ("channel", draft.channel),
        ]
        parties = [
            Party(name=company.name or company.uscc or "", uscc=company.uscc, role=role)
            for role, company in named
            if company and (company.uscc or len(company.name) >= FEWEST_CHARACTERS)
        ]
        of_role = {party.role: party for party in reversed(parties)}
        sides = None
        if project and (len(project.name) >= FEWEST_CHARACTERS or project.tender_number):
            sides = ProjectSides(
                **project.model_dump(),
                customer=of_role.get("customer"),
                end_user=of_role.get("end_user"),
                channel=of_role.get("channel"),
            )
        return cls(parties=tuple(parties), project=sides)

    @property
    def id(self) -> str:
        return self.subject.id if self.subject else ""


def keyed(parties: Iterable[Party]) -> tuple[KeyedParty, ...]:
    """The companies with their lookup keys."""
    return tuple(
        KeyedParty(
            role=party.role,
            name=party.name,
            name_key=party.key,
            uscc=party.uscc,
            grams=party.grams,
        )
        for party in parties
    )

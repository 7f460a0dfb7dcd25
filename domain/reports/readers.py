"""Who receives which report, and which part of it (U1, U9, R3, R4)."""

from __future__ import annotations

from collections.abc import Iterator

from domain.access import Scope, report_scope
from domain.base import Wire
from domain.organisation import Organisation, Role
from domain.reports.report import ReportKind, to_management
from domain.reviews.periods import Rhythm
from domain.tasks.asking import heads_of

MANAGEMENT = (Role.GENERAL_MANAGER, Role.COO, Role.MANAGEMENT, Role.VP)
"""R3, R4: 公司管理层."""


class Reader(Wire):
    """A recipient of a report, with the part they receive."""

    person: str
    scope: Scope
    department: str | None = None
    """Set where the recipient gets a single department."""


def readers_of(kind: ReportKind, rhythm: Rhythm, organisation: Organisation) -> tuple[Reader, ...]:
    """The digest goes to each department's GM, or without one to its VP, with that department only (U1). The
    forecast goes to department GMs and VPs, each with their departments (U9). Account reports of a quarter or longer
    go to management, complete (R3, R4); monthly ones serve the VPs' own review (R2) and are not mailed."""
    match kind:
        case ReportKind.WEEKLY_DIGEST:
            return tuple(_of_departments(organisation))
        case ReportKind.FORECAST:
            led = {person: None for office in organisation.departments for person in heads_of(office.id, organisation)}
            return tuple(
                Reader(person=person, scope=scope)
                for person in led
                if (scope := report_scope(organisation.by_id[person], organisation, to_management=False))
            )
        case ReportKind.ACCOUNTS if to_management(rhythm):
            people = {person.id: None for role in MANAGEMENT for person in organisation.holders(role)}
            return tuple(Reader(person=person, scope=Scope(person=person, everything=True)) for person in people)
        case _:
            return ()


def _of_departments(organisation: Organisation) -> Iterator[Reader]:
    for office in organisation.departments:
        for person in heads_of(office.id, organisation)[:1]:
            scope = Scope(person=person, departments=frozenset({office.id}))
            yield Reader(person=person, scope=scope, department=office.id)

"""The people of the company, their roles and delegates (rules.md, "People and roles")."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, StringConstraints

from domain.base import Frozen, Line, Moment

PersonId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]
"""Stable id of a person; visible to operators, so it is a login name and never a customer's."""

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Role(StrEnum):
    """What somebody does in the company; one person may have several roles."""

    SALESPERSON = "salesperson"
    DEPARTMENT_GM = "department_gm"
    VP = "vp"
    GENERAL_MANAGER = "general_manager"
    COO = "coo"
    COMMERCE_CLERK = "commerce_clerk"
    COMMERCE_MANAGER = "commerce_manager"
    PRODUCT_MANAGER = "product_manager"
    MANAGEMENT = "management"
    OPERATOR = "operator"


class Person(Frozen):
    """A person who may make requests or be assigned tasks."""

    id: PersonId
    name: Line
    email: Line
    login: Line
    """The value of the token claim that identifies this person."""
    roles: frozenset[Role]
    department: str | None = None
    reports_to: PersonId | None = None
    language: Language = "zh"
    products: tuple[Line, ...] = ()
    """For a product manager: the products or vendors they are responsible for (U8); empty means all."""
    active: bool = True
    """False once the person has left: they are assigned no tasks and may not answer any."""


class Department(Frozen):
    """A sales department: its general manager and the VP who supervises it."""

    id: PersonId
    name: Line
    gm: PersonId | None = None
    vp: PersonId | None = None


class Delegation(Frozen):
    """`delegate` decides on behalf of `person` from `start` up to, not including, `end`."""

    person: PersonId
    delegate: PersonId
    start: Moment
    end: Moment
    reason: Line | None = None

    def in_force(self, now: Moment) -> bool:
        return self.start <= now < self.end


class Organisation(Frozen):
    """One imported version of the organisation."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    company: Line
    people: tuple[Person, ...]
    departments: tuple[Department, ...] = ()
    sales_vps: tuple[PersonId, ...]
    """The two sales VPs who review Named Account applications (N6), in a fixed order: one slot each."""
    delegations: tuple[Delegation, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Person]:
        return {person.id: person for person in self.people}

    @cached_property
    def by_login(self) -> dict[str, Person]:
        return {person.login: person for person in self.people}

    @cached_property
    def departments_by_id(self) -> dict[str, Department]:
        return {department.id: department for department in self.departments}

    def person(self, person_id: str) -> Person | None:
        return self.by_id.get(person_id)

    def name_of(self, person_id: str) -> str:
        """The person's name, or the id if they are no longer listed."""
        person = self.by_id.get(person_id)
        return person.name if person else person_id

    def name_with_department(self, person_id: str) -> str:
        """The person's name, and the department that tells people of one name apart."""
        office = self.department_of(person_id)
        return f"{self.name_of(person_id)} · {office.name}" if office else self.name_of(person_id)

    def holders(self, role: Role) -> tuple[Person, ...]:
        """Active people who hold `role`, in the order of the file."""
        return tuple(person for person in self.people if person.active and role in person.roles)

    def department_of(self, person_id: str) -> Department | None:
        person = self.by_id.get(person_id)
        return self.departments_by_id.get(person.department or "") if person else None

    def department_now(self, person_id: str, earlier: str | None) -> str | None:
        """The id of the person's department; for people who have left, their `earlier` one."""
        person = self.by_id.get(person_id)
        return person.department if person and person.active else earlier

    def vp_of(self, person_id: str) -> str | None:
        """主管VP: the VP who supervises the person's department."""
        office = self.department_of(person_id)
        return office.vp if office else None

    def delegations_in_force(self, person_id: str, now: Moment) -> tuple[Delegation, ...]:
        return tuple(d for d in self.delegations if d.person == person_id and d.in_force(now))

    def next_delegation_change(self, person_ids: Iterable[str], now: Moment) -> Moment | None:
        """The next moment after `now` at which a delegation of one of `person_ids` starts or ends."""
        wanted = set(person_ids)
        moments = [m for d in self.delegations if d.person in wanted for m in (d.start, d.end) if m > now]
        return min(moments, default=None)

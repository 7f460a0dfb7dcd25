"""Filters and pages of a list, kept in its address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request

from api.problems import Refusal
from api.state import Viewer
from domain.access import Scope
from domain.base import Frozen
from domain.organisation import Role
from domain.refusals import RefusalCode

PAGE_SIZE = 30
Options = tuple[tuple[str, str], ...]
Word = Annotated[str, Query(max_length=64)]


class Filter(Frozen):
    """A choice above a list."""

    name: str
    label: str
    options: Options
    value: str


def chosen(value: str, known: Sequence[str]) -> str | None:
    """The chosen option; None for all. Raises `Refusal` 404 for one that does not exist."""
    if value and value not in known:
        raise Refusal(404, RefusalCode.NOT_FOUND)
    return value or None


def people_in(scope: Scope, viewer: Viewer) -> Options:
    """The salespeople whose rows the viewer may see; nobody but the viewer gets no choice."""
    return tuple(
        (person.id, person.name)
        for person in viewer.organisation.people
        if Role.SALESPERSON in person.roles
        and (scope.everything or scope.reported or person.id in scope.led or person.id == viewer.person.id)
    )


def departments_in(scope: Scope, viewer: Viewer) -> Options:
    """The departments whose rows the viewer may see."""
    return tuple(
        (office.id, office.name)
        for office in viewer.organisation.departments
        if scope.everything or scope.reported or office.id in scope.departments
    )


def address_with(request: Request, **changes: str | None) -> str:
    """The address of the list with other parameters; empty ones are left out."""
    kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
    wanted = {name: value for name, value in {**kept, **changes}.items() if value}
    return f"{request.url.path}?{urlencode(wanted)}" if wanted else request.url.path

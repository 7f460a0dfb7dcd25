"""Reads the organisation from a TOML file: accepted or refused as a whole, with all mistakes at once.

company = "…"
sales_vps = ["id", "id"]
[[department]]  id, name, gm?, vp?
[[person]]      id, name, email, login? (= id), roles, department?, reports_to?, products?, language?, active?
[[delegation]]  person, delegate, start, end, reason?      times with an offset
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from domain.base import Line, is_email_address
from domain.organisation import Delegation, Department, Organisation, Person, PersonId, Role
from imports.mistakes import FileMistakes, Mistake, mistake_of, shown
from imports.toml_positions import TomlLines

Model = TypeVar("Model", bound=BaseModel)
Table = dict[str, Any]

TABLES: dict[str, type[BaseModel]] = {"department": Department, "person": Person, "delegation": Delegation}
TOP_KEYS = ("company", "sales_vps", *TABLES)
ROLES = tuple(role.value for role in Role)
_LINE = TypeAdapter[str](Line)
_PERSON_ID = TypeAdapter[str](PersonId)


class OrganisationMistakes(FileMistakes):
    """The organisation file was refused."""


def read_organisation(text: str) -> Organisation:
    """Parse and check the organisation in `text` (TOML) ("People and roles").

    Raises `OrganisationMistakes` with every mistake and its line; never any other exception.
    """
    text = text.removeprefix("\ufeff")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OrganisationMistakes([_broken(text, error)]) from None
    return _Reader(document, TomlLines(text)).read()


def delegations_without_effect(text: str, company: Organisation) -> tuple[Mistake, ...]:
    """Delegations that are valid but have no effect where people may rely on them: N6.

    `text`: the file that `company` was read from. Each of the two sales VPs reviews every application, so neither can
    be the other's delegate.
    """
    lines = TomlLines(text.removeprefix("\ufeff"))
    found = []
    for index, given in enumerate(company.delegations):
        if not {given.person, given.delegate} <= set(company.sales_vps):
            continue
        person, delegate = company.name_of(given.person), company.name_of(given.delegate)
        found.append(
            Mistake.of(
                lines.of("delegation", index, "delegate"),
                "delegation.delegate",
                "delegation_without_effect",
                person=person,
                delegate=delegate,
            )
        )
    return tuple(found)


def _broken(text: str, error: Exception) -> Mistake:
    where = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    line = int(where.group(1)) if where else None
    if line is None and str(error).endswith("(at end of document)"):
        line = text.rstrip("\n").count("\n") + 1
    what = "nested too deeply" if isinstance(error, RecursionError) else shown(str(error).rpartition(" (at")[0], 200)
    what = what or "cannot be read"
    return Mistake.of(line, "", "broken_toml", why=what)


class _Reader:
    """The state of one reading: raw tables, mistakes so far, and positions."""

    def __init__(self, document: Table, lines: TomlLines) -> None:
        self.document = document
        self.lines = lines
        self.mistakes: dict[Mistake, None] = {}  # in the order found, without duplicates
        self.tables = {name: self._tables_of(name) for name in TABLES}
        # Checks across tables work on the raw values, so that a wrong e-mail address hides no unknown reference.
        self.people: dict[str, Table] = {}
        self.index_of: dict[str, int] = {}
        for index, row in enumerate(self.tables["person"]):
            if isinstance(row.get("id"), str):
                self.people.setdefault(row["id"], row)
                self.index_of.setdefault(row["id"], index)
        self.department_ids = {row["id"] for row in self.tables["department"] if isinstance(row.get("id"), str)}

    def read(self) -> Organisation:
        self._unknown_keys(self.document, TOP_KEYS)
        company = self._company()
        departments = self._models("department", Department)
        people = self._models("person", Person)
        delegations = self._models("delegation", Delegation)
        self._duplicates("department", "id")
        for key in ("id", "login", "email"):
            self._duplicates("person", key)
        self._references()
        self._circles()
        self._offices()
        self._delegations()
        if self.mistakes:
            raise OrganisationMistakes(self.mistakes)
        return Organisation(
            company=company,
            people=tuple(people),
            departments=tuple(departments),
            sales_vps=tuple(self.document["sales_vps"]),
            delegations=tuple(delegations),
        )

    # -- reporting mistakes -----------------------------------------------------------------------------------------

    def _say(self, place: tuple[str | int, ...], key: str, /, **params: object) -> None:
        field = ".".join(part for part in place if isinstance(part, str))
        mistake = Mistake.of(self.lines.of(*place), shown(field, 120), key, **params)
        self.mistakes[mistake] = None

    def _unknown_keys(self, table: Table, known: Iterable[str], *place: str | int) -> None:
        names = tuple(known)
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key[:40], names, n=1)
                if near:
                    self._say((*place, key), "unknown_key_near", near=near[0])
                else:
                    self._say((*place, key), "unknown_key")

    # -- one table at a time -------------------------------------------------------------------------------------

    def _tables_of(self, name: str) -> list[Table]:
        value = self.document.get(name, [])
        if isinstance(value, list) and all(isinstance(row, dict) for row in value):
            return value
        self._say((name,), "tables", table=name)
        return []

    def _company(self) -> str:
        if "company" not in self.document:
            self._say(("company",), "missing")
            return ""
        try:
            return _LINE.validate_python(self.document["company"])
        except ValidationError as error:
            key, params = mistake_of(error.errors()[0])
            self._say(("company",), key, **params)
            return ""

    def _models(self, name: str, model: type[Model]) -> list[Model]:
        found = []
        for index, row in enumerate(self.tables[name]):
            self._unknown_keys(row, model.model_fields, name, index)
            if name == "person" and isinstance(row.get("id"), str):
                row.setdefault("login", row["id"].strip())
            self._special_values(name, index, row)
            known = {key: value for key, value in row.items() if key in model.model_fields}
            try:
                found.append(model.model_validate(known))
            except ValidationError as error:
                self._model_mistakes(name, index, row, error)
        return found

    def _model_mistakes(self, name: str, index: int, row: Table, error: ValidationError) -> None:
        for detail in error.errors():
            key = str(detail["loc"][0]) if detail["loc"] else ""
            if key == "login" and "login" not in row:
                continue  # follows from the missing id, which is already reported
            if key in ("start", "end", "roles", "active") and key in row:
                continue  # reported more clearly by _special_values
            if key == "email" and isinstance(row.get(key), str) and not is_email_address(row[key]):
                continue
            text, params = mistake_of(detail)
            self._say((name, index, key), text, **params)

    def _special_values(self, name: str, index: int, row: Table) -> None:
        """Checks that the models do not make, or whose messages would not help."""
        if name == "person":
            self._person_values(index, row)
        for key in ("start", "end") if name == "delegation" else ():
            value = row.get(key)
            if key not in row:
                continue
            if not isinstance(value, datetime) or value.tzinfo is None:
                self._say((name, index, key), "moment")
            elif not 2000 <= value.year < 2200:
                self._say((name, index, key), "moment_range")

    def _person_values(self, index: int, row: Table) -> None:
        roles = row.get("roles", [])
        if not isinstance(roles, list):
            self._say(("person", index, "roles"), "roles")
            roles = []
        for role in roles:
            if role not in ROLES:
                self._say(("person", index, "roles"), "unknown_role", role=shown(role), known=", ".join(ROLES))
        if not isinstance(row.get("active", True), bool):
            self._say(("person", index, "active"), "bool_type")
        email = row.get("email")
        if isinstance(email, str) and not is_email_address(email):
            self._say(("person", index, "email"), "email", email=shown(email))

    def _duplicates(self, name: str, key: str) -> None:
        seen: dict[str, int] = {}
        for index, row in enumerate(self.tables[name]):
            value = row.get(key)
            if not isinstance(value, str):
                continue
            first = seen.setdefault(value.strip().casefold() if key == "email" else value.strip(), index)
            told = key == "login" and row.get("id") == self.tables[name][first].get("id")
            if first != index and not told:
                at = self.lines.of(name, first, key)
                text = "duplicate_of" if at else "duplicate"
                self._say((name, index, key), text, value=shown(value), first=at)

    # -- across tables -------------------------------------------------------------------------------------------

    def _known_person(self, place: tuple[str | int, ...], value: object) -> bool:
        if isinstance(value, str) and value in self.people:
            return True
        if isinstance(value, str):
            self._say(place, "unknown_person", person=shown(value))
        return False

    def _references(self) -> None:
        for name, keys in (("person", ("reports_to",)), ("department", ("gm", "vp"))):
            for index, row in enumerate(self.tables[name]):
                for key in keys:
                    self._known_person((name, index, key), row.get(key))
        for index, row in enumerate(self.tables["person"]):
            department = row.get("department")
            if isinstance(department, str) and department not in self.department_ids:
                self._say(("person", index, "department"), "unknown_department", department=shown(department))

    def _circles(self) -> None:
        """Nobody reports to themselves, directly or indirectly. Each circle is reported once."""
        done: set[str] = set()
        for start in self.people:
            path: dict[str, None] = {}
            person: object = start
            while isinstance(person, str) and person in self.people and person not in done and person not in path:
                path[person] = None
                person = self.people[person].get("reports_to")
            if isinstance(person, str) and person in path:
                names = list(path)
                circle = [*names[names.index(person) :], person]
                line = shown(" → ".join(circle), 200)
                self._say(("person", self.index_of[person], "reports_to"), "circle", circle=line)
            done.update(path)

    def _active(self, person_id: str, *roles: Role) -> bool:
        row = self.people.get(person_id, {})
        held = row.get("roles")
        return row.get("active", True) is not False and isinstance(held, list) and any(role in held for role in roles)

    def _offices(self) -> None:
        """The offices without which no application can be decided: two sales VPs (N6), a general manager, commerce."""
        self._sales_vps()
        managers = [person for person in self.people if self._active(person, Role.GENERAL_MANAGER)]
        if len(managers) != 1:
            second = self.index_of[managers[1]] if managers else None
            found = shown(", ".join(managers), 200) if managers else "0"
            self._say(
                ("person", second, "roles") if second is not None else ("person",),
                "one_general_manager",
                found=found,
            )
        if not any(self._active(person, Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER) for person in self.people):
            self._say(("person",), "no_commerce")

    def _sales_vps(self) -> None:
        place = ("sales_vps",)
        if "sales_vps" not in self.document:
            self._say(place, "missing")
            return
        named = self.document["sales_vps"]
        if not isinstance(named, list) or len(named) != 2 or not all(isinstance(vp, str) for vp in named):
            self._say(place, "two_sales_vps")
            if not isinstance(named, list):
                return
        ids = [vp for vp in named if isinstance(vp, str)]
        if len(set(ids)) != len(ids):
            self._say(place, "different_sales_vps")
        for vp in dict.fromkeys(ids):
            if self._known_person(place, vp) and not self._active(vp, Role.VP):
                self._say(place, "not_a_vp", person=shown(vp))

    def _delegations(self) -> None:
        for index, row in enumerate(self.tables["delegation"]):
            place = ("delegation", index)
            person, delegate = row.get("person"), row.get("delegate")
            self._known_person((*place, "person"), person)
            if self._known_person((*place, "delegate"), delegate) and isinstance(delegate, str):
                if self.people[delegate].get("active", True) is False:
                    self._say((*place, "delegate"), "delegate_left", person=shown(delegate))
                if delegate == person:
                    self._say((*place, "delegate"), "own_delegate")
            start, end = row.get("start"), row.get("end")
            if isinstance(start, datetime) and isinstance(end, datetime) and start.tzinfo and end.tzinfo:
                if end <= start:
                    self._say((*place, "end"), "ends_before_start")


__all__ = ["Mistake", "OrganisationMistakes", "delegations_without_effect", "read_organisation"]

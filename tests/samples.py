"""The one place for sample people, companies and forms.

Every test's form is one of the two that are shipped with the product (`embedded/sample`), with small changes, so that
a new field of a form touches this file and the samples alone. Two companies stand ready: the one that is shipped
(`sample_organisation`, Chinese names) and the small one of `company`, whose people are called after what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.accounts.application import ApplicationForm, Customer, Forecast, RelatedParty
from domain.accounts.uscc import check_uscc
from domain.disputes.dispute import Claimant
from domain.organisation import Delegation, Department, Organisation, Person, Role
from domain.projects.project import ProjectForm
from embedded.welcome import FORM_FILE, PROJECT_FILE

APPLICATION_FORM = ApplicationForm.model_validate_json(FORM_FILE.read_text(encoding="utf-8"))
"""Of 苏州云岭精密制造股份有限公司: a credit code, two aliases, three related parties."""
PROJECT_FORM = ProjectForm.model_validate_json(PROJECT_FILE.read_text(encoding="utf-8"))
"""Of 南京长江港务信息有限公司: no credit code, no aliases, no related parties."""
NO_FIGURES = dict.fromkeys(Forecast.model_fields, Decimal(0))
"""A forecast that meets no clause of E1."""


def customer_of(sample: Customer, name: str, **changes: Any) -> Customer:
    """`sample` under another name, without credit code, aliases and related parties unless `changes` bring them."""
    bare = {"name": name, "uscc": None, "aliases": (), "related_parties": ()}
    return Customer.model_validate(sample.model_dump() | bare | changes)


def _subsidiaries(related: Sequence[tuple[str, str | None]]) -> tuple[RelatedParty, ...]:
    return tuple(RelatedParty(name=name, uscc=code, relation="子公司") for name, code in related)


def application_form(
    name: str, *, code: str | None = None, aliases: Sequence[str] = (), related: Sequence[tuple[str, str | None]] = ()
) -> ApplicationForm:
    """The application for another customer; `related` are names with their codes."""
    customer = customer_of(
        APPLICATION_FORM.customer, name, uscc=code, aliases=tuple(aliases), related_parties=_subsidiaries(related)
    )
    return APPLICATION_FORM.model_copy(update={"customer": customer})


def project_form(
    customer: str, *, code: str | None = None, related: Sequence[tuple[str, str | None]] = (), **changes: Any
) -> ProjectForm:
    """The registration of a project with another customer; `changes` are fields of the form."""
    renamed = customer_of(PROJECT_FORM.customer, customer, uscc=code, related_parties=_subsidiaries(related))
    return ProjectForm.model_validate(PROJECT_FORM.model_dump() | {"customer": renamed} | changes)


def uscc(number: int) -> str:
    """A valid credit code of nobody."""
    start = f"91310115MA{number:07d}"
    for check in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        try:
            return check_uscc(start + check)
        except ValueError:
            continue
    raise AssertionError(start)


def application_body() -> dict[str, Any]:
    """The shipped application as a caller sends it: new with every call, to be changed at will."""
    return APPLICATION_FORM.model_dump(mode="json")


def project_body() -> dict[str, Any]:
    """The shipped registration as a caller sends it: new with every call, to be changed at will."""
    return PROJECT_FORM.model_dump(mode="json")


SAM, TESS, SUE, DORA, DIRK, VERA = "sam", "tess", "sue", "dora", "dirk", "vera"
VIKTOR, GINA, CARL, CLARA, MONA, PAT = "viktor", "gina", "carl", "clara", "mona", "pat"
OPERATOR = "operator:root"
_LONG_AGO = datetime(2026, 1, 5, 1, tzinfo=UTC)
NORTH = Department(id="north", name="North", gm="dora", vp="vera")
SOUTH = Department(id="south", name="South", gm="dirk", vp="viktor")
EAST = Department(id="east", name="East", gm="emil", vp="viktor")


def person(
    person_id: str, *roles: Role, active: bool = True, department: str | None = None, reports_to: str | None = None
) -> Person:
    """Somebody whose name, address and login follow from `person_id`."""
    return Person(
        id=person_id,
        name=person_id.title(),
        email=f"{person_id}@example.com",
        login=person_id,
        roles=frozenset(roles),
        active=active,
        department=department,
        reports_to=reports_to,
    )


_STAFF = {
    member.id: member
    for member in (
        person("sam", Role.SALESPERSON, department="north", reports_to="dora"),
        person("tess", Role.SALESPERSON, department="north", reports_to="dora"),
        person("nora", Role.SALESPERSON, department="north", reports_to="dora"),
        person("sue", Role.SALESPERSON, department="south", reports_to="dirk"),
        person("tom", Role.SALESPERSON, department="east", reports_to="emil"),
        person("dora", Role.DEPARTMENT_GM, department="north", reports_to="vera"),
        person("dirk", Role.DEPARTMENT_GM, department="south", reports_to="viktor"),
        person("emil", Role.DEPARTMENT_GM, department="east", reports_to="viktor"),
        person("vera", Role.VP, reports_to="gina"),
        person("viktor", Role.VP, reports_to="gina"),
        person("victor", Role.VP, reports_to="gina"),
        person("gina", Role.GENERAL_MANAGER),
        person("carl", Role.COO, reports_to="gina"),
        person("clara", Role.COMMERCE_CLERK, reports_to="mona"),
        person("chen", Role.COMMERCE_CLERK, reports_to="mona"),
        person("mona", Role.COMMERCE_MANAGER, reports_to="carl"),
        person("paul", Role.PRODUCT_MANAGER, reports_to="carl"),
        person("pat", Role.PRODUCT_MANAGER, reports_to="carl"),
    )
}


def company(
    names: Iterable[str],
    *,
    departments: Sequence[Department] = (NORTH,),
    gone: Iterable[str] = (),
    delegations: Iterable[Delegation] = (),
    sales_vps: tuple[str, ...] = ("vera", "viktor"),
) -> Organisation:
    """The company `Example` of these people, of whom `gone` have left."""
    left = frozenset(gone)
    return Organisation(
        company="Example",
        people=tuple(_STAFF[name].model_copy(update={"active": name not in left}) for name in names),
        departments=tuple(departments),
        sales_vps=sales_vps,
        delegations=tuple(delegations),
    )


def one_department(*, gone: Iterable[str] = (), delegations: Iterable[Delegation] = ()) -> Organisation:
    """Sam's department alone; a VP among `gone` is followed by `victor`."""
    names = (SAM, DORA, VERA, VIKTOR, GINA, CARL, CLARA, MONA, "victor")
    sales_vps = tuple("victor" if name in gone else name for name in (VERA, VIKTOR))
    return company(names, gone=gone, delegations=delegations, sales_vps=sales_vps)


def two_departments(*, gone: Iterable[str] = (), delegations: Iterable[Delegation] = ()) -> Organisation:
    """Two departments under two VPs: sam and tess in the north under vera, sue in the south under viktor."""
    names = (SAM, TESS, SUE, DORA, DIRK, VERA, VIKTOR, GINA, CARL, CLARA, MONA, PAT)
    return company(names, departments=(NORTH, SOUTH), gone=gone, delegations=delegations)


def account_of(person: str) -> Claimant:
    """P1, P3: a Named Account that a project touches."""
    return Claimant(person=person, subject_type="account", subject_id=f"NA-{person}", since=_LONG_AGO)


def registration_of(person: str, project_id: str = "") -> Claimant:
    """P5: another registration for a company of a project."""
    return Claimant(person=person, subject_type="project", subject_id=project_id or f"P-{person}", since=_LONG_AGO)

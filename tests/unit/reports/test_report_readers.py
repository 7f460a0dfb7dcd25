"""Who is sent which report, and who may look at one (U1, U9, R3, R4, X2)."""

import pytest

from domain.access import report_scope
from domain.organisation import Organisation, Person, Role
from domain.reports.readers import readers_of
from domain.reports.report import ReportKind
from domain.reviews.periods import Rhythm
from tests.report_samples import COMPANY

MANAGEMENT = {"zhang.wei", "liu.yang", "li.ming", "wang.fang", "sun.li"}


def without(person: str) -> Organisation:
    """The company after somebody has left."""
    people = tuple(member.model_copy(update={"active": member.id != person}) for member in COMPANY.people)
    return Organisation.model_validate(COMPANY.model_dump() | {"people": people})


def test_u1_a_digest_goes_to_each_department_gm_with_that_department_alone() -> None:
    readers = readers_of(ReportKind.WEEKLY_DIGEST, Rhythm.WEEKLY, COMPANY)
    assert {(reader.person, reader.department) for reader in readers} == {
        ("zhao.lei", "north"),
        ("chen.jing", "east"),
        ("david.brown", "finance-industry"),
    }
    assert all(reader.scope.departments == {reader.department} and not reader.scope.everything for reader in readers)


def test_u1_without_a_gm_the_digest_goes_to_the_vp() -> None:
    readers = readers_of(ReportKind.WEEKLY_DIGEST, Rhythm.WEEKLY, without("zhao.lei"))
    assert {reader.person for reader in readers if reader.department == "north"} == {"li.ming"}


def test_u9_a_forecast_goes_to_department_gms_and_vps_each_with_their_departments() -> None:
    readers = {reader.person: reader for reader in readers_of(ReportKind.FORECAST, Rhythm.MONTHLY, COMPANY)}
    assert {person: reader.scope.departments for person, reader in readers.items()} == {
        "zhao.lei": {"north"},
        "chen.jing": {"east"},
        "david.brown": {"finance-industry"},
        "li.ming": {"north", "finance-industry"},
        "wang.fang": {"east"},
    }
    assert not any(reader.scope.everything for reader in readers.values())


def test_r3_r4_management_gets_account_reports_except_monthly_ones() -> None:
    for rhythm in (Rhythm.QUARTERLY, Rhythm.HALF_YEARLY, Rhythm.YEARLY):
        readers = readers_of(ReportKind.ACCOUNTS, rhythm, COMPANY)
        assert {reader.person for reader in readers} == MANAGEMENT
        assert all(reader.scope.everything for reader in readers)
    assert readers_of(ReportKind.ACCOUNTS, Rhythm.MONTHLY, COMPANY) == ()


@pytest.mark.parametrize("person", COMPANY.people, ids=lambda person: person.id)
def test_x2_everybody_sees_their_part_of_a_report(person: Person) -> None:
    scope = report_scope(person, COMPANY, to_management=False)
    whole = report_scope(person, COMPANY, to_management=True)
    if person.roles <= {Role.OPERATOR, Role.PRODUCT_MANAGER}:
        assert scope is whole is None
        return
    assert scope is not None
    assert whole is not None
    assert scope.departments == {office.id for office in COMPANY.departments if person.id in (office.gm, office.vp)}
    commerce = {Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER}
    assert scope.everything is bool(person.roles & (commerce | {Role.GENERAL_MANAGER, Role.COO, Role.MANAGEMENT}))
    assert whole.everything is (scope.everything or Role.VP in person.roles)

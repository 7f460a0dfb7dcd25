"""Who meets (D2, D5): who belongs in a coordination meeting, who may be invited, who is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.disputes.meetings import empty_seats, may_be_invited, seats
from domain.organisation import Delegation, Organisation, Role
from imports.organisation_file import read_organisation

SAMPLE = read_organisation((Path(__file__).parents[3] / "embedded/sample/org.toml").read_text(encoding="utf-8"))
FAN, JING = "yang.fan", "xu.jing"
NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, MANAGER = (
    "zhao.lei", "chen.jing", "li.ming", "wang.fang", "liu.yang", "zhang.wei"
)  # fmt: skip
EVERYBODY = (NORTH_GM, EAST_GM, NORTH_VP, EAST_VP, COO, MANAGER)
CLERK = "gao.yuan"
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
THEN = NOW + timedelta(days=7)


def away(
    person: str, delegate: str, *, start: datetime = NOW, end: datetime = THEN + timedelta(days=1)
) -> Organisation:
    delegation = Delegation(person=person, delegate=delegate, start=start, end=end)
    return SAMPLE.model_copy(update={"delegations": (delegation,)})


def changed(person: str, **values: object) -> Organisation:
    people = tuple(p.model_copy(update=values) if p.id == person else p for p in SAMPLE.people)
    return Organisation.model_validate(SAMPLE.model_dump() | {"people": people, "delegations": ()})


def test_d5_gms_and_vps_of_both_sides_coo_and_general_manager_have_a_seat() -> None:
    assert seats(SAMPLE, [FAN, JING]) == tuple((person,) for person in EVERYBODY)
    assert seats(SAMPLE, [FAN]) == ((NORTH_GM,), (NORTH_VP,), (COO,), (MANAGER,))
    assert empty_seats(SAMPLE, [FAN, JING], EVERYBODY, [NOW, THEN]) == ()


@pytest.mark.parametrize("person", EVERYBODY)
def test_d5_whoever_belongs_in_the_meeting_and_is_not_there_is_missing(person: str) -> None:
    others = [member for member in EVERYBODY if member != person]
    assert empty_seats(SAMPLE, [FAN, JING], [*others, FAN, JING, CLERK], [NOW, THEN]) == (person,)


def test_d5_a_delegate_takes_the_seat_when_called_or_when_it_takes_place() -> None:
    others = [member for member in EVERYBODY if member != EAST_VP]
    for start, end in ((NOW, NOW + timedelta(days=1)), (THEN, THEN + timedelta(days=1))):
        organisation = away(EAST_VP, "sun.li", start=start, end=end)
        assert empty_seats(organisation, [FAN, JING], [*others, "sun.li"], [NOW, THEN]) == ()
        assert "sun.li" in may_be_invited(organisation, [FAN, JING], (), [NOW, THEN])
    past = away(EAST_VP, "sun.li", start=NOW - timedelta(days=9), end=NOW - timedelta(days=8))
    assert empty_seats(past, [FAN, JING], [*others, "sun.li"], [NOW, THEN]) == (EAST_VP,)


def test_d5_one_of_several_who_hold_an_office_is_enough() -> None:
    two = changed(CLERK, roles=frozenset({Role.COO}))
    assert empty_seats(two, [FAN], [NORTH_GM, NORTH_VP, CLERK, MANAGER], [NOW]) == ()


def test_d5_a_seat_that_nobody_holds_any_more_is_none() -> None:
    assert (EAST_GM,) not in seats(changed(EAST_GM, active=False), [FAN, JING])


def test_d5_others_are_invited_only_if_they_may_see_the_case() -> None:
    may = may_be_invited(SAMPLE, [FAN, JING], [CLERK], [NOW])
    assert set(may) == {*EVERYBODY, FAN, JING, CLERK}


def test_d5_x2_an_operator_is_never_invited() -> None:
    """Not as somebody who may see the case, not as a delegate; whoever has a seat has it whatever else they do."""
    operators = [person.id for person in SAMPLE.people if Role.OPERATOR in person.roles]
    assert operators
    assert not set(operators) & set(may_be_invited(SAMPLE, [FAN, JING], operators, [NOW]))
    organisation = away(EAST_VP, operators[0])
    others = [member for member in EVERYBODY if member != EAST_VP]
    assert operators[0] not in may_be_invited(organisation, [FAN, JING], (), [NOW])
    assert empty_seats(organisation, [FAN, JING], [*others, operators[0]], [NOW]) == (EAST_VP,)
    both = changed(COO, roles=frozenset({Role.COO, Role.OPERATOR}))
    assert COO in may_be_invited(both, [FAN, JING], (), [NOW])

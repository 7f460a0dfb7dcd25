"""Who decides: who is asked by each kind of task, and who never is."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.organisation import Delegation, Organisation, Role
from domain.policy import Policy, load_policy
from domain.tasks.asking import refilled_slots, vp_slots, who_is_asked
from domain.tasks.task import Ask, Asked, AssigneeCapacity, TaskKind
from tests.samples import company, person

POLICY = load_policy()
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
DAY = timedelta(days=1)
HOLDER, DELEGATE, STAND_IN = AssigneeCapacity.HOLDER, AssigneeCapacity.DELEGATE, AssigneeCapacity.STAND_IN

COMPANY = ("sam", "dora", "vera", "viktor", "gina", "carl", "clara", "chen", "mona", "paul")


def organisation(
    *,
    gone: Iterable[str] = (),
    delegations: Iterable[tuple[str, str]] = (),
    sales_vps: tuple[str, ...] = ("vera", "viktor"),
    **also: Role,
) -> Organisation:
    """The company above. `gone` have left; `also` gives somebody a second role; delegations are in force now."""
    made = company(COMPANY, gone=gone, delegations=in_force(delegations), sales_vps=sales_vps)
    people = tuple(
        member.model_copy(update={"roles": member.roles | {also[member.id]}}) if member.id in also else member
        for member in made.people
    )
    return made.model_copy(update={"people": people})


def in_force(pairs: Iterable[tuple[str, str]]) -> tuple[Delegation, ...]:
    """Delegations from the first to the second of each pair, yesterday to tomorrow."""
    return tuple(Delegation(person=away, delegate=acting, start=NOW - DAY, end=NOW + DAY) for away, acting in pairs)


def asked(
    kind: TaskKind,
    org: Organisation,
    *,
    slot: str = "",
    applicant: str = "sam",
    standing_in: bool = False,
    other_reviewers: Iterable[str] = (),
    now: datetime = NOW,
    policy: Policy = POLICY,
) -> list[tuple[str, AssigneeCapacity, str | None]]:
    found: tuple[Asked, ...] = who_is_asked(
        Ask(kind=kind, slot=slot),
        org,
        policy,
        applicant=applicant,
        now=now,
        standing_in=standing_in,
        other_reviewers=frozenset(other_reviewers),
    )
    return [(assignee.person, assignee.capacity, assignee.on_behalf_of) for assignee in found]


def test_n2_and_n5_every_clerk_is_asked_to_check() -> None:
    assert asked(TaskKind.COMMERCE_CHECK, organisation()) == [("clara", HOLDER, None), ("chen", HOLDER, None)]


def test_n5_without_clerks_the_commerce_managers_check() -> None:
    assert asked(TaskKind.COMMERCE_CHECK, organisation(gone={"clara", "chen"})) == [("mona", HOLDER, None)]
    assert asked(TaskKind.COMMERCE_CHECK, organisation(gone={"chen"}), applicant="clara") == [("mona", HOLDER, None)]


def test_n12_after_the_deadline_the_role_of_the_policy_stands_in() -> None:
    check = asked(TaskKind.COMMERCE_CHECK, organisation(), standing_in=True)
    assert check == [("clara", HOLDER, None), ("chen", HOLDER, None), ("mona", STAND_IN, None)]
    by_coo = POLICY.deadlines[TaskKind.VP_REVIEW].model_copy(update={"stand_in": Role.COO})
    policy = POLICY.model_copy(update={"deadlines": {**POLICY.deadlines, TaskKind.VP_REVIEW: by_coo}})
    review = asked(TaskKind.VP_REVIEW, organisation(), slot="vera", standing_in=True, policy=policy)
    assert review == [("vera", HOLDER, None), ("carl", STAND_IN, "vera")]


def test_n5_only_the_applicant_is_asked_to_complete_the_form() -> None:
    org = organisation(delegations=[("sam", "paul"), ("dora", "paul")])
    assert asked(TaskKind.SUPPLY_INFORMATION, org) == [("sam", HOLDER, None)]
    assert asked(TaskKind.SUPPLY_INFORMATION, org, standing_in=True) == [("sam", HOLDER, None)]


@pytest.mark.parametrize(
    ("gone", "superior"),
    [
        (("sam",), "dora"),
        (("sam", "dora"), "vera"),
        (("sam", "dora", "vera"), "gina"),
        (("sam", "dora", "vera", "gina"), "carl"),
    ],
)
def test_n5_for_an_applicant_who_has_left_a_superior_completes_the_form(gone: tuple[str, ...], superior: str) -> None:
    org = organisation(gone=gone, delegations=[(superior, "paul")])
    assert asked(TaskKind.SUPPLY_INFORMATION, org) == [(superior, STAND_IN, "sam")]


def test_n5_an_applicant_no_longer_listed_leaves_the_form_to_the_general_manager() -> None:
    assert asked(TaskKind.SUPPLY_INFORMATION, organisation(), applicant="nobody") == [("gina", STAND_IN, "nobody")]


def test_a_circle_of_superiors_ends() -> None:
    people = (person("ann", reports_to="bob", active=False), person("bob", reports_to="ann", active=False))
    org = Organisation(company="Circle", people=people, sales_vps=())
    assert asked(TaskKind.SUPPLY_INFORMATION, org, applicant="ann") == []


def test_n6_each_vp_is_asked_in_their_own_slot() -> None:
    assert asked(TaskKind.VP_REVIEW, organisation(), slot="vera") == [("vera", HOLDER, None)]
    assert asked(TaskKind.VP_REVIEW, organisation(), slot="viktor") == [("viktor", HOLDER, None)]


def test_n12_after_the_deadline_the_general_manager_is_asked_in_the_vps_stead() -> None:
    found = asked(TaskKind.VP_REVIEW, organisation(), slot="vera", standing_in=True)
    assert found == [("vera", HOLDER, None), ("gina", STAND_IN, "vera")]


def test_n12_the_general_manager_may_stand_in_for_both_vps() -> None:
    found = asked(TaskKind.VP_REVIEW, organisation(), slot="vera", standing_in=True, other_reviewers={"viktor", "gina"})
    assert found == [("vera", HOLDER, None), ("gina", STAND_IN, "vera")]


def test_n6_and_n12_a_general_manager_who_is_the_other_vp_does_not_also_stand_in() -> None:
    org = organisation(sales_vps=("vera", "gina"))
    found = asked(TaskKind.VP_REVIEW, org, slot="vera", standing_in=True, other_reviewers={"gina"})
    assert found == [("vera", HOLDER, None), ("carl", STAND_IN, "vera")]


@pytest.mark.parametrize("gone", [("vera",), ()])
def test_n6_a_slot_whose_vp_cannot_be_asked_goes_to_the_general_manager_at_once(gone: tuple[str, ...]) -> None:
    """The VP has left, or is the applicant; their delegate has nothing to decide either."""
    org = organisation(gone=gone, delegations=[("vera", "dora")])
    applicant = "sam" if gone else "vera"
    assert asked(TaskKind.VP_REVIEW, org, slot="vera", applicant=applicant) == [("gina", STAND_IN, "vera")]


def test_n6_somebody_who_is_no_sales_vp_any_more_does_not_review() -> None:
    org = organisation(sales_vps=("viktor", "dora"))
    assert asked(TaskKind.VP_REVIEW, org, slot="vera") == [("gina", STAND_IN, "vera")]


def test_delegates_decide_on_behalf_of_holders_and_stand_ins() -> None:
    org = organisation(delegations=[("vera", "dora"), ("gina", "paul")])
    assert asked(TaskKind.VP_REVIEW, org, slot="vera", standing_in=True) == [
        ("vera", HOLDER, None),
        ("dora", DELEGATE, "vera"),
        ("gina", STAND_IN, "vera"),
        ("paul", DELEGATE, "gina"),
    ]
    clerk = organisation(delegations=[("clara", "paul")])
    assert ("paul", DELEGATE, "clara") in asked(TaskKind.COMMERCE_CHECK, clerk)


def test_delegations_count_only_while_they_are_in_force() -> None:
    org = organisation(delegations=[("vera", "dora")])
    for now, in_force in ((NOW - DAY, True), (NOW - DAY * 2, False), (NOW + DAY - DAY / 24, True), (NOW + DAY, False)):
        found = asked(TaskKind.VP_REVIEW, org, slot="vera", now=now)
        assert (("dora", DELEGATE, "vera") in found) is in_force


def test_delegations_are_not_transitive() -> None:
    org = organisation(delegations=[("vera", "dora"), ("dora", "paul")])
    found = asked(TaskKind.VP_REVIEW, org, slot="vera")
    assert found == [("vera", HOLDER, None), ("dora", DELEGATE, "vera")]


def test_n6_one_person_counts_once_so_the_other_vp_is_no_delegate() -> None:
    org = organisation(delegations=[("vera", "viktor"), ("vera", "dora")])
    found = asked(TaskKind.VP_REVIEW, org, slot="vera", other_reviewers={"viktor"})
    assert found == [("vera", HOLDER, None), ("dora", DELEGATE, "vera")]
    decided = asked(TaskKind.VP_REVIEW, org, slot="vera", other_reviewers={"viktor", "dora"})
    assert decided == [("vera", HOLDER, None)]


def test_n6_a_new_vp_who_decided_the_other_slot_as_a_delegate_does_not_decide_again() -> None:
    org = organisation(sales_vps=("dora", "viktor"), delegations=[("dora", "paul")])
    found = asked(TaskKind.VP_REVIEW, org, slot="dora", other_reviewers={"viktor", "dora"})
    assert found == [("gina", STAND_IN, "dora")]


def test_somebody_who_holds_the_task_is_not_also_a_delegate() -> None:
    org = organisation(delegations=[("clara", "chen"), ("chen", "mona")])
    assert asked(TaskKind.COMMERCE_CHECK, org, standing_in=True) == [
        ("clara", HOLDER, None),
        ("chen", HOLDER, None),
        ("mona", DELEGATE, "chen"),
    ]


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n8_and_n10_the_general_manager_decides_or_else_the_coo(kind: TaskKind) -> None:
    org = organisation(delegations=[("gina", "dora")])
    assert (
        asked(kind, org) == asked(kind, org, standing_in=True) == [("gina", HOLDER, None), ("dora", DELEGATE, "gina")]
    )
    assert asked(kind, org, applicant="gina") == [("carl", STAND_IN, None)]
    assert asked(kind, organisation(gone={"gina"})) == [("carl", STAND_IN, None)]


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n8_and_n10_who_reviewed_does_not_decide_again_for_the_general_manager(kind: TaskKind) -> None:
    """A VP is the general manager's delegate: not for what they have reviewed themselves."""
    reviewers = {"vera", "viktor", "paul"}
    org = organisation(delegations=[("gina", "vera"), ("gina", "paul"), ("gina", "dora")])
    assert asked(kind, org, other_reviewers=reviewers) == [("gina", HOLDER, None), ("dora", DELEGATE, "gina")]
    coo_too = organisation(gone={"gina"}, delegations=[("carl", "vera")], mona=Role.COO)
    assert asked(kind, coo_too, other_reviewers={"vera", "carl"}) == [("mona", STAND_IN, None)]


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n8_and_n12_the_general_manager_who_stood_in_for_a_vp_still_decides_as_general_manager(kind: TaskKind) -> None:
    org = organisation(sales_vps=("vera", "gina"), delegations=[("gina", "vera")])
    assert asked(kind, org, other_reviewers={"vera", "gina"}) == [("gina", HOLDER, None)]


@pytest.mark.parametrize("kind", [TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL])
def test_n12_nothing_waits_for_nobody_when_the_coo_alone_is_left_and_has_stood_in(kind: TaskKind) -> None:
    org = organisation(gone={"gina"})
    assert asked(kind, org, other_reviewers={"vera", "viktor", "carl"}) == [("carl", STAND_IN, None)]
    vp = organisation(gone={"gina"}, sales_vps=("vera", "carl"))
    assert asked(kind, vp, other_reviewers={"vera", "carl"}) == []


def test_n6_a_new_review_has_a_slot_for_each_sales_vp() -> None:
    assert vp_slots(organisation()) == ("vera", "viktor")
    assert vp_slots(organisation(sales_vps=("vera", "vera"))) == ("vera",)


@pytest.mark.parametrize(
    ("current", "named", "expected"),
    [
        (("a", "b"), ("a", "b"), ("a", "b")),
        (("a", "b"), ("b", "a"), ("a", "b")),
        (("a", "b"), ("b", "c"), ("c", "b")),
        (("a", "b"), ("c", "d"), ("c", "d")),
        (("a", "b"), ("b",), ("a", "b")),
        (("a", "b"), ("c",), ("c", "b")),
        (("a", "b"), (), ("a", "b")),
        (("a", "b"), ("a", "b", "c"), ("a", "b")),
    ],
)
def test_n6_after_a_change_vps_keep_their_slots_and_the_newly_named_take_the_rest(
    current: tuple[str, ...], named: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert refilled_slots(current, organisation(sales_vps=named)) == expected


@pytest.mark.parametrize(
    ("open_slots", "decided", "named", "expected"),
    [
        (("b",), {"a"}, ("a", "c"), ("c",)),
        (("b",), {"a"}, ("c", "a"), ("c",)),
        (("b",), {"a"}, ("c", "d"), ("c",)),
        (("b",), {"a"}, ("c",), ("c",)),
        (("b",), {"a"}, ("a",), ("b",)),
        (("b",), {"a"}, ("b", "c"), ("b",)),
        ((), {"a", "b"}, ("c", "d"), ()),
    ],
)
def test_n6_whoever_has_decided_their_slot_takes_no_other_and_what_is_decided_needs_no_successor(
    open_slots: tuple[str, ...], decided: set[str], named: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert refilled_slots(open_slots, organisation(sales_vps=named), decided) == expected


names = st.sampled_from([*COMPANY])
organisations = st.builds(
    lambda gone, delegations, sales_vps, also: organisation(
        gone=gone, delegations=delegations, sales_vps=tuple(sales_vps), **also
    ),
    gone=st.frozensets(names, max_size=5),
    delegations=st.lists(st.tuples(names, names), max_size=6),
    sales_vps=st.lists(names, min_size=2, max_size=2, unique=True),
    also=st.dictionaries(names, st.sampled_from(Role), max_size=4),
)


@given(org=organisations, applicant=names, kind=st.sampled_from(TaskKind), standing_in=st.booleans())
def test_who_decides_nobody_on_their_own_application_nobody_twice_only_who_is_there(
    org: Organisation, applicant: str, kind: TaskKind, standing_in: bool
) -> None:
    for slot in vp_slots(org) if kind is TaskKind.VP_REVIEW else ("",):
        others = set(vp_slots(org)) - {slot}
        found = asked(kind, org, slot=slot, applicant=applicant, standing_in=standing_in, other_reviewers=others)
        people = [person_id for person_id, _, _ in found]
        assert len(people) == len(set(people))
        assert all(org.by_id[person_id].active for person_id in people)
        assert applicant not in people or (kind is TaskKind.SUPPLY_INFORMATION and people[0] == applicant)
        principals = {person_id for person_id, capacity, _ in found if capacity is not DELEGATE}
        assert {on for _, capacity, on in found if capacity is DELEGATE} <= principals
        assert found == asked(
            kind, org, slot=slot, applicant=applicant, standing_in=standing_in, other_reviewers=others
        )


@given(org=organisations, applicant=names, kind=st.sampled_from(TaskKind), standing_in=st.booleans())
def test_who_decides_a_sane_organisation_always_has_somebody_to_ask(
    org: Organisation, applicant: str, kind: TaskKind, standing_in: bool
) -> None:
    """Sane: a general manager and a COO at work, two people, neither of them a reviewer of the other slot."""
    assume({"gina", "carl"} <= {p.id for p in org.people if p.active})
    assume(not {"gina", "carl"} & set(org.sales_vps))
    for slot in org.sales_vps:
        others = set(org.sales_vps) - {slot}
        assert asked(kind, org, slot=slot, applicant=applicant, standing_in=standing_in, other_reviewers=others)


@given(
    org=organisations,
    applicant=names,
    standing_in=st.booleans(),
    picks=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_who_decides_n6_one_person_decides_at_most_one_slot_of_a_review(
    org: Organisation, applicant: str, standing_in: bool, picks: tuple[int, int]
) -> None:
    """Whoever of those asked answers first, and then whoever answers the other slot: two people, unless N12 lets the
    general manager (or for want of one the COO) stand in for both."""
    first_slot, second_slot = vp_slots(org)

    def review(slot: str, others: set[str]) -> list[tuple[str, AssigneeCapacity, str | None]]:
        return asked(
            TaskKind.VP_REVIEW,
            org,
            slot=slot,
            applicant=applicant,
            standing_in=standing_in,
            other_reviewers=others,
        )

    first = review(first_slot, {second_slot})
    assume(first)
    decider, first_capacity, _ = first[picks[0] % len(first)]
    second = review(second_slot, {first_slot, decider})
    assume(second)
    other, second_capacity, _ = second[picks[1] % len(second)]
    if decider == other:
        assert second_capacity is STAND_IN
        assert other not in org.sales_vps
        assert org.by_id[other].roles & {Role.GENERAL_MANAGER, Role.COO}
        assert first_capacity is not HOLDER

"""Who is asked at each step of a project and a dispute, and who never is (P1-P8, D1, D2, U6)."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.organisation import Organisation
from domain.reviews.review import REVIEW_TASK_RULES
from domain.tasks.asking import IN_PERSON
from domain.tasks.task import AssigneeCapacity, TaskKind
from tests import samples
from tests.unit.tasks.test_asking import DAY, NOW, asked, in_force

HOLDER, DELEGATE, STAND_IN = AssigneeCapacity.HOLDER, AssigneeCapacity.DELEGATE, AssigneeCapacity.STAND_IN

OF_A_VP = [
    TaskKind.CONFLICT_CONFIRMATION,
    TaskKind.PROJECT_APPROVAL,
    TaskKind.RECORD_MEETING,
    TaskKind.OBJECTION_REVIEW,
]
OF_COMMERCE = [
    TaskKind.ASSIGN_CLERK,
    TaskKind.CONFLICT_CHECK,
    TaskKind.CALL_MEETING,
    TaskKind.RESUME_REVIEW,
    TaskKind.CONTRACT_REVIEW,
]

COMPANY = ("sam", "nora", "tom", "dora", "emil", "vera", "viktor", "gina", "carl", "clara", "chen", "mona", "paul")


def company(
    *, gone: Iterable[str] = (), delegations: Iterable[tuple[str, str]] = (), vp_of_east: str | None = "viktor"
) -> Organisation:
    """Two sales departments. `gone` have left; delegations are in force now."""
    east = samples.EAST.model_copy(update={"vp": vp_of_east})
    return samples.company(COMPANY, departments=(samples.NORTH, east), gone=gone, delegations=in_force(delegations))


# P1, P2, P5, P6, P8, D2: the VP of the salesperson whom the slot names


@pytest.mark.parametrize("kind", OF_A_VP)
@pytest.mark.parametrize(("slot", "vp"), [("sam", "vera"), ("nora", "vera"), ("tom", "viktor")])
def test_p2_p5_p8_and_d2_the_vp_of_the_slots_salesperson_is_asked_and_no_other(
    kind: TaskKind, slot: str, vp: str
) -> None:
    """Whoever applied: under another's account it is the responsible salesperson's VP who decides."""
    assert asked(kind, company(), slot=slot, applicant="sam") == [(vp, HOLDER, None)]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_n12_the_vps_delegate_may_answer_and_after_the_deadline_the_general_manager(kind: TaskKind) -> None:
    org = company(delegations=[("viktor", "carl"), ("gina", "paul")])
    assert asked(kind, org, slot="tom") == [("viktor", HOLDER, None), ("carl", DELEGATE, "viktor")]
    assert asked(kind, org, slot="tom", standing_in=True) == [
        ("viktor", HOLDER, None),
        ("carl", DELEGATE, "viktor"),
        ("gina", STAND_IN, "viktor"),
        ("paul", DELEGATE, "gina"),
    ]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_n12_a_delegate_decides_only_while_the_delegation_is_in_force(kind: TaskKind) -> None:
    org = company(delegations=[("viktor", "carl")])
    for now, acts in ((NOW - DAY, True), (NOW - DAY * 2, False), (NOW + DAY, False)):
        assert (("carl", DELEGATE, "viktor") in asked(kind, org, slot="tom", now=now)) is acts


@pytest.mark.parametrize("kind", OF_A_VP)
def test_p2_without_a_vp_who_can_be_asked_the_general_manager_is_asked_at_once(kind: TaskKind) -> None:
    """The VP has left; the department has none; the salesperson is not listed any more."""
    assert asked(kind, company(gone=["viktor"], delegations=[("viktor", "paul")]), slot="tom") == [
        ("gina", STAND_IN, "viktor")
    ]
    assert asked(kind, company(vp_of_east=None), slot="tom") == [("gina", STAND_IN, None)]
    assert asked(kind, company(), slot="nobody") == [("gina", STAND_IN, None)]
    assert asked(kind, company(gone=["viktor", "gina"]), slot="tom") == [("carl", STAND_IN, "viktor")]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_p2_a_salesperson_who_has_left_does_not_take_their_vp_along(kind: TaskKind) -> None:
    assert asked(kind, company(gone=["tom"]), slot="tom") == [("viktor", HOLDER, None)]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_nobody_decides_on_their_own_project(kind: TaskKind) -> None:
    """Neither as the VP, nor as the VP's delegate, nor in the VP's stead."""
    assert asked(kind, company(), slot="tom", applicant="viktor") == [("gina", STAND_IN, "viktor")]
    for mine in ("sam", "tom"):
        org = company(delegations=[("viktor", mine)])
        assert asked(kind, org, slot="tom", applicant="sam") == [("viktor", HOLDER, None)]
    stood_in_for = asked(kind, company(), slot="tom", applicant="gina", standing_in=True)
    assert stood_in_for == [("viktor", HOLDER, None), ("carl", STAND_IN, "viktor")]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_d2_a_vp_who_is_one_side_of_it_does_not_decide(kind: TaskKind) -> None:
    """A department's VP sells in it as well and holds the account: the general manager is asked."""
    org = company(vp_of_east="tom")
    assert asked(kind, org, slot="tom", applicant="sam") == [("gina", STAND_IN, "tom")]


@pytest.mark.parametrize("kind", OF_A_VP)
def test_d2_the_sides_of_a_dispute_decide_nothing_on_it(kind: TaskKind) -> None:
    """P8: the other registration is that of the applicant's VP, or of who stands in for them."""
    sides = {"sam", "vera"}
    org = company(delegations=[("gina", "vera")])
    assert asked(kind, org, slot="sam", other_reviewers=sides) == [("gina", STAND_IN, "vera")]
    assert asked(kind, org, slot="sam", other_reviewers={"sam", "gina"}, standing_in=True) == [
        ("vera", HOLDER, None),
        ("carl", STAND_IN, "vera"),
    ]


def test_n6_who_holds_or_decided_another_confirmation_is_no_delegate_here() -> None:
    """P5: one task for each VP concerned; `other_reviewers` are those of the others."""
    org = company(delegations=[("viktor", "vera"), ("viktor", "carl")])
    found = asked(TaskKind.CONFLICT_CONFIRMATION, org, slot="tom", other_reviewers={"vera"})
    assert found == [("viktor", HOLDER, None), ("carl", DELEGATE, "viktor")]


# P4, D2, U6: commerce


def test_p4_the_commerce_manager_assigns_and_a_clerk_stands_in() -> None:
    kind = TaskKind.ASSIGN_CLERK
    assert asked(kind, company()) == [("mona", HOLDER, None)]
    assert asked(kind, company(delegations=[("mona", "paul")])) == [("mona", HOLDER, None), ("paul", DELEGATE, "mona")]
    assert asked(kind, company(), standing_in=True) == [
        ("mona", HOLDER, None),
        ("clara", STAND_IN, None),
        ("chen", STAND_IN, None),
    ]
    assert asked(kind, company(gone=["mona"])) == [("clara", HOLDER, None), ("chen", HOLDER, None)]


def test_p4_the_clerk_assigned_looks_for_conflicts_and_no_other() -> None:
    kind = TaskKind.CONFLICT_CHECK
    assert asked(kind, company(), slot="chen") == [("chen", HOLDER, None)]
    assert asked(kind, company(), slot="mona") == [("mona", HOLDER, None)]  # the manager takes it
    assert asked(kind, company(), slot="chen", standing_in=True) == [("chen", HOLDER, None), ("mona", STAND_IN, "chen")]
    org = company(delegations=[("chen", "clara")])
    assert asked(kind, org, slot="chen") == [("chen", HOLDER, None), ("clara", DELEGATE, "chen")]


def test_p4_for_a_clerk_who_has_left_the_commerce_manager_looks() -> None:
    kind = TaskKind.CONFLICT_CHECK
    assert asked(kind, company(gone=["chen"]), slot="chen") == [("mona", HOLDER, None)]
    assert asked(kind, company(gone=["chen", "mona"]), slot="chen") == [("clara", HOLDER, None)]
    assert asked(kind, company(), slot="nobody") == [("mona", HOLDER, None)]
    everyone = ["chen", "clara", "mona"]
    assert asked(kind, company(gone=everyone), slot="chen") == [("gina", STAND_IN, "chen")]


def test_d2_the_commerce_manager_calls_the_meeting_and_a_clerk_stands_in() -> None:
    kind = TaskKind.CALL_MEETING
    assert asked(kind, company()) == [("mona", HOLDER, None)]
    assert [who for who, _, _ in asked(kind, company(), standing_in=True)] == ["mona", "clara", "chen"]


def test_u6_every_clerk_may_review_a_resumption_and_the_manager_stands_in() -> None:
    kind = TaskKind.RESUME_REVIEW
    assert asked(kind, company()) == [("clara", HOLDER, None), ("chen", HOLDER, None)]
    assert asked(kind, company(), standing_in=True)[-1] == ("mona", STAND_IN, None)
    assert asked(kind, company(gone=["clara", "chen"])) == [("mona", HOLDER, None)]


@pytest.mark.parametrize("kind", OF_COMMERCE)
def test_nobody_in_commerce_handles_a_project_of_their_own(kind: TaskKind) -> None:
    for applicant in ("mona", "clara"):
        for standing_in in (False, True):
            found = asked(kind, company(), slot="clara", applicant=applicant, standing_in=standing_in)
            assert found
            assert applicant not in {who for who, _, _ in found}


@pytest.mark.parametrize("kind", OF_COMMERCE)
def test_nobody_in_commerce_handles_what_they_registered_before_it_was_handed_on(kind: TaskKind) -> None:
    """P4, A6: sam is responsible now; who registered it, or is another side of it, decides nothing on it either."""
    for own in ("mona", "clara"):
        for standing_in in (False, True):
            found = asked(kind, company(), slot="clara", standing_in=standing_in, other_reviewers={own})
            assert found
            assert own not in {who for who, _, _ in found}


# P2, D1: in person


def test_p2_only_the_salesperson_completes_a_held_project() -> None:
    org = company(delegations=[("sam", "paul")])
    assert asked(TaskKind.SUPPLY_INFORMATION, org, standing_in=True) == [("sam", HOLDER, None)]


@pytest.mark.parametrize(("slot", "other"), [("sam", "tom"), ("tom", "sam")])
def test_d1_each_salesperson_agrees_in_person(slot: str, other: str) -> None:
    """Also the applicant, and no delegate; nobody is asked in their stead however long it takes."""
    org = company(delegations=[(slot, "paul"), (slot, other)])
    for standing_in in (False, True):
        assert asked(TaskKind.AGREE_SPLIT, org, slot=slot, standing_in=standing_in) == [(slot, HOLDER, None)]


@pytest.mark.parametrize(
    ("gone", "superior"),
    [
        (("tom",), "emil"),
        (("tom", "emil"), "viktor"),
        (("tom", "emil", "viktor"), "gina"),
        (("tom", "emil", "viktor", "gina"), "carl"),
    ],
)
def test_d1_for_a_salesperson_who_has_left_their_superior_agrees(gone: tuple[str, ...], superior: str) -> None:
    org = company(gone=gone, delegations=[(superior, "paul")])
    assert asked(TaskKind.AGREE_SPLIT, org, slot="tom") == [(superior, STAND_IN, "tom")]
    assert asked(TaskKind.SUPPLY_INFORMATION, org, applicant="tom") == [(superior, STAND_IN, "tom")]


def test_d1_nobody_agrees_with_themselves() -> None:
    """The applicant is the department GM of the salesperson who has left: the next superior speaks for that side."""
    assert asked(TaskKind.AGREE_SPLIT, company(gone=["tom"]), slot="tom", applicant="emil") == [
        ("viktor", STAND_IN, "tom")
    ]
    third = asked(TaskKind.AGREE_SPLIT, company(gone=["tom"]), slot="tom", other_reviewers={"sam", "emil"})
    assert third == [("viktor", STAND_IN, "tom")]
    everyone = ["tom", "emil", "viktor"]
    assert asked(TaskKind.AGREE_SPLIT, company(gone=everyone), slot="tom", applicant="gina") == [
        ("carl", STAND_IN, "tom")
    ]


# All of them

names = st.sampled_from([*COMPANY])
organisations = st.builds(
    company,
    gone=st.frozensets(names, max_size=6),
    delegations=st.lists(st.tuples(names, names), max_size=6),
    vp_of_east=names,
)


@given(
    org=organisations,
    applicant=names,
    slot=names,
    kind=st.sampled_from([*OF_A_VP, *OF_COMMERCE, TaskKind.AGREE_SPLIT]),
    standing_in=st.booleans(),
    others=st.frozensets(names, max_size=3),
)
def test_who_is_asked_is_there_asked_once_and_not_about_their_own(
    org: Organisation, applicant: str, slot: str, kind: TaskKind, standing_in: bool, others: frozenset[str]
) -> None:
    found = asked(kind, org, slot=slot, applicant=applicant, standing_in=standing_in, other_reviewers=others)
    people = [who for who, _, _ in found]
    assert len(people) == len(set(people))
    assert all(org.by_id[who].active for who in people)
    own = {applicant} - ({slot} if kind in IN_PERSON else set())
    assert not own & set(people)
    if kind in OF_A_VP:
        assert slot not in people
    principals = {who for who, capacity, _ in found if capacity is not DELEGATE}
    assert {on for _, capacity, on in found if capacity is DELEGATE} <= principals


@given(
    org=organisations,
    kind=st.sampled_from([*OF_A_VP, *OF_COMMERCE, TaskKind.AGREE_SPLIT]),
    applicant=st.sampled_from(["sam", "tom", "nora"]),
    slot=st.sampled_from(["sam", "tom", "clara", "nobody"]),
    standing_in=st.booleans(),
)
def test_no_step_of_a_project_waits_for_nobody(
    org: Organisation, kind: TaskKind, applicant: str, slot: str, standing_in: bool
) -> None:
    """While a general manager or a COO is at work."""
    found = asked(kind, org, slot=slot, applicant=applicant, standing_in=standing_in)
    assert found or not {"gina", "carl"} & {member.id for member in org.people if member.active}


def test_every_kind_of_a_project_is_asked_by_these_tests() -> None:
    of_applications = {TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL}
    of_projects = set(TaskKind) - of_applications - set(REVIEW_TASK_RULES)
    assert {*OF_A_VP, *OF_COMMERCE, *IN_PERSON} - set(REVIEW_TASK_RULES) == of_projects

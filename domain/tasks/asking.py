"""Who is asked by a task, and in which capacity (N2, N5, N6, N8, N10, N12, P1–P8, D1, D2, U6, U7).

Worked out anew whenever the organisation, a delegation or a deadline changes, and once more when an answer is recorded.
Only active people are asked, nobody twice, and the applicant only to supply information on what they applied for or to
agree to a split. No salesperson decides in their own VP's place on what is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime

from domain.organisation import Organisation, Role
from domain.policy import Policy
from domain.tasks.task import Ask, Asked, AssigneeCapacity, Decision, TaskKind

IN_PERSON = frozenset({TaskKind.SUPPLY_INFORMATION, TaskKind.AGREE_SPLIT, TaskKind.WEEKLY_UPDATE})
"""What a salesperson is asked about their own matters: nobody is their delegate for it."""
_OF_A_VP = frozenset(
    {
        TaskKind.CONFLICT_CONFIRMATION,
        TaskKind.PROJECT_APPROVAL,
        TaskKind.RECORD_MEETING,
        TaskKind.OBJECTION_REVIEW,
    }
)
"""Decided by the VP of the salesperson whom the slot names."""
_OF_COMMERCE_ON_PROJECTS = frozenset(
    {
        TaskKind.ASSIGN_CLERK,
        TaskKind.CONFLICT_CHECK,
        TaskKind.CALL_MEETING,
        TaskKind.RESUME_REVIEW,
        TaskKind.CONTRACT_REVIEW,
    }
)
_LAST_RESORT = (Role.GENERAL_MANAGER, Role.COO)
"""Asked, in this order, when nobody else is left: nothing waits for nobody."""


def who_is_asked(
    ask: Ask,
    organisation: Organisation,
    policy: Policy,
    *,
    applicant: str,
    now: datetime,
    standing_in: bool = False,
    other_reviewers: frozenset[str] = frozenset(),
) -> tuple[Asked, ...]:
    """Everybody asked by `ask` at `now`; any one of them answers it.

    `standing_in`: the deadline for that has passed (N12). `other_reviewers`: who holds or decided the other slot of the
    same review; for what the general manager decides (N8, N10), any slot of this round's review; for a project, its
    applicant and the sides of it, who decide nothing on it. One person counts once: they are not asked here, except as
    the stand-in for both VPs, which N12 says in so many words, and as the general manager. First come the holders, then
    their delegates, the stand-ins, and the delegates of those; a delegate has no delegates, and somebody who may not be
    asked has none either. Empty only when the organisation has nobody left to ask.
    """
    if ask.kind in IN_PERSON:
        asked = applicant if ask.kind is TaskKind.SUPPLY_INFORMATION else ask.slot
        # D1: nobody agrees with themselves, not even as the superior of the other side.
        their_own = ask.kind is TaskKind.SUPPLY_INFORMATION
        other_side = frozenset() if their_own else ({applicant} | other_reviewers) - {asked}
        return _in_person(ask.kind, organisation, policy, asked, now, standing_in, other_side)

    own = {applicant, ask.slot} if ask.kind in _OF_A_VP else {applicant}

    def may_be_asked(person: str) -> bool:
        return _is_active(organisation, person) and person not in own

    def counts_here(person: str) -> bool:
        return may_be_asked(person) and person not in other_reviewers

    def may_stand_in(person: str) -> bool:
        return may_be_asked(person) and not (person in other_reviewers and person in organisation.sales_vps)

    found = _People(organisation, now, may_be_delegate=counts_here)
    once = ask.kind is TaskKind.VP_REVIEW or ask.kind in _OF_A_VP | _OF_COMMERCE_ON_PROJECTS
    may_hold = counts_here if once else may_be_asked
    found.add_with_delegates(_holders(ask, organisation, may_hold), AssigneeCapacity.HOLDER)
    if standing_in or not found.asked:
        roles = _stand_in_roles(ask.kind, policy, nobody_left=not found.asked)
        stand_ins: tuple[str, ...] = ()
        if ask.kind is not TaskKind.VP_REVIEW:
            stand_ins = _first_held(roles, organisation, counts_here)
        # Whoever only stood in for a VP is better than nobody.
        stand_ins = stand_ins or _first_held(roles, organisation, may_stand_in)
        found.add_with_delegates(stand_ins, AssigneeCapacity.STAND_IN, on_behalf_of=_principal(ask, organisation))
    return tuple(found.asked)


def vp_slots(organisation: Organisation) -> tuple[str, ...]:
    """N6: the slots of a new review, one for each sales VP in the order of the organisation."""
    return tuple(dict.fromkeys(organisation.sales_vps))


def slots_of(ask: Ask, organisation: Organisation) -> tuple[str, ...]:
    """The slots of the tasks that an ask opens. N6: a review without a slot is one task for each sales VP."""
    return vp_slots(organisation) if ask.kind is TaskKind.VP_REVIEW and not ask.slot else (ask.slot,)


def refilled_slots(
    open_slots: tuple[str, ...], organisation: Organisation, decided: Collection[str] = ()
) -> tuple[str, ...]:
    """N6: the open slots of a running review after the organisation changed.

    A VP still named keeps their slot; the slots of the others go to those newly named, in order. `decided` are the
    slots of the same review whose answer stands: what is decided needs no successor, and whose it is needs no other
    slot. A slot without a successor stays as it is, and the general manager stands in there: a review never needs
    fewer approvals than it began with.
    """
    named = vp_slots(organisation)
    successors = iter([person for person in named if person not in open_slots and person not in decided])
    return tuple(slot if slot in named else next(successors, slot) for slot in open_slots)


def standing_slots(decided: Iterable[Decision], asked_now: Collection[str]) -> frozenset[str]:
    """N6, N8: the slots of a running review whose answer stands.

    `decided`: the decisions of its round; `asked_now`: the ids of the tasks that were opened last. Asked again above
    the limit, an approval without a special reason no longer stands: its slot is open anew.
    """
    return frozenset(
        decision.slot
        for decision in decided
        if decision.kind is TaskKind.VP_REVIEW and (decision.special or decision.task_id in asked_now)
    )


def concerned_by(asked: Iterable[Asked], slot: str) -> frozenset[str]:
    """The people whose delegations decide who is asked: those who are, those they stand for, and the slot's own."""
    return frozenset({person.on_behalf_of or person.person for person in asked} | {p.person for p in asked} | {slot})


def heads_of(department: str, organisation: Organisation) -> tuple[str, ...]:
    """Who leads a department: its general manager, then the VP who supervises it; those who are still there."""
    office = organisation.departments_by_id.get(department)
    heads = (office.gm, office.vp) if office else ()
    return tuple(person for person in heads if person and _is_active(organisation, person))


class _People:
    """People asked, each once, in order."""

    def __init__(self, organisation: Organisation, now: datetime, may_be_delegate: Callable[[str], bool]) -> None:
        self.asked: list[Asked] = []
        self._organisation = organisation
        self._now = now
        self._may_be_delegate = may_be_delegate

    def add(
        self, people: Iterable[str], capacity: AssigneeCapacity, on_behalf_of: str | None = None
    ) -> tuple[str, ...]:
        """Ask those of `people` who are not asked yet, and say who they are."""
        known = {asked.person for asked in self.asked}
        added = tuple(person for person in dict.fromkeys(people) if person not in known)
        self.asked += [Asked(person=person, capacity=capacity, on_behalf_of=on_behalf_of) for person in added]
        return added

    def add_with_delegates(
        self, people: Iterable[str], capacity: AssigneeCapacity, on_behalf_of: str | None = None
    ) -> None:
        for principal in self.add(people, capacity, on_behalf_of):
            delegations = self._organisation.delegations_in_force(principal, self._now)
            delegates = [d.delegate for d in delegations if self._may_be_delegate(d.delegate)]
            self.add(delegates, AssigneeCapacity.DELEGATE, on_behalf_of=principal)


def _in_person(
    kind: TaskKind,
    organisation: Organisation,
    policy: Policy,
    salesperson: str,
    now: datetime,
    standing_in: bool,
    other_side: Collection[str],
) -> tuple[Asked, ...]:
    """N5, P2, D1: the salesperson; for one who has left, a superior on their behalf. Nobody is a delegate for this."""

    def may_be_asked(person: str) -> bool:
        return _is_active(organisation, person) and person not in other_side

    found = _People(organisation, now, may_be_asked)
    found.add(filter(may_be_asked, (salesperson,)), AssigneeCapacity.HOLDER)
    if not found.asked:
        superiors = list(filter(may_be_asked, _superiors(organisation, salesperson)))
        found.add(superiors[:1], AssigneeCapacity.STAND_IN, on_behalf_of=salesperson)
    if standing_in or not found.asked:
        roles = _stand_in_roles(kind, policy, nobody_left=not found.asked)
        found.add(_first_held(roles, organisation, may_be_asked), AssigneeCapacity.STAND_IN, on_behalf_of=salesperson)
    return tuple(found.asked)


def _holders(ask: Ask, organisation: Organisation, may_be_asked: Callable[[str], bool]) -> Iterable[str]:
    match ask.kind:
        case TaskKind.COMMERCE_CHECK:
            return _first_held((Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER), organisation, may_be_asked)
        case TaskKind.VP_REVIEW:
            # Somebody who is no longer a sales VP does not review; their slot may still wait for a successor.
            return (ask.slot,) if ask.slot in organisation.sales_vps and may_be_asked(ask.slot) else ()
        case TaskKind.RESUME_REVIEW | TaskKind.CONTRACT_REVIEW:
            return _first_held((Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER), organisation, may_be_asked)
        case TaskKind.ASSIGN_CLERK | TaskKind.CALL_MEETING | TaskKind.START_REVIEW:
            return _first_held((Role.COMMERCE_MANAGER, Role.COMMERCE_CLERK), organisation, may_be_asked)
        case TaskKind.CONFLICT_CHECK:  # P4: the clerk assigned; commerce again once they have left
            if may_be_asked(ask.slot):
                return (ask.slot,)
            return _first_held((Role.COMMERCE_MANAGER, Role.COMMERCE_CLERK), organisation, may_be_asked)
        case TaskKind.WEEKLY_REVIEW:  # R1
            return filter(may_be_asked, heads_of(ask.slot, organisation)[:1])
        case TaskKind.MONTHLY_REVIEW:  # R2
            return filter(may_be_asked, (ask.slot,))
        case kind if kind in _OF_A_VP:
            vp = organisation.vp_of(ask.slot)
            return (vp,) if vp and may_be_asked(vp) else ()
        case _:
            return _first_held((Role.GENERAL_MANAGER,), organisation, may_be_asked)


def _stand_in_roles(kind: TaskKind, policy: Policy, *, nobody_left: bool) -> tuple[Role, ...]:
    """Roles to try in order: who the policy names, then whoever is left to ask."""
    deadline = policy.deadlines.get(kind)
    if deadline is not None and deadline.stand_in is not None:
        return (deadline.stand_in, *_LAST_RESORT)
    return _LAST_RESORT if nobody_left else ()


def _first_held(
    roles: Iterable[Role], organisation: Organisation, may_be_asked: Callable[[str], bool]
) -> tuple[str, ...]:
    """Those who hold the first of `roles` that anybody who may be asked holds."""
    for role in roles:
        people = tuple(person.id for person in organisation.holders(role) if may_be_asked(person.id))
        if people:
            return people
    return ()


def _principal(ask: Ask, organisation: Organisation) -> str | None:
    """In whose stead a stand-in is asked, where one person is."""
    if ask.kind in _OF_A_VP:
        return organisation.vp_of(ask.slot)
    return ask.slot if organisation.person(ask.slot) else None


def _superiors(organisation: Organisation, person_id: str) -> Iterator[str]:
    """The general manager of the person's department, then up the line of those they report to."""
    person = organisation.person(person_id)
    department = organisation.departments_by_id.get(person.department or "") if person else None
    if department is not None and department.gm is not None:
        yield department.gm
    seen: set[str] = set()
    while person is not None and person.reports_to is not None and person.reports_to not in seen:
        seen.add(person.reports_to)
        yield person.reports_to
        person = organisation.person(person.reports_to)


def _is_active(organisation: Organisation, person_id: str) -> bool:
    person = organisation.person(person_id)
    return person is not None and person.active

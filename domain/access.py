"""Who may see and do what (X2). Decided here alone, for single rows and for lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from domain.accounts.application import Stage
from domain.base import Frozen
from domain.organisation import Organisation, Person, Role

SEES_EVERYTHING = frozenset({Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER, Role.GENERAL_MANAGER})
"""Roles that need every application for their work: first check and background (N2–N5), appeals, disputes."""


READS_REPORTS = frozenset({Role.COO, Role.MANAGEMENT})
"""U9, R3, R4: recipients of reports may open the accounts and projects in them."""


class Scope(Frozen):
    """What a person may see. The same value filters lists in SQL and checks single rows.

    For projects, `db.reads.lists` adds relations that only the record knows: the sides of a dispute, their superiors
    and the people invited to its meeting (D1, D2, D4), and people notified of a loss (U8).
    """

    person: str
    everything: bool = False
    departments: frozenset[str] = frozenset()
    led: frozenset[str] = frozenset()
    """The people in these departments."""
    disputes: bool = False
    """Every project in dispute (D4)."""
    reported: bool = False
    """Accounts and approved projects, as listed in reports to management (U9, R3, R4)."""

    def covers(self, *, applicant: str, department: str | None, involved: bool, in_reports: bool = False) -> bool:
        """Whether the person may see a row. `involved`: they were assigned one of its tasks. `in_reports`: it is
        listed in reports to management."""
        mine = involved or applicant == self.person or department in self.departments
        return self.everything or mine or (self.reported and in_reports)


def scope_of(viewer: Person, organisation: Organisation) -> Scope:
    """What `viewer` may see: their own, what they were assigned, their departments, what their reports list, or
    everything.

    An operator runs the system and sees no customer; a product manager sees only lost projects.
    """
    led = {d.id for d in organisation.departments if viewer.id in (d.gm, d.vp)}
    return Scope(
        person=viewer.id,
        everything=bool(viewer.roles & SEES_EVERYTHING),
        departments=frozenset(led),
        led=frozenset(person.id for person in organisation.people if led and person.department in led),
        reported=bool(viewer.roles & READS_REPORTS),
    )


def scope_at(viewer: Person, organisation: Organisation, now: datetime) -> Scope:
    """`scope_of` for projects: whoever may step in for a VP or the general manager at `now` also sees the disputes
    that those see (D4)."""
    own = scope_of(viewer, organisation)
    if Role.OPERATOR in viewer.roles or not (principals := acts_for(viewer, organisation, now)):
        return own
    led = {office.id for office in organisation.departments if office.vp in principals}
    people = {person.id for person in organisation.people if person.department in led}
    managers = {person.id for person in organisation.holders(Role.GENERAL_MANAGER)}
    return own.model_copy(update={"led": own.led | people, "disputes": bool(managers & principals)})


SEES_EVERY_REPORT = SEES_EVERYTHING | READS_REPORTS
"""U9, R3, R4: commerce prepares reports, management reads them."""


def report_scope(viewer: Person, organisation: Organisation, *, to_management: bool) -> Scope | None:
    """X2: the part of a report that `viewer` may see, or None if they may see none of it.

    Management and commerce see all of it; VPs and department GMs their departments, and VPs everything in reports
    `to_management` (R3, R4); salespeople their own rows. Operators and product managers see nothing.
    """
    if not viewer.roles - {Role.OPERATOR, Role.PRODUCT_MANAGER}:
        return None
    whole = SEES_EVERY_REPORT | ({Role.VP} if to_management else set())
    return scope_of(viewer, organisation).model_copy(update={"everything": bool(viewer.roles & whole)})


def may_apply(viewer: Person) -> bool:
    """N1: salespeople apply for Named Accounts."""
    return Role.SALESPERSON in viewer.roles


def may_register(viewer: Person) -> bool:
    """P1, P4: salespeople register projects."""
    return Role.SALESPERSON in viewer.roles


def may_check_conflicts(viewer: Person) -> bool:
    """P4, X2: people who apply, register, check or decide may check what is registered. An operator sees no
    customer, and a product manager only lost projects."""
    return bool(viewer.roles - {Role.OPERATOR, Role.PRODUCT_MANAGER})


def may_withdraw(viewer: Person, applicant: str) -> bool:
    """N13: only the applicant."""
    return viewer.id == applicant


def may_call_meeting(viewer: Person, organisation: Organisation, sides: Iterable[str], now: datetime) -> bool:
    """D2: a side, a VP concerned, or the general manager; or a delegate of those at `now`."""
    known = list(sides)
    return viewer.id in known or steps_in_for(viewer, organisation, known, now) is not None


def steps_in_for(viewer: Person, organisation: Organisation, sides: Iterable[str], now: datetime) -> str | None:
    """D4: whom the viewer may act for, even after the two salespeople have agreed: a VP concerned or the general
    manager for themselves, or their delegate at `now`. None for anybody else, and for a side in place of its own VP."""
    known = list(sides)
    managers = [person.id for person in organisation.holders(Role.GENERAL_MANAGER)]
    holders = dict.fromkeys([*(vp for side in known if (vp := organisation.vp_of(side))), *managers])
    if viewer.id in holders:
        return viewer.id
    if viewer.id in known or Role.OPERATOR in viewer.roles:
        return None
    return next((holder for holder in holders if holder in acts_for(viewer, organisation, now)), None)


def acts_for(viewer: Person, organisation: Organisation, now: datetime) -> frozenset[str]:
    """The people whose delegate the viewer is at `now`; people who have left are excluded."""
    principals = {
        delegation.person
        for delegation in organisation.delegations
        if delegation.delegate == viewer.id and delegation.in_force(now)
    }
    return frozenset(person.id for person in organisation.people if person.active and person.id in principals)


def may_move_meeting(viewer: Person) -> bool:
    """D5: commerce calls the meeting, and moves it or calls it off."""
    return bool(viewer.roles & {Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER})


def may_gather_evidence(viewer: Person) -> bool:
    """N15: commerce, at any time."""
    return bool(viewer.roles & {Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER})


def may_appeal(viewer: Person, applicant: str) -> bool:
    """N10: only the applicant."""
    return viewer.id == applicant


def sees_evidence(
    viewer: Person, organisation: Organisation, *, owners: Collection[str], asked_to_decide: bool
) -> bool:
    """Evidence contains other people's customers: it is for those who decide, never for the person whose matter it
    is."""
    if viewer.id in owners:
        return False
    return asked_to_decide or bool(viewer.roles & SEES_EVERYTHING) or viewer.id in organisation.sales_vps


def may_remind(viewer: Person, owners: Collection[str]) -> bool:
    """Whoever waits may remind whoever is asked: the salespeople whose matter it is."""
    return viewer.id in owners


def may_decode(viewer: Person) -> bool:
    """X2: an operator's UI reads encrypted histories through the codec endpoint."""
    return Role.OPERATOR in viewer.roles


def can_still_withdraw(stage: Stage) -> bool:
    """N13: at any time before activation."""
    return not stage.ended


def may_receive_contract(viewer: Person, *, own: Collection[str]) -> bool:
    """U7: commerce records a contract it has received. `own`: the project's salesperson and registrant; nobody
    confirms the receipt of their own contract."""
    return bool(viewer.roles & {Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER}) and viewer.id not in own

"""What the record and the registers know of an application's customer at this moment (N3, N4, N14, N15, E2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from activities.conflicts.collisions import colliding
from activities.unit_of_work import UnitOfWork
from conflicts.budget import Budget
from conflicts.detection import REGISTERED, Found, closest
from conflicts.learned import learned_keys
from conflicts.matches import compared, described
from db.accounts import accounts, applications, registers
from db.accounts.applications import ApplicationRow
from db.accounts.registers import BackgroundRow
from db.conflicts import rulings
from domain.accounts.application import ApplicationForm, RelatedParty
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.register_entries import BackgroundEntry
from domain.accounts.uscc import kept_apart
from domain.conflicts.project_match import Match
from domain.policy import Matching
from domain.subject import Subject, SubjectType
from matching.names.names import name_key

_PROJECTS = frozenset({"project", "earlier_project"})
_STANDING = frozenset({"account", "application"})
"""What may stand in the way of an application (N14)."""


class Registrations(NamedTuple):
    """What is registered for the customer or a related party."""

    evidence: list[Evidence]
    standing: tuple[Found, ...]
    """N14: what stands in the way of the application."""


async def registrations(uow: UnitOfWork, row: ApplicationRow, bounds: Matching) -> Registrations:
    """N3, N14: accounts and live applications for the same customer or a related party; projects now registered by
    other salespeople, and the history of past ones."""
    budget = Budget()
    found = await colliding(uow, _subject(row), row.form, REGISTERED, bounds=bounds, live_only=False, budget=budget)
    gathered = []
    for kind, subject in ((EvidenceKind.ACCOUNTS, "account"), (EvidenceKind.APPLICATIONS, "application")):
        kept, more = closest([match for match in found if match.subject_type == subject and match.live])
        met = {match.subject_id: match.name for match in kept}
        shown = [
            _finding(match, met[match.subject_id]) for match in await described(uow.connection, kept) if match.live
        ]
        gathered.append(_evidence(kind, f"{subject}_register", uow, shown, more=more))
    for kind, live in ((EvidenceKind.PROJECTS, True), (EvidenceKind.PAST_PROJECTS, False)):
        kept, more = closest([match for match in found if match.subject_type in _PROJECTS and match.live is live])
        projects = [
            _project_finding(match, row) for match in await described(uow.connection, kept) if match.live is live
        ]
        gathered.append(_evidence(kind, "project_register", uow, projects, more=more))
    if budget.left_out:
        uow.note("names_not_compared", count=len(budget.left_out))
        gathered[0] = gathered[0].model_copy(update={"not_compared": tuple(budget.left_out)})
    return Registrations(gathered, tuple(match for match in found if match.stands and match.subject_type in _STANDING))


async def accounts_held(uow: UnitOfWork, row: ApplicationRow) -> list[Evidence]:
    """N4: Named Accounts the salesperson already holds."""
    held = [
        Finding(
            subject_type="account",
            subject_id=account.id,
            name=account.form.customer.name,
            since=account.activated_at,
        )
        for account in await accounts.held_by(uow.connection, row.applicant)
    ]
    return [_evidence(EvidenceKind.ACCOUNTS_HELD, "account_register", uow, held)]


async def credit_and_litigation(uow: UnitOfWork, row: ApplicationRow) -> list[Evidence]:
    """N4, E2: credit and litigation of the customer and its related parties, from the register that commerce keeps."""
    customer = row.form.customer
    own = [name_key(name) for name in (customer.name, *customer.aliases)]
    own += learned_keys(own, await rulings.known_aliases(uow.connection, own))
    others = customer.related_parties
    keys = [*own, *(name_key(party.name) for party in others)]
    codes = [code for code in (customer.uscc, *(party.uscc for party in others)) if code]
    entries: list[tuple[BackgroundEntry, RelatedParty | None]] = []
    for listed in await registers.background_of(uow.connection, keys, codes):
        entry = BackgroundEntry.model_validate(listed.document)
        if _speaks_of(listed, own, customer.uscc):
            entries.append((entry, None))
            continue
        about = (party for party in others if _speaks_of(listed, [name_key(party.name)], party.uscc))
        entries += [(entry, party) for party in islice(about, 1)]
    return [
        _evidence(EvidenceKind.CREDIT, "background_register", uow, [_credit(*entry) for entry in entries]),
        _evidence(EvidenceKind.LITIGATION, "background_register", uow, [_litigation(*entry) for entry in entries]),
    ]


async def with_corrections(uow: UnitOfWork, row: ApplicationRow, found: Sequence[Evidence]) -> list[Evidence]:
    """N5, E2: what a clerk has corrected stands in a later round as well, while it is the same customer."""
    corrected = {
        item.kind: item.corrected
        for item in (await applications.evidence_of(uow.connection, row.id, row.round - 1) if row.round > 1 else ())
        if item.corrected
    }
    if not corrected:
        return list(found)
    before, now = [
        (name_key(form.customer.name), form.customer.uscc)
        for form in [
            ApplicationForm.model_validate(kept["form"])
            for kept in await applications.rounds(uow.connection, row.id)
            if kept["round"] in (row.round - 1, row.round)
        ]
    ]
    if before != now:
        return list(found)
    return [item.model_copy(update={"corrected": corrected.get(item.kind)}) for item in found]


async def everything_again(
    uow: UnitOfWork, row: ApplicationRow, bounds: Matching, before: Sequence[Evidence], *, since_asked: bool
) -> tuple[tuple[Evidence, ...], tuple[Found, ...]]:
    """N15: all that our own record and registers say at this moment, marked where it is not what it was `before`, with
    what people have said of it and what sources outside have; and what stands in the way (N14).

    `since_asked`: as in `Evidence.gathered_again`.
    """
    found = await registrations(uow, row, bounds)
    now = [*found.evidence, *await accounts_held(uow, row), *await credit_and_litigation(uow, row)]
    known = {item.kind: item for item in before}
    again = []
    for item in now:
        was = known.get(item.kind)
        if was:
            outside = tuple(finding for finding in was.findings if finding.outside)
            same = {"findings": (*item.findings, *outside), "available": was.available}
            item = was.gathered_again(item.model_copy(update=same), since_asked=since_asked)
        again.append(item)
    return tuple(again), found.standing


def _speaks_of(listed: BackgroundRow, name_keys: Iterable[str], code: str | None) -> bool:
    """Whether an entry of the register is about the company of these names and this code."""
    if kept_apart(listed.uscc, code):
        return False
    return listed.name_key in name_keys or bool(code and listed.uscc == code)


def _evidence(
    kind: EvidenceKind, source: str, uow: UnitOfWork, findings: Sequence[Finding], *, more: int = 0
) -> Evidence:
    return Evidence(kind=kind, source=source, gathered_at=uow.now, findings=tuple(findings), more=more)


def _finding(match: Match, met: str) -> Finding:
    """An account or application by its customer; `met` is the company by which it was found."""
    detail = {"matched": met} if met != match.customer_name else {}
    return Finding(
        subject_type=match.subject_type,
        subject_id=match.subject_id,
        name=match.customer_name,
        **compared(match),
        since=match.since,
        detail={"salesperson": match.salesperson, **detail},
        earlier=match.earlier,
        grave=match.conflict,
    )


def _project_finding(match: Match, row: ApplicationRow) -> Finding:
    detail = {"project_name": match.name, "salesperson": match.salesperson, "status": match.status}
    if match.amount is not None:
        detail["amount"] = str(match.amount)
    return Finding(
        subject_type=match.subject_type,
        subject_id=match.subject_id,
        name=match.customer_name,
        **compared(match),
        since=match.since,
        detail=detail,
        earlier=match.earlier,
        grave=match.conflict and match.live and match.salesperson != row.applicant,
    )


def _subject(row: ApplicationRow) -> Subject:
    return Subject(type=SubjectType.APPLICATION, id=row.id)


def _credit(entry: BackgroundEntry, party: RelatedParty | None) -> Finding:
    detail = {"credit_standing": entry.credit_standing, "malicious_arrears": _yes_no(entry.malicious_arrears)}
    return _register_finding(entry, party, detail, grave=entry.malicious_arrears)


def _litigation(entry: BackgroundEntry, party: RelatedParty | None) -> Finding:
    detail = {"lawsuit_with_us": _yes_no(entry.lawsuit_with_us), "lawsuits": entry.lawsuits}
    return _register_finding(entry, party, detail, grave=entry.lawsuit_with_us)


def _register_finding(
    entry: BackgroundEntry, party: RelatedParty | None, detail: dict[str, str], *, grave: bool
) -> Finding:
    """What a source says of the customer, or of `party`, which is bound to it."""
    of_party = {"related_party": party.relation} if party else {}
    known = {name: value for name, value in detail.items() if value}
    return Finding(
        subject_type="register",
        subject_id=entry.uscc or entry.name,
        name=entry.name,
        detail={**of_party, **known, "register_source": entry.source, "as_of": entry.as_of.isoformat()},
        grave=grave,
        related=party is not None,
    )


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"

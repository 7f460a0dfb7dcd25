"""核查资料: what the record, the registers and outside sources know of a customer (N3, N4), each with its source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.applications import own_application
from activities.collisions import colliding
from activities.context import ForeignStep
from activities.steps import Gathered, GatherStep
from activities.transaction import Recorder, Work
from conflicts.detection import REGISTERED, closest
from conflicts.learned import learned_keys
from conflicts.matches import compared, described
from db import accounts, applications, registers, rulings
from db.applications import ApplicationRow
from domain.application import Customer, Stage
from domain.evidence import Evidence, EvidenceKind, Finding
from domain.project_match import Match
from domain.registers import BackgroundEntry
from domain.subject import Subject, SubjectType
from domain.uscc import told_apart
from matching.names import name_key

_PROJECTS = frozenset({"project", "earlier_project"})


class BackgroundSource(Protocol):
    """An outside source of credit and litigation, such as a credit bureau. It may be slow and may fail."""

    name: str

    async def ask(self, customer: Customer, now: datetime) -> Sequence[Evidence]:
        """Evidence of the kinds CREDIT and LITIGATION. Raises anything when it cannot answer; it is asked again."""
        ...


class EvidenceGathering:
    """Gathers evidence side by side; what is found stays in the record."""

    def __init__(self, recorder: Recorder, outside: Sequence[BackgroundSource] = ()) -> None:
        self._recorder = recorder
        self._outside = tuple(outside)

    @activity.defn
    async def gather_registrations(self, step: GatherStep) -> Gathered:
        """N3, N14: who else has registered the customer or a related party."""

        async def find(work: Work, row: ApplicationRow) -> Sequence[Evidence]:
            return await _registrations(work, row)

        return await self._gather(step, find)

    @activity.defn
    async def gather_background(self, step: GatherStep) -> Gathered:
        """N4, E2: what the salesperson holds, and how the customer stands."""

        async def find(work: Work, row: ApplicationRow) -> Sequence[Evidence]:
            return [*await _accounts_held(work, row), *await _credit_and_litigation(work, row)]

        gathered = await self._gather(step, find)
        return gathered.model_copy(update={"ask_outside": bool(self._outside)})

    @activity.defn
    async def ask_outside_sources(self, step: GatherStep) -> Gathered:
        """N4: credit and litigation from outside, beside what the register says. May be slow; retried by the engine."""
        asked = await self._recorder.read(lambda tx: applications.find(tx, step.application_id))
        if asked is None:
            raise ForeignStep(f"there is no application {step.application_id}")
        # Before the transaction opens: a slow source must not hold a connection that the other steps need.
        answers = [item for source in self._outside for item in await source.ask(asked.form.customer, step.now)]

        async def find(work: Work, row: ApplicationRow) -> Sequence[Evidence]:
            if _too_late(step, row):
                return []
            known = {item.kind: item for item in await applications.evidence_of(work.tx, row.id, row.round)}
            for item in answers:
                before = known.get(item.kind)
                findings = (*(before.findings if before else ()), *item.findings)
                known[item.kind] = item.model_copy(update={"findings": findings})
            return [known[kind] for kind in (EvidenceKind.CREDIT, EvidenceKind.LITIGATION) if kind in known]

        return await self._gather(step, find)

    @activity.defn
    async def mark_outside_sources_unavailable(self, step: GatherStep) -> Gathered:
        """N5: an outside source stayed silent; the people who decide are told so."""

        async def find(work: Work, row: ApplicationRow) -> Sequence[Evidence]:
            if _too_late(step, row):
                return []
            return [
                item.model_copy(update={"available": False})
                for item in await applications.evidence_of(work.tx, row.id, row.round)
                if item.kind in (EvidenceKind.CREDIT, EvidenceKind.LITIGATION)
            ]

        return await self._gather(step, find)

    async def _gather(self, step: GatherStep, find: Find) -> Gathered:
        async def work(work: Work) -> Gathered:
            row = await own_application(work, step.application_id, lock=False)
            found = await find(work, row)
            if found:
                await applications.keep_evidence(work.tx, row.id, step.round, found)
            work.note(
                "evidence_gathered",
                round=step.round,
                found={item.kind.value: [item.source, len(item.findings), item.available] for item in found},
            )
            return Gathered()

        return await self._recorder.once(step, Gathered, work)


class Find(Protocol):
    async def __call__(self, work: Work, row: ApplicationRow) -> Sequence[Evidence]: ...


async def _registrations(work: Work, row: ApplicationRow) -> list[Evidence]:
    """N3, N14: accounts and live applications for the same customer or a related party; projects now registered by
    other salespeople, and the history of past ones."""
    bounds = (await work.facts.pinned_policy(work.tx, row.policy_digest)).matching  # the application began with it
    found = await colliding(work, _subject(row), row.form, REGISTERED, bounds=bounds, live_only=False)
    gathered = []
    for kind, subject in ((EvidenceKind.ACCOUNTS, "account"), (EvidenceKind.APPLICATIONS, "application")):
        kept, more = closest([one for one in found if one.subject_type == subject and one.live])
        met = {one.subject_id: one.name for one in kept}
        shown = [_finding(match, met[match.subject_id]) for match in await described(work.tx, kept) if match.live]
        gathered.append(_evidence(kind, f"{subject}_register", work, shown, more=more))
    for kind, live in ((EvidenceKind.PROJECTS, True), (EvidenceKind.PAST_PROJECTS, False)):
        kept, more = closest([one for one in found if one.subject_type in _PROJECTS and one.live is live])
        projects = [_project_finding(match, row) for match in await described(work.tx, kept) if match.live is live]
        gathered.append(_evidence(kind, "project_register", work, projects, more=more))
    return gathered


async def _accounts_held(work: Work, row: ApplicationRow) -> list[Evidence]:
    """N4: Named Accounts the salesperson already holds."""
    held = [
        Finding(
            subject_type="account",
            subject_id=account.id,
            name=account.form.customer.name,
            since=account.activated_at,
        )
        for account in await accounts.held_by(work.tx, row.applicant)
    ]
    return [_evidence(EvidenceKind.ACCOUNTS_HELD, "account_register", work, held)]


async def _credit_and_litigation(work: Work, row: ApplicationRow) -> list[Evidence]:
    """N4, E2: credit and litigation from the register that commerce keeps."""
    customer = row.form.customer
    keys = [name_key(name) for name in (customer.name, *customer.aliases)]
    keys += learned_keys(keys, await rulings.known_aliases(work.tx, keys))
    listed = await registers.background_of(work.tx, keys, [customer.uscc] if customer.uscc else [])
    entries = [
        BackgroundEntry.model_validate(entry.document) for entry in listed if not told_apart(entry.uscc, customer.uscc)
    ]
    return [
        _evidence(EvidenceKind.CREDIT, "background_register", work, [_credit(e) for e in entries]),
        _evidence(EvidenceKind.LITIGATION, "background_register", work, [_litigation(e) for e in entries]),
    ]


def _too_late(step: GatherStep, row: ApplicationRow) -> bool:
    """An attempt given up by the engine may still come through; what clerks have noted since must stand (N5)."""
    return row.stage is not Stage.EVIDENCE or row.round != step.round


def _evidence(kind: EvidenceKind, source: str, work: Work, findings: Sequence[Finding], *, more: int = 0) -> Evidence:
    return Evidence(kind=kind, source=source, gathered_at=work.now, findings=tuple(findings), more=more)


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


def _credit(entry: BackgroundEntry) -> Finding:
    detail = {"credit_standing": entry.credit_standing, "malicious_arrears": _yes_no(entry.malicious_arrears)}
    return _register_finding(entry, detail, grave=bool(entry.malicious_arrears))


def _litigation(entry: BackgroundEntry) -> Finding:
    detail = {"lawsuit_with_us": _yes_no(entry.lawsuit_with_us), "lawsuits": entry.lawsuits}
    return _register_finding(entry, detail, grave=bool(entry.lawsuit_with_us))


def _register_finding(entry: BackgroundEntry, detail: dict[str, str], *, grave: bool) -> Finding:
    known = {name: value for name, value in detail.items() if value}
    return Finding(
        subject_type="register",
        subject_id=entry.uscc or entry.name,
        name=entry.name,
        detail={**known, "register_source": entry.source},
        grave=grave,
    )


def _yes_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"

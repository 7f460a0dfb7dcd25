"""核查资料: what the record, the registers and outside sources know of a customer (N3, N4), each with its source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from temporalio import activity

from activities.accounts.gathering import accounts_held, credit_and_litigation, registrations, with_corrections
from activities.accounts.process import ApplicationContext
from activities.accounts.record import load_application
from activities.steps import Gathered, GatherStep
from activities.tasks.context import IllegalTransition
from activities.unit_of_work import Recorder, UnitOfWork
from db.accounts import applications
from db.accounts.applications import ApplicationRow
from domain.accounts.application import Customer, Stage
from domain.accounts.evidence import Evidence, EvidenceKind


class BackgroundSource(Protocol):
    """An outside source of credit and litigation, such as a credit bureau. It may be slow and may fail."""

    name: str

    async def ask(self, customer: Customer, now: datetime) -> Sequence[Evidence]:
        """Evidence of the kinds CREDIT and LITIGATION. One that knows of no lawsuit says so in a finding (`FACTS`); no
        finding says that it does not know the company (N15). Raises anything when it cannot answer; it is asked
        again."""
        ...


class EvidenceGathering:
    """Gathers evidence side by side; what is found stays in the record."""

    def __init__(self, recorder: Recorder, outside: Sequence[BackgroundSource] = ()) -> None:
        self._recorder = recorder
        self._outside = tuple(outside)

    @activity.defn
    async def gather_registrations(self, step: GatherStep) -> Gathered:
        """N3, N14: who else has registered the customer or a related party. The applicant is told of what stands in the
        way and was not to be seen when they submitted."""

        async def find(uow: UnitOfWork, row: ApplicationRow) -> Sequence[Evidence]:
            policy = await uow.facts.pinned_policy(uow.connection, row.policy_digest)  # the application began with it
            found = await registrations(uow, row, policy.matching)
            if found.standing:
                await (await ApplicationContext.of(uow, row)).notify_of_collision(found.standing)
            return found.evidence

        return await self._gather(step, find)

    @activity.defn
    async def gather_background(self, step: GatherStep) -> Gathered:
        """N4, E2: what the salesperson holds, and how the customer stands."""

        async def find(uow: UnitOfWork, row: ApplicationRow) -> Sequence[Evidence]:
            known = [*await accounts_held(uow, row), *await credit_and_litigation(uow, row)]
            return await with_corrections(uow, row, known)

        gathered = await self._gather(step, find)
        return gathered.model_copy(update={"ask_outside": bool(self._outside)})

    @activity.defn
    async def ask_outside_sources(self, step: GatherStep) -> Gathered:
        """N4: credit and litigation from outside, beside what the register says. May be slow; retried by the engine."""
        asked = await self._recorder.read(lambda connection: applications.find(connection, step.application_id))
        if asked is None:
            raise IllegalTransition(f"there is no application {step.application_id}")
        # Before the transaction opens: a slow source must not hold a connection that the other steps need.
        answers = [item for source in self._outside for item in await source.ask(asked.form.customer, step.now)]

        async def find(uow: UnitOfWork, row: ApplicationRow) -> Sequence[Evidence]:
            if _too_late(step, row):
                return []
            known = {item.kind: item for item in await applications.evidence_of(uow.connection, row.id, row.round)}
            for item in answers:
                before = known.get(item.kind)
                said = (finding.model_copy(update={"outside": True}) for finding in item.findings)
                findings = (*(before.findings if before else ()), *said)
                known[item.kind] = item.model_copy(update={"findings": findings})
            return [known[kind] for kind in (EvidenceKind.CREDIT, EvidenceKind.LITIGATION) if kind in known]

        return await self._gather(step, find)

    @activity.defn
    async def mark_outside_sources_unavailable(self, step: GatherStep) -> Gathered:
        """N5: an outside source stayed silent; the people who decide are told so."""

        async def find(uow: UnitOfWork, row: ApplicationRow) -> Sequence[Evidence]:
            if _too_late(step, row):
                return []
            return [
                item.model_copy(update={"available": False})
                for item in await applications.evidence_of(uow.connection, row.id, row.round)
                if item.kind in (EvidenceKind.CREDIT, EvidenceKind.LITIGATION)
            ]

        return await self._gather(step, find)

    async def _gather(self, step: GatherStep, find: Find) -> Gathered:
        async def apply(uow: UnitOfWork) -> Gathered:
            row = await load_application(uow, step.application_id, lock=False)
            found = await find(uow, row)
            if found:
                await applications.keep_evidence(uow.connection, row.id, step.round, found)
            uow.note(
                "evidence_gathered",
                round=step.round,
                found={item.kind.value: [item.source, len(item.findings), item.available] for item in found},
            )
            return Gathered()

        return await self._recorder.once(step, Gathered, apply)


class Find(Protocol):
    """Looks a customer up in a source outside, for one application."""

    async def __call__(self, uow: UnitOfWork, row: ApplicationRow) -> Sequence[Evidence]: ...


def _too_late(step: GatherStep, row: ApplicationRow) -> bool:
    """An attempt given up by the engine may still come through; what clerks have noted since must stand (N5)."""
    return row.stage is not Stage.EVIDENCE or row.round != step.round

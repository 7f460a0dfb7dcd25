"""What a Named Account application is to a step: its row, its rounds, its evidence, and what its mails say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from activities.accounts.gathering import everything_again
from activities.conflicts.collisions import colliding, keyed_parties
from activities.tasks.context import Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.outlook import steps_ahead
from activities.unit_of_work import SYSTEM, UnitOfWork
from conflicts.detection import Found
from db import audit
from db.accounts import accounts, applications
from db.accounts.applications import ApplicationRow
from db.tasks.tasks import DecisionRow
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate
from domain.accounts.evidence import FACTS, OF_MATCHES, Correction, Evidence, EvidenceKind, Finding
from domain.accounts.judgements import StatementFacts
from domain.accounts.named_account import YES, above_limit, may_be_appealed, note_field, source_field
from domain.accounts.transitions import ApplicationFacts
from domain.conflicts.rulings import Ruled, Ruling
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.statements import SubmitApplication
from domain.subject import Subject, SubjectType
from domain.tasks.asking import vp_slots
from domain.tasks.outlook import application_asks
from domain.tasks.task import AnswerChoice, Decision, TaskKind
from texts.accounts.eligibility import in_short
from texts.catalogue import Texts
from texts.mails.facts import MailFacts
from texts.view_lines import Essential, EvidenceLine

SHOWN_WITH_EVIDENCE = frozenset({TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})


async def load_application(uow: UnitOfWork, application_id: str, *, lock: bool = True) -> ApplicationRow:
    """The row of the process's own application, locked unless it is only read. Raises `IllegalTransition`."""
    row = await applications.find(uow.connection, application_id, lock=lock)
    if row is None or row.workflow_id != uow.workflow_id:
        raise IllegalTransition(f"{uow.workflow_id} has no application {application_id}")
    uow.subject_id = row.id
    return row


async def name_parties(uow: UnitOfWork, application_id: str, form: ApplicationForm) -> None:
    """N14: the companies that the form names take part in conflict detection, each from its place in time on."""
    parties = keyed_parties(form)
    since = await applications.take_place(uow.connection, "application", application_id, parties, now=uow.now)
    await applications.set_parties(uow.connection, "application", application_id, parties, since=since, live=True)


class ApplicationRecord(Context):
    """One application in one step."""

    type = SubjectType.APPLICATION
    row: ApplicationRow
    _gathered: tuple[Evidence, ...] | None = None
    _held: int | None = None

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        return await cls.of(uow, await load_application(uow, subject_id))

    @classmethod
    async def of(cls, uow: UnitOfWork, row: ApplicationRow) -> Self:
        context = await cls.with_facts(uow, row.policy_digest)
        context.row = row
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=self.type, id=self.row.id)

    @property
    def applicant(self) -> str:
        return self.row.applicant

    @property
    def department(self) -> str | None:
        return self.row.department

    @property
    def stage(self) -> Stage:
        return self.row.stage

    @property
    def over(self) -> bool:
        return self.row.stage.ended

    @property
    def round(self) -> int:
        return self.row.round

    def stage_key(self, stage: str) -> str:
        """A rejection by the general manager, who stands in for a VP, is final: nobody is told of an appeal (N10)."""
        final = stage == Stage.REJECTED and not self._may_still_be_appealed
        return super().stage_key(Stage.CLOSED_REJECTED if final else stage)

    @property
    def _may_still_be_appealed(self) -> bool:
        rejections = self.rejections
        return bool(rejections) and may_be_appealed(rejections[-1], self.organisation)

    @property
    def rejections(self) -> list[DecisionRow]:
        """N9: every rejection, oldest first."""
        return [decision for _, decision in self.docket.decided if decision.choice == AnswerChoice.REJECT]

    @property
    def facts(self) -> ApplicationFacts:
        """What the record holds of it for its next stage."""
        row = self.row
        return transition_facts(
            row,
            decisions=tuple(decision for number, decision in self.docket.decided if number == row.round),
            vps=vp_slots(self.organisation),
            stands_still=row.stage is Stage.RETURNED and self.stands_still(row.workflow_id),
        )

    @property
    def statement_facts(self) -> StatementFacts:
        """What the record holds of it for whoever says something of it."""
        return self.row.statement_facts

    def mail_facts(self) -> MailFacts:
        row = self.row
        return MailFacts(
            kind=Notice.TASK,
            subject_id=row.id,
            customer_name=row.form.customer.name,
            stage_key=self.stage_key(row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        if kind not in SHOWN_WITH_EVIDENCE:
            return {}
        found = await self.evidence()
        return {
            "essentials": essentials(self.row),
            "evidence_lines": tuple(EvidenceLine.of(item, self.organisation) for item in found),
            "eligibility": in_short(evaluate(self.row.form, background_of(found), self.policy.eligibility)),
        }

    async def evidence(self) -> tuple[Evidence, ...]:
        """What was gathered in this round."""
        if self._gathered is None:
            self._gathered = await applications.evidence_of(self.uow.connection, self.row.id, self.row.round)
        return self._gathered

    async def matches(self) -> tuple[Finding, ...]:
        """N3, N14: what was found in this round that may be the same customer, or belong to it."""
        found = await self.evidence()
        return tuple(finding for item in found if item.kind in OF_MATCHES for finding in item.findings)

    async def notify_at_submission(self) -> tuple[Found, ...]:
        """Confirm the submission to the applicant: who decides by when (N2, N6), and what collides with it (N14), which
        is returned."""
        found = await colliding(
            self.uow, self.subject, self.row.form, ("account", "application"), bounds=self.policy.matching
        )
        standing = tuple(match for match in found if match.stands)
        above = above_limit(await self.count_held(), self.policy.accounts.limit)
        asks = application_asks(above_limit=above)
        await self._tell_of(standing, Notice.SUBMITTED, key=str(self.row.round), ahead=steps_ahead(self, asks))
        return standing

    async def count_held(self) -> int:
        """N8: how many accounts the applicant holds."""
        if self._held is None:
            self._held = await accounts.count_held(self.uow.connection, self.row.applicant)
        return self._held

    async def own_accounts(self) -> frozenset[str]:
        """A2: the accounts that the applicant holds, by id: one of those is no conflict with somebody else."""
        held = await accounts.held_by(self.uow.connection, self.row.applicant)
        return frozenset(account.id for account in held)

    async def notify_of_collision(self, standing: Sequence[Found]) -> None:
        """N14: notify the applicant of new collisions only."""
        told = {
            (kind, id_)
            for body in await audit.bodies(self.uow.connection, self.row.id, "earlier_found")
            for kind, id_ in body["found"]
        }
        new = [match for match in standing if match.key not in told]
        if new:
            key = f"{self.row.round}:{self.uow.now.isoformat()}"
            await self._tell_of(new, Notice.EARLIER_FOUND, key=key)

    async def _tell_of(self, standing: Sequence[Found], kind: Notice, *, key: str, **more: Any) -> None:
        """Without saying whose it is (X2)."""
        notes = _conflict_notes(standing, await self.own_accounts()) if standing else {}
        await MailOutbox(self).notice(kind, [self.row.applicant], key=key, conflict_notes=notes, **more)
        if standing:
            self.uow.note("earlier_found", found=[[match.subject_type, match.subject_id] for match in standing])

    async def gather_again(self, *, since_asked: bool = False, by: str = SYSTEM) -> tuple[EvidenceKind, ...]:
        """N15: the evidence as it is at this moment; what has changed is marked, and the applicant told what stands in
        the way (N14). Returns the kinds that have changed.

        Args:
            since_asked: the marks tell people who are being asked what has changed since they were.
            by: who wanted it.
        """
        uow, row = self.uow, self.row
        before = await self.evidence()
        found, standing = await everything_again(uow, row, self.policy.matching, before, since_asked=since_asked)
        await applications.keep_evidence(uow.connection, row.id, row.round, found)
        self._gathered = applications.in_order(found)
        changed = tuple(item.kind for item in found if item.changed_since)
        uow.note(
            "evidence_gathered_again" if changed or by != SYSTEM else "evidence_gathered",
            by,
            round=row.round,
            found={item.kind.value: [item.source, len(item.findings), item.available] for item in found},
            changed=[kind.value for kind in changed],
        )
        if standing:
            await self.notify_of_collision(standing)
        return changed

    async def keep_notes(self, decision: DecisionRow, ruled: Mapping[str, Ruled]) -> None:
        """N5: what the clerk confirmed, corrected or added goes with the evidence, match by match and as notes."""
        uow, row = self.uow, self.row
        found = await self.evidence()
        noted = {item.kind: _noted(item, decision) for item in found}
        changed = [kept for item in found if (kept := _ruled(noted[item.kind], ruled)) != item]
        if changed:
            await applications.keep_evidence(uow.connection, row.id, row.round, changed)
            self._gathered = None
        kinds = [item.kind for item in found if noted[item.kind] != item]
        if kinds:
            uow.note(
                "evidence_noted",
                decision.person,
                kinds=[kind.value for kind in kinds],
                corrected={
                    FACTS[kind]: {"value": said.value, "source": said.source}
                    for kind in kinds
                    if (said := noted[kind].corrected) and said.at == uow.now
                },
            )


def row_of(
    said: SubmitApplication,
    form: ApplicationForm,
    *,
    workflow_id: str,
    department: str | None,
    policy_digest: str,
    now: datetime,
) -> ApplicationRow:
    """The application that a submission with a readable `form` begins (N1)."""
    return ApplicationRow(
        id=said.application_id,
        workflow_id=workflow_id,
        applicant=said.person,
        department=department,
        stage=Stage.EVIDENCE,
        round=1,
        form=form,
        policy_digest=policy_digest,
        submitted_at=now,
        stage_since=now,
    )


def transition_facts(
    row: ApplicationRow, *, decisions: tuple[Decision, ...], vps: tuple[str, ...], stands_still: bool
) -> ApplicationFacts:
    """What a move of an application is judged by. `decisions`: of this round, oldest first; `vps`: the slots of a
    complete review (N6); `stands_still`: nobody has completed it in time (U10)."""
    return ApplicationFacts(
        stage=row.stage,
        decisions=decisions,
        vps=vps,
        rejected=row.rejection is not None,
        appealed=row.appeal is not None,
        ending=row.end_reason is not None,
        stands_still=stands_still,
    )


def _noted(item: Evidence, decision: DecisionRow) -> Evidence:
    """One kind of evidence with what the clerk's answer says of it as a whole, and of the fact it is about (E2)."""
    update: dict[str, object] = {}
    note = str(decision.fields.get(note_field(item.kind)) or "").strip()
    if note:
        update = {"note": note, "note_by": decision.person}
    fact = FACTS.get(item.kind, "")
    said = str(decision.fields.get(fact) or "").strip()
    if said:
        source = str(decision.fields.get(source_field(fact)) or "").strip()
        update["corrected"] = Correction(value=said == YES, source=source, by=decision.person, at=decision.decided_at)
    return item.model_copy(update=update)


def _ruled(item: Evidence, ruled: Mapping[str, Ruled]) -> Evidence:
    """One kind of evidence with what was said of its matches: what is cleared speaks against nobody."""
    if item.kind not in OF_MATCHES or not ruled:
        return item
    findings = tuple(
        finding.model_copy(
            update={
                "ruled": ruled[finding.subject_id],
                "grave": finding.grave and ruled[finding.subject_id].ruling is not Ruling.CLEARED,
            }
        )
        if finding.subject_id in ruled
        else finding
        for finding in item.findings
    )
    return item.model_copy(update={"findings": findings})


def essentials(row: ApplicationRow) -> tuple[Essential, ...]:
    """What an approver wants to see first."""
    form = row.form
    return (
        Essential(label_key="field.products", value="、".join(form.products)),
        *(
            Essential(label_key=f"field.forecast.{name}", value=str(getattr(form.forecast, name)), money=True)
            for name in type(form.forecast).model_fields
        ),
        Essential(label_key="field.potential", value=form.potential[:300]),
        Essential(label_key="field.resources", value=form.resources[:300]),
    )


def _conflict_notes(earlier: Sequence[Found], own: frozenset[str]) -> dict[str, str]:
    """N14: what the later applicant is told of the earlier one, by language; nothing that is not theirs to know."""
    return {
        language: "\n".join(
            dict.fromkeys(
                Texts(language).text(
                    "error.own_account" if match.subject_id in own else f"error.conflict_with_{match.subject_type}"
                )
                for match in earlier
            )
        )
        for language in LANGUAGES
    }

"""A Named Account application in one step: what it asks, takes and tells (N1–N15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import JsonValue, ValidationError

from activities.accounts.gathering import everything_again
from activities.conflicts.collisions import colliding, keyed_parties
from activities.conflicts.rulings import clerks_rulings
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.tasks.receipts import accept
from activities.unit_of_work import SYSTEM, UnitOfWork
from conflicts.detection import Found
from db import audit
from db.accounts import accounts, applications
from db.accounts.applications import ApplicationRow
from db.tasks.tasks import DecisionRow, TaskRow
from domain.access import can_still_withdraw, may_gather_evidence
from domain.accounts.application import WEIGHED, ApplicationForm, Stage
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate, refusal_problems, refusals
from domain.accounts.evidence import FACTS, OF_MATCHES, Correction, Evidence, EvidenceKind, Finding
from domain.accounts.named_account import (
    FORM_FIELD,
    YES,
    Rejection,
    above_limit,
    appeal_in_time,
    choices_for,
    may_be_appealed,
    note_field,
    recipients_of,
    source_field,
    stage_rule,
)
from domain.conflicts.rulings import MATCHES_FIELD, Ruled, Ruling
from domain.notices import Notice
from domain.organisation import LANGUAGES
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, AppealRejection, GatherEvidence, Statement, Withdraw
from domain.subject import Subject, SubjectType
from domain.tasks.asking import vp_slots
from domain.tasks.deadlines import appeal_until
from domain.tasks.task import AnswerChoice, Ask, Choice, TaskKind
from texts.accounts.eligibility import in_short
from texts.catalogue import Texts
from texts.mails.mail import MailFacts
from texts.view_lines import Essential, EvidenceLine

_SHOWN_WITH_EVIDENCE = frozenset(
    {TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL}
)
_DECIDED_BY_EVIDENCE = frozenset({Stage.VP_REVIEW, Stage.GM_APPROVAL, Stage.GM_APPEAL})
"""N15: stages whose decisions rest on the evidence of the moment in which they are asked for."""
_ONE_PERSON_COUNTS_ONCE = frozenset({TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})


class NotApproved(Exception):
    """The record does not hold the approvals that an activation needs, whatever the process believes."""


async def load_application(uow: UnitOfWork, application_id: str, *, lock: bool = True) -> ApplicationRow:
    """The row of the process's own application, locked unless it is only read. Raises `ForeignStep`."""
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


class ApplicationContext(Context):
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
        decided = [d for _, d in self.docket.decided if d.choice == AnswerChoice.REJECT]
        return bool(decided) and may_be_appealed(decided[-1], self.organisation)

    async def check_transition(self, stage: str) -> None:
        row = self.row
        this_round = [d for number, d in self.docket.decided if number == row.round]
        reviews = {
            d.slot
            for d in this_round
            if d.kind is TaskKind.VP_REVIEW and d.choice == AnswerChoice.APPROVE and d.special
        }
        held = {
            Stage.RETURNED: any(d.choice == AnswerChoice.RETURN for d in this_round),
            Stage.VP_REVIEW: any(d.choice == AnswerChoice.PASS for d in this_round),
            Stage.GM_APPROVAL: len(reviews) >= len(vp_slots(self.organisation)),
            Stage.REJECTED: any(d.choice == AnswerChoice.REJECT for d in this_round),
            Stage.GM_APPEAL: row.appeal is not None,
            Stage.CLOSED_REJECTED: row.rejection is not None,
            Stage.WITHDRAWN: row.end_reason is not None,
            Stage.LAPSED: row.stage is Stage.RETURNED and self.stands_still(row.workflow_id),
        }
        if not held.get(Stage(stage), True):
            raise IllegalTransition(f"{row.id}: the record holds nothing that leads to {stage}")

    async def enter(self, step: MoveStep) -> Moved:
        uow, row, stage = self.uow, self.row, Stage(step.stage)
        update: dict[str, object] = {"stage": stage, "stage_since": uow.now}
        if stage is Stage.REJECTED:
            update["rejection"] = await self._rejection_on_record()
        if stage is Stage.LAPSED:
            update["end_reason"] = {"rule": stage_rule(stage)}
        if step.obstacle:
            update["end_reason"] = {"code": step.obstacle.value, "rule": step.obstacle.rule}
        if stage.live is not row.stage.live:
            await applications.set_live(uow.connection, "application", row.id, stage.live)
        await applications.change(uow.connection, row.id, **{**update, "stage": stage.value})
        uow.note(
            "stage_moved",
            stage_from=row.stage.value,
            stage=stage.value,
            rule=step.obstacle.rule if step.obstacle else stage_rule(stage),
            round=row.round,
            obstacle=step.obstacle.value if step.obstacle else None,
        )
        self.row = row.model_copy(update=update)
        if stage in _DECIDED_BY_EVIDENCE:
            await self.gather_again()
        return Moved(until=self.row.rejection.appeal_until if self.row.rejection else None)

    async def warn(self, task: TaskRow, until: datetime) -> None:
        row, kind = self.row, Notice.APPLICATION_STANDING_STILL
        people = recipients_of(kind, self.organisation, applicant=row.applicant, department=row.department, involved=())
        await MailOutbox(self).notice(kind, people, key=task.id, until=until)

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        row = self.row
        people = recipients_of(
            notice, self.organisation, applicant=row.applicant, department=row.department, involved=involved
        )
        reason, by, appealable = "", "", None
        reasons: dict[str, str] = {}
        if notice in (Notice.REJECTED, Notice.CLOSED_REJECTED) and row.rejection:
            decided = [d for _, d in self.docket.decided if d.choice == AnswerChoice.REJECT]
            reason, by = decided[-1].reason, decided[-1].person
            appealable = row.rejection.appeal_until if notice is Notice.REJECTED else None
        elif notice is Notice.APPEAL_FILED and row.appeal:
            reason, by = str(row.appeal["reason"]), row.applicant
        elif notice is Notice.WITHDRAWN and row.end_reason:
            reason, by = str(row.end_reason.get("reason", "")), row.applicant
        elif notice is Notice.REFUSED and row.end_reason:
            because = f"end_reason.{row.end_reason['code']}"
            reasons = {language: Texts(language).text(because) for language in LANGUAGES}
        await MailOutbox(self).notice(
            notice, people, key=step.key, reason=reason, reasons=reasons, by=by, appeal_until=appealable
        )

    def slots(self, ask: Ask) -> Sequence[str]:
        """A review without a slot is one task for each sales VP (N6)."""
        return vp_slots(self.organisation) if ask.kind is TaskKind.VP_REVIEW and not ask.slot else (ask.slot,)

    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        """N8 asks for more once the salesperson holds as many as the limit. N5: a clerk says what each match is."""
        del slot  # the same for everybody who is asked
        above = False
        if kind is TaskKind.COMMERCE_CHECK:
            return choices_for(kind, matches=[finding.subject_id for finding in await self._matches()])
        if kind is TaskKind.VP_REVIEW:
            if self._held is None:
                self._held = await accounts.count_held(self.uow.connection, self.row.applicant)
            above = above_limit(self._held, self.policy.accounts.limit)
        return choices_for(kind, above_limit=above)

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        """Why the form came back, or why somebody appeals."""
        if ask.kind is TaskKind.SUPPLY_INFORMATION:
            returned = [d for _, d in self.docket.decided if d.choice == AnswerChoice.RETURN]
            return {"reason": returned[-1].reason} if returned else None
        if ask.kind is TaskKind.GM_APPEAL and self.row.appeal:
            return {"reason": str(self.row.appeal["reason"])}
        return None

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Who holds or has decided another VP's review in this round: one person counts once (N6).

        For the general manager's own tasks, any VP's review: nobody decides for them on what they reviewed (N8, N10).
        """
        if task.kind not in _ONE_PERSON_COUNTS_ONCE:
            return frozenset()
        holders = {
            other.slot
            for other in self.docket.tasks
            if other.kind is TaskKind.VP_REVIEW and other.round == task.round and other.slot != task.slot
        }
        deciders = {
            decision.person
            for number, decision in self.docket.decided
            if number == task.round and decision.kind is TaskKind.VP_REVIEW and decision.slot != task.slot
        }
        named = frozenset(vp_slots(self.organisation)) if task.kind is TaskKind.VP_REVIEW else frozenset()
        return named - {task.slot} | holders | deciders

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        if task.kind is TaskKind.SUPPLY_INFORMATION:
            self._supplied_form(said)

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        if task.kind is TaskKind.COMMERCE_CHECK:
            await self._keep_notes(decision, await self._rule_on_matches(decision))
        return Answered(round=await self._begin_round(said) if decision.choice == AnswerChoice.SUPPLY else None)

    async def judge(self, said: Statement) -> Recorded:
        match said:
            case Withdraw():
                return await self._take_withdrawal(said)
            case AppealRejection():
                return await self._take_appeal(said)
            case GatherEvidence():
                return await self._gather_for_commerce(said)
            case _:
                raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=self.row.stage.value)

    async def _take_withdrawal(self, said: Withdraw) -> Recorded:
        """N13: by the applicant, at any time before the end."""
        uow, row = self.uow, self.row
        if said.person != row.applicant:
            raise Refused(RefusalCode.NOT_APPLICANT)
        if not can_still_withdraw(row.stage):
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
        await applications.change(uow.connection, row.id, end_reason={"reason": said.reason, "rule": "N13"})
        uow.note("application_withdrawn", said.person, reason=said.reason, channel=said.channel, rule="N13")
        await accept(uow, said)
        return Recorded(accepted=True)

    async def _take_appeal(self, said: AppealRejection) -> Recorded:
        """N10: once, by the applicant, in time."""
        uow, row = self.uow, self.row
        until = row.rejection.appeal_until if row.rejection else None
        if said.person != row.applicant:
            raise Refused(RefusalCode.NOT_APPLICANT)
        if row.appeal:
            raise Refused(RefusalCode.APPEAL_USED)
        if row.stage is not Stage.REJECTED or until is None:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
        if not appeal_in_time(said.said_at, uow.now, until):
            raise Refused(RefusalCode.APPEAL_TOO_LATE, until=until.isoformat())
        appeal = {"reason": said.reason, "at": uow.now.isoformat()}
        await applications.change(uow.connection, row.id, appeal=appeal)
        uow.note("appeal_accepted", said.person, reason=said.reason, channel=said.channel, rule="N10")
        await accept(uow, said)
        return Recorded(accepted=True)

    async def _gather_for_commerce(self, said: GatherEvidence) -> Recorded:
        """N15: commerce asks what is so at this moment; those who are asked to decide see it too."""
        uow, row = self.uow, self.row
        person = self.organisation.person(said.person)
        if person is None or not person.active or not may_gather_evidence(person):
            raise Refused(RefusalCode.ONLY_COMMERCE_GATHERS)
        if row.stage not in WEIGHED:
            raise Refused(RefusalCode.STAGE_DOES_NOT_ALLOW, stage=row.stage.value)
        changed = await self._gather_for_those_asked(by=person.id)
        await accept(uow, said, settled=True, changed=[kind.value for kind in changed])
        return Recorded(accepted=True, settled=True)

    async def look_again(self, kind: TaskKind) -> None:
        if kind in _SHOWN_WITH_EVIDENCE:
            await self._gather_for_those_asked()

    async def _gather_for_those_asked(self, by: str = SYSTEM) -> tuple[EvidenceKind, ...]:
        """N15: what is found while people are being asked is theirs to see, and to rule on."""
        changed = await self.gather_again(since_asked=True, by=by)
        for task in self.docket.open_tasks:
            choices = await self.choices_now(task.kind, task.slot)
            if choices != task.choices:
                await self.docket.change(task, choices=choices)
        return changed

    def mail_facts(self) -> MailFacts:
        row = self.row
        return MailFacts(
            kind=Notice.TASK,
            subject_id=row.id,
            customer_name=row.form.customer.name,
            stage_key=self.stage_key(row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        if kind not in _SHOWN_WITH_EVIDENCE:
            return {}
        found = await self._evidence()
        return {
            "essentials": essentials(self.row),
            "evidence_lines": tuple(EvidenceLine.of(item, self.organisation) for item in found),
            "eligibility": in_short(evaluate(self.row.form, background_of(found), self.policy.eligibility)),
        }

    async def _evidence(self) -> tuple[Evidence, ...]:
        """What was gathered in this round."""
        if self._gathered is None:
            self._gathered = await applications.evidence_of(self.uow.connection, self.row.id, self.row.round)
        return self._gathered

    async def _matches(self) -> tuple[Finding, ...]:
        """N3, N14: what was found in this round that may be the same customer, or belong to it."""
        found = await self._evidence()
        return tuple(finding for item in found if item.kind in OF_MATCHES for finding in item.findings)

    async def _rule_on_matches(self, decision: DecisionRow) -> dict[str, Ruled]:
        """N3, N14: what the clerk has said of single matches, by the id of what was found."""
        if not decision.fields.get(MATCHES_FIELD):
            return {}
        shown = {finding.subject_id: (finding.subject_type, finding) for finding in await self._matches()}
        return await clerks_rulings(self, decision, shown)

    async def notify_at_submission(self) -> tuple[Found, ...]:
        """N14: tell the applicant what stands in the way of what they have just submitted. Returns it."""
        found = await colliding(
            self.uow, self.subject, self.row.form, ("account", "application"), bounds=self.policy.matching
        )
        standing = tuple(one for one in found if one.stands)
        if standing:
            await self._tell_of(standing, Notice.SUBMITTED, key=str(self.row.round))
        return standing

    async def notify_of_collision(self, standing: Sequence[Found]) -> None:
        """N14: tell the applicant of what stands in the way, unless they know."""
        told = {
            (kind, id_)
            for body in await audit.bodies(self.uow.connection, self.row.id, "earlier_found")
            for kind, id_ in body["found"]
        }
        new = [one for one in standing if one.key not in told]
        if new:
            key = f"{self.row.round}:{self.uow.now.isoformat()}"
            await self._tell_of(new, Notice.EARLIER_FOUND, key=key)

    async def _tell_of(self, standing: Sequence[Found], kind: Notice, *, key: str) -> None:
        """Without saying whose it is (X2)."""
        await MailOutbox(self).notice(kind, [self.row.applicant], key=key, conflict_notes=_conflict_notes(standing))
        self.uow.note("earlier_found", found=[[one.subject_type, one.subject_id] for one in standing])

    async def gather_again(self, *, since_asked: bool = False, by: str = SYSTEM) -> tuple[EvidenceKind, ...]:
        """N15: the evidence as it is at this moment; what has changed is marked, and the applicant told what stands in
        the way (N14). Returns the kinds that have changed.

        Args:
            since_asked: the marks tell people who are being asked what has changed since they were.
            by: who wanted it.
        """
        uow, row = self.uow, self.row
        before = await self._evidence()
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

    async def approvals_on_record(self, gm_decision: str | None) -> list[str]:
        """The decisions that make this application an approved one (N7, N8, N10), read from the record.

        The engine's state is not believed: whoever can write there can invent approvals, but not decisions under seal.
        Nor is its memory of the order of things: what was withdrawn meanwhile (N13) stays withdrawn. Raises
        `NotApproved`.
        """
        row = self.row
        if row.stage.ended or row.end_reason:
            raise NotApproved(f"{row.id}: withdrawn or over")
        decided = [
            decision for number, decision in self.docket.decided
            if number == row.round and decision.choice == AnswerChoice.APPROVE
        ]  # fmt: skip
        general = [d for d in decided if d.task_id == gm_decision]
        if gm_decision and not general:
            raise NotApproved(f"{row.id}: no approval by the general manager on record")
        appealed = any(d.kind is TaskKind.GM_APPEAL for d in general)
        # Above the limit only approvals with a special reason count (N8).
        above = bool(general) and not appealed
        reviews = {d.slot: d for d in decided if d.kind is TaskKind.VP_REVIEW and (d.special or not above)}
        if not appealed and len(reviews) < len(vp_slots(self.organisation)):
            raise NotApproved(f"{row.id}: not both VPs have approved as the rules ask")
        return [d.task_id for d in (*reviews.values(), *general)]

    async def _rejection_on_record(self) -> Rejection:
        """N9: the latest rejection, and until when it may be appealed (N10)."""
        decided = [d for _, d in self.docket.decided if d.choice == AnswerChoice.REJECT]
        if not decided:
            raise NotApproved(f"{self.row.id}: no rejection on record")
        decision = decided[-1]
        appealable = self._may_still_be_appealed
        until = appeal_until(self.uow.now, self.policy, self.calendar) if appealable else None
        return Rejection(
            task_id=decision.task_id,
            kind=decision.kind,
            person=decision.person,
            on_behalf_of=decision.on_behalf_of,
            capacity=decision.capacity,
            reason=decision.reason,
            at=self.uow.now,
            appeal_until=until,
        )

    def _supplied_form(self, said: AnswerTask) -> ApplicationForm:
        try:
            form = ApplicationForm.model_validate(said.fields[FORM_FIELD])
        except ValidationError:
            raise Refused(RefusalCode.UNREADABLE) from None
        problems = refusal_problems(refusals(form, self.policy.eligibility), prefix=f"fields.{FORM_FIELD}.")
        if problems:
            raise Refused(problems[0].key, problems=problems)
        return form

    async def _begin_round(self, said: AnswerTask) -> int:
        """N5: the corrected form begins a new round."""
        uow, row, number = self.uow, self.row, self.row.round + 1
        form = self._supplied_form(said)
        await applications.add_round(uow.connection, row.id, number, form, uow.now)
        await applications.change(uow.connection, row.id, form=form, round=number)
        await name_parties(uow, row.id, form)
        uow.note("round_begun", said.person, round=number)
        self.row = row.model_copy(update={"form": form, "round": number})
        return number

    async def _keep_notes(self, decision: DecisionRow, ruled: Mapping[str, Ruled]) -> None:
        """N5: what the clerk confirmed, corrected or added goes with the evidence, match by match and as notes."""
        uow, row = self.uow, self.row
        found = await self._evidence()
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


def _conflict_notes(earlier: Sequence[Found]) -> dict[str, str]:
    """N14: what the later applicant is told of the earlier one, by language; nothing that is not theirs to know."""
    return {
        language: "\n".join(
            dict.fromkeys(Texts(language).text(f"error.conflict_with_{one.subject_type}") for one in earlier)
        )
        for language in LANGUAGES
    }

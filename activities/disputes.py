"""A dispute over a project in one step: what it asks, takes and tells (D1–D3, P8)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self, TypeVar

from pydantic import JsonValue, ValidationError

from activities.collisions import keyed_parties
from activities.context import Answered, Context, ForeignStep, Refused
from activities.letters import Letters
from activities.receipts import accept
from activities.steps import DisputeOpened, Moved, MoveStep, OpenDisputeStep, Recorded
from activities.transaction import Work
from db import disputes, projects, tasks
from db.disputes import DisputeRow
from db.projects import ProjectRow
from db.tasks import DecisionRow, TaskRow
from domain.base import Frozen
from domain.dispute import (
    Agreement,
    Claimant,
    DisputeOutcome,
    DisputeStage,
    MeetingCall,
    MeetingOutcome,
    Origin,
    deciding_salesperson,
)
from domain.organisation import LANGUAGES, Role
from domain.project import ProjectStage
from domain.project_match import Match
from domain.project_rules import ProjectNotice, meeting_participants, project_choices, told_of_project
from domain.split import Split
from domain.statements import AnswerTask, CallForMeeting, Statement
from domain.subject import Subject, SubjectType
from domain.tasks import (
    AGREE,
    AGREED,
    CALL_MEETING,
    CONFIRMED,
    DISAGREE,
    PROPOSED,
    Ask,
    Choice,
    Problem,
    TaskKind,
)
from texts.catalogue import Texts
from texts.dispute_views import meeting_rows, outcome_rows, participants_row, text_rows
from texts.mail import MailFacts, MailKind
from texts.project_views import MatchLine, match_lines, project_essentials

M = TypeVar("M", bound=Frozen)

_RULES = {DisputeStage.NEGOTIATION: "D1", DisputeStage.AGREED: "D1"}
"""The rule of each stage; the meeting's is D2."""


async def open_dispute(work: Work, step: OpenDisputeStep) -> DisputeOpened:
    """P3, P8: both sides, and what each has registered when, are on record. Raises `ForeignStep`.

    Who the sides are is read from what was found for the project: the engine's word for it is not taken.
    """
    project = await projects.find(work.tx, step.project_id, lock=True)
    if project is None or project.stage is not ProjectStage.DISPUTED or not _named_after(project, work, step):
        raise ForeignStep(f"{work.workflow_id} has no disputed project {step.project_id}")
    work.subject_id = project.id
    found = await projects.matches_of(work.tx, project.id, project.round)
    known = {(match.subject_type, match.subject_id, match.salesperson) for match in found}
    claimed = {(one.subject_type, one.subject_id, one.person) for one in step.claimants}
    if not claimed or not claimed <= known or (step.origin is Origin.OBJECTION) != (project.objection is not None):
        raise ForeignStep(f"{project.id}: the record knows of no such dispute")
    if any(not other.stage.ended for other in await disputes.of_project(work.tx, project.id)):
        raise ForeignStep(f"{project.id} has an open dispute already")
    mine = Claimant(
        person=project.salesperson, subject_type="project", subject_id=project.id, since=project.registered_at
    )
    row = DisputeRow(
        id=step.dispute_id,
        project_id=project.id,
        workflow_id=work.workflow_id,
        origin=step.origin,
        stage=DisputeStage.NEGOTIATION,
        round=1,
        opened_at=work.now,
        stage_since=work.now,
        claimants=(mine, *step.claimants),
        meeting=await _wanted_by_objection(work, project) if step.origin is Origin.OBJECTION else None,
    )
    await disputes.add(work.tx, row)
    sides = _sides(row)
    work.note(
        "dispute_opened",
        dispute=row.id,
        origin=row.origin.value,
        claimants=[one.model_dump(mode="json") for one in row.claimants],
        rule=row.origin.value,
    )
    organisation = await work.facts.organisation(work.tx)
    policy = await work.facts.pinned_policy(work.tx, project.policy_digest)
    title = f"{row.id} · {'、'.join(organisation.name_of(person) for person in sides)}"
    if policy.privacy.customer_name_in_engine:
        title += f" · {project.customer_name}"
    return DisputeOpened(title=title, applicant=project.applicant, sides=sides)


def _named_after(project: ProjectRow, work: Work, step: OpenDisputeStep) -> bool:
    number = step.dispute_id.removeprefix(f"{project.id}-")
    return (
        work.workflow_id == f"dispute-{step.dispute_id}"
        and step.dispute_id == f"{project.id}-{number}"
        and re.fullmatch(r"[1-9][0-9]*", number) is not None
    )


async def _wanted_by_objection(work: Work, project: ProjectRow) -> dict[str, Any]:
    """P8: the VP who reviewed the objection has the meeting called, for the reasons of whoever objects."""
    decided = [d for _, d in await tasks.decisions_of(work.tx, project.id)]
    reviewed = [d for d in decided if d.kind is TaskKind.OBJECTION_REVIEW and d.choice == CALL_MEETING]
    if not reviewed or project.objection is None:
        raise ForeignStep(f"{project.id}: nobody has the meeting called")
    reason = "\n".join(text for text in (str(project.objection["reason"]), reviewed[-1].reason) if text)
    return {"wanted": {"by": reviewed[-1].person, "reason": reason, "at": work.now.isoformat()}}


class DisputeContext(Context):
    """One dispute in one step. Its tasks, decisions and mails are those of its project."""

    type = SubjectType.DISPUTE
    row: DisputeRow
    project: ProjectRow

    @classmethod
    async def own(cls, work: Work, subject_id: str) -> Self:
        known = await disputes.find(work.tx, subject_id)
        if known is None or known.workflow_id != work.workflow_id:
            raise ForeignStep(f"{work.workflow_id} has no dispute {subject_id}")
        # The project first, as its own process does: the two never wait for each other.
        project = await projects.find(work.tx, known.project_id, lock=True)
        row = await disputes.find(work.tx, subject_id, lock=True)
        assert project is not None
        assert row is not None
        work.subject_id = project.id
        context = await cls.with_facts(work, project.policy_digest)
        context.row, context.project = row, project
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=SubjectType.PROJECT, id=self.project.id)

    @property
    def applicant(self) -> str:
        return self.project.salesperson

    @property
    def department(self) -> str | None:
        return self.project.department

    @property
    def stage(self) -> DisputeStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        """One that ended just before its project was withdrawn may still be told of the withdrawal."""
        return self.row.stage.ended and not self._project_is_over

    @property
    def round(self) -> int:
        return self.row.round

    @property
    def sides(self) -> tuple[str, ...]:
        """The salespeople who have to agree, the applicant of the project first."""
        return _sides(self.row)

    @property
    def _project_is_over(self) -> bool:
        return self.project.stage is not ProjectStage.DISPUTED or self.project.end_reason is not None

    @property
    def _others(self) -> tuple[Claimant, ...]:
        """The sides beside the project itself."""
        return tuple(one for one in self.row.claimants if one.subject_id != self.project.id)

    @property
    def _all_confirmed(self) -> bool:
        return self.row.proposal is not None and set(self.row.proposal["confirmed"]) >= set(self.sides)

    async def _change(self, **values: Any) -> None:
        await disputes.change(self.work.tx, self.row.id, **values)
        self.row = self.row.model_copy(update=values)

    async def entitled(self, stage: str) -> None:
        row, to = self.row, DisputeStage(stage)
        negotiating = row.stage is DisputeStage.NEGOTIATION
        held = {
            DisputeStage.NEGOTIATION: negotiating and row.origin is Origin.OTHER_ACCOUNT and row.wanted is None,
            DisputeStage.CALLING_MEETING: negotiating and row.wanted is not None,
            DisputeStage.MEETING: row.stage is DisputeStage.CALLING_MEETING and row.called is not None,
            DisputeStage.AGREED: negotiating and await self._everybody_has_agreed(),
            DisputeStage.DECIDED: row.stage is DisputeStage.MEETING and row.outcome is not None,
            DisputeStage.WITHDRAWN: self._project_is_over,
        }
        if not held[to]:
            raise ForeignStep(f"{row.id}: the record holds nothing that leads to {stage}")

    async def _everybody_has_agreed(self) -> bool:
        """D1: every side has confirmed the text on the table, in a decision of its own."""
        if self.row.wanted is not None or not self._all_confirmed:
            return False
        agreed = {
            (decision.slot, decision.task_id)
            for _, decision in await tasks.decisions_of(self.work.tx, self.project.id)
            if decision.kind is TaskKind.AGREE_SPLIT and decision.choice == AGREE
        }
        assert self.row.proposal is not None
        return agreed >= set(self.row.proposal["confirmed"].items())

    async def enter(self, step: MoveStep) -> Moved:
        work, stage, before = self.work, DisputeStage(step.stage), self.row
        if before.stage.ended:  # agreed or decided just before the withdrawal
            return Moved()
        update: dict[str, Any] = {"stage": stage, "stage_since": work.now}
        outcome = None
        match stage:
            case DisputeStage.NEGOTIATION if before.proposal:
                update["round"] = before.proposal["round"]
            case DisputeStage.AGREED:
                update["outcome"] = self._agreed()
                outcome = await self._bind(stage, update["outcome"])
            case DisputeStage.DECIDED:
                outcome = await self._bind(stage, before.outcome or {})
            case DisputeStage.WITHDRAWN:
                await self._tell_of_withdrawal(step)
        await self._change(**update)
        rule = _RULES.get(stage, "D2")
        work.note(
            "stage_moved",
            dispute=before.id,
            stage_from=before.stage.value,
            stage=stage.value,
            rule=rule,
            round=self.row.round,
        )
        if stage.ended:
            work.note("dispute_closed", dispute=before.id, stage=stage.value, rule=rule)
        return Moved(outcome=outcome)

    def _agreed(self) -> dict[str, Any]:
        proposal = self.row.proposal or {}
        return {
            "how": "agreed",
            "cooperation": proposal["cooperation"],
            "split": proposal["split"],
            "responsible": self.project.salesperson,
            "at": self.work.now.isoformat(),
        }

    async def _bind(self, stage: DisputeStage, outcome: dict[str, Any]) -> DisputeOutcome:
        """D1, D2: the outcome stands in the project and in every other registration that is a side.

        A project withdrawn meanwhile binds nobody.
        """
        work, project, responsible = self.work, self.project, str(outcome["responsible"])
        if not self._project_is_over:
            agreement = {**outcome, "dispute": self.row.id}
            update: dict[str, Any] = {"agreement": agreement}
            if responsible != project.salesperson:
                office = self.organisation.department_of(responsible)
                update |= {"salesperson": responsible, "department": office.id if office else project.department}
            await projects.change(work.tx, project.id, **update)
            self.project = project.model_copy(update=update)
            others = {one.subject_id for one in self._others if one.subject_type == "project"}
            for other in sorted(others):
                await projects.change(work.tx, other, agreement=agreement)
            work.note("split_bound", dispute=self.row.id, projects=[project.id, *sorted(others)], rule="D2")
        return DisputeOutcome(
            stage=stage,
            responsible=responsible,
            decided_by_vp_of=deciding_salesperson(self.row.origin, project.applicant, self._others),
        )

    async def _tell_of_withdrawal(self, step: MoveStep) -> None:
        """Whoever was asked or invited is told that there is nothing to settle any more; the applicant has said so."""
        mine = [
            task.id
            for task in await tasks.of_subject(self.work.tx, self.project.id)
            if task.workflow_id == self.work.workflow_id
        ]
        asked = [one.person for people in (await tasks.asked_by(self.work.tx, mine)).values() for one in people]
        invited = (self.row.called or {}).get("participants", [])
        ended = self.project.end_reason or {}
        people = dict.fromkeys([*self.sides, *asked, *invited])
        told_already = {self.project.salesperson, str(ended.get("by", ""))}
        await Letters(self, self.stage_key(DisputeStage.WITHDRAWN)).notice(
            MailKind.PROJECT_WITHDRAWN,
            [person for person in people if person not in told_already],
            key=f"{self.row.id}:{step.key}",
            reason=str(ended.get("reason", "")),
            by=str(ended.get("by", "")) or self.project.applicant,
        )

    async def tell(self, notice: str, step: MoveStep, involved: tuple[str, ...]) -> None:
        if self._project_is_over:
            return
        kind, meeting = ProjectNotice(notice), self.row.called or {}
        reason, by = "", ""
        match kind:
            case ProjectNotice.MEETING_WANTED if self.row.wanted:
                reason, by = str(self.row.wanted["reason"]), str(self.row.wanted["by"])
            case ProjectNotice.MEETING_CALLED:
                reason, by = str(meeting["note"]), str(meeting["called_by"])
            case ProjectNotice.MEETING_RECORDED if self.row.outcome:
                reason, by = str(self.row.outcome["summary"]), str(self.row.outcome["by"])
        people = told_of_project(
            kind,
            self.organisation,
            salesperson=self.sides[0],
            claimants=self.row.claimants,
            involved=meeting.get("participants", ()),
        )
        for language in LANGUAGES:
            readers = [p for p in people if (known := self.organisation.person(p)) and known.language == language]
            more = self._shown(kind, Texts(language), meeting)
            # Two disputes over one project have moves of the same name.
            key = f"{self.row.id}:{step.key}"
            await Letters(self).notice(MailKind(kind.value), readers, key=key, reason=reason, by=by, **more)

    def _shown(self, kind: ProjectNotice, texts: Texts, meeting: Mapping[str, Any]) -> dict[str, Any]:
        """What a notice shows beside its sentence: fields of `MailFacts`."""
        if kind is ProjectNotice.MEETING_CALLED:
            return {"facts": meeting_rows(meeting, self.organisation, texts, self.policy.zone)}
        if kind in (ProjectNotice.AGREED, ProjectNotice.MEETING_RECORDED) and self.row.outcome:
            return {"facts": outcome_rows(self.row.outcome, self.organisation)}
        return {}

    async def choices_now(self, kind: TaskKind) -> tuple[Choice, ...]:
        # Whoever has put the text on the table is not asked while it lies there.
        return project_choices(
            kind,
            people=[person.id for person in self.organisation.people if person.active],
            salespeople=self.sides,
            text_on_the_table=self.row.proposal is not None,
        )

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        match ask.kind:
            case TaskKind.AGREE_SPLIT if self.row.proposal:
                return {"reason": str(self.row.proposal["reason"]), "proposal": self._proposal()}
            case TaskKind.CALL_MEETING:
                wanted = self.row.wanted or {}
                return {
                    "reason": str(wanted.get("reason", "")),
                    "wanted_by": self._named(str(wanted.get("by", ""))),
                    "participants": [self._named(person) for person in self._suggested()],
                    "precedents": await self._precedents(),
                }
            case TaskKind.RECORD_MEETING:
                meeting = self.row.called or {}
                known = {name: meeting.get(name) for name in ("starts_at", "duration_minutes", "place", "note")}
                participants: list[JsonValue] = [self._named(person) for person in meeting.get("participants", ())]
                return {
                    "meeting": {**known, "participants": participants},
                    "precedents": await self._precedents(),
                }
            case _:
                return None

    def _suggested(self) -> tuple[str, ...]:
        return meeting_participants(self.organisation, self.sides)

    def _named(self, person: str) -> dict[str, JsonValue]:
        return {"person": person, "name": self.organisation.name_of(person)}

    def _proposal(self) -> dict[str, JsonValue]:
        proposal = self.row.proposal or {}
        return {
            "cooperation": proposal["cooperation"],
            "split": self._shares(proposal["split"]),
            "by": self._named(proposal["by"]),
        }

    def _shares(self, split: Sequence[Mapping[str, Any]]) -> list[JsonValue]:
        return [{**self._named(str(share["person"])), "percent": str(share["percent"])} for share in split]

    async def _precedents(self) -> list[JsonValue]:
        """Past rulings on the same customer: when, who, which split. Nothing that is not about that customer (X2)."""
        names = [party for party in keyed_parties(self.project.form) if party.role in ("customer", "alias")]
        found = await disputes.precedents(self.work.tx, names, but=self.row.id)
        return [
            {
                "at": str(outcome["at"]),
                "how": str(outcome["how"]),
                "responsible": self._named(str(outcome["responsible"])),
                "split": self._shares(outcome["split"]),
            }
            for outcome in (row.outcome for row in found)
            if outcome
        ]

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Nobody decides on what is their own side of the matter."""
        return frozenset({*self.sides, self.project.applicant, self.project.salesperson}) - {task.slot}

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        if self._project_is_over or self.row.stage.ended:
            raise Refused("task_withdrawn", closed_because=self.project.stage.value)
        if said.person in self.sides and said.person != task.slot and task.kind is not TaskKind.CALL_MEETING:
            raise Refused("own_application")
        match task.kind:
            case TaskKind.AGREE_SPLIT:
                self._check_agreement(task, said)
            case TaskKind.CALL_MEETING:
                if _read(MeetingCall, said).starts_at <= self.work.now:
                    raise _wrong("starts_at", "D2", "meeting_in_the_past")
            case TaskKind.RECORD_MEETING:
                outcome = _read(MeetingOutcome, said)
                if outcome.responsible not in self.sides:
                    raise _wrong("responsible", "D2", "not_among_options", value=outcome.responsible)
                people = {person.id for person in self.organisation.people if person.active}
                _check_names(outcome.split, people | set(self.sides))

    def _check_agreement(self, task: TaskRow, said: AnswerTask) -> None:
        """D1: both confirm one text, the one they have before them; and while neither wants the meeting."""
        if self.row.wanted is not None or self._all_confirmed:
            raise Refused("task_withdrawn", closed_because=self.row.stage.value)
        if said.choice != AGREE:
            return
        text, table = _text(said), self._on_the_table()
        if text is not None:
            _check_names(text.split, self.sides)
        elif table is None:
            raise _wrong("cooperation", "D1", "missing")
        # Somebody asked before the text came onto the table has not seen it; the very same words need no reading.
        if table is not None and self.row.proposal and self.row.proposal["round"] != task.round:
            if text is None or not _same(text, table):
                raise Refused("agreement_outdated", round=self.row.proposal["round"])

    def _on_the_table(self) -> Agreement | None:
        proposal = self.row.proposal
        if proposal is None:
            return None
        return Agreement.model_validate({name: proposal[name] for name in Agreement.model_fields})

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        match task.kind:
            case TaskKind.AGREE_SPLIT if decision.choice == DISAGREE:
                await self._want_meeting(decision.person, decision.reason)
                self.work.note("agreement_refused", decision.person, dispute=self.row.id, rule="D2")
                return Answered()
            case TaskKind.AGREE_SPLIT:
                return await self._agrees(task, decision, said)
            case TaskKind.CALL_MEETING:
                await self._call(decision, _read(MeetingCall, said))
                return Answered()
            case _:
                await self._record_meeting(decision, _read(MeetingOutcome, said))
                return Answered()

    async def _agrees(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        """D1: a new text takes the place of the one on the table; agreeing with that one confirms it."""
        text, table, before = _text(said), self._on_the_table(), self.row.proposal
        if text is None or (table is not None and _same(text, table)):
            assert before is not None
            confirmed = {**before["confirmed"], task.slot: task.id}
            await self._change(proposal={**before, "confirmed": confirmed})
            if not self._all_confirmed:
                return Answered(outcome=CONFIRMED)
            self.work.note("agreement_confirmed", decision.person, dispute=self.row.id, by=list(confirmed), rule="D1")
            return Answered(outcome=AGREED)
        number = self.row.round + 1
        proposal = {
            **text.model_dump(mode="json"),
            "by": task.slot,
            "round": number,
            "reason": decision.reason,
            "confirmed": {task.slot: task.id},
        }
        await self._change(proposal=proposal)
        self.work.note("agreement_proposed", decision.person, dispute=self.row.id, round=number, rule="D1")
        others = tuple(person for person in self.sides if person != task.slot)
        return Answered(round=number, outcome=PROPOSED if others else AGREED, names=others)

    async def _want_meeting(self, person: str, reason: str) -> None:
        """D2: whoever wants it first is who the others are told of."""
        if self.row.wanted is None:
            await self._change(meeting={"wanted": {"by": person, "reason": reason, "at": self.work.now.isoformat()}})

    async def _call(self, decision: DecisionRow, call: MeetingCall) -> None:
        people = list(dict.fromkeys(call.participants))
        called = {"called_by": decision.person, "called_at": self.work.now.isoformat(), "participants": people}
        await self._change(meeting={**(self.row.meeting or {}), **call.model_dump(mode="json"), **called})
        self.work.note(
            "meeting_called",
            decision.person,
            dispute=self.row.id,
            starts_at=call.starts_at.isoformat(),
            participants=people,
            rule="D2",
        )

    async def _record_meeting(self, decision: DecisionRow, outcome: MeetingOutcome) -> None:
        recorded = {"how": "decided", "by": decision.person, "at": self.work.now.isoformat()}
        await self._change(outcome={**outcome.model_dump(mode="json"), **recorded})
        self.work.note(
            "meeting_recorded", decision.person, dispute=self.row.id, responsible=outcome.responsible, rule="D2"
        )

    async def take(self, said: Statement) -> Recorded:
        """D2: a side, a VP concerned or the general manager wants the meeting."""
        if not isinstance(said, CallForMeeting):
            raise Refused("stage_does_not_allow", stage=self.row.stage.value)
        if said.person not in self._may_call():
            raise Refused("may_not_call_meeting")
        if self.row.stage is not DisputeStage.NEGOTIATION or self._project_is_over or self._all_confirmed:
            raise Refused("dispute_not_open", stage=self.row.stage.value)
        await self._want_meeting(said.person, said.reason)
        self.work.note(
            "meeting_wanted", said.person, dispute=self.row.id, reason=said.reason, channel=said.channel, rule="D2"
        )
        await accept(self.work, said)
        return Recorded(accepted=True)

    def _may_call(self) -> frozenset[str]:
        sides = {*self.sides, self.project.salesperson}
        vps = {self.organisation.vp_of(person) for person in sides}
        managers = {person.id for person in self.organisation.holders(Role.GENERAL_MANAGER)}
        known = (self.organisation.person(person) for person in {*sides, *vps, *managers} if person)
        return frozenset(person.id for person in known if person and person.active)

    def mail_facts(self) -> MailFacts:
        return MailFacts(
            kind=MailKind.TASK,
            subject_type=SubjectType.PROJECT,
            subject_id=self.project.id,
            number=self.project.number or "",
            project_name=self.project.form.name,
            customer_name=self.project.customer_name,
            stage_key=self.stage_key(self.row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        """A5: what each side has registered when, the vendor's position, familiarity; for whoever settles it.

        The other salespeople see the project, which touches their account, and the text on the table (X2).
        """
        essentials = project_essentials(self.project.form)
        if kind is TaskKind.AGREE_SPLIT:
            table = self.row.proposal
            return {"essentials": essentials, "facts": text_rows(table, self.organisation) if table else ()}
        facts: dict[str, Any] = {"essentials": essentials, "matches": await self._registrations()}
        if kind is TaskKind.CALL_MEETING:
            facts["facts"] = (participants_row(self._suggested(), self.organisation),)
        return facts

    async def _registrations(self) -> tuple[MatchLine, ...]:
        """A5: the two sides' registrations, the earliest first."""
        project, form = self.project, self.project.form
        mine = Match(
            subject_type="project",
            subject_id=project.id,
            name=form.name,
            salesperson=self.sides[0],
            status=project.stage.status.value,
            since=project.registered_at,
            because=(),
            amount=form.amount,
            vendor_registered=form.vendor_registered,
            relationship=form.relationship,
        )
        claimed = {(one.subject_type, one.subject_id) for one in self._others}
        found = await projects.matches_of(self.work.tx, project.id, project.round)
        others = [match for match in found if (match.subject_type, match.subject_id) in claimed]
        return match_lines([mine, *others], self.organisation)


def _sides(row: DisputeRow) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.person for one in row.claimants))


def _read(model: type[M], said: AnswerTask) -> M:
    """The fields of an answer as what they are meant to be. Raises `Refused`."""
    given = {name: value for name, value in said.fields.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError:
        raise Refused("unreadable") from None


def _text(said: AnswerTask) -> Agreement | None:
    """The text that an answer puts on the table, if it brings one."""
    given = [value for value in said.fields.values() if value not in (None, "", [])]
    return _read(Agreement, said) if given else None


def _same(one: Agreement, other: Agreement) -> bool:
    """The same words and the same shares, in whatever order these are written."""
    return one.cooperation == other.cooperation and set(one.split) == set(other.split)


def _check_names(split: Split, known: Collection[str]) -> None:
    """D3: everybody whom a split names is one of `known`. Raises `Refused`."""
    if any(share.person not in known for share in split):
        raise _wrong("split", "D3", "split_names_stranger")


def _wrong(field: str, rule: str, key: str, **params: str) -> Refused:
    return Refused(key, problems=(Problem(field=f"fields.{field}", rule=rule, key=key, params=params),))

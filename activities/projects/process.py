"""A project registration in one step: what it asks, takes and tells (P1–P10, U1–U8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

from pydantic import JsonValue, ValidationError

from activities.conflicts.collisions import keyed_parties
from activities.conflicts.rulings import revoke_aliases
from activities.disputes.stepping_in import agreement_waits
from activities.projects.matches import (
    accounts_concerned,
    claimants_of,
    confirmed_conflicts,
    find_matches,
    named_in,
    rule_on_matches,
    suspects,
)
from activities.projects.statements import active, judge, receive_contract, refuse_wrong_contract
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, Context, IllegalTransition
from activities.tasks.mail_outbox import MailOutbox
from activities.unit_of_work import UnitOfWork
from conflicts.named import look_up
from db.accounts import applications
from db.disputes import disputes
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tasks.tasks import DecisionRow, TaskRow
from domain.conflicts.project_match import Match
from domain.disputes.credit import shares_of
from domain.disputes.dispute import TWO_PROJECTS, Claimant, DisputeStage, dispute_is_of, merged_reason
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.contract_review import received
from domain.projects.project import ProjectForm, ProjectStage, Track
from domain.projects.rules import (
    BOUND_BY_AN_OUTCOME,
    CLERK_FIELD,
    PROJECT_FORM_FIELD,
    SUSPECTS_FIELD,
    project_choices,
    project_stage_rule,
    recipients_of_project,
)
from domain.projects.silence import Silence, SilenceDue, silence_ahead
from domain.refusals import RefusalCode, Refused
from domain.statements import AnswerTask, Statement
from domain.subject import Subject, SubjectType
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, AnswerOutcome, Ask, Choice, TaskKind
from matching.projects import another_project, renamed
from texts.mails.mail import MailFacts
from texts.projects.project_lines import (
    contract_lines,
    credit_lines,
    loss_lines,
    match_lines,
    own_line,
    project_essentials,
    silence_lines,
)
from texts.view_lines import Essential


class ProjectContext(Context):
    """One registration in one step."""

    type = SubjectType.PROJECT
    row: ProjectRow
    _found: tuple[str, ...] = ()
    """P4: the ids of what detection offers the clerk, once it has been asked what may be answered."""
    _suspects: list[JsonValue] | None = None
    """P5: the ids of what the clerk's answer names."""

    @classmethod
    async def load_for_update(cls, uow: UnitOfWork, subject_id: str) -> Self:
        row = await projects.find(uow.connection, subject_id, lock=True)
        if row is None or row.workflow_id != uow.workflow_id:
            raise IllegalTransition(f"{uow.workflow_id} has no project {subject_id}")
        return await cls.of(uow, row)

    @classmethod
    async def of(cls, uow: UnitOfWork, row: ProjectRow) -> Self:
        uow.subject_id = row.id
        context = await cls.with_facts(uow, row.policy_digest)
        context.row = row
        return context

    @property
    def subject(self) -> Subject:
        return Subject(type=self.type, id=self.row.id)

    @property
    def applicant(self) -> str:
        return self.row.salesperson

    @property
    def department(self) -> str | None:
        return self.row.department

    @property
    def stage(self) -> ProjectStage:
        return self.row.stage

    @property
    def over(self) -> bool:
        return self.row.stage.ended

    @property
    def ended_outside(self) -> bool:
        return self.row.stage is ProjectStage.MERGED

    @property
    def round(self) -> int:
        return self.row.round

    async def change(self, **values: Any) -> None:
        """Set columns of the registration; the context shows them from then on."""
        await projects.change(self.uow.connection, self.row.id, **values)
        self.row = self.row.model_copy(update=values)

    async def matches(self) -> tuple[Match, ...]:
        """What was found in this round (P4)."""
        return await projects.matches_of(self.uow.connection, self.row.id, self.row.round)

    async def check_transition(self, stage: str) -> None:
        row, to = self.row, ProjectStage(stage)
        decided = [
            d for number, d in self.docket.decided
            if number == row.round and d.kind not in _OF_DISPUTES
        ]  # fmt: skip
        # A stage is passed once in a round, so that no order of the decisions is asked for.
        choices = {d.choice for d in decided}
        until = self.objection_until
        held: dict[ProjectStage, dict[ProjectStage, bool]] = {
            ProjectStage.RESUME_REVIEW: {ProjectStage.RESUME_REVIEW: row.resumes is not None and not decided},
            ProjectStage.ROUTING: {
                ProjectStage.RESUME_REVIEW: AnswerChoice.ACCEPT in choices,
                ProjectStage.HELD: not decided and row.track is None,
            },
            ProjectStage.ASSIGNMENT: {ProjectStage.ROUTING: row.track is Track.NON_NAMED},
            ProjectStage.CONFLICT_CHECK: {ProjectStage.ASSIGNMENT: AnswerChoice.ASSIGN in choices},
            ProjectStage.CONFLICT_CONFIRMATION: {ProjectStage.CONFLICT_CHECK: AnswerChoice.SUSPECT in choices},
            ProjectStage.DISPUTED: {
                ProjectStage.ROUTING: row.track is Track.OTHER_ACCOUNT,
                ProjectStage.OBJECTION: AnswerChoice.CALL_MEETING in choices,
                **dict.fromkeys((ProjectStage.APPROVAL, ProjectStage.HELD), agreement_waits(row) is not None),
            },
            ProjectStage.APPROVAL: {
                ProjectStage.ROUTING: row.track is Track.OWN_ACCOUNT,
                ProjectStage.CONFLICT_CHECK: AnswerChoice.CLEAR in choices,
                ProjectStage.CONFLICT_CONFIRMATION: await self._nobody_sees_a_conflict(choices),
                ProjectStage.DISPUTED: await self._own_dispute_settled(),
                ProjectStage.HELD: not decided and row.track is not None,
            },
            ProjectStage.HELD: {ProjectStage.APPROVAL: AnswerChoice.HOLD in choices and agreement_waits(row) is None},
            ProjectStage.REFUSED: {ProjectStage.CONFLICT_CONFIRMATION: AnswerChoice.CONFLICT in choices},
            ProjectStage.OBJECTION: {ProjectStage.REFUSED: row.objection is not None},
            ProjectStage.CLOSED_REFUSED: {
                ProjectStage.REFUSED: row.objection is None and until is not None and until <= self.uow.now,
                ProjectStage.OBJECTION: AnswerChoice.UPHOLD_REFUSAL in choices,
            },
            ProjectStage.REJECTED: dict.fromkeys(
                (ProjectStage.APPROVAL, ProjectStage.RESUME_REVIEW), AnswerChoice.REJECT in choices
            ),
            ProjectStage.ENDED: {ProjectStage.ACTIVE: row.loss is not None},
            ProjectStage.CONTRACT_SIGNED: {ProjectStage.ACTIVE: row.contract is not None},
            ProjectStage.ACTIVE: {ProjectStage.ACTIVE: self._contract_application_turns()},
            ProjectStage.SHELVED: {
                ProjectStage.ACTIVE: self._silent_for_long(),
                ProjectStage.HELD: self.stands_still(row.workflow_id),
                ProjectStage.DISPUTED: await self._dispute_stood_still(),
            },
            ProjectStage.WITHDRAWN: {row.stage: row.end_reason is not None},
            ProjectStage.MERGED: {ProjectStage.DISPUTED: self._merged_into() != ""},
        }
        if not held.get(to, {}).get(row.stage, False):
            raise IllegalTransition(f"{row.id}: the record holds nothing that leads from {row.stage.value} to {stage}")

    async def _nobody_sees_a_conflict(self, choices: Collection[str]) -> bool:
        """P6: every VP asked has said that there is none."""
        if AnswerChoice.NO_CONFLICT not in choices or AnswerChoice.CONFLICT in choices:
            return False
        still_open = self.docket.open_tasks
        return all(task.kind is not TaskKind.CONFLICT_CONFIRMATION for task in still_open)

    async def _own_dispute_settled(self) -> bool:
        """D1, D2: by a dispute over this project; the meeting over another may have bound it again since. An agreement
        that waits for the meeting settles nothing (D4)."""
        bound = self.row.agreement is not None and agreement_waits(self.row) is None
        return bound and await disputes.settled(self.uow.connection, self.row.id)

    def _merged_into(self) -> str:
        """D6: the registration that goes on in place of this one, as the meeting over it has decided."""
        agreement = self.row.agreement or {}
        return str(agreement.get("goes_on", "")) if self.row.id in agreement.get("ends", ()) else ""

    def _contract_application_turns(self) -> bool:
        """U7: an application has been handed in and nobody is asked yet, or commerce has just sent it back."""
        if self.row.loss or self.row.contract or self.row.contract_application is None:
            return False
        return all(task.kind is not TaskKind.CONTRACT_REVIEW for task in self.docket.open_tasks)

    def _silent_for_long(self) -> bool:
        """U4: whether the last of the three limits has passed since the last update."""
        waits_for_commerce = self.row.contract_with_commerce
        if self.row.stage is not ProjectStage.ACTIVE or self.row.updated_at is None or waits_for_commerce:
            return False
        shelved = silence_ahead(self.row.updated_at, 0, self.policy, self.calendar)[-1]
        return shelved.at <= self.uow.now

    async def _dispute_stood_still(self) -> bool:
        """U10: nobody has settled the newest dispute over it."""
        over = await disputes.of_project(self.uow.connection, self.row.id)
        return bool(over) and over[-1].stage is DisputeStage.SHELVED

    async def warn(self, task: TaskRow, until: datetime) -> None:
        await self.notify_people(Notice.STANDING_STILL, key=task.id, until=until)

    async def enter(self, step: MoveStep) -> Moved:
        uow, stage, before = self.uow, ProjectStage(step.stage), self.row.stage
        if stage is before is ProjectStage.ACTIVE:
            return await self._stay_active()
        update: dict[str, Any] = {"stage": stage, "stage_since": uow.now}
        until = None
        if stage is ProjectStage.REFUSED:
            until = objection_until(uow.now, self.policy, self.calendar)
            update |= {"refusal": await self._refusal_on_record(until.isoformat()), "objection": None}
        elif stage in (ProjectStage.REJECTED, ProjectStage.CLOSED_REFUSED):
            update["end_reason"] = await self._reason_on_record(stage)
        elif stage is ProjectStage.MERGED:
            update["end_reason"] = merged_reason(self.row.agreement or {})
        elif stage is ProjectStage.SHELVED and before is ProjectStage.ACTIVE:
            update |= {"end_reason": {"reason": "", "rule": "U4"}, "silences": len(Silence)}
        elif stage is ProjectStage.SHELVED:
            update["end_reason"] = {"reason": "", "rule": "U10"}
        if before is ProjectStage.RESUME_REVIEW and stage is ProjectStage.ROUTING:  # U6: a new date of registration
            update |= {"registered_at": uow.now, "named_since": None}
            await applications.set_since(uow.connection, "project", self.row.id, uow.now)
        await self.change(**update)
        await applications.set_live(uow.connection, "project", self.row.id, stage.live)  # P10
        # One that was registered before may have been recorded only after this one had found its way (P4, A5).
        decided_on = stage in _DECIDED_ON_MATCHES and before is not ProjectStage.ROUTING  # which has just looked
        if stage is ProjectStage.CONFLICT_CHECK or decided_on:
            await find_matches(self)
        # Outcomes recorded before 0.2 do not say which registration goes on: both did.
        apart = (self.row.agreement or {}).get("goes_on", TWO_PROJECTS) == TWO_PROJECTS
        if stage is ProjectStage.APPROVAL and before is ProjectStage.DISPUTED and self.row.refusal and apart:
            await self._overturn_refusal()
        uow.note(
            "stage_moved",
            stage_from=before.value,
            stage=stage.value,
            status=stage.status.value,
            rule=project_stage_rule(stage),
            round=self.row.round,
        )
        return Moved(until=until)

    async def _stay_active(self) -> Moved:
        """U7: handed in or sent back, the salesperson has been heard of or has to act: the clocks of silence (U2–U5)
        begin anew. They stand still while commerce has the application; N12 reminds commerce meanwhile."""
        await self.change(updated_at=self.uow.now, silences=0)
        return Moved(ahead=self.ahead(), updated_at=self.uow.now)

    async def _overturn_refusal(self) -> None:
        """P8, D6: they are two projects, the meeting says: what the confirmation has taught is taken back."""
        confirmed = [d for _, d in self.docket.decided if d.choice == AnswerChoice.CONFLICT]
        settled = self.row.agreement or {}
        by = str(settled.get("by") or self.row.salesperson)
        await revoke_aliases(self, [d.task_id for d in confirmed], by=by, because=str(settled.get("summary", "D2")))

    async def _refusal_on_record(self, until: str) -> dict[str, JsonValue]:
        """P7: who confirmed the conflict, why, and with what."""
        decided = [d for _, d in self.docket.decided]
        confirmed = next(d for d in reversed(decided) if d.choice == AnswerChoice.CONFLICT)
        return {
            "by": confirmed.person,
            "reason": confirmed.reason,
            "at": self.uow.now.isoformat(),
            "suspects": list(self._confirmed(await self.matches())),
            "objection_until": until,
        }

    def _confirmed(self, found: Sequence[Match]) -> tuple[str, ...]:
        return confirmed_conflicts(self.row.round, self.docket.decided, self.docket.tasks, found)

    async def _reason_on_record(self, stage: ProjectStage) -> dict[str, JsonValue]:
        choice = AnswerChoice.REJECT if stage is ProjectStage.REJECTED else AnswerChoice.UPHOLD_REFUSAL
        decided = [d for _, d in self.docket.decided if d.choice == choice]
        rule = "U6" if self.row.stage is ProjectStage.RESUME_REVIEW else project_stage_rule(stage)
        return {"reason": decided[-1].reason, "by": decided[-1].person, "rule": rule} if decided else {"rule": rule}

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        await self.notify_people(notice, key=step.key, involved=involved)

    async def notify_people(
        self, kind: Notice, *, key: str, involved: Sequence[str] = (), by: str = "", **more: Any
    ) -> None:
        """Queue the mails of one notice, with the reason and the date that belong to it. `more`: of `MailFacts`."""
        row = self.row
        because = self._because(kind)
        if kind in _OF_SILENCE and self.ahead():
            more |= {"until": self.ahead()[-1].at, "since": row.updated_at}
        elif kind is Notice.CONFLICT_REFUSED:
            more["until"] = self.objection_until
        # The applicant as well, where a dispute has made another salesperson responsible (P2, D2).
        if kind in (Notice.PROJECT_APPROVED, Notice.PROJECT_REJECTED):
            involved = (row.applicant,)
        elif kind is Notice.PROJECT_WITHDRAWN:
            involved = (*involved, row.applicant)
        elif kind in (Notice.CONTRACT_SIGNED, Notice.CONTRACT_CORRECTED):  # D3: each with a part of it
            involved = tuple(share.person for share in shares_of(row.agreement, row.salesperson))
        elif kind in (Notice.STANDING_STILL, Notice.SHELVED_STANDING):  # who has held it waits for it
            held = [d for number, d in self.docket.decided if number == row.round and d.choice == AnswerChoice.HOLD]
            involved = tuple(d.person for d in held)
        if kind in _WITH_ESSENTIALS:
            more["essentials"] = project_essentials(row.form)
        people = recipients_of_project(
            kind,
            self.organisation,
            salesperson=row.salesperson,
            claimants=await self._other_sides(kind),
            involved=involved,
            products=(*row.form.products, row.form.vendor),
            departments=self.policy.projects.loss_told_departments,
        )
        more = {"reason": str(because.get("reason", "")), "facts": await self._facts_of(kind), **more}
        by = by or str(because.get("by", ""))
        await MailOutbox(self).notice(kind, people, key=key, by=by, **more)

    def _because(self, kind: Notice) -> Mapping[str, Any]:
        """Where the record holds why something was decided, and by whom."""
        row = self.row
        found = {
            Notice.CONFLICT_REFUSED: row.refusal,
            Notice.PROJECT_REJECTED: row.end_reason,
            Notice.REFUSAL_UPHELD: row.end_reason,
            Notice.RESUME_REJECTED: row.end_reason,
            Notice.PROJECT_WITHDRAWN: row.end_reason,
            Notice.LOST: row.loss,
            Notice.CONTRACT_SIGNED: row.contract,
            Notice.CONTRACT_CORRECTED: ((row.contract or {}).get("corrections") or [{}])[-1],
            Notice.CONTRACT_SENT_BACK: (row.contract_application or {}).get("sent_back"),
        }
        return found.get(kind) or {}

    async def _facts_of(self, kind: Notice) -> tuple[Essential, ...]:
        """The rows that only a notice of this kind has."""
        row = self.row
        if kind in (Notice.CONTRACT_SIGNED, Notice.CONTRACT_CORRECTED):
            credited = credit_lines(row.credits(self.organisation), row.salesperson)
            return (*contract_lines(row.contract or {}), *credited)
        if kind is Notice.LOST:
            return loss_lines(row.loss or {})
        if kind in _OF_SILENCE:
            last = await projects.updates_of(self.uow.connection, row.id, limit=1)
            return silence_lines(last[0] if last else None, self.ahead(), self.policy.zone)
        return ()

    @property
    def objection_until(self) -> datetime | None:
        """P8: until when a refusal may be objected to."""
        return datetime.fromisoformat(str(self.row.refusal["objection_until"])) if self.row.refusal else None

    async def _other_sides(self, kind: Notice) -> tuple[Claimant, ...]:
        """P3, P7, P2: whose account or registration this one meets. U8: who has been a side of its disputes."""
        if kind is Notice.LOST:
            return tuple(
                one for over in await disputes.of_project(self.uow.connection, self.row.id) for one in over.claimants
            )
        told = (Notice.REGISTERED_UNDER_ACCOUNT, Notice.PROJECT_APPROVED, Notice.PROJECT_REJECTED)
        if kind in told:
            return await accounts_concerned(self) if self.row.track is Track.OTHER_ACCOUNT else ()
        if kind is Notice.CONFLICT_REFUSED:
            return await claimants_of(self, (self.row.refusal or {}).get("suspects", []))
        if kind is Notice.SHELVED_STANDING:
            over = await disputes.of_project(self.uow.connection, self.row.id)
            return over[-1].claimants if over and over[-1].stage is DisputeStage.SHELVED else ()
        return ()

    def slots(self, ask: Ask) -> Sequence[str]:
        """D6: its process was told before whom the outcome of another's dispute has made responsible."""
        bound = self.row.agreement is not None and not dispute_is_of(self.row.agreement, self.row.id)
        return (self.row.salesperson,) if bound and ask.kind in BOUND_BY_AN_OUTCOME else (ask.slot,)

    async def look_again(self, kind: TaskKind) -> None:
        """P4, A5: what is registered by now."""
        if kind in (TaskKind.CONFLICT_CHECK, TaskKind.PROJECT_APPROVAL, TaskKind.OBJECTION_REVIEW):
            await find_matches(self)

    async def choices_now(self, kind: TaskKind, slot: str) -> tuple[Choice, ...]:
        del slot  # the same for everybody who is asked
        people: tuple[str, ...] = ()
        suspected: tuple[str, ...] = ()
        found: tuple[str, ...] = ()
        if kind is TaskKind.ASSIGN_CLERK:
            roles = (Role.COMMERCE_CLERK, Role.COMMERCE_MANAGER)
            holders = (person.id for role in roles for person in self.organisation.holders(role))
            own = (self.row.applicant, self.row.salesperson)
            people = tuple(person for person in dict.fromkeys(holders) if person not in own)
        elif kind is TaskKind.CONFLICT_CHECK:
            suspected = self._found = tuple(match.subject_id for match in await suspects(self))
            found = tuple(match.subject_id for match in await self.matches() if match.live)
        return project_choices(kind, people=people, suspects=suspected, matches=found)

    async def note_for(self, ask: Ask) -> dict[str, JsonValue] | None:
        decided = [d for _, d in self.docket.decided]
        match ask.kind:
            case TaskKind.SUPPLY_INFORMATION:
                held = [d for d in decided if d.choice == AnswerChoice.HOLD]
                return {"reason": held[-1].reason} if held else None
            case TaskKind.CONFLICT_CONFIRMATION:
                suspected = [d for d in decided if d.choice == AnswerChoice.SUSPECT]
                if not suspected:
                    return None
                # One VP may supervise several of them: each task is about those of one salesperson, and says which.
                theirs = {match.subject_id for match in await self.matches() if match.salesperson == ask.slot}
                named = named_in(suspected[-1].fields)
                return {"reason": suspected[-1].reason, SUSPECTS_FIELD: [one for one in named if one in theirs]}
            case TaskKind.OBJECTION_REVIEW if self.row.objection:
                return {"reason": str(self.row.objection["reason"]), "refusal": self.row.refusal}
            case TaskKind.RESUME_REVIEW if self.row.resumption:
                why = self.row.resumption
                return {"reason": f"{why['why_silent']}\n{why['why_resume']}", "resumes": self.row.resumes}
            case TaskKind.PROJECT_APPROVAL if self.row.agreement:
                return {"agreement": self.row.agreement}
            case TaskKind.CONTRACT_REVIEW if self.row.contract_application:
                return {"contract_application": self.row.contract_application}
            case _:
                return None

    async def ruled_out(self, task: TaskRow) -> frozenset[str]:
        """Nobody decides on a project that is their own by now, or on the conflict of their own registration."""
        del task  # the salesperson whom a VP's slot names is never asked by it anyway
        return self.own_people

    @property
    def own_people(self) -> frozenset[str]:
        """Whose project it is by now, and who registered it."""
        return frozenset({self.row.applicant, self.row.salesperson})

    @property
    def today(self) -> date:
        """The day of this step in the business time zone."""
        return self.uow.now.astimezone(self.policy.zone).date()

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        if agreement_waits(self.row):  # D4: somebody has stepped in, and the process is on its way to the meeting
            raise Refused(RefusalCode.TASK_WITHDRAWN, closed_because=ProjectStage.DISPUTED.value)
        if task.kind is TaskKind.SUPPLY_INFORMATION:
            self._supplied_form(said)
        elif task.kind is TaskKind.CONTRACT_REVIEW:
            active(self)
            if said.choice == AnswerChoice.RECEIVED:
                refuse_wrong_contract(self, received(said.fields), of_task=True)
        elif task.kind is TaskKind.CONFLICT_CHECK and said.choice == AnswerChoice.SUSPECT:
            await self._look_up_suspects(said)

    async def _look_up_suspects(self, said: AnswerTask) -> None:
        """P5: what the clerk names and detection has not found is kept beside what it has."""
        uow, row = self.uow, self.row
        named = await look_up(uow.connection, named_in(said.fields), row, found=self._found, now=uow.now)
        if named.problems:
            raise Refused(named.problems[0].key, problems=named.problems)
        self._suspects = list(named.ids)
        matches = await self.matches()
        known = {match.subject_id for match in matches}
        added = [match for match in named.matches if match.subject_id not in known]
        if added:
            await projects.keep_matches(uow.connection, row.id, row.round, [*matches, *added])

    def kept(self, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """A suspect named by its project number is kept by its id."""
        return {**fields, SUSPECTS_FIELD: self._suspects} if self._suspects else fields

    async def answered(self, task: TaskRow, decision: DecisionRow, said: AnswerTask) -> Answered:
        match task.kind:
            case TaskKind.SUPPLY_INFORMATION:
                return await self._begin_round(said)
            case TaskKind.ASSIGN_CLERK:
                clerk = str(decision.fields[CLERK_FIELD])
                self.uow.note("clerk_assigned", decision.person, clerk=clerk, rule="P4")
                return Answered(names=(clerk,))
            case TaskKind.CONFLICT_CHECK | TaskKind.CONFLICT_CONFIRMATION:
                await rule_on_matches(self, task, decision)
                return Answered()
            case TaskKind.CONTRACT_REVIEW if decision.choice == AnswerChoice.RECEIVED:
                contract = received(decision.fields)
                await receive_contract(self, contract, decision.person, channel=said.channel, of_task=True)
                return Answered()
            case TaskKind.CONTRACT_REVIEW:
                await self._send_contract_back(decision)
                return Answered()
            case _:
                return Answered()

    async def _send_contract_back(self, decision: DecisionRow) -> None:
        """U7: the salesperson hands it in again, or goes on with the project."""
        why = {"reason": decision.reason, "by": decision.person, "at": self.uow.now.isoformat()}
        await self.change(contract_application={**(self.row.contract_application or {}), "sent_back": why})
        self.uow.note("contract_sent_back", decision.person, reason=decision.reason, rule="U7")

    def _supplied_form(self, said: AnswerTask) -> ProjectForm:
        try:
            return ProjectForm.model_validate(said.fields[PROJECT_FORM_FIELD])
        except ValidationError:
            raise Refused(RefusalCode.UNREADABLE) from None

    async def _begin_round(self, said: AnswerTask) -> Answered:
        """P2, P4: the completed form begins a new round. One that is another by its companies, or under no account by
        what conflict detection compares of the project itself, finds its way anew (P1, P3, P4)."""
        uow, before = self.uow, self.row
        form, number = self._supplied_form(said), before.round + 1
        await projects.add_round(uow.connection, before.id, number, form, uow.now)
        parties = keyed_parties(form)
        # Under an account nobody but the VP judges the project itself, who is shown what is found anew.
        of_itself = before.track is Track.NON_NAMED and another_project(before.form, form)
        reroute = of_itself or parties != keyed_parties(before.form)
        update: dict[str, Any] = {"form": form, "round": number}
        if renamed(before.form, form):
            update["named_since"] = uow.now
        if reroute:
            # A company named only now has its place in time from now on (A5); one named before keeps it.
            await applications.set_parties(uow.connection, "project", before.id, parties, since=uow.now, live=True)
            update |= {"track": None, "account_id": None}
            if await self._own_dispute_settled():
                update["agreement"] = None
            update |= {"refusal": None, "objection": None}
        else:
            weaker = await projects.weaker_matches(uow.connection, before.id, before.round)
            left_out = await projects.not_compared(uow.connection, before.id, before.round)
            await projects.keep_matches(
                uow.connection, before.id, number, await self.matches(), weaker=weaker, not_compared=left_out
            )
        await self.change(**update)
        uow.note("project_round_begun", said.person, round=number, rerouted=reroute, rule="P2")
        return Answered(round=number, outcome=AnswerOutcome.REROUTE if reroute else "")

    async def judge(self, said: Statement) -> Recorded:
        return await judge(self, said)

    def ahead(self) -> tuple[SilenceDue, ...]:
        """U2–U5: what happens by itself from here on; nothing while commerce has the contract to review (U7)."""
        if self.row.updated_at is None or self.row.contract_with_commerce:
            return ()
        return silence_ahead(self.row.updated_at, self.row.silences, self.policy, self.calendar)

    def mail_facts(self) -> MailFacts:
        row = self.row
        return MailFacts(
            kind=Notice.TASK,
            subject_type=self.type,
            subject_id=row.id,
            project_number=row.number or "",
            project_name=row.form.name,
            customer_name=row.form.customer.name,
            stage_key=self.stage_key(row.stage),
        )

    async def mail_evidence(self, kind: TaskKind) -> Mapping[str, Any]:
        facts: dict[str, Any] = {"essentials": project_essentials(self.row.form)}
        if kind is TaskKind.CONTRACT_REVIEW:
            facts["facts"] = contract_lines(self.row.contract_application or {})
        if kind in _WITH_MATCHES:
            row = self.row
            mine = own_line(
                row.form,
                self.organisation,
                salesperson=row.salesperson,
                status=row.stage.status.value,
                since=row.registered_at,
                named_since=row.named_since,
                live=row.live,
            )
            facts |= {"matches": match_lines(await self.matches(), self.organisation), "own": mine}
        return facts


_DECIDED_ON_MATCHES = frozenset({ProjectStage.APPROVAL, ProjectStage.OBJECTION})
"""P2, P8: whoever decides sees what is registered at this moment, not what the way here had found."""
_OF_DISPUTES = frozenset({TaskKind.AGREE_SPLIT, TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING})
_WITH_MATCHES = frozenset(
    {
        TaskKind.CONFLICT_CHECK,
        TaskKind.CONFLICT_CONFIRMATION,
        TaskKind.PROJECT_APPROVAL,
        TaskKind.OBJECTION_REVIEW,
        TaskKind.RESUME_REVIEW,
    }
)
"""A5: whoever decides sees what else is registered, when, and how well everyone knows the customer."""
_OF_SILENCE = (Notice.SILENT_TWO_WEEKS, Notice.SILENT_ONE_MONTH)
_WITH_ESSENTIALS = frozenset({Notice.REGISTERED_UNDER_ACCOUNT, Notice.LOST, Notice.PROJECT_APPROVED})

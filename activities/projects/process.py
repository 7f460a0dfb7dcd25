"""What the process of a registration does in a step: moves, questions, answers and notices (P1–P10, U1–U8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import JsonValue

from activities.conflicts.collisions import keyed_parties
from activities.conflicts.rulings import revoke_aliases
from activities.projects.matches import confirmed_conflicts, find_matches, rule_on_matches, suspects
from activities.projects.notices import notify_people
from activities.projects.record import ProjectRecord, transition_facts
from activities.projects.statements import receive_contract, record_statement
from activities.steps import Moved, MoveStep, Recorded
from activities.tasks.context import Answered, IllegalTransition
from conflicts.named import look_up
from db.accounts import applications
from db.disputes import disputes
from db.projects import projects
from db.tasks.tasks import DecisionRow, TaskRow
from domain.disputes.dispute import TWO_PROJECTS, agreement_waits, merged_reason, settled
from domain.notices import Notice
from domain.organisation import Role
from domain.projects.contract_review import received
from domain.projects.judgements import judge_answer, supplied_form
from domain.projects.project import ProjectStage, Track
from domain.projects.rules import CLERK_FIELD, SUSPECTS_FIELD, named_suspects, project_choices, project_stage_rule
from domain.projects.silence import Silence
from domain.projects.transitions import transition_problem
from domain.refusals import refuse_wrong
from domain.statements import AnswerTask, Statement
from domain.tasks.asking import IN_PERSON
from domain.tasks.deadlines import objection_until
from domain.tasks.task import AnswerChoice, AnswerOutcome, Choice, TaskKind
from matching.projects import another_project, renamed
from texts.tasks.deciding import WEIGHS_FORM, DecidingFacts, project_facts
from texts.tasks.decisions import decision_lines

_DECIDED_ON_MATCHES = frozenset({ProjectStage.APPROVAL, ProjectStage.OBJECTION})
"""P2, P8: whoever decides sees what is registered at this moment, not what the way here had found."""
_OF_DISPUTES = frozenset({TaskKind.AGREE_SPLIT, TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING})


class ProjectContext(ProjectRecord):
    """One registration in one step of its process."""

    _found: tuple[str, ...] = ()
    """P4: the ids of what detection offers the clerk, once it has been asked what may be answered."""
    _suspects: list[JsonValue] | None = None
    """P5: the ids of what the clerk's answer names."""

    async def check_transition(self, stage: str) -> None:
        row = self.row
        disputed = row.stage is ProjectStage.DISPUTED
        over = await disputes.of_project(self.uow.connection, row.id) if disputed else ()
        facts = transition_facts(
            row,
            now=self.uow.now,
            choices={
                decision.choice
                for number, decision in self.docket.decided
                if number == row.round and decision.kind not in _OF_DISPUTES
            },
            still_open={task.kind for task in self.docket.open_tasks},
            disputes=[dispute.stage for dispute in over],
            ahead=self.ahead(),
            stands_still=self.stands_still(row.workflow_id),
        )
        problem = transition_problem(facts, ProjectStage(stage))
        if problem:
            raise IllegalTransition(f"{row.id}: {problem}")

    async def warn(self, task: TaskRow, until: datetime) -> None:
        await notify_people(self, Notice.STANDING_STILL, key=task.id, until=until)

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
        """U7: handed in or sent back, the salesperson has acted or has to act: the clocks of silence (U2–U5)
        restart. They stand still while commerce has the application; N12 reminds commerce meanwhile."""
        await self.change(updated_at=self.uow.now, silences=0)
        return Moved(ahead=self.ahead(), updated_at=self.uow.now)

    async def _overturn_refusal(self) -> None:
        """P8, D6: the meeting found two projects, so the aliases learned from the confirmation are revoked."""
        confirmed = [decision for _, decision in self.docket.decided if decision.choice == AnswerChoice.CONFLICT]
        outcome = self.row.agreement or {}
        by, because = str(outcome.get("by") or self.row.salesperson), str(outcome.get("summary", "D2"))
        await revoke_aliases(self, [decision.task_id for decision in confirmed], by=by, because=because)

    async def _refusal_on_record(self, until: str) -> dict[str, JsonValue]:
        """P7: who confirmed the conflict, why, and with what."""
        decisions = [decision for _, decision in self.docket.decided]
        confirmed = next(decision for decision in reversed(decisions) if decision.choice == AnswerChoice.CONFLICT)
        return {
            "by": confirmed.person,
            "reason": confirmed.reason,
            "at": self.uow.now.isoformat(),
            "suspects": list(
                confirmed_conflicts(self.row.round, self.docket.decided, self.docket.tasks, await self.matches())
            ),
            "objection_until": until,
        }

    async def _reason_on_record(self, stage: ProjectStage) -> dict[str, JsonValue]:
        choice = AnswerChoice.REJECT if stage is ProjectStage.REJECTED else AnswerChoice.UPHOLD_REFUSAL
        decided = [decision for _, decision in self.docket.decided if decision.choice == choice]
        rule = "U6" if self.row.stage is ProjectStage.RESUME_REVIEW else project_stage_rule(stage)
        return {"reason": decided[-1].reason, "by": decided[-1].person, "rule": rule} if decided else {"rule": rule}

    async def notify(self, notice: Notice, step: MoveStep, involved: tuple[str, ...]) -> None:
        await notify_people(self, notice, key=step.key, involved=involved)

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

    async def deciding(self, task: TaskRow, reader: str) -> DecidingFacts:
        del reader  # everybody who is asked sees the same
        row, decides = self.row, task.kind not in IN_PERSON
        weighs = task.kind in WEIGHS_FORM
        before = await projects.form_before(self.uow.connection, row.id, row.round) if weighs else None
        objecting = task.kind is TaskKind.OBJECTION_REVIEW
        return project_facts(
            task.kind,
            row.form,
            before,
            round=row.round,
            salesperson=row.salesperson,
            matches=await self.matches() if decides else (),
            organisation=self.organisation,
            suspects=named_suspects(task.note or {}),
            decisions=decision_lines(self.docket.decided, self.organisation),
            objection=str((row.objection or {}).get("reason", "")) if objecting else "",
            deadline=self.deadline_of(task),
        )

    async def check(self, task: TaskRow, said: AnswerTask) -> None:
        judge_answer(self.facts, task.kind, said, today=self.today)
        if task.kind is TaskKind.CONFLICT_CHECK and said.choice == AnswerChoice.SUSPECT:
            await self._look_up_suspects(said)

    async def _look_up_suspects(self, said: AnswerTask) -> None:
        """P5: what the clerk names and detection has not found is kept beside what it has."""
        uow, row = self.uow, self.row
        named = await look_up(uow.connection, named_suspects(said.fields), row, found=self._found, now=uow.now)
        refuse_wrong(named.problems)
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
                await receive_contract(self, received(decision.fields), decision.person, channel=said.channel)
                return Answered()
            case TaskKind.CONTRACT_REVIEW:
                await self._send_contract_back(decision)
                return Answered()
            case _:
                return Answered()

    async def _bound_by_own_dispute(self) -> bool:
        """D1, D2: a dispute over this registration has settled what binds it, which no meeting is to decide again."""
        bound = self.row.agreement is not None and agreement_waits(self.row.agreement) is None
        if not bound:
            return False
        return settled([dispute.stage for dispute in await disputes.of_project(self.uow.connection, self.row.id)])

    async def _send_contract_back(self, decision: DecisionRow) -> None:
        """U7: the salesperson hands it in again, or goes on with the project."""
        why = {"reason": decision.reason, "by": decision.person, "at": self.uow.now.isoformat()}
        await self.change(contract_application={**(self.row.contract_application or {}), "sent_back": why})
        self.uow.note("contract_sent_back", decision.person, reason=decision.reason, rule="U7")

    async def _begin_round(self, said: AnswerTask) -> Answered:
        """P2, P4: the completed form begins a new round. One that is another by its companies, or under no account by
        what conflict detection compares of the project itself, finds its way anew (P1, P3, P4)."""
        uow, before = self.uow, self.row
        form, number = supplied_form(said), before.round + 1
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
            if await self._bound_by_own_dispute():
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
        return await record_statement(self, said)

"""What every subject's views have in common: the viewer, their language, and what belongs to a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from api.models import AskedView, DecisionView, OpenTaskView, PersonView, TimelineEntry
from api.state import Viewer
from api.tasks.wording import task_key, task_rule
from db import audit
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.projects.projects import ProjectRow
from db.reads.step_snapshot import step_snapshot
from db.reference_data import ReferenceData
from db.tasks.tasks import AskedRow, Decided, DecisionRow, TaskRow
from domain.access import sees_evidence
from domain.calendar import WorkCalendar
from domain.organisation import Organisation
from domain.tasks.asking import IN_PERSON
from domain.tasks.task import TaskStatus
from texts.catalogue import Texts
from texts.tasks.decisions import SPEAKS_OF_OTHERS

NAMES_OTHERS: Final = frozenset(
    {
        "aliases_taken_back",
        "conflict_suspected",
        "earlier_found",
        "evidence_gathered",
        "evidence_gathered_again",
        "match_ruled",
        "matches_found",
        "names_not_compared",
        "weaker_matches_left_out",
    }
)
"""Events whose bodies name other people's registrations, or count them."""


class Standing(NamedTuple):
    """The open tasks of a subject with their assignees, and the decisions so far."""

    open_tasks: tuple[TaskRow, ...]
    asked: dict[str, tuple[AskedRow, ...]]
    """Current and former assignees, by open task."""
    decided: Decided


class Views:
    """Builds response models for one viewer, in their language."""

    def __init__(self, facts: ReferenceData, viewer: Viewer, texts: Texts) -> None:
        self.facts = facts
        self.viewer = viewer
        self.organisation: Organisation = viewer.organisation
        self.texts = texts

    def person(self, person_id: str) -> PersonView:
        """A person by name."""
        return PersonView(id=person_id, name=self.organisation.name_of(person_id))

    def may_see_evidence(self, row: ApplicationRow | ProjectRow, standing: Standing) -> bool:
        """Whether the viewer may see evidence and references to it (X2). An open request counts while it lasts."""
        me = self.viewer.person
        deciding = any(
            assignee.person == me.id and assignee.removed_at is None and task.kind not in IN_PERSON
            for task in standing.open_tasks
            for assignee in standing.asked[task.id]
        ) or any(decision.person == me.id and decision.kind not in IN_PERSON for _, decision in standing.decided)
        owners = {row.applicant, row.salesperson} if isinstance(row, ProjectRow) else {row.applicant}
        return sees_evidence(me, self.organisation, owners=owners, asked_to_decide=deciding)

    def waited_for(self, open_tasks: Sequence[TaskRow], asked: Mapping[str, Sequence[AskedRow]]) -> str:
        """The names of everybody whose answer is outstanding."""
        people = [assignee.person for task in open_tasks for assignee in asked[task.id] if assignee.removed_at is None]
        return self.texts.join([self.organisation.name_of(person) for person in dict.fromkeys(people)])

    def assignees(self, asked: Sequence[AskedRow]) -> list[AskedView]:
        """The current assignees of a task."""
        return [
            AskedView(
                person=self.person(assignee.person),
                capacity=assignee.capacity,
                on_behalf_of=self.person(assignee.on_behalf_of) if assignee.on_behalf_of else None,
            )
            for assignee in asked
            if assignee.removed_at is None
        ]

    def open_task(self, task: TaskRow, asked: Sequence[AskedRow]) -> OpenTaskView:
        """An open task, as part of its subject."""
        return OpenTaskView(
            id=task.id,
            kind=task.kind,
            rule=task_rule(task.kind, task.subject_type),
            title=self.texts.text(task_key(task.kind, task.subject_type, "title")),
            asked=self.assignees(asked),
            opened_at=task.opened_at,
            due_at=task.due_at,
        )

    def decision(self, round_number: int, decision: DecisionRow, *, shown: bool) -> DecisionView:
        """A decision. Unless `shown` (see `may_see_evidence`), reasons that refer to others are left out (X2)."""
        return DecisionView(
            task_id=decision.task_id,
            kind=decision.kind,
            round=round_number,
            choice=decision.choice,
            reason=decision.reason if shown or decision.kind not in SPEAKS_OF_OTHERS else "",
            special_reason=decision.special,
            person=self.person(decision.person),
            on_behalf_of=self.person(decision.on_behalf_of) if decision.on_behalf_of else None,
            capacity=decision.capacity,
            decided_at=decision.decided_at,
        )

    def entry(self, entry: audit.Event, *, shown: bool) -> TimelineEntry:
        """An audit event. Unless `shown` (see `may_see_evidence`), events that refer to evidence have no body (X2)."""
        known = self.organisation.person(entry.actor)
        with_body = shown or not (entry.event in NAMES_OTHERS or entry.body.get("kind") in SPEAKS_OF_OTHERS)
        return TimelineEntry(
            at=entry.at,
            event=entry.event,
            text=self.texts.label(f"event.{entry.event}"),
            actor=self.person(entry.actor) if known else None,
            body=entry.body if with_body else {},
        )


class Composer(Views):
    """`Views` that can look up what belongs to a row."""

    def __init__(self, connection: AsyncConnection, facts: ReferenceData, viewer: Viewer, texts: Texts) -> None:
        super().__init__(facts, viewer, texts)
        self.connection = connection
        self._standings: dict[str, Standing] = {}
        self._calendar: WorkCalendar | None = None

    async def standing(self, subject_id: str) -> Standing:
        """Tasks and decisions of a subject, read once: what is shown and whether it may be shown both depend on it."""
        if subject_id not in self._standings:
            found = await step_snapshot(self.connection, subject_id)
            open_tasks = tuple(task for task in found.tasks if task.status is TaskStatus.OPEN)
            asked = {
                task.id: tuple(assignee for assignee in found.asked if assignee.task_id == task.id)
                for task in open_tasks
            }
            self._standings[subject_id] = Standing(open_tasks, asked, found.decided)
        return self._standings[subject_id]

    async def calendar(self) -> WorkCalendar:
        """The working days as they are known now, read once: every line of a list needs them."""
        if self._calendar is None:
            self._calendar = await self.facts.calendar(self.connection)
        return self._calendar

    async def sees_evidence(self, row: ApplicationRow | ProjectRow) -> bool:
        """`may_see_evidence`, with tasks and decisions looked up."""
        return self.may_see_evidence(row, await self.standing(row.id))

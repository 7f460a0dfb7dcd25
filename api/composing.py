"""Rows of the record put together into what the API and the pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import JsonValue

from api.accounts.models import AccountView
from api.models import (
    ApplicationSummary,
    ApplicationView,
    AskedView,
    ChoiceView,
    DecisionView,
    EvidenceView,
    FieldView,
    FindingView,
    OpenTaskView,
    OptionView,
    PersonView,
    ProjectSummary,
    ProjectView,
    RejectionView,
    SubjectView,
    TaskSummary,
    TaskView,
    TimelineEntry,
)
from api.projects.composing import project_view
from api.reviews.composing import account_parts, note_of, note_view, review_field, review_view, title_of_review
from api.state import Viewer
from api.tasks import next_steps
from api.tasks.wording import choice_key, field_label, task_key, task_rule, with_people
from db import audit
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.projects.projects import ProjectRow
from db.reads.detail_reads import AccountState, OpenTask, WholeAccount, WholeApplication
from db.reference_data import ReferenceData
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.tasks import AskedRow, Decided, DecisionRow, TaskRow
from domain.access import sees_evidence
from domain.accounts.application import Stage
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate
from domain.accounts.evidence import OF_MATCHES, Evidence, Finding
from domain.accounts.figures import SignedContract
from domain.conflicts.unusual_names import unusual_names
from domain.disputes.dispute import TWO_PROJECTS
from domain.organisation import Organisation
from domain.policy import Policy
from domain.subject import SubjectType
from domain.tasks.asking import IN_PERSON
from domain.tasks.task import Choice, FieldKind, FieldSpec, TaskStatus
from texts.accounts.named_evidence import with_names
from texts.catalogue import Texts
from texts.conflicts.verdicts import PROTECTED, level_label, sentences
from texts.tasks.decisions import SPEAKS_OF_OTHERS
from texts.view_lines import EvidenceLine

TIMELINE_HIDES = frozenset({"mails_queued", "evidence_gathered", "task_opened", "task_withdrawn", "earlier_found"})
"""Events that the dossier has and the short timeline leaves out."""
TOLD_APART = frozenset({"earlier_found"})
"""Of those, what is told in another place than the timeline: `conflicts`."""


SPEAKS_OF_EVIDENCE = frozenset(
    {
        *("evidence_gathered", "evidence_gathered_again", "earlier_found", "matches_found", "conflict_suspected"),
        *("match_ruled", "aliases_taken_back", "weaker_matches_left_out", "names_not_compared"),
    }
)
"""Events whose bodies name other people's registrations, or how many there are."""


class Standing(NamedTuple):
    """What is asked about a subject at this moment, and what was decided."""

    open_tasks: tuple[TaskRow | OpenTask, ...]
    asked: dict[str, tuple[AskedRow, ...]]
    """Who is or was asked by each open task."""
    decided: Decided


class ApplicationParts(NamedTuple):
    """What belongs to an application beside its row."""

    standing: Standing
    found: Sequence[Evidence]
    entries: Sequence[audit.Event]
    account: AccountRow | AccountState | None
    held: int
    """How many live accounts the applicant holds (N8)."""


class Views:
    """What one viewer is shown, in their language."""

    def __init__(self, facts: ReferenceData, viewer: Viewer, texts: Texts) -> None:
        self.facts = facts
        self.viewer = viewer
        self.organisation: Organisation = viewer.organisation
        self.texts = texts

    def person(self, person_id: str) -> PersonView:
        return PersonView(id=person_id, name=self.organisation.name_of(person_id))

    def summary(self, row: ApplicationRow) -> ApplicationSummary:
        return ApplicationSummary(**self._summary(row))

    def _summary(self, row: ApplicationRow) -> dict[str, Any]:
        return {
            "id": row.id,
            "workflow_id": row.workflow_id,
            "stage": row.stage,
            "stage_label": self.texts.text(f"stage.{_stage_said(row)}"),
            "outcome": row.stage if row.stage.ended else None,
            "round": row.round,
            "applicant": self.person(row.applicant),
            "department": row.department,
            "customer_name": row.form.customer.name,
            "submitted_at": row.submitted_at,
            "stage_since": row.stage_since,
        }

    def decides(self, row: ApplicationRow | ProjectRow, standing: Standing) -> bool:
        """Whether evidence, and what speaks of it, is for the viewer (X2). Being asked counts while it lasts."""
        me = self.viewer.person
        deciding = any(
            one.person == me.id and one.removed_at is None and task.kind not in IN_PERSON
            for task in standing.open_tasks
            for one in standing.asked[task.id]
        ) or any(decision.person == me.id and decision.kind not in IN_PERSON for _, decision in standing.decided)
        owners = {row.applicant, row.salesperson} if isinstance(row, ProjectRow) else {row.applicant}
        return sees_evidence(me, self.organisation, owners=owners, asked_to_decide=deciding)

    def whole_application(self, whole: WholeApplication, policy: Policy) -> ApplicationView:
        """One application that was looked up at once. `policy`: the one it started with."""
        standing = Standing(
            whole.open_tasks,
            {task.id: task.asked for task in whole.open_tasks},
            whole.decided,
        )
        parts = ApplicationParts(standing, applications.in_order(whole.found), whole.entries, whole.account, whole.held)
        return self.application_of(whole.row, parts, policy, shown=self.decides(whole.row, standing))

    def application_of(
        self, row: ApplicationRow, parts: ApplicationParts, policy: Policy, *, shown: bool
    ) -> ApplicationView:
        """One application. `shown`: what `decides` said of it."""
        (open_tasks, asked, decided), found, entries, account, held = parts
        return ApplicationView(
            **self._summary(row),
            customer=row.form.customer.model_dump(mode="json"),
            form=row.form,
            policy=policy.version,
            unusual_names=list(unusual_names(row.form)),
            evidence=[self.evidence(item) for item in found] if shown else [],
            eligibility=evaluate(row.form, background_of(found if shown else ()), policy.eligibility),
            tasks=[self.open_task(task, asked[task.id]) for task in open_tasks],
            decisions=[self.decision(number, decision, shown=shown) for number, decision in decided],
            rejection=self._rejection(row),
            appeal=row.appeal,
            end_reason=self._end_reason(row),
            conflicts=_conflicts(entries, self.texts),
            account_id=account.id if account else None,
            account_revoked_at=account.revoked_at if account else None,
            what_next=(
                self.texts.text("what_next.revoked")
                if account and account.revoked_at
                else next_steps.of_application(self, row, open_tasks, asked, held=held, policy=policy)
            ),
            timeline=[self.entry(entry, shown=shown) for entry in entries if entry.event not in TIMELINE_HIDES],
        )

    def project_summary(self, row: ProjectRow) -> ProjectSummary:
        stage, status = row.stage, row.stage.status
        return ProjectSummary(
            **row.model_dump(
                include={
                    *("id", "workflow_id", "number", "department", "track", "account_id", "round"),
                    *("registered_at", "stage_since", "updated_at", "resumes"),
                }
            ),
            name=row.form.name,
            customer_name=row.customer_name,
            status=status,
            status_label=self.texts.text(f"project_status.{status}"),
            stage=stage,
            stage_label=self.texts.text(f"project_stage.{stage}"),
            salesperson=self.person(row.salesperson),
            applicant=self.person(row.applicant),
            amount=row.form.amount,
            expected_signing=row.form.expected_signing,
        )

    def evidence(self, item: Evidence) -> EvidenceView:
        named = with_names(item, self.organisation)
        line = EvidenceLine.of(item, self.organisation)
        return EvidenceView(
            **named.model_dump(exclude={"findings", "gone"}),
            kind_label=self.texts.text(f"evidence.{named.kind}"),
            source_label=self.texts.label(f"source.{named.source}", named.source),
            text=line.sentence(self.texts),
            remarks=line.remarks(self.texts, self.facts.policy.zone),
            findings=tuple(map(self._finding, named.findings)),
            gone=tuple(map(self._finding, named.gone)),
        )

    def _finding(self, finding: Finding) -> FindingView:
        return FindingView(
            **{name: getattr(finding, name) for name in Finding.model_fields},
            level=finding.verdict.level,
            level_label=level_label(finding.verdict, self.texts) if finding.verdict.found else "",
            because=sentences(finding.verdict, self.texts),
        )

    def _rejection(self, row: ApplicationRow) -> RejectionView | None:
        if row.rejection is None:
            return None
        return RejectionView(
            by=self.person(row.rejection.person),
            reason=row.rejection.reason,
            at=row.rejection.at,
            appeal_until=row.rejection.appeal_until,
        )

    def _end_reason(self, row: ApplicationRow) -> dict[str, JsonValue] | None:
        """Why it ended; of what stood in its way, in words as well (N14, A2)."""
        code = (row.end_reason or {}).get("code")
        return (
            {**row.end_reason, "text": self.texts.text(f"end_reason.{code}")}
            if row.end_reason and code
            else row.end_reason
        )

    def waited_for(self, open_tasks: Sequence[TaskRow | OpenTask], asked: Mapping[str, Sequence[AskedRow]]) -> str:
        """The names of everybody whose answer is waited for."""
        people = [one.person for task in open_tasks for one in asked[task.id] if one.removed_at is None]
        return self.texts.join([self.organisation.name_of(person) for person in dict.fromkeys(people)])

    def asked(self, one: AskedRow) -> AskedView:
        return AskedView(
            person=self.person(one.person),
            capacity=one.capacity,
            on_behalf_of=self.person(one.on_behalf_of) if one.on_behalf_of else None,
        )

    def open_task(self, task: TaskRow | OpenTask, asked: Sequence[AskedRow]) -> OpenTaskView:
        return OpenTaskView(
            id=task.id,
            kind=task.kind,
            rule=task_rule(task.kind, task.subject_type),
            title=self.texts.text(task_key(task.kind, task.subject_type, "title")),
            asked=[self.asked(one) for one in asked if one.removed_at is None],
            opened_at=task.opened_at,
            due_at=task.due_at,
        )

    def decision(self, number: int, decision: DecisionRow, *, shown: bool) -> DecisionView:
        """`shown`: what `sees_evidence` said; without it, reasons that speak of others are left out (X2)."""
        return DecisionView(
            task_id=decision.task_id,
            kind=decision.kind,
            round=number,
            choice=decision.choice,
            reason=decision.reason if shown or decision.kind not in SPEAKS_OF_OTHERS else "",
            special_reason=decision.special,
            person=self.person(decision.person),
            on_behalf_of=self.person(decision.on_behalf_of) if decision.on_behalf_of else None,
            capacity=decision.capacity,
            decided_at=decision.decided_at,
        )

    def entry(self, entry: audit.Event, *, shown: bool) -> TimelineEntry:
        """One event. `shown`: what `sees_evidence` said; without it, what speaks of evidence has no body (X2)."""
        known = self.organisation.person(entry.actor)
        told = shown or not (entry.event in SPEAKS_OF_EVIDENCE or entry.body.get("kind") in SPEAKS_OF_OTHERS)
        return TimelineEntry(
            at=entry.at,
            event=entry.event,
            text=self.texts.label(f"event.{entry.event}"),
            actor=self.person(entry.actor) if known else None,
            body=entry.body if told else {},
        )

    def _choice(self, choice: Choice, task: TaskRow, names: Mapping[str, str]) -> ChoiceView:
        """`names`: how registrations that may be named are called, by id."""

        def called(spec: FieldSpec, one: str) -> str:
            if one == TWO_PROJECTS:
                return self.texts.text("project_page.two_projects")
            if spec.kind is FieldKind.CHOICE:
                return names.get(one) or self.texts.label(f"detail_value.{one}", one)
            of_subjects = spec.kind in (FieldKind.SUBJECTS, FieldKind.RULINGS)
            return names.get(one, one) if of_subjects else self.organisation.name_of(one)

        def shown(spec: FieldSpec) -> FieldView:
            if task.subject_type == SubjectType.REVIEW:
                return review_field(spec, names, self.texts)
            return FieldView(
                **spec.model_dump(),
                label=field_label(spec, task.subject_type, self.texts),
                named=[OptionView(id=one, label=called(spec, one)) for one in spec.options],
            )

        fields = tuple(map(shown, choice.fields))
        label = self.texts.text(choice_key(task.kind, task.subject_type, choice.choice))
        return ChoiceView(**choice.model_dump(exclude={"fields"}), fields=fields, label=label)

    def _task_summary(
        self, task: TaskRow, mine: AskedRow | None, title: str, names: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        choices = [self._choice(choice, task, names or {}) for choice in task.choices]
        return {
            "id": task.id,
            "kind": task.kind,
            "rule": task_rule(task.kind, task.subject_type),
            "subject": SubjectView.model_validate({"type": task.subject_type, "id": task.subject_id, "title": title}),
            "question": self.texts.text(task_key(task.kind, task.subject_type, "question")),
            "choices": choices if task.status is TaskStatus.OPEN else [],
            "opened_at": task.opened_at,
            "due_at": task.due_at,
            "due_provisional": task.due_provisional,
            "status": task.status,
            "on_behalf_of": self.person(mine.on_behalf_of) if mine and mine.on_behalf_of else None,
            "round": task.round,
        }

    def task_summary(self, task: TaskRow, mine: AskedRow, title: str) -> TaskSummary:
        return TaskSummary(**self._task_summary(task, mine, title))

    def review_title(self, row: ReviewRow) -> str:
        return title_of_review(row, self.organisation, self.facts.policy.reviews, self.texts)

    def account(self, row: AccountRow) -> AccountView:
        """One Named Account in a list."""
        customer = row.form.customer
        live = row.revoked_at is None
        return AccountView(
            id=row.id,
            application_id=row.application_id,
            name=customer.name,
            kind=customer.kind.value,
            live=live,
            status_label=self.texts.text("account_status.live" if live else "account_status.revoked"),
            salesperson=self.person(row.salesperson),
            department=row.department,
            related_parties=[party.model_dump(mode="json") for party in customer.related_parties],
            promised=row.form.forecast.model_dump(mode="json"),
            activated_at=row.activated_at,
            revoked_at=row.revoked_at,
            approved_by_general_manager=row.gm_decision is not None,
        )

    def whole_account(
        self, whole: WholeAccount, under_it: Sequence[ProjectRow], signed: Sequence[SignedContract]
    ) -> AccountView:
        """One Named Account with the projects under it that the viewer may see (A2), targets, results and reviews.

        `signed`: the contracts of all projects under it.
        """
        own = account_parts(whole, signed, self.organisation, self.texts)
        projects = [self.project_summary(one) for one in under_it]
        return self.account(whole.row).model_copy(update={**own, "projects": projects})


class Composer(Views):
    """Looks up what belongs to a row, and puts it together."""

    def __init__(self, connection: AsyncConnection, facts: ReferenceData, viewer: Viewer, texts: Texts) -> None:
        super().__init__(facts, viewer, texts)
        self.connection = connection
        self._standings: dict[str, Standing] = {}

    async def standing(self, subject_id: str) -> Standing:
        """Looked up once, because what is shown and whether it may be shown both follow from it."""
        if subject_id not in self._standings:
            open_tasks = await tasks.of_subject(self.connection, subject_id, open_only=True)
            asked = await tasks.asked_by(self.connection, [task.id for task in open_tasks])
            self._standings[subject_id] = Standing(
                open_tasks, asked, await tasks.decisions_of(self.connection, subject_id)
            )
        return self._standings[subject_id]

    async def sees_evidence(self, row: ApplicationRow | ProjectRow) -> bool:
        """What `decides` says of it."""
        return self.decides(row, await self.standing(row.id))

    async def application(self, row: ApplicationRow, *, shown: bool) -> ApplicationView:
        """One application. `shown`: what `sees_evidence` said of it."""
        parts = ApplicationParts(
            await self.standing(row.id),
            await applications.evidence_of(self.connection, row.id, row.round),
            await audit.of_subject(self.connection, row.id),
            await accounts.find(self.connection, row.id),
            await accounts.count_held(self.connection, row.applicant),
        )
        return self.application_of(
            row, parts, await self.facts.pinned_policy(self.connection, row.policy_digest), shown=shown
        )

    async def project(self, row: ProjectRow, *, shown: bool, now: datetime | None = None) -> ProjectView:
        """One project. `shown`: what `sees_evidence` said of it. With `now`, what it may be in conflict with is looked
        for at that moment, while somebody is to decide on it."""
        return await project_view(self, row, shown=shown, now=now)

    async def task(
        self, task: TaskRow, mine: AskedRow | None, row: ApplicationRow | ProjectRow, *, now: datetime
    ) -> TaskView:
        """One task with everything to decide on, as it is `now`."""
        decision = await tasks.decision_on(self.connection, task.id)
        people = (await tasks.asked_by(self.connection, [task.id]))[task.id]
        shown = await self.sees_evidence(row)
        of_project = await self.project(row, shown=shown, now=now) if isinstance(row, ProjectRow) else None
        of_application = await self.application(row, shown=shown) if isinstance(row, ApplicationRow) else None
        matches = of_project.matches if of_project else []
        names = {match.subject_id: f"{match.name} · {match.salesperson.name}" for match in matches}
        names[row.id] = f"{title_of(row)} · {self.texts.text('project_page.this_one')}"
        found = of_application.evidence if of_application else []
        names |= {
            finding.subject_id: finding.name for item in found if item.kind in OF_MATCHES for finding in item.findings
        }
        return TaskView(
            **self._task_summary(task, mine, title_of(row), names),
            asked=[self.asked(one) for one in people if one.removed_at is None],
            note=with_people(task.note, self.organisation),
            application=of_application,
            project=of_project,
            decision=self.decision(task.round, decision, shown=shown) if decision else None,
        )

    async def review_task(self, task: TaskRow, mine: AskedRow | None, row: ReviewRow) -> TaskView:
        """One task of a review. Whoever is asked knows its accounts; nobody else is shown it (X2)."""
        decision = await tasks.decision_on(self.connection, task.id)
        people = (await tasks.asked_by(self.connection, [task.id]))[task.id]
        policy = await self.facts.pinned_policy(self.connection, row.policy_digest)
        review = review_view(row, task.kind, self.organisation, policy, self.texts)
        note = note_of(task, row, policy.reviews)
        names = {one.account: one.customer for one in note.accounts}
        return TaskView(
            **self._task_summary(task, mine, review.title, names),
            asked=[self.asked(one) for one in people if one.removed_at is None],
            note=note_view(note, task.kind, self.organisation, policy, self.texts),
            review=review.model_copy(update={"what_next": next_steps.of_review(self, row, task, people)}),
            decision=self.decision(task.round, decision, shown=True) if decision else None,
        )


def _stage_said(row: ApplicationRow) -> Stage:
    """A rejection that is final is not called one that may be appealed, for the moment until it is closed (N10)."""
    final = row.stage is Stage.REJECTED and row.rejection is not None and row.rejection.appeal_until is None
    return Stage.CLOSED_REJECTED if final else row.stage


def title_of(row: ApplicationRow | ProjectRow) -> str:
    """What a list calls it: an application by its customer, a project by its own name."""
    return row.form.name if isinstance(row, ProjectRow) else row.form.customer.name


def _conflicts(entries: Sequence[audit.Event], texts: Texts) -> list[dict[str, Any]]:
    """N14: that earlier registrations exist, not whose they are."""
    told = {"rule": "N14", "message": texts.text(PROTECTED)}
    found = [one for entry in entries if entry.event in TOLD_APART for one in entry.body["found"]]
    return [{"kind": kind, **told} for kind, _ in found]

"""Projects as response models: stage, matches, dispute, and what happens next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from api.conflicts.matches_now import matches_now
from api.conflicts.views import ruled_view
from api.disputes.views import credit_view, dispute_view
from api.projects.models import MatchView, NextEvent, ProjectSummary, ProjectView, UpdateView, WeighedView
from api.tasks import next_steps
from api.tasks.wording import task_key, task_rule, with_people
from api.views import Composer, Views
from db import audit
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow, UpdateRow
from db.reads import lists
from db.tasks.tasks import AskedRow, TaskRow
from domain.conflicts.project_match import Match
from domain.conflicts.unusual_names import unusual_names
from domain.disputes.dispute import DisputeStage
from domain.policy import Policy
from domain.projects.project import ProjectStage
from domain.projects.silence import SilenceDue, silence_ahead
from texts.conflicts.verdicts import because, level_label, sentences

TIMELINE_HIDES: Final = frozenset({"mails_queued", "task_opened", "task_withdrawn", "matches_found"})
"""Events that the dossier shows and the short timeline leaves out."""
_WITH_NAMES: Final = ("resumption", "agreement", "objection", "loss", "contract_application", "contract", "end_reason")


def project_summary(views: Views, row: ProjectRow) -> ProjectSummary:
    """A project in a list."""
    stage, status = row.stage, row.stage.status
    return ProjectSummary(
        **row.model_dump(
            include={
                "account_id",
                "department",
                "id",
                "number",
                "registered_at",
                "resumes",
                "round",
                "stage_since",
                "track",
                "updated_at",
                "workflow_id",
            }
        ),
        name=row.form.name,
        customer_name=row.customer_name,
        status=status,
        status_label=views.texts.text(f"project_status.{status}"),
        stage=stage,
        stage_label=views.texts.text(f"project_stage.{stage}"),
        salesperson=views.person(row.salesperson),
        applicant=views.person(row.applicant),
        amount=row.form.amount,
        expected_signing=row.form.expected_signing,
    )


async def project_view(composer: Composer, row: ProjectRow, *, shown: bool, now: datetime | None = None) -> ProjectView:
    """A project, with everything that belongs to it looked up.

    `shown`: the result of `sees_evidence`. With `now`, matches are searched anew while a decision is pending.
    """
    connection, organisation = composer.connection, composer.organisation
    open_tasks, asked, decided = await composer.standing(row.id)
    its_disputes = await disputes.of_project(connection, row.id)
    policy = await composer.facts.pinned_policy(connection, row.policy_digest)
    found = await matches_now(connection, row, now=now, bounds=policy.matching) if shown else ()
    entries = await audit.of_subject(connection, row.id)
    ahead = await silences_of(composer, row)
    events = [*_silence_events(composer, ahead), *_other_events(composer, row, open_tasks, asked, its_disputes)]
    standing = _standstill_events(composer, open_tasks, its_disputes, policy)
    events += standing
    return ProjectView(
        **project_summary(composer, row).model_dump(),
        customer=row.form.customer.model_dump(mode="json"),
        end_user=row.form.end_user.model_dump(mode="json") if row.form.end_user else None,
        channel=row.form.channel.model_dump(mode="json") if row.form.channel else None,
        form=row.form,
        policy=policy.version,
        resumed_by=await lists.resumed_by(connection, row.id) if row.stage is ProjectStage.SHELVED else None,
        **{name: with_people(getattr(row, name), organisation) for name in _WITH_NAMES},
        refusal=_refusal(composer, row, shown=shown),
        credits=[credit_view(credit) for credit in row.credits(organisation)],
        dispute=dispute_view(composer, its_disputes[-1]) if its_disputes else None,
        unusual_names=list(unusual_names(row.form)),
        matches=[match_view(composer, match) for match in found],
        weighed=_weighed(composer, row, found) if shown else [],
        weaker_matches=await projects.weaker_matches(connection, row.id, row.round) if shown else 0,
        not_compared=list(await projects.not_compared(connection, row.id, row.round)) if shown else [],
        updates=[update_view(composer, update) for update in await projects.updates_of(connection, row.id)],
        tasks=[composer.open_task(task, asked[task.id]) for task in open_tasks],
        decisions=[composer.decision(number, decision, shown=shown) for number, decision in decided],
        what_next=_what_next(composer, row, open_tasks, asked, ahead, standing, policy),
        next_events=sorted(events, key=lambda event: event.at),
        what_prevents=_what_prevents(composer, row, open_tasks),
        timeline=[composer.entry(entry, shown=shown) for entry in entries if entry.event not in TIMELINE_HIDES],
    )


def _weighed(composer: Composer, row: ProjectRow, found: Sequence[Match]) -> list[WeighedView]:
    """A5: what the decision page shows, in the same order."""
    mine: dict[str, Any] = {
        "subject_type": "project",
        "subject_id": row.id,
        "name": row.form.name,
        "salesperson": composer.person(row.salesperson),
        "since": row.registered_at,
        "named_since": row.named_since,
        "vendor_registered": row.form.vendor_registered,
        "vendor_position": row.form.vendor_position,
        "relationship": row.form.relationship,
        "live": row.live,
        "own": True,
    }
    sides = [mine]
    for match in found:
        shown = match.model_dump(include=set(WeighedView.model_fields))
        sides.append({**shown, "salesperson": composer.person(match.salesperson), "own": False})
    sides.sort(key=lambda side: side["since"])
    return [WeighedView(order=order, **side) for order, side in enumerate(sides, start=1)]


def match_view(composer: Views, match: Match) -> MatchView:
    """A match with its level and reasons in the reader's language."""
    texts = composer.texts
    return MatchView(
        **match.model_dump(exclude={"salesperson", "verdict", "ruled", "links", "declared"}),
        salesperson=composer.person(match.salesperson),
        level=match.verdict.level,
        level_label=level_label(match.verdict, texts),
        score=round(match.verdict.score, 2),
        because=sentences(match.verdict, texts),
        because_label=because(match.verdict, texts),
        ruled=ruled_view(composer, match.ruled),
    )


def update_view(composer: Views, row: UpdateRow) -> UpdateView:
    """A weekly update (U1)."""
    return UpdateView(
        **row.model_dump(exclude={"person", "project_id", "message_id", "recorded_at"}),
        person=composer.person(row.person),
        stage_label=composer.texts.text(f"sales_stage.{row.stage}") if row.stage else None,
    )


async def silences_of(composer: Composer, row: ProjectRow) -> tuple[SilenceDue, ...]:
    """U2–U5: what happens automatically to an active project without updates."""
    if row.stage is not ProjectStage.ACTIVE or row.updated_at is None or row.contract_with_commerce:
        return ()
    policy = await composer.facts.pinned_policy(composer.connection, row.policy_digest)
    return silence_ahead(row.updated_at, row.silences, policy, await composer.calendar())


def _refusal(composer: Composer, row: ProjectRow, *, shown: bool) -> dict[str, Any] | None:
    """P7: who refused it, why, and until when to object. Only deciders see what it conflicts with (X2)."""
    if row.refusal is None:
        return None
    visible = {name: value for name, value in row.refusal.items() if shown or name != "suspects"}
    with_names: dict[str, Any] = with_people(visible, composer.organisation)
    return with_names


def _what_next(
    composer: Composer,
    row: ProjectRow,
    open_tasks: Sequence[TaskRow],
    asked: Mapping[str, tuple[AskedRow, ...]],
    ahead: Sequence[SilenceDue],
    standing: Sequence[NextEvent],
    policy: Policy,
) -> str:
    texts, zone = composer.texts, composer.facts.policy.zone
    coming = [
        texts.text(
            "project_page.next_event",
            at=texts.moment(due.at, zone),
            what=texts.text(f"silence.{due.silence}"),
            rule=due.silence.rule,
        )
        for due in ahead
    ]
    until = _objection_until(row)
    by_stage = texts.text(
        f"what_next_project.{'active_contract_review' if row.contract_with_commerce else row.stage}",
        people=composer.waited_for(open_tasks, asked),
        until=texts.moment(until, zone) if until else "",
        next=texts.join(coming),
    )
    ends = [texts.text("project_page.closes_unless_answered", at=texts.moment(event.at, zone)) for event in standing]
    return next_steps.of_project(composer, "".join([by_stage, *ends]), open_tasks, asked, policy)


def _what_prevents(composer: Composer, row: ProjectRow, open_tasks: Sequence[TaskRow]) -> str:
    """How to prevent the next automatic events."""
    if row.contract_with_commerce:
        return composer.texts.text("project_page.contract_prevents")
    if row.stage is ProjectStage.ACTIVE:
        return composer.texts.text("what_prevents")
    if row.stage is ProjectStage.REFUSED:
        return composer.texts.text("project_page.objection_prevents")
    return composer.texts.text("project_page.answer_prevents") if open_tasks else ""


def _silence_events(composer: Composer, ahead: Sequence[SilenceDue]) -> list[NextEvent]:
    return [
        NextEvent(
            at=due.at,
            what=due.silence.value,
            label=composer.texts.text(f"silence.{due.silence}"),
            rule=due.silence.rule,
        )
        for due in ahead
    ]


def _standstill_events(
    composer: Composer, open_tasks: Sequence[TaskRow], its_disputes: Sequence[DisputeRow], policy: Policy
) -> list[NextEvent]:
    """U10: when a held or disputed project is shelved for lack of an answer; one event for all assignees."""
    called = (
        (its_disputes[-1].called or {}).get("starts_at")
        if its_disputes and its_disputes[-1].stage is DisputeStage.MEETING
        else None
    )
    meeting = datetime.fromisoformat(str(called)) if called else None
    ends = [next_steps.closes_unless_answered(task, policy, not_before=meeting) for task in open_tasks]
    at = min((end for end in ends if end), default=None)
    if at is None:
        return []
    label = composer.texts.text("project_page.shelved_unless_answered")
    return [NextEvent(at=at, what="shelved_unless_answered", label=label, rule="U10")]


def _other_events(
    composer: Composer,
    row: ProjectRow,
    open_tasks: Sequence[TaskRow],
    asked: Mapping[str, tuple[AskedRow, ...]],
    its_disputes: Sequence[DisputeRow],
) -> list[NextEvent]:
    """Deadlines of open tasks (N12), the end of the objection period (P8), the meeting (D2)."""
    texts = composer.texts
    events = []
    for task in open_tasks:
        title = texts.text(task_key(task.kind, task.subject_type, "title"))
        label = texts.text("project_page.task_due", task=title, people=composer.waited_for([task], dict(asked)))
        rule = task_rule(task.kind, task.subject_type)
        events.append(NextEvent(at=task.due_at, what="task_due", label=label, rule=rule, task_id=task.id))
    until = _objection_until(row)
    if row.stage is ProjectStage.REFUSED and until:
        label = texts.text("project_page.objection_lapses")
        events.append(NextEvent(at=until, what="objection_lapses", label=label, rule="P8"))
    called = its_disputes[-1].called if its_disputes and its_disputes[-1].stage is DisputeStage.MEETING else None
    if called:
        at = datetime.fromisoformat(str(called["starts_at"]))
        label = texts.text("project_page.meeting_at", place=str(called.get("place", "")))
        events.append(NextEvent(at=at, what="meeting", label=label, rule="D2"))
    return events


def _objection_until(row: ProjectRow) -> datetime | None:
    until = (row.refusal or {}).get("objection_until")
    return datetime.fromisoformat(str(until)) if until else None

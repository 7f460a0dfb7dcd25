"""Reads from the record everything that the page behind a mail link shows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.conflicts.matches_now import matches_now
from api.reviews.views import note_of, sets_for
from api.tasks.next_steps import closes_unless_answered
from api.tasks.wording import with_people
from db.accounts import accounts, applications
from db.accounts.applications import ApplicationRow
from db.connection.engine import AsyncConnection
from db.projects import projects
from db.projects.projects import ProjectRow
from db.reference_data import ReferenceData
from db.reviews.reviews import ReviewRow
from db.tasks import tasks
from db.tasks.tasks import TaskRow
from domain.access import may_gather_evidence
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate
from domain.accounts.evidence import OF_MATCHES, Evidence
from domain.accounts.named_account import NO, YES
from domain.conflicts.project_match import Match
from domain.conflicts.unusual_names import unusual_names
from domain.disputes.dispute import TWO_PROJECTS, DisputeStage
from domain.organisation import Language, Organisation
from domain.policy import Policy
from domain.projects.project import ProjectStage, Resumption
from domain.projects.rules import SUSPECTS_FIELD
from domain.tasks.asking import IN_PERSON
from domain.tasks.task import FieldKind, TaskKind
from texts.accounts.eligibility import eligibility_lines
from texts.accounts.named_evidence import with_name, with_names
from texts.catalogue import Texts
from texts.conflicts.verdicts import level_label, match_sentence
from texts.projects.project_lines import match_lines, own_line
from texts.tasks.deciding import WEIGHS_FORM, Negotiation, TaskDeadline, application_facts, project_facts
from texts.tasks.decisions import decision_lines, without_others
from web.forms.fields import Offered, specs_of
from web.links.opening import OpenedLink, about
from web.models import Remark
from web.reviews.models import ReviewPage
from web.tasks.models import DecisionPage, Weighed

_WHY = tuple(Resumption.model_fields)


async def decision_page(
    connection: AsyncConnection,
    facts: ReferenceData,
    opened: OpenedLink,
    *,
    language: Language,
    path: str,
    now: datetime,
) -> DecisionPage:
    """The page of a task about an application or a project, as of `now`."""
    row, organisation = opened.row, opened.organisation
    assert not isinstance(row, ReviewRow)
    policy = await facts.pinned_policy(connection, row.policy_digest)
    office = organisation.departments_by_id.get(row.department or "")
    if isinstance(row, ProjectRow):
        own = await _of_project(connection, opened, row, Texts(language), policy, now)
    else:
        own = await _of_application(connection, facts, opened, row, Texts(language))
    return DecisionPage(
        **_asking(opened, policy, language, path),
        round=opened.task.round if opened.dispute else row.round,
        applicant_name=organisation.name_of(row.salesperson if isinstance(row, ProjectRow) else row.applicant),
        department_name=office.name if office else "",
        form=row.form,
        unusual_names=unusual_names(row.form),
        **own,
    )


async def review_page(
    connection: AsyncConnection, facts: ReferenceData, opened: OpenedLink, *, language: Language, path: str
) -> ReviewPage:
    """The page of a task of a review (R1–R4)."""
    task, row = opened.task, opened.row
    assert isinstance(row, ReviewRow)
    policy = await facts.pinned_policy(connection, row.policy_digest)
    note = note_of(task, row, policy.reviews)
    return ReviewPage(
        **{**_asking(opened, policy, language, path), "period": note.period},
        note=note,
        sets_for=sets_for(row, task.kind, policy.reviews),
        revoke_below=policy.reviews.revoke_below,
    )


def _asking(opened: OpenedLink, policy: Policy, language: Language, path: str) -> dict[str, Any]:
    """What every page with a form shows."""
    task, asked = opened.task, opened.asked
    return {
        "language": language,
        "path": path,
        "time_zone": policy.time_zone,
        **about(opened),
        "kind": task.kind,
        "asked_name": opened.person.name,
        "capacity": asked.capacity,
        "on_behalf_of_name": opened.organisation.name_of(asked.on_behalf_of) if asked.on_behalf_of else None,
        "opened_at": task.opened_at,
        "due_at": task.due_at,
        "provisional": task.due_provisional,
        "choices": task.choices,
    }


async def _of_application(
    connection: AsyncConnection, facts: ReferenceData, opened: OpenedLink, row: ApplicationRow, texts: Texts
) -> dict[str, Any]:
    task, organisation = opened.task, opened.organisation
    policy = await facts.pinned_policy(connection, row.policy_digest)
    deciding = task.kind is not TaskKind.SUPPLY_INFORMATION
    found = await applications.evidence_of(connection, row.id, row.round) if deciding else ()
    before = await applications.form_before(connection, row.id, row.round) if deciding else None
    decisions = decision_lines(await tasks.decisions_of(connection, row.id), organisation)
    held = await accounts.count_held(connection, row.applicant)
    note = _reason(task)
    named = tuple(with_names(item, organisation) for item in found)
    return {
        "evidence": named,
        "own_findings": [
            finding.subject_id
            for item in found
            for finding in item.findings
            if finding.detail.get("salesperson") == row.applicant
        ],
        "may_gather_again": task.kind is TaskKind.COMMERCE_CHECK and may_gather_evidence(opened.person),
        "offered": Offered(labels={**_finding_labels(named, texts), **_yes_and_no(texts)}),
        "eligibility": eligibility_lines(evaluate(row.form, background_of(found), policy.eligibility)),
        "decisions": decisions,
        "deciding": application_facts(
            task.kind,
            row.form,
            before,
            round=row.round,
            applicant=row.applicant,
            evidence=found,
            organisation=organisation,
            held=held,
            limit=policy.accounts.limit,
            decisions=decisions,
            appeal=note.text if note and task.kind is TaskKind.GM_APPEAL else "",
            deadline=_deadline(task, policy),
        ),
        "accounts_held": held if deciding else None,
        "account_limit": policy.accounts.limit,
        "return_remark": note if task.kind is TaskKind.SUPPLY_INFORMATION else None,
    }


def _yes_and_no(texts: Texts) -> dict[str, str]:
    """E2: the options for a clerk's statement of a fact."""
    return {said: texts.text(f"detail_value.{said}") for said in (YES, NO)}


def _finding_labels(found: Iterable[Evidence], texts: Texts) -> dict[str, str]:
    """Labels of the findings, by id, for the clerk who rules on them."""
    return {
        finding.subject_id: " · ".join(
            [texts.text(f"finding.{finding.subject_type}"), finding.name, level_label(finding.verdict, texts)]
        )
        for item in found
        if item.kind in OF_MATCHES
        for finding in item.findings
    }


async def _of_project(
    connection: AsyncConnection, opened: OpenedLink, row: ProjectRow, texts: Texts, policy: Policy, now: datetime
) -> dict[str, Any]:
    """A5, P4: everything to weigh, for deciders. The two sides who are to agree see less (X2)."""
    task, organisation, zone = opened.task, opened.organisation, policy.zone
    deciding = task.kind not in IN_PERSON
    matches = await matches_now(connection, row, now=now, bounds=policy.matching) if deciding else ()
    suspected = (task.note or {}).get(SUSPECTS_FIELD)
    named = [str(subject_id) for subject_id in suspected] if isinstance(suspected, list) else []
    stage = f"dispute_stage.{opened.dispute.stage}" if opened.dispute else f"project_stage.{row.stage}"
    decided = decision_lines(await tasks.decisions_of(connection, row.id), organisation)
    said, objecting = _reason(task), task.kind is TaskKind.OBJECTION_REVIEW
    before = await projects.form_before(connection, row.id, row.round) if task.kind in WEIGHS_FORM else None
    return {
        "deciding": project_facts(
            task.kind,
            row.form,
            before,
            round=row.round,
            salesperson=row.salesperson,
            matches=matches,
            organisation=organisation,
            suspects=named,
            decisions=decided,
            objection=said.text if said and objecting else "",
            negotiation=_negotiation(opened),
            deadline=_deadline(task, policy, not_before=_meeting_of(opened)),
        ),
        "stage_label": texts.text(stage),
        "offered": _offered(opened, matches, texts, zone),
        "weighed": _weighed(row, matches, named, organisation) if deciding else (),
        "weaker": await projects.weaker_matches(connection, row.id, row.round) if deciding else 0,
        "not_compared": await projects.not_compared(connection, row.id, row.round) if deciding else (),
        "note": with_people(task.note or {}, organisation) | await _resumed(connection, row, texts, zone),
        "decisions": decided if deciding else without_others(decided),
        "reason_remark": _resumption(row, texts) or (None if objecting else said),
    }


def _meeting_of(opened: OpenedLink) -> datetime | None:
    """D2: when the meeting is that the task waits for."""
    called = opened.dispute.called if opened.dispute and opened.dispute.stage is DisputeStage.MEETING else None
    starts_at = (called or {}).get("starts_at")
    return datetime.fromisoformat(str(starts_at)) if starts_at else None


def _deadline(task: TaskRow, policy: Policy, *, not_before: datetime | None = None) -> TaskDeadline:
    """N12, U10. `not_before`: the earliest time to answer."""
    closes = closes_unless_answered(task, policy, not_before=not_before)
    return TaskDeadline.of(task.kind, policy, chased=task.chased, due_at=task.due_at, closes_at=closes)


def _negotiation(opened: OpenedLink) -> Negotiation | None:
    """D1: with whom to agree, and on what."""
    if opened.dispute is None or opened.task.kind is not TaskKind.AGREE_SPLIT:
        return None
    people = dict.fromkeys(
        claimant.person for claimant in opened.dispute.claimants if claimant.person != opened.person.id
    )
    return Negotiation.of(
        opened.task.note or {}, [opened.organisation.name_with_department(person) for person in people]
    )


def _resumption(row: ProjectRow, texts: Texts) -> Remark | None:
    """U6: both reasons, each with its label."""
    if row.stage is not ProjectStage.RESUME_REVIEW or not row.resumption:
        return None
    reasons = [(texts.text(f"field.project.{name}"), str(row.resumption.get(name, ""))) for name in _WHY]
    return Remark(text="\n".join(f"{label}{'：' if texts.language == 'zh' else ': '}{why}" for label, why in reasons))


async def _resumed(connection: AsyncConnection, row: ProjectRow, texts: Texts, zone: ZoneInfo) -> dict[str, Any]:
    """U6: the project that it resumes, by name and number, and since when that is shelved."""
    old = await projects.find(connection, row.resumes) if row.resumes else None
    if old is None:
        return {}
    state = f"{texts.text(f'project_stage.{old.stage}')} {texts.moment(old.stage_since, zone)}"
    return {"resumes": " · ".join(part for part in (old.form.name, old.number or "", state) if part)}


def _reason(task: TaskRow) -> Remark | None:
    return Remark(text=str(task.note["reason"])) if task.note and task.note.get("reason") else None


def _offered(opened: OpenedLink, matches: tuple[Match, ...], texts: Texts, zone: ZoneInfo) -> Offered:
    task, organisation = opened.task, opened.organisation
    sides = list(dict.fromkeys(claimant.person for claimant in opened.dispute.claimants)) if opened.dispute else []
    specs = specs_of(task.choices)
    people = {person for spec in specs if spec.kind in (FieldKind.PERSON, FieldKind.PEOPLE) for person in spec.options}
    labels = {person: organisation.name_with_department(person) for person in people}
    for match in matches:
        shown = match.model_copy(update={"ruled": with_name(match.ruled, organisation)})
        parts = (
            match.name,
            organisation.name_of(match.salesperson),
            texts.moment(match.since, zone),
            match_sentence(shown, texts, zone),
        )
        labels[match.subject_id] = " · ".join(part for part in parts if part)
    this_one = texts.text("project_page.this_one")
    labels[opened.row.id] = f"{about(opened)['project_name']} · {this_one}"
    labels[TWO_PROJECTS] = texts.text("project_page.two_projects")
    # D1: in an agreement, only the sides get a share; a meeting may name others.
    others = (
        [person.id for person in organisation.people if person.active] if task.kind is TaskKind.RECORD_MEETING else []
    )
    suggested = (task.note or {}).get("participants")
    ticked = (
        [person.get("person") for person in suggested if isinstance(person, dict)]
        if isinstance(suggested, list)
        else []
    )
    return Offered(
        people=tuple(
            (person, organisation.name_with_department(person)) for person in dict.fromkeys([*sides, *others])
        ),
        labels=labels,
        sides=tuple(sides),
        suggested=tuple(str(person) for person in ticked if person),
    )


def _weighed(
    row: ProjectRow, matches: tuple[Match, ...], suspected: list[str], organisation: Organisation
) -> tuple[Weighed, ...]:
    """A5: this registration and its matches, in order of registration."""
    mine = own_line(
        row.form,
        organisation,
        salesperson=row.salesperson,
        status=row.stage.status.value,
        since=row.registered_at,
        named_since=row.named_since,
        live=row.live,
    )
    others = [
        Weighed(
            line=line,
            subject_id=match.subject_id,
            suspected=match.subject_id in suspected,
            of_salesperson=match.salesperson == row.salesperson,
        )
        for match in matches
        for line in match_lines([match], organisation)
    ]
    return tuple(sorted([Weighed(line=mine, own=True), *others], key=lambda weighed: weighed.line.since))

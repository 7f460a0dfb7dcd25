"""The workflows and activities that a worker runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.accounts.evidence import EvidenceGathering
from activities.accounts.steps import AccountSteps
from activities.projects.steps import ProjectSteps
from activities.reviews.steps import ReviewSteps
from activities.tasks.records import Records
from activities.tasks.reminders import Reminders
from activities.unit_of_work import Recorder
from workflows.contract_correction import ContractCorrection
from workflows.dispute import ProjectDispute
from workflows.named_account import NamedAccountApplication
from workflows.period import ReviewPeriod
from workflows.project import ProjectRegistration
from workflows.review import AccountReview

WORKFLOWS = [
    NamedAccountApplication,
    ProjectRegistration,
    ProjectDispute,
    ContractCorrection,
    ReviewPeriod,
    AccountReview,
]


def activities_of(recorder: Recorder) -> list[Callable[..., Any]]:
    """The activities of all workflows, on one database."""
    records, reminders, evidence = Records(recorder), Reminders(recorder), EvidenceGathering(recorder)
    accounts = AccountSteps(recorder)
    steps, reviews = ProjectSteps(recorder), ReviewSteps(recorder)
    return [
        accounts.submit_application,
        records.record_statement,
        records.sift_messages,
        records.move,
        accounts.activate_account,
        reminders.remind_or_escalate,
        reminders.refresh_tasks,
        steps.register_project,
        steps.route_project,
        steps.find_suspects,
        steps.approve_project,
        steps.remind_of_silence,
        steps.end_broken_dispute,
        steps.correct_contract,
        steps.open_dispute,
        reviews.plan_period,
        reviews.make_reports,
        reviews.plan_reviews,
        reviews.open_review,
        evidence.gather_registrations,
        evidence.gather_background,
        evidence.ask_outside_sources,
        evidence.mark_outside_sources_unavailable,
    ]

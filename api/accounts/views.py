"""Applications and Named Accounts as response models (N1–N15, R1–R5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pydantic import JsonValue

from api.accounts.models import (
    AccountView,
    ApplicationSummary,
    ApplicationView,
    EvidenceView,
    FindingView,
    MonthView,
    RejectionView,
    SaidView,
    TargetView,
)
from api.disputes.views import credit_view
from api.projects.views import project_summary
from api.tasks import next_steps
from api.views import Composer, Views
from db import audit
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow
from db.accounts.registers import AccountResultRow
from db.projects.projects import ProjectRow
from db.reads import detail_reads, lists
from db.reports import reports
from domain.access import Scope
from domain.accounts.application import Stage
from domain.accounts.background import background_of
from domain.accounts.eligibility import evaluate
from domain.accounts.evidence import Evidence, Finding
from domain.accounts.figures import SignedContract, contract_credits
from domain.conflicts.unusual_names import unusual_names
from domain.disputes.credit import added_up
from domain.organisation import Organisation
from domain.reports.report import ZERO
from texts.accounts.named_evidence import with_names
from texts.catalogue import Texts
from texts.conflicts.verdicts import PROTECTED, level_label, sentences
from texts.view_lines import EvidenceLine

TIMELINE_HIDES = frozenset({"mails_queued", "evidence_gathered", "task_opened", "task_withdrawn", "earlier_found"})
"""Events that the dossier shows and the short timeline leaves out."""
SHOWN_AS_CONFLICTS = frozenset({"earlier_found"})
"""Those of `TIMELINE_HIDES` that are shown as `conflicts` instead."""
MOST_SAID = 200
"""How many of the newest review statements on an account are shown: four years of weeks."""


def application_summary(views: Views, row: ApplicationRow) -> ApplicationSummary:
    """An application in a list."""
    return ApplicationSummary(**_summary(views, row))


async def application_view(composer: Composer, row: ApplicationRow, *, shown: bool) -> ApplicationView:
    """An application, with everything that belongs to it looked up. `shown`: the result of `sees_evidence`."""
    connection, texts = composer.connection, composer.texts
    open_tasks, asked, decided = await composer.standing(row.id)
    found = await applications.evidence_of(connection, row.id, row.round) if shown else ()
    entries = await audit.of_subject(connection, row.id, without=TIMELINE_HIDES - SHOWN_AS_CONFLICTS)
    account = await accounts.find(connection, row.id)
    held = await accounts.count_held(connection, row.applicant)
    policy = await composer.facts.pinned_policy(connection, row.policy_digest)
    return ApplicationView(
        **_summary(composer, row),
        customer=row.form.customer.model_dump(mode="json"),
        form=row.form,
        policy=policy.version,
        unusual_names=list(unusual_names(row.form)),
        evidence=[evidence_view(composer, item) for item in found],
        eligibility=evaluate(row.form, background_of(found), policy.eligibility),
        tasks=[composer.open_task(task, asked[task.id]) for task in open_tasks],
        decisions=[composer.decision(number, decision, shown=shown) for number, decision in decided],
        rejection=_rejection(composer, row),
        appeal=row.appeal,
        end_reason=_end_reason(composer, row),
        conflicts=_conflicts(entries, texts),
        account_id=account.id if account else None,
        account_revoked_at=account.revoked_at if account else None,
        what_next=(
            texts.text("what_next.revoked")
            if account and account.revoked_at
            else next_steps.of_application(composer, row, open_tasks, asked, held=held, policy=policy)
        ),
        timeline=[composer.entry(entry, shown=shown) for entry in entries if entry.event not in TIMELINE_HIDES],
    )


def evidence_view(views: Views, item: Evidence) -> EvidenceView:
    """A piece of evidence, with its text in the reader's language."""
    named = with_names(item, views.organisation)
    line = EvidenceLine.of(item, views.organisation)
    return EvidenceView(
        **named.model_dump(exclude={"findings", "gone"}),
        kind_label=views.texts.text(f"evidence.{named.kind}"),
        source_label=views.texts.label(f"source.{named.source}", named.source),
        text=line.sentence(views.texts),
        remarks=line.remarks(views.texts, views.facts.policy.zone),
        findings=tuple(_finding(finding, views.texts) for finding in named.findings),
        gone=tuple(_finding(finding, views.texts) for finding in named.gone),
    )


def account_view(views: Views, row: AccountRow) -> AccountView:
    """A Named Account in a list."""
    customer = row.form.customer
    live = row.revoked_at is None
    return AccountView(
        id=row.id,
        application_id=row.application_id,
        name=customer.name,
        kind=customer.kind.value,
        live=live,
        status_label=views.texts.text("account_status.live" if live else "account_status.revoked"),
        salesperson=views.person(row.salesperson),
        department=row.department,
        related_parties=[party.model_dump(mode="json") for party in customer.related_parties],
        promised=row.form.forecast.model_dump(mode="json"),
        activated_at=row.activated_at,
        revoked_at=row.revoked_at,
        approved_by_general_manager=row.gm_decision is not None,
    )


async def whole_account(composer: Composer, row: AccountRow, scope: Scope) -> AccountView:
    """A Named Account with targets, results and reviews (R1–R4), and with its projects in `scope` (A2)."""
    connection = composer.connection
    parts = await detail_reads.account_parts(connection, row.id, most_reviews=MOST_SAID)
    projects: Sequence[ProjectRow] = ()
    signed: Sequence[SignedContract] = ()
    if parts.has_projects:
        projects = await lists.projects_seen(connection, scope, account_id=row.id)
        time_zone = composer.facts.policy.time_zone
        contracts = await reports.contracts_under(connection, [row.id], date.min, date.max, time_zone)
        signed = contracts.get(row.id, ())
    targets = [
        TargetView(**target.model_dump(exclude={"account_id", "set_by"}), set_by=composer.person(target.set_by))
        for target in parts.targets
    ]
    statements = [
        SaidView(
            **statement.model_dump(exclude={"account_id", "person"}),
            title=composer.texts.text(f"task.{statement.kind}.title"),
            person=composer.person(statement.person),
        )
        for statement in parts.reviews
    ]
    return account_view(composer, row).model_copy(
        update={
            "targets": targets,
            "results": _months(parts.results, signed, composer.organisation),
            "reviews": statements,
            "projects": [project_summary(composer, project) for project in projects],
        }
    )


def _summary(views: Views, row: ApplicationRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "workflow_id": row.workflow_id,
        "stage": row.stage,
        "stage_label": views.texts.text(f"stage.{_stage_shown(row)}"),
        "outcome": row.stage if row.stage.ended else None,
        "round": row.round,
        "applicant": views.person(row.applicant),
        "department": row.department,
        "customer_name": row.form.customer.name,
        "submitted_at": row.submitted_at,
        "stage_since": row.stage_since,
    }


def _stage_shown(row: ApplicationRow) -> Stage:
    """A final rejection is not labelled as open to appeal in the moment before the application is closed (N10)."""
    final = row.stage is Stage.REJECTED and row.rejection is not None and row.rejection.appeal_until is None
    return Stage.CLOSED_REJECTED if final else row.stage


def _finding(finding: Finding, texts: Texts) -> FindingView:
    return FindingView(
        **{name: getattr(finding, name) for name in Finding.model_fields},
        level=finding.verdict.level,
        level_label=level_label(finding.verdict, texts) if finding.verdict.found else "",
        because=sentences(finding.verdict, texts),
    )


def _rejection(views: Views, row: ApplicationRow) -> RejectionView | None:
    if row.rejection is None:
        return None
    return RejectionView(
        by=views.person(row.rejection.person),
        reason=row.rejection.reason,
        at=row.rejection.at,
        appeal_until=row.rejection.appeal_until,
    )


def _end_reason(views: Views, row: ApplicationRow) -> dict[str, JsonValue] | None:
    """Why the application ended, with the reason's code also as text (N14, A2)."""
    code = (row.end_reason or {}).get("code")
    return (
        {**row.end_reason, "text": views.texts.text(f"end_reason.{code}")}
        if row.end_reason and code
        else row.end_reason
    )


def _conflicts(entries: Sequence[audit.Event], texts: Texts) -> list[dict[str, Any]]:
    """N14: that earlier registrations exist, without naming whose they are."""
    notice = {"rule": "N14", "message": texts.text(PROTECTED)}
    found = [pair for entry in entries if entry.event in SHOWN_AS_CONFLICTS for pair in entry.body["found"]]
    return [{"kind": kind, **notice} for kind, _ in found]


def _months(
    results: Sequence[AccountResultRow], signed: Sequence[SignedContract], organisation: Organisation
) -> list[MonthView]:
    other_results = {result.month: result for result in results}
    by_month: dict[date, list[SignedContract]] = {}
    for contract in signed:
        by_month.setdefault(contract.on.replace(day=1), []).append(contract)
    months = []
    for month in sorted(by_month.keys() | other_results.keys(), reverse=True):
        contracts, other = by_month.get(month, []), other_results.get(month)
        by_projects = sum((contract.amount for contract in contracts), ZERO)
        credits = added_up(credit for contract in contracts for credit in contract_credits(contract, organisation))
        months.append(
            MonthView(
                month=f"{month:%Y-%m}",
                contracts=by_projects + (other.other_contracts if other else ZERO),
                signed=by_projects,
                credits=[credit_view(credit) for credit in credits],
                other_contracts=other.other_contracts if other else ZERO,
                revenue=other.revenue if other else ZERO,
                payments=other.payments if other else ZERO,
            )
        )
    return months

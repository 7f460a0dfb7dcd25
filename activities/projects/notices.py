"""Who is notified of what about a registration, and what each notice says (P, U, D3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from activities.projects.matches import accounts_concerned, claimants_of
from activities.projects.record import ProjectRecord
from activities.tasks.mail_outbox import MailOutbox
from db.disputes import disputes
from db.projects import projects
from db.projects.projects import ProjectRow
from domain.disputes.credit import shares_of
from domain.disputes.dispute import Claimant, DisputeStage
from domain.notices import Notice
from domain.projects.project import Track
from domain.projects.rules import recipients_of_project
from domain.projects.silence import SilenceDue
from domain.tasks.task import AnswerChoice
from texts.projects.project_lines import contract_lines, credit_lines, loss_lines, project_essentials, silence_lines
from texts.view_lines import Essential


async def notify_people(
    project: ProjectRecord, notice: Notice, *, key: str, involved: Sequence[str] = (), by: str = "", **more: Any
) -> None:
    """Queue the mails of one notice. `involved`: everyone asked or heard in this round; `by`: who has decided it, where
    the record does not say so; `more`: fields of `MailFacts` that only the caller knows."""
    row, content = project.row, _CONTENTS.get(notice, _Content())
    because = content.because(row) or {}
    people = recipients_of_project(
        notice,
        project.organisation,
        salesperson=row.salesperson,
        claimants=await content.others(project),
        involved=content.involved(project, involved),
        products=(*row.form.products, row.form.vendor),
        departments=project.policy.projects.loss_told_departments,
    )
    facts = {
        "reason": str(because.get("reason", "")),
        "facts": content.facts(project),
        **({"until": content.until(project)} if content.until else {}),
        **({"essentials": project_essentials(row.form)} if content.essentials else {}),
        **(await said_of_silence(project, ()) if notice is Notice.SHELVED else {}),
        **more,
    }
    await MailOutbox(project).notice(notice, people, key=key, by=by or str(because.get("by", "")), **facts)


async def said_of_silence(project: ProjectRecord, ahead: Sequence[SilenceDue]) -> dict[str, Any]:
    """U2–U4: how long nobody has updated the project, what was said last, and what follows when: fields of
    `MailFacts`. `ahead`: what happens automatically from here on."""
    row, zone = project.row, project.policy.zone
    last = await projects.updates_of(project.uow.connection, row.id, limit=1)
    days = (project.today - row.updated_at.astimezone(zone).date()).days if row.updated_at else 0
    return {
        "since": row.updated_at,
        "days": days,
        "facts": silence_lines(last[0] if last else None, ahead, zone),
        **({"until": ahead[-1].at} if ahead else {}),
    }


def _nothing(row: ProjectRow) -> Mapping[str, Any] | None:
    del row
    return None


async def _nobody(project: ProjectRecord) -> tuple[Claimant, ...]:
    del project
    return ()


async def _account_holders(project: ProjectRecord) -> tuple[Claimant, ...]:
    """P2, P3: whose account it is registered under."""
    return await accounts_concerned(project) if project.row.track is Track.OTHER_ACCOUNT else ()


async def _confirmed_conflicts(project: ProjectRecord) -> tuple[Claimant, ...]:
    """P7: whose registrations it is in conflict with."""
    return await claimants_of(project, (project.row.refusal or {}).get("suspects", []))


async def _sides_of_every_dispute(project: ProjectRecord) -> tuple[Claimant, ...]:
    """U8."""
    over = await disputes.of_project(project.uow.connection, project.row.id)
    return tuple(claimant for dispute in over for claimant in dispute.claimants)


async def _sides_of_the_shelved_dispute(project: ProjectRecord) -> tuple[Claimant, ...]:
    """U10."""
    over = await disputes.of_project(project.uow.connection, project.row.id)
    return over[-1].claimants if over and over[-1].stage is DisputeStage.SHELVED else ()


def _as_given(project: ProjectRecord, involved: Sequence[str]) -> Sequence[str]:
    del project
    return involved


def _applicant(project: ProjectRecord, involved: Sequence[str]) -> Sequence[str]:
    """P2, D2: the applicant as well, where a dispute has made another salesperson responsible."""
    del involved
    return (project.row.applicant,)


def _applicant_too(project: ProjectRecord, involved: Sequence[str]) -> Sequence[str]:
    return (*involved, project.row.applicant)


def _shareholders(project: ProjectRecord, involved: Sequence[str]) -> Sequence[str]:
    """D3: each with a part of the contract."""
    del involved
    return [share.person for share in shares_of(project.row.agreement, project.row.salesperson)]


def _who_has_held_it(project: ProjectRecord, involved: Sequence[str]) -> Sequence[str]:
    """U10: whoever has asked for more information waits for it."""
    del involved
    decided = project.docket.decided
    return [
        decision.person
        for number, decision in decided
        if number == project.row.round and decision.choice == AnswerChoice.HOLD
    ]


def _no_facts(project: ProjectRecord) -> tuple[Essential, ...]:
    del project
    return ()


def _contract_and_credits(project: ProjectRecord) -> tuple[Essential, ...]:
    row = project.row
    credited = credit_lines(row.credits(project.organisation), row.salesperson)
    return (*contract_lines(row.contract or {}), *credited)


def _last_correction(row: ProjectRow) -> Mapping[str, Any] | None:
    corrections = (row.contract or {}).get("corrections")
    return corrections[-1] if corrections else None


class _Content(NamedTuple):
    """What a notice says, and which people beyond the salesperson it concerns, as the record has it."""

    because: Callable[[ProjectRow], Mapping[str, Any] | None] = _nothing
    """Where the record holds why something was decided, and by whom."""
    involved: Callable[[ProjectRecord, Sequence[str]], Sequence[str]] = _as_given
    others: Callable[[ProjectRecord], Awaitable[tuple[Claimant, ...]]] = _nobody
    """The other sides, whose accounts or registrations this one meets."""
    facts: Callable[[ProjectRecord], tuple[Essential, ...]] = _no_facts
    """The rows that only this notice has."""
    until: Callable[[ProjectRecord], datetime | None] | None = None
    essentials: bool = False


_CONTENTS: dict[Notice, _Content] = {
    Notice.REGISTERED_UNDER_ACCOUNT: _Content(others=_account_holders, essentials=True),
    Notice.CONFLICT_REFUSED: _Content(
        because=lambda row: row.refusal, others=_confirmed_conflicts, until=lambda project: project.objection_until
    ),
    Notice.REFUSAL_UPHELD: _Content(because=lambda row: row.end_reason),
    Notice.RESUME_REJECTED: _Content(because=lambda row: row.end_reason),
    Notice.PROJECT_APPROVED: _Content(involved=_applicant, others=_account_holders, essentials=True),
    Notice.PROJECT_REJECTED: _Content(because=lambda row: row.end_reason, involved=_applicant, others=_account_holders),
    Notice.PROJECT_WITHDRAWN: _Content(because=lambda row: row.end_reason, involved=_applicant_too),
    Notice.STANDING_STILL: _Content(involved=_who_has_held_it),
    Notice.SHELVED_STANDING: _Content(involved=_who_has_held_it, others=_sides_of_the_shelved_dispute),
    Notice.LOST: _Content(
        because=lambda row: row.loss,
        others=_sides_of_every_dispute,
        facts=lambda project: loss_lines(project.row.loss or {}),
        essentials=True,
    ),
    Notice.CONTRACT_SIGNED: _Content(
        because=lambda row: row.contract, involved=_shareholders, facts=_contract_and_credits
    ),
    Notice.CONTRACT_CORRECTED: _Content(because=_last_correction, involved=_shareholders, facts=_contract_and_credits),
    Notice.CONTRACT_SENT_BACK: _Content(because=lambda row: (row.contract_application or {}).get("sent_back")),
}
"""Notices that say more than the project itself; the step that reminds of silence adds what is due (U2, U3)."""

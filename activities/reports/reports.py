"""Reports are made: gathered from the record, kept as they are, and mailed, each reader their part (U1, U9, R2–R4)."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from activities.accounts.figures import account_figures
from activities.unit_of_work import Work
from db.messages import Mail
from db.reports import reports
from domain.calendar import WorkCalendar
from domain.organisation import Organisation
from domain.periods import Period, Rhythm
from domain.policy import Policy
from domain.reports.making import make_digest, make_forecast, make_statistics
from domain.reports.readers import Reader, readers_of
from domain.reports.report import REPORT_RHYTHMS, Report, ReportKind, SalesForecast, part_for
from texts.mails.mail import MailFacts, MailKind
from texts.reports.report_lines import report_part

_TOGETHER = {
    Rhythm.HALF_YEARLY: (Rhythm.HALF_YEARLY, Rhythm.YEARLY),
    Rhythm.YEARLY: (Rhythm.HALF_YEARLY, Rhythm.YEARLY),
}
"""R6: what was missed in a half-year shows in the report of the year, and the other way round."""


async def make_report(
    work: Work, kind: ReportKind, period: Period, organisation: Organisation, policy: Policy, calendar: WorkCalendar
) -> None:
    """Make the report of a period, keep it and queue its mails. One that was made stays as it is (X3).

    Raises `ValueError` when there is no such report of such a period.
    """
    if period.rhythm not in REPORT_RHYTHMS[kind]:
        raise ValueError(f"no {kind} is made of {period.id}")
    made = await _made(work, kind, period, organisation, policy, calendar)
    if not await reports.keep(work.tx, made):
        return
    work.note("report_made", report=kind.value, period=period.id, rows=len(made.rows), missed=len(made.missed))
    for reader in readers_of(kind, period.rhythm, organisation):
        _write_to(work, made, reader, organisation, policy)


async def _made(
    work: Work, kind: ReportKind, period: Period, organisation: Organisation, policy: Policy, calendar: WorkCalendar
) -> Report:
    tx, now = work.tx, work.now
    start, end = calendar.at(period.first, time()), calendar.at(period.last + timedelta(days=1), time())
    missed = await reports.missed_steps(tx, *await _closed_since(work, kind, period.rhythm), now)
    match kind:
        case ReportKind.WEEKLY_DIGEST:
            projects = await reports.active_within(tx, start, end)
            said = await reports.updates_within(tx, start, end)
            last = await reports.last_updates(tx, start, end)
            return make_digest(period, now, (start, end), projects, said, last, missed, organisation)
        case ReportKind.FORECAST:
            projects, since = await reports.active_at(tx, end), await reports.approved_since(tx, end)
            earlier = await _forecast_before(work)
            still_open = {one.id for one in (*projects, *since)}
            gone = [row.project for row in earlier.rows if row.project not in still_open] if earlier else []
            fates = await reports.projects_now(tx, gone)
            return make_forecast(
                period, now, projects, earlier, fates, missed, organisation, policy.reviews, end, since
            )
        case ReportKind.ACCOUNTS:
            accounts = await reports.accounts_within(tx, start, end)
            found = await account_figures(tx, accounts, period, organisation, policy)
            return make_statistics(period, now, found.figures, found.contracts, missed, organisation, policy.reviews)


async def _closed_since(work: Work, kind: ReportKind, rhythm: Rhythm) -> tuple[tuple[Rhythm, ...], datetime | None]:
    """R6: of which reviews a report tells what was missed: those that closed since the one before it was made."""
    rhythms = _TOGETHER.get(rhythm, (rhythm,))
    before = await reports.newest(work.tx, kind, rhythms=rhythms, before=work.now)
    return rhythms, before.made_at if before else None


async def _forecast_before(work: Work) -> SalesForecast | None:
    before = await reports.newest(work.tx, ReportKind.FORECAST, before=work.now)
    found = await reports.find(work.tx, ReportKind.FORECAST, before.period.id) if before else None
    return found if isinstance(found, SalesForecast) else None


def _write_to(work: Work, made: Report, reader: Reader, organisation: Organisation, policy: Policy) -> None:
    person = organisation.person(reader.person)
    part = report_part(part_for(made, reader.scope, reader.department), reader.scope, organisation, reader.department)
    if person is None or part is None:
        return
    facts = MailFacts(
        kind=MailKind(made.kind),
        language=person.language,
        to_name=person.name,
        subject_id=report_thread(made.kind),
        report=part,
        time_zone=policy.time_zone,
    )
    work.mails.append(
        Mail(
            key=":".join(("report", made.kind, made.period.id, person.id, reader.department or "")),
            subject_id=facts.subject_id,
            person=person.id,
            facts=facts.model_dump(mode="json", exclude_defaults=True),
            link_id=None,
            created_at=work.now,
        )
    )


def report_thread(kind: ReportKind) -> str:
    """What the mails of one kind are about, so that mail programs keep them together."""
    return f"report-{kind}"

"""Makes reports: gathers them from the record, stores them, and mails each recipient their part (U1, U9, R2–R4)."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from activities.accounts.figures import account_figures
from activities.unit_of_work import UnitOfWork
from db.messages import MailRow
from db.reports import reports
from domain.calendar import WorkCalendar
from domain.notices import Notice
from domain.organisation import Organisation
from domain.policy import Policy
from domain.reports.making import make_digest, make_forecast, make_statistics
from domain.reports.readers import Reader, readers_of
from domain.reports.report import REPORT_RHYTHMS, Report, ReportKind, SalesForecast, part_for
from domain.reviews.periods import Period, Rhythm
from texts.mails.facts import MailFacts
from texts.reports.report_lines import report_part

_TOGETHER = {
    Rhythm.HALF_YEARLY: (Rhythm.HALF_YEARLY, Rhythm.YEARLY),
    Rhythm.YEARLY: (Rhythm.HALF_YEARLY, Rhythm.YEARLY),
}
"""R6: steps missed in a half-year are listed in the yearly report, and vice versa."""


async def make_report(
    uow: UnitOfWork,
    kind: ReportKind,
    period: Period,
    organisation: Organisation,
    policy: Policy,
    calendar: WorkCalendar,
) -> None:
    """Make the report of a period, store it and queue its mails. An existing report is left unchanged (X3).

    Raises `ValueError` if there is no such report for such a period.
    """
    if period.rhythm not in REPORT_RHYTHMS[kind]:
        raise ValueError(f"no {kind} is made of {period.id}")
    made = await _made(uow, kind, period, organisation, policy, calendar)
    if not await reports.keep(uow.connection, made):
        return
    uow.note("report_made", report=kind.value, period=period.id, rows=len(made.rows), missed=len(made.missed))
    for reader in readers_of(kind, period.rhythm, organisation):
        _write_to(uow, made, reader, organisation, policy)


async def _made(
    uow: UnitOfWork,
    kind: ReportKind,
    period: Period,
    organisation: Organisation,
    policy: Policy,
    calendar: WorkCalendar,
) -> Report:
    connection, now = uow.connection, uow.now
    start, end = calendar.at(period.first, time()), calendar.at(period.last + timedelta(days=1), time())
    missed = await reports.missed_steps(connection, *await _closed_since(uow, kind, period.rhythm), now)
    match kind:
        case ReportKind.WEEKLY_DIGEST:
            projects = await reports.active_within(connection, start, end)
            said = await reports.updates_within(connection, start, end)
            last = await reports.last_updates(connection, start, end)
            return make_digest(period, now, (start, end), projects, said, last, missed, organisation)
        case ReportKind.FORECAST:
            projects, since = await reports.active_at(connection, end), await reports.approved_since(connection, end)
            earlier = await _forecast_before(uow)
            still_open = {project.id for project in (*projects, *since)}
            gone = [row.project for row in earlier.rows if row.project not in still_open] if earlier else []
            fates = await reports.projects_now(connection, gone)
            return make_forecast(
                period, now, projects, earlier, fates, missed, organisation, policy.reviews, end, since
            )
        case ReportKind.ACCOUNTS:
            accounts = await reports.accounts_within(connection, start, end)
            found = await account_figures(connection, accounts, period, organisation, policy)
            return make_statistics(period, now, found.figures, found.contracts, missed, organisation, policy.reviews)


async def _closed_since(
    uow: UnitOfWork, kind: ReportKind, rhythm: Rhythm
) -> tuple[tuple[Rhythm, ...], datetime | None]:
    """R6: the reviews whose missed steps a report lists: those that closed since the previous report."""
    rhythms = _TOGETHER.get(rhythm, (rhythm,))
    before = await reports.newest(uow.connection, kind, rhythms=rhythms, before=uow.now)
    return rhythms, before.made_at if before else None


async def _forecast_before(uow: UnitOfWork) -> SalesForecast | None:
    before = await reports.newest(uow.connection, ReportKind.FORECAST, before=uow.now)
    found = await reports.find(uow.connection, ReportKind.FORECAST, before.period.id) if before else None
    return found if isinstance(found, SalesForecast) else None


def _write_to(uow: UnitOfWork, made: Report, reader: Reader, organisation: Organisation, policy: Policy) -> None:
    person = organisation.person(reader.person)
    part = report_part(part_for(made, reader.scope, reader.department), reader.scope, organisation, reader.department)
    if person is None or part is None:
        return
    facts = MailFacts(
        kind=Notice(made.kind),
        language=person.language,
        to_name=person.name,
        subject_id=report_thread(made.kind),
        report=part,
        time_zone=policy.time_zone,
    )
    uow.mails.append(
        MailRow(
            key=":".join(("report", made.kind, made.period.id, person.id, reader.department or "")),
            subject_id=facts.subject_id,
            person=person.id,
            facts=facts.model_dump(mode="json", exclude_defaults=True),
            link_id=None,
            created_at=uow.now,
        )
    )


def report_thread(kind: ReportKind) -> str:
    """The thread id of a kind of report, so that mail programs group its mails."""
    return f"report-{kind}"

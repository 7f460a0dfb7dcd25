"""The content of a report mail: headline figures, one chart, the lines that matter most (U1, U9, R3, R4)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from domain.access import Scope
from domain.disputes.credit import percent_of
from domain.organisation import Organisation
from domain.reports.report import (
    ZERO,
    AccountFigures,
    AccountStatistics,
    Change,
    ChangeRow,
    CreditedRow,
    DigestRow,
    ForecastRow,
    MissedStep,
    Report,
    SalesForecast,
    WeeklyDigest,
    credited_to,
)
from domain.reports.totals import (
    AccountTotals,
    ForecastTotals,
    Group,
    Standing,
    account_totals,
    accounts_by_department,
    approved_since,
    attainment,
    digest_totals,
    forecast_by_department,
    forecast_by_month,
    forecast_by_salesperson,
    forecast_by_stage,
    forecast_totals,
    standing_of,
)
from domain.reviews.periods import Rhythm
from domain.reviews.review import Proposal
from texts.reports.report_parts import (
    Bar,
    Figure,
    FigureKind,
    Headline,
    ReportBars,
    ReportLine,
    ReportPart,
    ReportSection,
    SaidLine,
)

LINES: Final = 15
"""Lines per section of a mail; the sheet lists them all."""
LONGEST_SAID: Final = 160
"""Longest excerpt of an update, in characters."""
MOST_BARS: Final = 12


def report_part(
    report: Report, scope: Scope, organisation: Organisation, department: str | None = None
) -> ReportPart | None:
    """The mail content of `report`, which is already limited to what the reader may see. None when it is empty."""
    if not (report.rows or report.missed or (isinstance(report, SalesForecast) and report.changes)):
        return None
    match report:
        case WeeklyDigest():
            headlines, bars, sections = _digest(report)
            headlines += _credited_here(report.rows, scope, department)
        case SalesForecast():
            headlines, bars, sections = _forecast(report)
            headlines += _credited_here(report.rows, scope, department)
        case AccountStatistics():
            headlines, bars, sections = _accounts(report)
    led = (department,) if department else () if scope.everything else tuple(sorted(scope.departments))
    names = organisation.departments_by_id
    return ReportPart(
        kind=report.kind,
        period=report.period,
        scope=scope,
        department=department,
        departments=tuple(names[unit].name if unit in names else unit for unit in led),
        headlines=headlines,
        bars=bars,
        sections=(*sections, _section("missed", [_missed(step) for step in report.missed])),
    )


Parts = tuple[tuple[Headline, ...], ReportBars | None, tuple[ReportSection, ...]]


def _digest(report: WeeklyDigest) -> Parts:
    totals = digest_totals(report.rows)
    headlines = (
        _headline("active", _number(totals.projects)),
        _headline("updated", _number(totals.updated)),
        _headline("silent", _number(totals.silent), grave=totals.silent > 0),
        *((_headline("new", _number(totals.new)),) if totals.new else ()),
        _headline("ended", _number(totals.ended)),
        _headline("amount", _money(totals.amount)),
    )
    silent = [row for row in report.rows if row.silent]
    ended = [row for row in report.rows if row.ended]
    updated = [row for row in report.rows if row.updates and not row.ended]
    new = [row for row in report.rows if not (row.silent or row.updates or row.ended)]
    return (
        headlines,
        None,
        (
            _section("silent", [_silent(row) for row in silent]),
            _section("updated", [_updated(row) for row in updated]),
            _section("new", [_new(row) for row in new]),
            _section("ended", [_ended(row) for row in ended]),
        ),
    )


def _credited_here(rows: Sequence[CreditedRow], scope: Scope, department: str | None) -> tuple[Headline, ...]:
    """D3: what the reader's own people are credited with, when others share in it."""
    credited = credited_to(rows, scope, department)
    return (_headline("credited", _money(credited)),) if credited != sum(row.whole for row in rows) else ()


def _silent(row: DigestRow) -> ReportLine:
    days = _number(row.silent_days, key="report.silent_days")
    return ReportLine(title=_project(row), figure=days, details=_whose(row), grave=True)


def _updated(row: DigestRow) -> ReportLine:
    last = row.updates[-1]
    said = (("progress", last.progress), ("problems", last.problems), ("next_steps", last.next_steps))
    times = (_number(len(row.updates), key="report.updates"),) if len(row.updates) > 1 else ()
    return ReportLine(
        title=_project(row),
        figure=_money(row.amount),
        details=(*_whose(row), *times),
        said=tuple(
            SaidLine(label_key=f"field.project.{name}", text=_cut(words)) for name, words in said if words.strip()
        ),
    )


def _new(row: DigestRow) -> ReportLine:
    return ReportLine(title=_project(row), figure=_money(row.amount), details=_whose(row))


def _ended(row: DigestRow) -> ReportLine:
    status = _words(f"project_status.{row.status}")
    return ReportLine(title=_project(row), figure=status, details=(*_whose(row), _money(row.amount)))


def _whose(row: DigestRow) -> tuple[Figure, ...]:
    stage = _words(f"sales_stage.{row.sales_stage}")
    return (_text(row.salesperson_name), _text(row.customer), stage, *_credited(row))


def _credited(row: CreditedRow) -> tuple[Figure, ...]:
    """D3: what each person is credited with, unless it is all the responsible salesperson's."""
    if not row.divided:
        return ()
    return tuple(
        _money(
            credit.amount, key="report.credited_to", who=f"{credit.name or credit.person} {percent_of(credit)}".rstrip()
        )
        for credit in row.credits
    )


def _forecast(report: SalesForecast) -> Parts:
    totals = forecast_totals(report.rows)
    headlines = [
        _headline("projects", _number(totals.projects)),
        _headline("amount", _money(totals.amount)),
        _headline("weighted", _money(totals.weighted)),
    ]
    since = approved_since(report.rows)
    if since.projects:
        headlines.append(
            _headline("approved_since", _number(since.projects), _money(since.amount, key="report.among_them"))
        )
    if report.compared_with:
        change = sum((row.amount for row in report.changes), ZERO)
        before = Figure(value=report.compared_with, kind=FigureKind.MONTH, key="report.compared_with")
        figure = Figure(value=str(change), kind=FigureKind.CHANGE)
        headlines.append(_headline("change", figure, before, grave=change < 0))
    stages, departments = forecast_by_stage(report.rows), forecast_by_department(report.rows)
    people, shared = forecast_by_salesperson(report.rows), [row for row in report.rows if row.divided]
    changes = sorted(report.changes, key=lambda row: (-abs(row.amount), row.number))
    return (
        tuple(headlines),
        _by_month(report.rows),
        (
            _section("by_stage", [_group(stage, _words(f"sales_stage.{stage.key}")) for stage in stages]),
            _section(
                "by_department",
                [_group(group, _department(group)) for group in departments] if len(departments) > 1 else [],
            ),
            # Without a split it adds nothing: the sheet has it.
            _section("by_salesperson", [_credited_person(person) for person in people] if shared else []),
            _section("shared", [_shared(row) for row in shared]),
            _section("approved_since", [_shared(row) for row in report.rows if row.approved_since]),
            _section("changes", [_changed(row) for row in changes]),
        ),
    )


def _by_month(rows: Sequence[ForecastRow]) -> ReportBars | None:
    months = forecast_by_month(rows)
    sums = [(Figure(value=month.key, kind=FigureKind.MONTH), month.totals.weighted) for month in months[:MOST_BARS]]
    if later := months[MOST_BARS:]:
        sums.append((_words("report.later"), sum((month.totals.weighted for month in later), ZERO)))
    most = max((amount for _, amount in sums), default=ZERO)
    if not most:
        return None
    bars = [Bar(label=label, figure=_money(amount), share=_share(amount, most)) for label, amount in sums]
    return ReportBars(title_key="report.bars.forecast", bars=tuple(bars))


def _group(group: Group[ForecastTotals], title: Figure) -> ReportLine:
    weighted = _money(group.totals.weighted, key="report.weighted_of")
    projects = _number(group.totals.projects, key="report.projects_of")
    return ReportLine(title=title, figure=_money(group.totals.amount), details=(projects, weighted))


def _credited_person(group: Group[ForecastTotals]) -> ReportLine:
    weighted = _money(group.totals.weighted, key="report.weighted_of")
    projects = _number(group.totals.projects, key="report.responsible_for")
    return ReportLine(title=_text(group.name), figure=_money(group.totals.amount), details=(projects, weighted))


def _shared(row: ForecastRow) -> ReportLine:
    details = (_text(row.salesperson_name), _text(row.customer), *_credited(row))
    return ReportLine(title=_text(f"{row.number} {row.name}"), figure=_money(row.amount), details=details)


def _changed(row: ChangeRow) -> ReportLine:
    kinds = {
        Change.AMOUNT: FigureKind.MONEY,
        Change.STAGE: FigureKind.WORDS,
        Change.SIGNING: FigureKind.DAY,
        Change.SIGNED: FigureKind.MONEY,
    }
    figure = Figure(value=str(row.amount), kind=FigureKind.CHANGE) if row.amount else None
    details = [_words(f"report.change.{row.change}"), _text(row.salesperson_name)]
    if row.change in (Change.AMOUNT, Change.STAGE, Change.SIGNING, Change.HANDED_OVER, Change.SPLIT):
        before, after = (
            Figure(
                value=f"sales_stage.{value}" if row.change is Change.STAGE else value,
                kind=kinds.get(row.change, FigureKind.TEXT),
                key=key,
            )
            for value, key in ((row.before, "report.from"), (row.after, "report.to"))
        )
        details += [before, after]
    elif row.change is Change.SIGNED and row.after:
        details.append(_money(Decimal(row.after), key="report.contract_of"))
    grave = row.change in (Change.LOST, Change.SHELVED) or (row.change is Change.AMOUNT and row.amount < 0)
    title = _text(f"{row.number} {row.name}")
    return ReportLine(title=title, figure=figure, details=tuple(details), grave=grave)


def _accounts(report: AccountStatistics) -> Parts:
    totals = account_totals(report.rows, report.near_target)
    headlines = (
        _headline("accounts", _number(totals.accounts)),
        _headline("contracts", *_against(totals.contracts, totals.target_contracts)),
        _headline("revenue", *_against(totals.revenue, totals.target_revenue)),
        _headline("payments", _money(totals.payments)),
        _headline("reached", _number(totals.reached)),
        _headline("near", _number(totals.near)),
        _headline("below", _number(totals.below), grave=totals.below > 0),
        *((_headline("unmeasured", _number(totals.unmeasured)),) if totals.unmeasured else ()),
    )
    standings = {row.account: standing_of(row, report.near_target) for row in report.rows}
    worst_first = sorted(report.rows, key=lambda row: (row.contracts - row.target_contracts, row.account))
    decided_on = report.period.rhythm in (Rhythm.HALF_YEARLY, Rhythm.YEARLY)
    revoke = [row for row in worst_first if decided_on and row.proposal is Proposal.REVOKE]
    others = [row for row in worst_first if row not in revoke]
    return (
        headlines,
        _against_targets(report, worst_first),
        (
            _section("revoke", [_proposed(row) for row in revoke]),
            *(
                _section(standing.value, [_standing(row) for row in others if standings[row.account] is standing])
                for standing in (Standing.BELOW, Standing.NEAR, Standing.REACHED, Standing.UNMEASURED)
            ),
        ),
    )


def _against(reached: Decimal, target: Decimal) -> tuple[Figure, Figure]:
    share = attainment(reached, target)
    aside = _money(target, key="report.of_target") if share is None else _percent(share, "report.attained")
    return _money(reached), aside


def _against_targets(report: AccountStatistics, worst_first: Sequence[AccountFigures]) -> ReportBars | None:
    """Contracts against their targets: by department or, within one department, by account."""
    groups = accounts_by_department(report)
    if len(groups) > 1:
        sums = [(_department(group), group.totals.contracts, group.totals.target_contracts) for group in groups]
    else:
        sums = [(_text(row.customer), row.contracts, row.target_contracts) for row in worst_first]
    bars = []
    for label, contracts, target in sums[:MOST_BARS]:
        share = attainment(contracts, target)
        if share is not None:
            grave = share < report.near_target
            bars.append(Bar(label=label, figure=_percent(share), share=min(share, Decimal(1)), grave=grave))
    return ReportBars(title_key="report.bars.accounts", bars=tuple(bars)) if bars else None


def _standing(row: AccountFigures) -> ReportLine:
    share = attainment(row.contracts, row.target_contracts)
    return ReportLine(
        title=_text(row.customer),
        figure=_percent(share) if share is not None else None,
        details=(
            _text(row.salesperson_name),
            _money(row.contracts, key="report.contracts_of", of=row.target_contracts),
            _money(row.revenue, key="report.revenue_of", of=row.target_revenue),
            *_credited(row),
            *((_money(row.not_counted, key="report.not_counted"),) if row.not_counted else ()),
        ),
    )


def _proposed(row: AccountFigures) -> ReportLine:
    """R4: an account proposed for revocation, with how its action plan went."""
    line = _standing(row)
    progress = tuple(_words(f"review_choice.plan_progress.{rating}") for rating in row.plan_progress)
    return line.model_copy(update={"details": (*line.details, *progress), "grave": True})


def _missed(step: MissedStep) -> ReportLine:
    department = (_text(step.department_name),) if step.department_name else ()
    return ReportLine(
        title=_text(step.salesperson_name),
        figure=_text(step.period),
        details=(_words(f"task.{step.task}.title"), *department),
    )


def _section(name: str, lines: Sequence[ReportLine]) -> ReportSection:
    more = max(0, len(lines) - LINES)
    return ReportSection(title_key=f"report.section.{name}", lines=tuple(lines[:LINES]), more=more)


def _headline(name: str, figure: Figure, aside: Figure | None = None, *, grave: bool = False) -> Headline:
    return Headline(label_key=f"report.headline.{name}", figure=figure, aside=aside, grave=grave)


def _project(row: DigestRow) -> Figure:
    return _text(f"{row.number} {row.name}")


def _department(group: Group[ForecastTotals] | Group[AccountTotals]) -> Figure:
    return _text(group.name) if group.key else _words("report.no_department")


def _text(value: str) -> Figure:
    return Figure(value=value)


def _words(key: str) -> Figure:
    return Figure(value=key, kind=FigureKind.WORDS)


def _number(value: int, key: str = "") -> Figure:
    return Figure(value=str(value), kind=FigureKind.NUMBER, key=key)


def _money(value: Decimal, key: str = "", of: Decimal | None = None, who: str = "") -> Figure:
    return Figure(value=str(value), kind=FigureKind.MONEY, key=key, of="" if of is None else str(of), who=who)


def _percent(value: Decimal, key: str = "") -> Figure:
    return Figure(value=str(value), kind=FigureKind.PERCENT, key=key)


def _share(part: Decimal, most: Decimal) -> Decimal:
    return min(Decimal(1), (part / most).quantize(Decimal("0.001")))


def _cut(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST_SAID else line[: LONGEST_SAID - 1].rstrip() + "…"

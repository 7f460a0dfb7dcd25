"""Routes of reports: weekly digest, forecast and accounts; as JSON, workbook or chart (U1, U9, R2–R4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.paging import Page, page_of, parse_cursor
from api.params import Cursor, Limit
from api.problems import PROBLEM_RESPONSES, Refusal, texts_for
from api.reports.models import ReportEntry, ReportView, report_view, shows_proposals
from api.state import ConnectionDep, StateDep, Viewer, ViewerDep
from db.readings import note_reading
from db.reports import reports
from db.reports.reports import MadeReport
from domain.access import Scope, report_scope
from domain.refusals import RefusalCode
from domain.reports.report import Report, ReportKind, part_for, to_management
from domain.reviews.periods import read_period
from domain.tasks.task import Problem
from reports.charts import chart
from reports.sheets import XLSX, sheet_name, workbook
from texts.catalogue import Texts
from texts.reports.report_parts import part_words

router = APIRouter(prefix="/api/v1", responses=PROBLEM_RESPONSES, tags=["reports"])

SVG = "image/svg+xml"
KINDS = {kind.replace("_", "-"): kind for kind in ReportKind}
PeriodQuery = Annotated[
    str | None,
    Query(max_length=20, description="2026-W48, 2026-11, FY2026-Q3, FY2026-H1 or FY2026. Default: the latest."),
]
DepartmentQuery = Annotated[str | None, Query(max_length=80, description="Only this department.")]


class Through(StrEnum):
    """X2: the format in which a report was read, as kept in the record of readings."""

    API = "api"
    SHEET = "xlsx"
    CHART = "svg"


class Seen(NamedTuple):
    """A report, cut down to what the caller may see and has asked for."""

    report: Report
    scope: Scope
    department: str | None
    part: str

    @property
    def proposals(self) -> bool:
        of_others = self.scope.everything or bool(self.scope.departments)
        return shows_proposals(self.report.period.rhythm, of_others=of_others)


class Reading:
    """A request for one report, in any format."""

    def __init__(
        self,
        kind: Annotated[str, Path(max_length=40, description=", ".join(KINDS))],
        viewer: ViewerDep,
        state: StateDep,
        connection: ConnectionDep,
        request: Request,
        period: PeriodQuery = None,
        department: DepartmentQuery = None,
    ) -> None:
        self.texts = texts_for(request)
        self.policy = state.facts.policy
        self._kind, self._period, self._department = kind, period, department
        self._viewer, self._connection = viewer, connection

    async def seen(self, through: Through) -> Seen:
        """The report. The reading is recorded (X2). Raises `Refusal` 403, 404 or 422."""
        viewer, department = self._viewer, self._department
        _may_read(viewer)
        kind = _kind(self._kind)
        if department is not None:
            _department(viewer, department)
        report = await self._found(kind)
        scope = report_scope(viewer.person, viewer.organisation, to_management=to_management(report.period.rhythm))
        if scope is None:
            raise Refusal.forbidden(RefusalCode.MAY_NOT_READ_REPORTS)
        theirs = {*scope.departments, viewer.person.department}
        if department is not None and not scope.everything and department not in theirs:
            raise Refusal.forbidden(RefusalCode.NOT_YOUR_DEPARTMENT)
        await note_reading(self._connection, viewer.person.id, "report", f"{kind}:{report.period.id}", through=through)
        cut = part_for(report, scope, department)
        return Seen(cut, scope, department, _part(viewer, scope, department, self.texts))

    async def _found(self, kind: ReportKind) -> Report:
        period = self._period
        if period is not None:
            try:
                read_period(period, self.policy.reviews)
            except ValueError:
                problem = Problem(field="period", rule=None, key="period_unknown")
                raise Refusal(422, RefusalCode.FIELDS_WRONG, problems=[problem]) from None
        else:
            newest = await reports.newest(self._connection, kind)
            period = newest.period.id if newest else None
        report = await reports.find(self._connection, kind, period) if period else None
        if report is None:
            raise Refusal(404, RefusalCode.REPORT_NOT_MADE)
        return report


ReadingDep = Annotated[Reading, Depends()]


@router.get("/reports", response_model=Page[ReportEntry])
async def list_reports(
    viewer: ViewerDep,
    connection: ConnectionDep,
    kind: Annotated[str | None, Query(max_length=40, description=", ".join(KINDS))] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List the reports, newest first. How much of each report you see depends on your role."""
    _may_read(viewer)
    wanted = _kind(kind) if kind is not None else None
    after = parse_cursor(cursor, "moment", "id", "id")
    rows = await reports.reports_made(connection, kind=wanted, after=after, limit=limit + 1)
    return page_of(rows, limit, key=lambda row: (row.made_at, row.kind, row.period.id), view=_entry)


# Before the route without an extension: a path parameter matches dots as well.
@router.get("/reports/{kind}.xlsx", response_class=Response, responses={200: {"content": {XLSX: {}}}})
async def read_sheet(reading: ReadingDep) -> Response:
    """Get a report as an Excel workbook."""
    seen = await reading.seen(Through.SHEET)
    zone = ZoneInfo(reading.policy.time_zone)
    content = await run_in_threadpool(workbook, seen.report, reading.texts, zone, seen.part, proposals=seen.proposals)
    name = sheet_name(seen.report.kind, seen.report.period.id, seen.department)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=XLSX, headers=headers)


@router.get("/reports/{kind}.svg", response_class=Response, responses={200: {"content": {SVG: {}}}})
async def read_chart(reading: ReadingDep) -> Response:
    """Get the chart of a report. Weekly digests have none."""
    seen = await reading.seen(Through.CHART)
    drawn = chart(seen.report, reading.texts, seen.part)
    if drawn is None:
        raise Refusal(404, RefusalCode.REPORT_HAS_NO_CHART)
    # Opened directly, an SVG is a page of our origin: it may load and run nothing.
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(drawn, media_type=SVG, headers=headers)


@router.get("/reports/{kind}", response_model=ReportView)
async def read_report(reading: ReadingDep) -> Any:
    """Get the part of a report that you may see. All totals are of the returned rows."""
    seen = await reading.seen(Through.API)
    return report_view(seen.report, seen.scope, seen.department, proposals=seen.proposals)


def _entry(row: MadeReport) -> ReportEntry:
    name = row.kind.replace("_", "-")
    return ReportEntry.model_validate({"kind": name, "period": row.period, "made_at": row.made_at})


def _may_read(viewer: Viewer) -> None:
    if report_scope(viewer.person, viewer.organisation, to_management=False) is None:
        raise Refusal.forbidden(RefusalCode.MAY_NOT_READ_REPORTS)


def _kind(name: str) -> ReportKind:
    if name not in KINDS:
        raise Refusal(404, RefusalCode.REPORT_KIND_UNKNOWN, facts={"known": list(KINDS)})
    return KINDS[name]


def _department(viewer: Viewer, department: str) -> None:
    if department not in viewer.organisation.departments_by_id:
        raise Refusal(
            422, RefusalCode.FIELDS_WRONG, problems=[Problem(field="department", rule=None, key="department_unknown")]
        )


def _part(viewer: Viewer, scope: Scope, department: str | None, texts: Texts) -> str:
    """Whose part of the report it is, for the title."""
    if department is None and scope.everything:
        return part_words((), texts)
    led = [department] if department else sorted(scope.departments)
    names = [viewer.organisation.departments_by_id[department_id].name for department_id in led]
    return part_words(names or (viewer.person.name,), texts)

"""Reports put together from rows of the record, and what they add up to (U1, U9, R3, R4, R6)."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.access import Scope
from domain.projects.project import ProjectStage, ProjectStatus, SalesStage
from domain.reports.making import ProjectNow, Terms, TermsUpdated, as_at, changes_between, make_digest, make_forecast
from domain.reports.report import Change, ForecastRow, SalesForecast, part_for
from domain.reports.totals import (
    Standing,
    account_totals,
    accounts_by_department,
    accounts_by_salesperson,
    attainment,
    digest_totals,
    forecast_by_department,
    forecast_by_month,
    forecast_by_salesperson,
    forecast_by_stage,
    forecast_totals,
    standing_of,
)
from domain.reviews.review import Proposal
from domain.tasks.task import TaskKind
from tests.report_samples import (
    BOUNDS,
    COMPANY,
    MADE_AT,
    MISSED,
    MONTH,
    PEOPLE,
    REVIEWS,
    WEEK,
    digest,
    figures,
    forecast,
    project,
    said,
    statistics,
)

DAY = timedelta(days=1)
_ENDS = (ProjectStage.CONTRACT_SIGNED, ProjectStage.ENDED, ProjectStage.SHELVED)


def test_u1_silent_projects_come_first_longest_silence_on_top() -> None:
    rows = digest().rows
    silent = [row.silent_days for row in rows if row.silent]
    assert silent == sorted(silent, reverse=True)
    assert len(silent) > 3
    assert not any(row.silent for row in rows[len(silent) :])


def test_u1_silence_is_counted_in_whole_days_to_the_end_of_the_week() -> None:
    spoken, never, just = (project(number, number_issued_at=BOUNDS[0] - 10 * DAY) for number in range(3))
    fresh = project(3, number_issued_at=BOUNDS[0] + timedelta(hours=9))
    last = {spoken.id: BOUNDS[1] - 3 * DAY, just.id: BOUNDS[1] - timedelta(seconds=1)}
    made = make_digest(WEEK, MADE_AT, BOUNDS, [spoken, never, just, fresh], {spoken.id: [said("x")]}, last, (), COMPANY)
    assert {row.project: (row.silent_days, row.silent) for row in made.rows} == {
        spoken.id: (3, False),
        never.id: (17, True),
        just.id: (0, True),
        fresh.id: (6, False),
    }


def test_u1_a_project_that_ended_in_the_week_is_listed_but_not_silent() -> None:
    ended = project(1, stage=ProjectStage.CONTRACT_SIGNED, stage_since=BOUNDS[1] - DAY)
    later = project(2, stage=ProjectStage.ENDED, stage_since=BOUNDS[1])
    made = make_digest(WEEK, MADE_AT, BOUNDS, [ended, later], {}, {}, (), COMPANY)
    assert {row.project: (row.status, row.silent) for row in made.rows} == {
        ended.id: (ProjectStatus.CONTRACT_SIGNED, False),
        later.id: (ProjectStatus.ACTIVE, True),
    }


def test_u9_a_forecast_weighs_each_amount_by_its_stage() -> None:
    probabilities = [REVIEWS.probability[stage] for stage in SalesStage]
    rows = [project(n, sales_stage=stage, amount=Decimal("100.01")) for n, stage in enumerate(SalesStage)]
    made = make_forecast(MONTH, MADE_AT, rows, None, {}, (), COMPANY, REVIEWS)
    by_stage = {row.sales_stage: row for row in made.rows}
    assert [by_stage[stage].probability for stage in SalesStage] == probabilities
    assert by_stage[SalesStage.REQUIREMENTS].weighted == Decimal("25.00")
    assert made.compared_with == ""
    assert made.changes == ()


def test_u9_every_kind_of_change_is_reported() -> None:
    made = forecast()
    told = {(row.change, row.project) for row in made.changes}
    assert {
        *((Change.SIGNED, "p-0"), (Change.LOST, "p-1"), (Change.SHELVED, "p-2"), (Change.AMOUNT, "p-5")),
        *((Change.STAGE, "p-6"), (Change.SIGNING, "p-6"), (Change.HANDED_OVER, "p-7"), (Change.NEW, "p-24")),
    } <= told
    assert made.compared_with == "2026-10"
    (signed,) = [row for row in made.changes if row.change is Change.SIGNED]
    assert (signed.before, signed.after) == ("1250000.37", "1200000.00")


projects = st.builds(
    lambda number, owner, amount, stage, day: project(
        number,
        salesperson=owner[0],
        department=owner[1],
        amount=amount,
        sales_stage=stage,
        expected_signing=date(2026, 12, 1) + timedelta(days=day),
    ),
    st.integers(0, 15),
    st.sampled_from([*PEOPLE, ("lone.wolf", None)]),
    st.decimals(0, 10**9, places=2),
    st.sampled_from(SalesStage),
    st.integers(0, 400),
)
portfolios = st.lists(projects, max_size=12, unique_by=lambda project: project.id)


def of(found: Sequence[ProjectNow]) -> SalesForecast:
    return make_forecast(MONTH, MADE_AT, found, None, {}, (), COMPANY, REVIEWS)


@given(portfolios, portfolios)
def test_u9_changes_add_up_to_the_difference_of_everybodys_totals(
    before: list[ProjectNow], now: list[ProjectNow]
) -> None:
    old, new = of(before), of(now)
    changed = new.model_copy(update={"changes": changes_between(old.rows, new.rows, {})})
    people = {row.salesperson for row in (*before, *now)}
    departments = {row.department for row in (*before, *now) if row.department}
    scopes = [Scope(person="-", everything=True), *(Scope(person=person) for person in people)]
    scopes += [Scope(person="-", departments=frozenset({department})) for department in departments]
    for scope in scopes:
        here, there = part_for(changed, scope), part_for(old, scope)
        difference = forecast_totals(here.rows).amount - forecast_totals(there.rows).amount
        assert sum((row.amount for row in here.changes), Decimal(0)) == difference


@given(portfolios)
def test_u9_every_total_is_the_sum_of_what_it_lists(found: list[ProjectNow]) -> None:
    rows = of(found).rows
    whole = forecast_totals(rows)
    assert whole.projects == len(found)
    assert whole.amount == sum((change.amount for change in found), Decimal(0))
    by: list[tuple[Callable[..., object], Callable[[ForecastRow], str]]] = [
        (forecast_by_stage, lambda row: row.sales_stage.value),
        (forecast_by_department, lambda row: row.department or ""),
        (forecast_by_salesperson, lambda row: row.salesperson),
        (forecast_by_month, lambda row: f"{row.expected_signing:%Y-%m}"),
    ]
    for grouped, key in by:
        groups = grouped(rows)
        assert isinstance(groups, tuple)
        for group in groups:
            theirs = [row for row in rows if key(row) == group.key]
            assert group.totals.amount == sum((row.amount for row in theirs), Decimal(0))
            assert group.totals.weighted == sum((row.weighted for row in theirs), Decimal(0))
        for name in ("projects", "amount", "weighted"):
            assert sum(getattr(group.totals, name) for group in groups) == getattr(whole, name)


def test_u9_sales_stages_stand_in_the_order_of_the_sale() -> None:
    keys = [group.key for group in forecast_by_stage(forecast().rows)]
    assert keys == [stage.value for stage in SalesStage]


@given(st.lists(st.tuples(st.integers(0, 3), st.decimals(0, 10**7, places=2), st.decimals(0, 10**7, places=2))))
def test_r3_account_totals_are_the_sums_of_the_accounts(given: list[tuple[int, Decimal, Decimal]]) -> None:
    rows = [figures(who, signed=signed, target_contracts=target) for who, signed, target in given]
    report = statistics(count=0).model_copy(update={"rows": tuple(rows)})
    whole = account_totals(report.rows, report.near_target)
    assert whole.contracts == sum((row.signed + row.other_contracts for row in rows), Decimal(0))
    assert whole.reached + whole.near + whole.below == whole.accounts == len(rows)
    for groups in (accounts_by_department(report), accounts_by_salesperson(report)):
        for name in type(whole).model_fields:
            assert sum(getattr(group.totals, name) for group in groups) == getattr(whole, name)


def test_r3_an_account_is_near_its_target_from_the_share_that_the_policy_names() -> None:
    def standing(contracts: str, target: str) -> Standing:
        row = figures(1, signed=Decimal(contracts), other_contracts=Decimal(0), target_contracts=Decimal(target))
        return standing_of(row, REVIEWS.near_target)

    assert standing("79.99", "100") is Standing.BELOW
    assert standing("80.00", "100") is Standing.NEAR
    assert standing("100", "100") is Standing.REACHED
    assert standing("0", "0") is Standing.REACHED
    assert attainment(Decimal("79.99"), Decimal(100)) == Decimal("0.800")
    assert attainment(Decimal(5), Decimal(0)) is None


def test_u1_digest_totals_are_the_sums_of_its_rows() -> None:
    rows = digest().rows
    totals = digest_totals(rows)
    assert totals.projects == len(rows) == 24
    assert totals.updates == sum(len(row.updates) for row in rows) == 24
    assert (totals.ended, totals.new) == (1, 0)
    assert totals.updated + totals.silent + totals.new + totals.ended == totals.projects
    assert totals.amount == sum((row.amount for row in rows), Decimal(0))


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([ProjectStage.ACTIVE, *_ENDS]), st.integers(-20, 6)), max_size=9)
)
def test_u1_every_project_of_a_digest_is_updated_silent_new_or_ended(
    given: list[tuple[bool, ProjectStage, int]],
) -> None:
    projects = [
        project(number, stage=stage, stage_since=BOUNDS[1] - DAY, number_issued_at=BOUNDS[0] + days * DAY)
        for number, (_, stage, days) in enumerate(given)
    ]
    spoken = {project.id: [said("x")] for project, (told, _, _) in zip(projects, given, strict=True) if told}
    totals = digest_totals(make_digest(WEEK, MADE_AT, BOUNDS, projects, spoken, {}, (), COMPANY).rows)
    assert totals.updated + totals.silent + totals.new + totals.ended == totals.projects == len(given)
    assert totals.ended == sum(stage is not ProjectStage.ACTIVE for _, stage, _ in given)


def test_u9_later_updates_do_not_change_a_project_of_the_past() -> None:
    now = project(1, amount=Decimal(4), sales_stage=SalesStage.TENDER)
    end = BOUNDS[1]
    submitted = Terms(sales_stage=SalesStage.LEAD, amount=Decimal(1), expected_signing=date(2026, 12, 1))
    told = [
        TermsUpdated(at=end - 2 * DAY, amount=Decimal(2)),
        TermsUpdated(at=end - DAY, amount=Decimal(3)),
        TermsUpdated(at=end, amount=Decimal(4), sales_stage=SalesStage.TENDER),
    ]
    then = as_at(end, now, submitted, told)
    assert (then.amount, then.sales_stage) == (Decimal(3), SalesStage.LEAD)
    assert then.expected_signing == now.expected_signing, "nobody has changed it since"
    assert as_at(end + DAY, now, submitted, told) == now


def test_x2_a_department_sees_its_rows_its_changes_and_its_missed_steps_alone() -> None:
    north = part_for(forecast(), Scope(person="zhao.lei", departments=frozenset({"north"})))
    assert {row.department for row in (*north.rows, *north.changes, *north.missed)} == {"north"}
    own = part_for(forecast(), Scope(person="guo.tao"))
    assert {row.salesperson for row in (*own.rows, *own.changes)} == {"guo.tao"}
    assert own.missed == ()
    everything = Scope(person="zhang.wei", everything=True)
    assert part_for(forecast(), everything) == forecast()
    assert {row.department for row in part_for(forecast(), everything, "east").rows} == {"east"}


def test_r6_a_missed_step_names_its_person_and_its_review() -> None:
    steps = digest().missed
    assert {(step.salesperson, step.task, step.period) for step in steps} == {
        ("huang.lei", TaskKind.WEEKLY_UPDATE, "2026-W47"),
        ("li.ming", TaskKind.MONTHLY_REVIEW, "2026-10"),
    }
    assert len(MISSED) == len(steps)


def test_r4_the_statistics_keep_the_proposals() -> None:
    assert [row.account for row in statistics().rows if row.proposal is Proposal.REVOKE]

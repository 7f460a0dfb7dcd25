"""Fills a record with registered projects, their histories and the tasks that wait, as the product would leave it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from pydantic_core import to_json

from bench.conflicts.data import fill
from bench.ground import CLERK, company
from db.connection.engine import make_engine
from db.connection.migrate import upgrade
from db.reference_data import ReferenceData, import_organisation
from domain.organisation import Organisation, Role
from domain.policy import Policy, load_policy
from domain.projects.project import ProjectForm, ProjectStage
from domain.projects.rules import project_choices
from domain.tasks.asking import who_is_asked
from domain.tasks.task import Ask, TaskKind
from embedded.welcome import PROJECT_FILE

SALESPEOPLE = 100
"""As many at either size, so that with ten times the data everybody has ten times as much."""
EVERY = 10
"""One project in so many waits for somebody."""
BATCH = 10_000
WAITING = (
    (ProjectStage.CONFLICT_CHECK, TaskKind.CONFLICT_CHECK),
    (ProjectStage.CONFLICT_CONFIRMATION, TaskKind.CONFLICT_CONFIRMATION),
    (ProjectStage.APPROVAL, TaskKind.PROJECT_APPROVAL),
    (ProjectStage.HELD, TaskKind.SUPPLY_INFORMATION),
)
"""What a project waits for, in turn; those that wait for nobody are active."""
BUSY, BUSY_EVERY = "sales0007", 25
"""One in so many of what waits, waits for this salesperson: with a tenth, too, their lists fill a page."""
PLACES = "总部 一厂 二厂 三厂 分公司 研发中心 营销中心 数据中心 新园区 老厂区 物流基地 培训中心".split()
THINGS = (
    "机房 存储 核心网络 备份系统 视频会议 安全防护 办公终端 云平台 数据库 无线网络 灾备系统 服务器 桌面云 监控系统 "
    "容器平台 虚拟化平台 调度系统 综合布线 供电系统 生产系统"
).split()
DEEDS = "改造 扩容 升级 建设 采购 迁移 加固 运维 更新 二期".split()
LATE_DAYS, AHEAD_DAYS = 3, 5
"""Deadlines lie between so many days ago and so many ahead."""


@dataclass(frozen=True)
class Registration:
    """A project to be registered."""

    number: int
    customer: str
    salesperson: str
    department: str
    stage: ProjectStage
    kind: TaskKind | None
    """Of the task that waits for somebody."""

    @property
    def id(self) -> str:
        return f"p{self.number}"

    @property
    def name(self) -> str:
        return project_name(self.customer, self.number)


def project_name(customer: str, number: int) -> str:
    """How a salesperson calls a project: after its customer, and one of 2,400 subjects."""
    number, place = divmod(number, len(PLACES))
    number, thing = divmod(number, len(THINGS))
    return f"{customer[:6]}{PLACES[place]}{THINGS[thing]}{DEEDS[number % len(DEEDS)]}"


def registrations(names: Sequence[str], organisation: Organisation) -> list[Registration]:
    """One project for each customer, dealt out evenly: every salesperson has active ones and some of each kind that
    waits; one of them owes more answers than the others."""
    sellers = [person for person in organisation.people if person.id.startswith("sales")]
    busy = organisation.by_id[BUSY]
    found = []
    for number, customer in enumerate(names):
        turn, place = divmod(number, EVERY)
        seller, stage, kind = sellers[(number + turn) % len(sellers)], ProjectStage.ACTIVE, None
        if place == 0 and turn % BUSY_EVERY == 0:
            seller, (stage, kind) = busy, WAITING[-1]
        elif place == 0:
            stage, kind = WAITING[(turn + turn // len(sellers)) % len(WAITING)]
        found.append(Registration(number, customer, seller.id, seller.department or "", stage, kind))
    return found


PROJECT_COLUMNS = ("number", "id", "name", "customer", "salesperson", "department", "stage", "active")
DEALT = """
CREATE TEMPORARY TABLE dealt (
    number integer, id text, name text, customer text, salesperson text, department text, stage text, active boolean
)"""
# $1: the sample's form, $2: the policy's digest, $3: the present moment, $4: how many projects there are in all.
PROJECTS = """
INSERT INTO project (id, workflow_id, applicant, salesperson, department, stage, round, form, policy_digest,
    registered_at, stage_since, track, number, number_issued_at, updated_at)
SELECT id, 'project-' || id, salesperson, salesperson, department, stage, 1,
    $1::jsonb || jsonb_build_object(
        'name', name,
        'amount', (100000 + number % 977 * 1000) || '.00',
        'customer', $1::jsonb -> 'customer' || jsonb_build_object('name', customer, 'uscc', NULL)),
    $2, registered_at, registered_at + interval '2 days', 'non_named',
    CASE WHEN active THEN 'P2026-' || lpad(number::text, 6, '0') END,
    CASE WHEN active THEN registered_at + interval '2 days' END,
    CASE WHEN active THEN $3::timestamptz - number % 25 * interval '1 day' END
FROM dealt, LATERAL (SELECT $3::timestamptz - ($4::integer - number) * interval '10 minutes' AS registered_at) AS since
"""
ROUNDS = """
INSERT INTO project_round (project_id, round, form, submitted_at)
SELECT project.id, 1, form, registered_at FROM project JOIN dealt USING (id)"""
UPDATES = """
INSERT INTO project_update (project_id, number, message_id, person, said_at, recorded_at, progress, problems,
    next_steps)
SELECT id, week, 'update-' || id || '-' || week, project.salesperson, updated_at, updated_at,
    '方案已提交，等待客户反馈。', '', '下周安排技术交流。'
FROM project JOIN dealt USING (id), generate_series(1, 3) AS week WHERE active"""
# The chain of hashes is not made: no page reads it.
EVENTS = """
INSERT INTO audit (seq, at, workflow_id, subject_id, event, actor, body, previous_hash, hash)
SELECT dealt.number * 4 + place, registered_at, workflow_id, id, event, project.salesperson, '{}', '', ''
FROM project JOIN dealt USING (id),
    unnest(ARRAY['project_registered', 'project_routed', 'project_approved', 'project_updated'])
    WITH ORDINALITY AS happened (event, place)
WHERE active OR place <= 2"""
TASK_COLUMNS = (
    *("id", "workflow_id", "subject_type", "subject_id", "kind", "slot", "round", "status", "choices"),
    *("opened_at", "due_at", "due_provisional"),
)
ASKED_COLUMNS = ("task_id", "person", "capacity", "on_behalf_of", "link_id", "link_expires_at", "asked_at")


async def fill_record(
    url: str, names: Sequence[str], now: datetime, say: Callable[[str], None]
) -> tuple[Organisation, list[Registration]]:
    """Migrate the database and fill it with a project for each of these customers, a tenth of them waiting."""
    await upgrade(url)
    organisation, policy = company(SALESPEOPLE), load_policy()
    engine = make_engine(url, process="bench", pool_size=1)
    try:
        async with engine.begin() as tx:
            await import_organisation(tx, organisation, now=now, by="bench")
            digest = await ReferenceData(policy).pin_policy(tx)
    finally:
        await engine.dispose()
    dealt = registrations(names, organisation)
    form = ProjectForm.model_validate_json(PROJECT_FILE.read_text(encoding="utf-8")).model_dump_json()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(DEALT)
        for first in range(0, len(dealt), BATCH):
            await _add_projects(connection, dealt[first : first + BATCH], form, digest, now, len(dealt))
            await connection.execute("ANALYZE")  # or the triggers go on as planned for empty tables
            say(f"{min(first + BATCH, len(dealt)):,} of {len(dealt):,} projects are registered")
        await fill(connection, names, 0, subject_type="project", prefix="p")
        await _ask(connection, dealt, organisation, policy, now)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return organisation, dealt


async def _add_projects(
    connection: asyncpg.Connection, dealt: Sequence[Registration], form: str, digest: str, now: datetime, of: int
) -> None:
    rows = [
        (row.number, row.id, row.name, row.customer, row.salesperson, row.department, row.stage.value, not row.kind)
        for row in dealt
    ]
    await connection.execute("TRUNCATE dealt")
    await connection.copy_records_to_table("dealt", records=rows, columns=PROJECT_COLUMNS)
    await connection.execute("ANALYZE dealt")
    await connection.execute(PROJECTS, form, digest, now, of)
    for statement in (ROUNDS, UPDATES, EVENTS):
        await connection.execute(statement)


async def _ask(
    connection: asyncpg.Connection,
    dealt: Sequence[Registration],
    organisation: Organisation,
    policy: Policy,
    now: datetime,
) -> None:
    """Open the tasks, and ask whom the rules ask; past the deadline, the stand-in as well (N12)."""
    tasks, asked = [], []
    clerks = itertools.cycle(person.id for person in organisation.holders(Role.COMMERCE_CLERK))
    for order, row in enumerate(row for row in dealt if row.kind):
        assert row.kind is not None
        task_id, due_at = f"t{order}", _due(order, now)
        opened_at = due_at - timedelta(days=AHEAD_DAYS)
        slot = next(clerks) if row.kind is TaskKind.CONFLICT_CHECK else row.salesperson
        choices = project_choices(row.kind, people=(CLERK,), salespeople=(row.salesperson,))
        ask = Ask(kind=row.kind, slot=slot)
        people = who_is_asked(ask, organisation, policy, applicant=row.salesperson, now=now, standing_in=due_at < now)
        tasks.append(
            (
                *(task_id, f"project-{row.id}", "project", row.id, row.kind.value, slot, 1, "open"),
                *(to_json(choices).decode(), opened_at, due_at, False),
            )
        )
        asked += [
            (
                *(task_id, person.person, person.capacity.value, person.on_behalf_of),
                *(f"{task_id}-{person.person}", now + timedelta(days=30), opened_at),
            )
            for person in people
        ]
    await connection.copy_records_to_table("task", records=tasks, columns=TASK_COLUMNS)
    await connection.execute("ANALYZE task")
    await connection.copy_records_to_table("task_person", records=asked, columns=ASKED_COLUMNS)


def _due(order: int, now: datetime) -> datetime:
    days = order % (LATE_DAYS + AHEAD_DAYS) - LATE_DAYS
    return now + timedelta(days=days, minutes=order % 1000)

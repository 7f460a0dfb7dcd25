"""A record with projects of many kinds, and the API in this process to ask about them; there is no engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast

import httpx
from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.steps import Moved
from api.gateway.gateway import Receipts, SignalGateway
from api.state import State, Viewer, viewer_of
from db import messages
from db.connection.listen import Listener
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.messages import MailRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.tables.reference import organisation as organisations
from db.tasks import tasks
from db.tasks.tasks import AskedRow, TaskRow
from domain.conflicts.project_match import Match
from domain.disputes.dispute import Claimant, DisputeStage, Origin
from domain.organisation import Organisation
from domain.projects.project import ProjectStage
from domain.projects.rules import project_choices
from domain.tasks.task import TaskKind, TaskStatus
from embedded.welcome import sample_organisation
from runtime.settings import Settings
from tests.integration.accounts.test_confidence import KEYS
from tests.integration.projects.test_projects_record import RULES, add_account, project
from tests.samples import PROJECT_FORM
from tests.verdicts import verdict
from web.app import create_app

ORGANISATION = sample_organisation()
NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
APPLICANT, HOLDER, OTHER = "yang.fan", "xu.jing", "guo.tao"
VP, OTHER_VP, CLERK, GENERAL_MANAGER = "li.ming", "wang.fang", "gao.yuan", "zhang.wei"
MATCH = Match(
    subject_type="project",
    subject_id="theirs",
    name="别人的项目",
    salesperson=HOLDER,
    status="active",
    since=NOW - timedelta(days=90),
    verdict=verdict("same_name"),
    relationship="驻场三年",
    vendor_registered=True,
    earlier=True,
)


def row(project_id: str, **said: Any) -> ProjectRow:
    return project(project_id, form=PROJECT_FORM, **said)


def task(task_id: str, kind: TaskKind, *, subject: str, slot: str = "", **said: Any) -> TaskRow:
    values = {
        "id": task_id,
        "workflow_id": f"project-{subject}",
        "subject_type": "project",
        "subject_id": subject,
        "kind": kind,
        "slot": slot,
        "round": 1,
        "status": TaskStatus.OPEN,
        "choices": project_choices(kind, people=("gao.yuan",), salespeople=(APPLICANT, HOLDER), suspects=("theirs",)),
        "opened_at": NOW,
        "due_at": NOW + timedelta(days=5),
        "due_provisional": False,
    }
    return TaskRow.model_validate(values | said)


def asked(task_id: str, person: str) -> AskedRow:
    return AskedRow(
        person=person,
        task_id=task_id,
        link_id=f"{task_id}-{person}",
        link_expires_at=NOW + timedelta(days=30),
        asked_at=NOW,
    )


def dispute(project_id: str, stage: DisputeStage = DisputeStage.NEGOTIATION, **said: Any) -> DisputeRow:
    values = {
        "id": f"{project_id}-1",
        "project_id": project_id,
        "workflow_id": f"dispute-{project_id}-1",
        "origin": Origin.OTHER_ACCOUNT,
        "stage": stage,
        "round": 1,
        "opened_at": NOW,
        "stage_since": NOW,
        "claimants": (
            Claimant(person=APPLICANT, subject_type="project", subject_id=project_id, since=NOW),
            Claimant(person=HOLDER, subject_type="account", subject_id="account-1", since=NOW),
        ),
    }
    return DisputeRow.model_validate(values | said)


@asynccontextmanager
async def filled(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A record that knows the policy, the company and one Named Account; committed when the test has filled it."""
    async with engine.begin() as connection:
        await RULES.pin_policy(connection)
        await add_account(connection)
        await connection.execute(
            organisations.insert().values(
                document=ORGANISATION.model_dump(mode="json"), imported_at=NOW, imported_by="test"
            )
        )
    async with engine.connect() as connection:
        yield connection


Call = Callable[..., Any]


@cache
def the_app() -> FastAPI:
    """The API, made once: putting its routes together takes longer than most requests, and it keeps nothing but what
    `door` gives it each time."""
    return create_app(Settings.model_construct(temporal_ui_url=""))


@asynccontextmanager
async def door(
    engine: AsyncEngine,
    database_url: str,
    *,
    base_url: str = "http://here/api/v1",
    organisation: Organisation = ORGANISATION,
    client: Any = None,
    **settings: Any,
) -> AsyncIterator[Call]:
    """Ask the API as somebody. Without a `client` the engine is not there: nothing that passes the door gets
    further."""
    app = the_app()
    receipts = Receipts(engine, Listener(database_url))
    app.state.parts = State(
        settings=Settings.model_construct(**settings),
        engine=engine,
        client=client,
        facts=RULES,
        gateway=SignalGateway(engine, client, KEYS, receipts, lambda: NOW),
        token_verifier=cast(Any, None),
        clock=lambda: NOW,
    )

    async def somebody(request: Request) -> Viewer:
        person = organisation.person(request.headers["x-person"])
        assert person is not None
        request.state.language = person.language
        return Viewer(person, organisation)

    app.dependency_overrides[viewer_of] = somebody
    web = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url)
    async with web:

        async def ask(person: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
            headers = {"x-person": person, **more.pop("headers", {})}
            answer: httpx.Response = await web.request(method, path, json=body, headers=headers, **more)
            return answer

        yield ask


async def fill(connection: AsyncConnection) -> None:
    """Five projects of yang.fan: one that asks a clerk, one disputed with xu.jing, one whose meeting the COO is
    invited to, one lost and told, one lost and not told; and one of guo.tao."""
    await projects.add(connection, row("p1", stage=ProjectStage.CONFLICT_CHECK))
    await projects.keep_matches(connection, "p1", 1, [MATCH])
    await tasks.open_task(
        connection, task("t1", TaskKind.CONFLICT_CHECK, subject="p1", slot=CLERK), [asked("t1", CLERK)]
    )
    await projects.add(connection, row("p2", stage=ProjectStage.DISPUTED, account_id="account-1"))
    await disputes.add(connection, dispute("p2"))
    await projects.add(connection, row("p3", stage=ProjectStage.DISPUTED))
    meeting = {"starts_at": "2026-12-03T09:30:00+08:00", "place": "三楼", "participants": ["liu.yang"]}
    await disputes.add(connection, dispute("p3", DisputeStage.MEETING, meeting=meeting))
    for project_id in ("p4", "p5"):
        loss = {"reason": "价格", "competitor": "", "by": APPLICANT, "at": NOW.isoformat()}
        await projects.add(connection, row(project_id, stage=ProjectStage.ENDED, loss=loss))
    told = MailRow(key="k", subject_id="p4", person="tang.bo", facts={"kind": "lost"}, link_id=None, created_at=NOW)
    await messages.keep_step(connection, "project-p4", "lost", Moved(), [told])
    await projects.add(connection, row("p6", applicant=OTHER, salesperson=OTHER, department="finance-industry"))
    await connection.commit()

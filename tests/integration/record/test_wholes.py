"""What a page shows is the same whether all of it is looked up at once or one table after the other (N11, X2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from api.accounts.views import SHOWN_AS_CONFLICTS, TIMELINE_HIDES, application_view, whole_application
from api.views import Composer, Views
from db import audit
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow, KeyedParty
from db.connection.direct import Direct
from db.reads import detail_reads
from db.tasks import tasks
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.accounts.application import ApplicationForm, Stage
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.named_account import Rejection
from domain.tasks.task import AssigneeCapacity, TaskKind, TaskStatus
from embedded.welcome import FORM_FILE
from tests.integration.accounts.test_confidence import ORGANISATION, viewer
from tests.integration.projects.test_projects_record import RULES
from texts.catalogue import Texts

NOW = datetime(2026, 11, 2, 9, 0, 0, 123456, tzinfo=UTC)
HIDDEN = TIMELINE_HIDES - SHOWN_AS_CONFLICTS
"""As the front door leaves them out."""


def a_task(task_id: str, kind: TaskKind, status: TaskStatus, number: int = 1, hours: int = 0) -> TaskRow:
    return TaskRow(
        id=task_id,
        workflow_id="application-a1",
        subject_type="application",
        subject_id="a1",
        kind=kind,
        slot="li.ming",
        round=number,
        status=status,
        choices=(),
        opened_at=NOW + timedelta(hours=hours),
        due_at=NOW + timedelta(days=2),
        due_provisional=False,
    )


def asked(task_id: str, person: str, *, removed: bool = False, on_behalf_of: str | None = None) -> AskedRow:
    return AskedRow(
        task_id=task_id,
        person=person,
        capacity=AssigneeCapacity.DELEGATE if on_behalf_of else AssigneeCapacity.HOLDER,
        on_behalf_of=on_behalf_of,
        link_id=f"{task_id}-{person}",
        link_expires_at=NOW,
        asked_at=NOW,
        removed_at=NOW if removed else None,
    )


def decided(task_id: str, kind: TaskKind, person: str, choice: str, hours: int) -> DecisionRow:
    return DecisionRow(
        task_id=task_id,
        kind=kind,
        message_id=f"m-{task_id}",
        person=person,
        choice=choice,
        reason='他们的"客户"\n第二行',
        fields={"aliases": ["一", 1.5, None]},
        said_at=NOW,
        decided_at=NOW + timedelta(hours=hours),
    )


@pytest.fixture
async def record(database_url: str) -> AsyncIterator[Direct]:
    async with Direct(database_url, process="test") as opened:
        yield opened


@pytest.fixture
async def application(engine: AsyncEngine) -> ApplicationRow:
    """An application in its second round: checked, once rejected, now before two VPs, one of them a delegate's."""
    person = ORGANISATION.person("yang.fan")
    assert person is not None
    made = ApplicationRow(
        id="a1",
        workflow_id="application-a1",
        applicant=person.id,
        department=person.department,
        stage=Stage.VP_REVIEW,
        round=2,
        form=ApplicationForm.model_validate_json(FORM_FILE.read_text(encoding="utf-8")),
        policy_digest=RULES.digest,
        submitted_at=NOW,
        stage_since=NOW,
        rejection=Rejection(
            task_id="t2",
            kind=TaskKind.VP_REVIEW,
            person="li.ming",
            reason="不够",
            at=NOW,
            appeal_until=NOW + timedelta(days=7),
        ),
        appeal={"reason": "请再看", "at": NOW.isoformat()},
    )
    finding = Finding(
        subject_type="account", subject_id="A-9", name="别人的客户", since=NOW, detail={"salesperson": "xu.jing"}
    )
    async with engine.begin() as connection:
        await RULES.pin_policy(connection)
        await applications.add(connection, made)
        for number, kinds in ((1, [EvidenceKind.CREDIT]), (2, [EvidenceKind.LITIGATION, EvidenceKind.ACCOUNTS])):
            found = [
                Evidence(kind=kind, source="account_register", gathered_at=NOW, available=True, findings=(finding,))
                for kind in kinds
            ]
            await applications.keep_evidence(connection, "a1", number, found)
        check = a_task("t1", TaskKind.COMMERCE_CHECK, TaskStatus.ANSWERED)
        await tasks.open_task(connection, check, [asked("t1", "gao.yuan")])
        await tasks.decide(connection, decided("t1", TaskKind.COMMERCE_CHECK, "gao.yuan", "pass", 2))
        first = a_task("t2", TaskKind.VP_REVIEW, TaskStatus.ANSWERED)
        await tasks.open_task(connection, first, [asked("t2", "li.ming")])
        await tasks.decide(connection, decided("t2", TaskKind.VP_REVIEW, "li.ming", "reject", 1))
        later, sooner = (a_task(f"t{3 + n}", TaskKind.VP_REVIEW, TaskStatus.OPEN, 2, hours=2 - n) for n in range(2))
        await tasks.open_task(connection, later, [asked("t3", "wang.fang"), asked("t3", "chen.jing", removed=True)])
        await tasks.open_task(
            connection, sooner, [asked("t4", "liu.yang", on_behalf_of="li.ming"), asked("t4", "li.ming")]
        )
        happened: list[tuple[str, str, dict[str, Any]]] = [
            ("earlier_found", "system", {"found": [["account", "A-9"]]}),
            ("evidence_gathered", "system", {"counts": {"accounts": 1}}),
            ("decided", "gao.yuan", {"kind": "commerce_check", "weight": 0.5, "many": 10**20}),
            ("mails_queued", "system", {"keys": ["k"]}),
            ("moved", "system", {"stage": "vp_review"}),
        ]
        noted = [
            audit.Event(event=name, at=NOW + timedelta(minutes=n), actor=actor, subject_id="a1", body=body)
            for n, (name, actor, body) in enumerate(happened)
        ]
        await audit.append(connection, noted, lambda _seq, _digest: "seal")
    return made


@pytest.mark.parametrize("revoked", [None, NOW], ids=["no account", "revoked"])
@pytest.mark.parametrize("person", ["yang.fan", "gao.yuan", "wang.fang", "li.ming", "liu.yang", "chen.jing", "xu.jing"])
async def test_x2_an_application_looked_up_at_once_is_shown_as_one_looked_up_table_by_table(
    person: str, revoked: datetime | None, application: ApplicationRow, engine: AsyncEngine, record: Direct
) -> None:
    if revoked:
        async with engine.begin() as connection:
            held = AccountRow(
                **application.model_dump(include={"id", "department"}),
                application_id=application.id,
                salesperson=application.applicant,
                form=application.form,
                slot=1,
                account_limit=5,
                gm_decision=None,
                activated_at=NOW,
                revoked_at=revoked,
            )
            await accounts.activate(connection, held, [KeyedParty(role="customer", name="客户", name_key="客户")])
    for texts in (Texts("zh"), Texts("en")):
        async with engine.connect() as connection:
            composer = Composer(connection, RULES, viewer(person), texts)
            row = await applications.find(connection, application.id)
            assert row is not None
            apart = await application_view(composer, row, shown=await composer.sees_evidence(row))
        whole = await detail_reads.application(record, "a1", person, HIDDEN)
        assert whole is not None
        shown = whole_application(Views(RULES, viewer(person), texts), whole, RULES.policy)
        assert shown.model_dump_json() == apart.model_dump_json()


async def test_x2_whoever_was_taken_off_a_task_is_not_involved(application: ApplicationRow, record: Direct) -> None:
    people = ("wang.fang", "liu.yang", "gao.yuan", "chen.jing", "yang.fan")
    found = [await detail_reads.application(record, application.id, person) for person in people]
    assert [row.involved for row in found if row] == [True, True, True, False, False]
    assert await detail_reads.application(record, "a2", "gao.yuan") is None


async def test_moments_are_in_utc_whatever_zone_the_server_is_in(
    application: ApplicationRow, superuser: asyncpg.Connection, database_url: str
) -> None:
    name = make_url(database_url).database
    await superuser.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Shanghai'")
    async with Direct(database_url, process="test") as opened:
        whole = await detail_reads.application(opened, application.id, "gao.yuan")
    assert whole is not None
    assert (whole.row.submitted_at.isoformat(), whole.entries[0].at.isoformat()) == (NOW.isoformat(), NOW.isoformat())

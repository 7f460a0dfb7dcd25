"""What the page of one application shows, and to whom (N11, X2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.accounts.views import application_view
from api.views import Composer
from db import audit
from db.accounts import accounts, applications
from db.accounts.accounts import AccountRow
from db.accounts.applications import ApplicationRow, KeyedParty
from db.connection.engine import autocommit
from db.reads import detail_reads
from db.tasks import tasks
from db.tasks.tasks import AskedRow, DecisionRow, TaskRow
from domain.access import Scope
from domain.accounts.application import Stage
from domain.accounts.evidence import Evidence, EvidenceKind, Finding
from domain.accounts.named_account import Rejection
from domain.tasks.task import AssigneeCapacity, TaskKind, TaskStatus
from tests.integration.accounts.test_confidence import ORGANISATION, viewer
from tests.integration.projects.test_projects_record import RULES
from tests.samples import APPLICATION_FORM
from texts.catalogue import Texts

NOW = datetime(2026, 11, 2, 9, 0, 0, 123456, tzinfo=UTC)


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
        form=APPLICATION_FORM,
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
async def test_x2_an_application_shows_to_each_what_is_theirs_to_see(
    person: str, revoked: datetime | None, application: ApplicationRow, engine: AsyncEngine
) -> None:
    """N11: the round it is in; findings about others only for those who decide."""
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
    async with autocommit(engine) as connection:
        composer = Composer(connection, RULES, viewer(person), Texts("zh"))
        shown = await composer.sees_evidence(application)
        view = await application_view(composer, application, shown=shown)
    decides = person not in ("yang.fan", "chen.jing", "xu.jing")
    assert shown is decides
    assert [item.kind for item in view.evidence] == (
        [EvidenceKind.ACCOUNTS, EvidenceKind.LITIGATION] if decides else []
    )
    assert ("A-9" in view.model_dump_json()) is decides
    assert [(task.id, [assignee.person.id for assignee in task.asked]) for task in view.tasks] == [
        ("t4", ["li.ming", "liu.yang"]),
        ("t3", ["wang.fang"]),
    ]
    assert [(decision.task_id, decision.round) for decision in view.decisions] == [("t2", 1), ("t1", 1)]
    assert [conflict["kind"] for conflict in view.conflicts] == ["account"]
    assert [(entry.event, bool(entry.body)) for entry in view.timeline] == [("decided", True), ("moved", True)]
    assert (view.account_id, view.account_revoked_at) == (("a1", NOW) if revoked else (None, None))
    assert (view.submitted_at.isoformat(), view.timeline[0].at.minute) == (NOW.isoformat(), 2)


async def test_x2_whoever_was_taken_off_a_task_does_not_see_it(
    application: ApplicationRow, engine: AsyncEngine
) -> None:
    seen = {}
    async with autocommit(engine) as connection:
        for person in ("wang.fang", "liu.yang", "chen.jing", "xu.jing", "yang.fan"):
            scope = Scope(person=person)  # nothing but what they were asked about, and their own
            seen[person] = await detail_reads.application_seen(connection, scope, application.id) is not None
        assert await detail_reads.application_seen(connection, Scope(person="x", everything=True), "a2") is None
    assert seen == {"wang.fang": True, "liu.yang": True, "chen.jing": False, "xu.jing": False, "yang.fan": True}

"""What people are told of an application is true and complete, in the mails that go out (N9–N14, A2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from pydantic import SecretBytes
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import MoveStep, OpenTask, RecordStep, RefreshStep, ReminderStep
from crypto.keyring import Keyring
from db.reference_data import import_organisation
from domain.accounts.application import Stage
from domain.accounts.named_account import Obstacle
from domain.notices import Notice
from domain.organisation import Delegation, Language
from domain.statements import AnswerTask, AppealRejection, Withdraw
from domain.tasks.task import TaskKind
from tests.integration.tasks.race_ground import (
    DELEGATE,
    GENERAL_MANAGER,
    NOW,
    VPS,
    Ground,
    Racer,
    salesperson,
)
from tests.samples import application_form
from texts.catalogue import Texts
from texts.mails.facts import MailFacts
from texts.mails.mail import RenderedMail, render_mail

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
ME = salesperson(0)
DUE = NOW + timedelta(days=7)
"""5 working days after a Tuesday morning."""
REVIEWED = Racer(
    id="told",
    applicant=ME,
    form=application_form("通知客户"),
    approved=False,
    open_tasks=tuple((TaskKind.VP_REVIEW, vp, ({"person": vp, "capacity": "holder"},)) for vp in VPS),
)


@pytest.fixture
async def ground(engine: AsyncEngine) -> AsyncIterator[Ground]:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=1)
    yield made
    await made.record_holds()


async def mail(ground: Ground, kind: str, person: str, language: Language = "zh") -> RenderedMail:
    """The one mail of a kind that a person gets, as it reads in a language."""
    (found,) = await ground.rows(
        "SELECT facts FROM mail WHERE facts->>'kind' = :kind AND person = :person", kind=kind, person=person
    )
    return render_mail(MailFacts.model_validate(found[0] | {"link": "https://oa.example.cn/d/x", "language": language}))


async def moves(
    ground: Ground, racer: Racer, stage: Stage, *notices: Notice, obstacle: Obstacle | None = None, key: str = ""
) -> None:
    step = MoveStep(
        key=f"move:{stage}{key}", now=NOW, subject=racer.subject, stage=stage, notices=notices, obstacle=obstacle
    )
    await ground.run(ground.records.move, step, racer.workflow_id)


async def hears(ground: Ground, racer: Racer, said: AnswerTask | AppealRejection | Withdraw) -> None:
    step = RecordStep(key=f"record:{said.fingerprint}", now=NOW, subject=racer.subject, statement=said)
    recorded = await ground.run(ground.records.record_statement, step, racer.workflow_id)
    assert recorded.accepted, recorded.code


async def answers(ground: Ground, racer: Racer, person: str, slot: str, choice: str, reason: str) -> None:
    task_id = racer.task_id(TaskKind.VP_REVIEW, slot)
    await hears(ground, racer, ground.says(AnswerTask, racer, person, task_id=task_id, choice=choice, reason=reason))


async def chase(ground: Ground, slot: str, at: datetime) -> OpenTask:
    task_id = REVIEWED.task_id(TaskKind.VP_REVIEW, slot)
    step = ReminderStep(key=f"chase:{slot}:{at.isoformat()}", now=at, subject=REVIEWED.subject, task_id=task_id)
    return await ground.run(ground.chasing.remind_or_escalate, step, REVIEWED.workflow_id)


@pytest.mark.parametrize(
    ("obstacle", "zh", "en"),
    [
        (Obstacle.ACCOUNT, ("另一大客户", "N14"), ("belongs to a Named Account", "N14")),
        (Obstacle.APPLICATION, ("更早提交的在办申请", "N14"), ("earlier open application", "N14")),
        (Obstacle.APPLICANT_LEFT, ("申请人已离职", "A2"), ("has left the company", "A2")),
    ],
)
async def test_n14_a2_the_mail_of_a_refusal_gives_its_reason(
    ground: Ground, obstacle: Obstacle, zh: tuple[str, ...], en: tuple[str, ...]
) -> None:
    approved = Racer(id="refused", applicant=ME, form=application_form("被拒客户"))
    await ground.register([approved])
    await moves(ground, approved, Stage.REFUSED, Notice.REFUSED, obstacle=obstacle)
    for person in (ME, VPS[0], "lin.xia"):
        written = await mail(ground, "refused", person)
        for words in zh:
            assert words in written.text
            assert words in written.html
    for words in en:
        assert words in Texts("en").text(f"end_reason.{obstacle}")
    if obstacle is Obstacle.APPLICANT_LEFT:
        assert "冲突" not in written.text
        assert "N14" not in written.text
    ((rule,),) = await ground.rows("SELECT body->>'rule' FROM audit WHERE event = 'stage_moved'")
    assert rule == obstacle.rule


async def test_n10_a_rejection_that_is_final_offers_no_appeal(ground: Ground) -> None:
    await ground.register([REVIEWED])
    for moment in (NOW + timedelta(days=2), NOW + timedelta(days=6), DUE):
        await chase(ground, VPS[0], moment)
    await answers(ground, REVIEWED, GENERAL_MANAGER, VPS[0], "reject", "战略不符")
    await moves(ground, REVIEWED, Stage.REJECTED, Notice.REJECTED)
    for kind, person in (("rejected", ME), ("task_withdrawn", VPS[1])):
        for language in ("zh", "en"):
            written = (await mail(ground, kind, person, language)).text
            assert "可申请二次审核" not in written
            assert "appeal" not in written.lower()
    told = (await mail(ground, "rejected", ME)).text
    assert "最终决定" in told
    assert "战略不符" in told


async def test_n10_a_rejection_by_a_vp_may_be_appealed_and_says_until_when(ground: Ground) -> None:
    await ground.register([REVIEWED])
    await answers(ground, REVIEWED, VPS[0], VPS[0], "reject", "潜力不足")
    await moves(ground, REVIEWED, Stage.REJECTED, Notice.REJECTED)
    written = (await mail(ground, "rejected", ME)).text
    assert "2027年1月1日" in written
    assert "可申请二次审核" in written


async def test_n10_n13_an_applicant_is_not_called_who_decided(ground: Ground) -> None:
    other = Racer(
        id="back", applicant=ME, form=application_form("撤回客户"), approved=False, open_tasks=REVIEWED.open_tasks
    )
    await ground.register([REVIEWED, other])
    await answers(ground, REVIEWED, VPS[0], VPS[0], "reject", "潜力不足")
    await moves(ground, REVIEWED, Stage.REJECTED, Notice.REJECTED)
    await hears(ground, REVIEWED, ground.says(AppealRejection, REVIEWED, ME, reason="有新进展"))
    await moves(ground, REVIEWED, Stage.GM_APPEAL, Notice.APPEAL_FILED)
    await hears(ground, other, ground.says(Withdraw, other, ME, reason="客户转向"))
    await moves(ground, other, Stage.WITHDRAWN, Notice.WITHDRAWN)
    for kind, label in (("appeal_filed", "提请人"), ("withdrawn", "撤回人")):
        written = await mail(ground, kind, VPS[1])
        assert f"{label}：销售0" in written.text
        assert "决定人" not in written.text.partition("已有决定")[0]
    assert "决定人：李明" in (await mail(ground, "rejected", ME)).text


async def test_n12_a_stand_in_gets_a_deadline_to_come_and_the_one_replaced_is_told(ground: Ground) -> None:
    await ground.register([REVIEWED])
    for moment in (NOW + timedelta(days=2), NOW + timedelta(days=6), DUE):
        last = await chase(ground, VPS[0], moment)
    assert last.due_at == DUE + timedelta(days=7), "as many working days as lie between two reminders"
    asked = await mail(ground, "stand_in", GENERAL_MANAGER)
    assert "2026年12月15日" in asked.text
    told = await mail(ground, "stand_in_asked", VPS[0])
    for words in ("张伟", "代为处理", "仍可处理"):
        assert words in told.text
    kept = "SELECT due_at FROM task WHERE slot = :slot"
    assert await ground.rows(kept, slot=VPS[0]) == [(DUE + timedelta(days=7),)]
    step = RefreshStep(key="refresh", now=DUE + timedelta(hours=1), subject=REVIEWED.subject)
    await ground.run(ground.chasing.refresh_tasks, step, REVIEWED.workflow_id)
    assert await ground.rows(kept, slot=VPS[0]) == [(DUE + timedelta(days=7),)]
    assert await ground.rows(kept, slot=VPS[1]) == [(DUE,)]


async def test_n12_a_delegate_is_told_that_their_time_is_over_not_that_the_task_was_withdrawn(ground: Ground) -> None:
    await ground.register([REVIEWED])
    ends = NOW + timedelta(hours=2)
    given = Delegation(person=VPS[0], delegate=DELEGATE, start=NOW - timedelta(days=1), end=ends)
    async with ground.engine.begin() as connection:
        now = await ground.facts.organisation(connection)
        await import_organisation(connection, now.model_copy(update={"delegations": (given,)}), now=NOW, by="test")
    for moment in (NOW, ends):
        step = RefreshStep(key=f"refresh:{moment.isoformat()}", now=moment, subject=REVIEWED.subject)
        await ground.run(ground.chasing.refresh_tasks, step, REVIEWED.workflow_id)
    written = (await mail(ground, "task_withdrawn", DELEGATE)).text
    assert "您代表李明的代理已结束" in written
    assert "已撤回" not in written

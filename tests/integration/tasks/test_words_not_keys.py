"""Readers see words and no keys of the record: in labels, pages, the dossier and the API's views, in both languages
(X4, N11)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretBytes
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.steps import GatherStep, MoveStep, RecordStep, SubmitStep
from crypto.keyring import Keyring
from crypto.links import link_token
from db.disputes import disputes
from db.projects import projects
from domain.accounts.application import Stage
from domain.accounts.evidence import EvidenceKind
from domain.accounts.named_account import Obstacle
from domain.notices import Notice
from domain.statements import AnswerTask, Statement, SubmitApplication
from domain.subject import Subject, SubjectType
from domain.tasks.task import Ask, TaskKind
from tests.integration.projects.project_door import APPLICANT, CLERK, Call, door, fill, filled
from tests.integration.tasks.race_ground import (
    NOW,
    VPS,
    Ground,
    Racer,
    salesperson,
)
from tests.samples import APPLICATION_FORM, application_form
from tests.visible import Visible, keys_in

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
ID, WORKFLOW = "spoken", "application-spoken"
SUBJECT = Subject(type=SubjectType.APPLICATION, id=ID)
HELD = Racer(id="held", applicant=salesperson(0), form=application_form("江苏紫金数据存储"))


@pytest.fixture
async def ground(engine: AsyncEngine) -> Ground:
    made = Ground(engine, KEYS)
    await made.prepare(sellers=1)
    return made


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with door(engine, database_url, base_url="http://here", link_keys=KEYS) as asking:
        yield asking


class Story:
    """An application that goes a long way: matches, notes, rulings, sent back, rejected or refused."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._step = 0

    async def submit(self) -> None:
        given = APPLICATION_FORM
        customer = given.customer.model_copy(update={"name": HELD.form.customer.name, "uscc": None})
        said = self._says(
            SubmitApplication, APPLICANT, application_id=ID, form=given.model_copy(update={"customer": customer})
        )
        await self._run(self.ground.account_steps.submit_application, SubmitStep(key="submit", now=NOW, statement=said))

    async def gather(self, number: int = 1) -> None:
        for gather in (self.ground.evidence.gather_registrations, self.ground.evidence.gather_background):
            step = GatherStep(key=f"{gather.__name__}:{number}", now=NOW, application_id=ID, round=number)
            await self._run(gather, step)

    async def move(self, stage: Stage, *asks: Ask, notices: tuple[Notice, ...] = (), **more: Any) -> None:
        self._step += 1
        step = MoveStep(
            key=f"move:{self._step}", now=NOW, subject=SUBJECT, stage=stage, asks=asks, notices=notices, **more
        )
        await self._run(self.ground.records.move, step)

    async def task(self, kind: TaskKind, person: str = "") -> str:
        rows = await self.ground.rows(
            "SELECT id FROM task WHERE kind = :kind AND status = 'open' AND slot = :slot", kind=kind, slot=person
        )
        return str(rows[0][0])

    async def answers(
        self, kind: TaskKind, person: str, choice: str, reason: str = "", slot: str = "", **fields: Any
    ) -> None:
        task_id = await self.task(kind, slot)
        said = self._says(AnswerTask, person, task_id=task_id, choice=choice, reason=reason, fields=fields)
        self._step += 1
        step = RecordStep(key=f"record:{self._step}", now=NOW, subject=SUBJECT, statement=said)
        recorded = await self._run(self.ground.records.record_statement, step)
        assert recorded.accepted, recorded.code

    def _says(self, kind: type[Statement], person: str, **said: Any) -> Any:
        racer = Racer(id=ID, applicant=APPLICANT, form=HELD.form)
        return self.ground.says(kind, racer, person, **said)

    async def _run(self, method: Any, step: Any) -> Any:
        return await self.ground.run(method, step, WORKFLOW)


async def checked(ground: Ground) -> Story:
    """Up to the commerce check, with an account in the way and a company that the registers know."""
    await ground.register([HELD])
    await ground.hold([HELD], [1])
    async with ground.engine.begin() as connection:
        await connection.execute(text("UPDATE party SET subject_type = 'account' WHERE subject_id = 'held'"))
    story = Story(ground)
    await story.submit()
    await story.gather()
    await story.move(Stage.COMMERCE_CHECK, Ask(kind=TaskKind.COMMERCE_CHECK))
    return story


async def test_x4_the_pages_of_an_application_show_no_keys(ground: Ground, call: Call) -> None:
    story = await checked(ground)
    (found,) = await ground.rows("SELECT link_id FROM task_person WHERE person = :p", p=CLERK)
    for language in ("zh", "en"):
        page = await call(CLERK, "GET", f"/d/{link_token(found[0], KEYS)}?lang={language}")
        assert page.status_code == 200
        assert keys_in(page.text) == set(), language
    task_id = await story.task(TaskKind.COMMERCE_CHECK)
    shown = (await call(CLERK, "GET", f"/api/v1/tasks/{task_id}")).json()
    labels = [field["label"] for choice in shown["choices"] for field in choice["fields"]]
    assert "批注：与现有大客户的冲突" in labels
    assert not [label for label in labels if label.isascii()]
    assert {item["source_label"] for item in shown["application"]["evidence"]} == {
        "大客户登记册",
        "申请登记册",
        "项目登记册",
        "背景资料库",
    }
    assert "资信情况" in {item["kind_label"] for item in shown["application"]["evidence"]}


async def test_n11_the_dossier_shows_no_keys(ground: Ground, call: Call) -> None:
    story = await checked(ground)
    await story.answers(
        TaskKind.COMMERCE_CHECK,
        CLERK,
        "pass",
        note_accounts="已电话核实",
        note_credit="良好",
        matches=[{"id": "held", "ruling": "cleared", "reason": "不是同一家"}],
    )
    await story.move(Stage.VP_REVIEW, Ask(kind=TaskKind.VP_REVIEW))
    for vp in VPS:
        await story.answers(TaskKind.VP_REVIEW, vp, "approve", slot=vp)
    await story.move(Stage.REFUSED, notices=(Notice.REFUSED,), obstacle=Obstacle.APPLICATION)
    for person, reason in ((CLERK, "更早提交的在办申请"), ("anna.miller", "earlier open application")):
        html = await dossier(call, person)
        assert reason in html
        assert keys_in(html) == set(), person
        if person == CLERK:  # in a Chinese document a bare English word is a key
            small_print = [words for words in Visible(html).words if "：" in words]
            values = {
                value for words in small_print for part in words.split(" · ") for value in re.split("[：、]", part)
            }
            assert not values & {*EvidenceKind, *Notice, *Stage, *TaskKind, "account", "application", "project"}
            assert not [words for words in small_print if "submitted:" in words or "task:" in words]


async def test_n11_the_dossiers_of_projects_and_the_pages_about_them_show_no_keys(
    engine: AsyncEngine, call: Call
) -> None:
    async with filled(engine) as connection:
        await fill(connection)
        refusal = {
            "by": "wang.fang",
            "reason": "同一项目",
            "at": NOW.isoformat(),
            "suspects": ["theirs"],
            "objection_until": "2027-01-01T10:00:00+08:00",
        }
        await projects.change(connection, "p1", refusal=refusal, end_reason={"reason": "不做了", "by": APPLICANT})
        meeting = {"wanted": {"by": APPLICANT, "reason": "谈不拢", "at": NOW.isoformat()}}
        await disputes.change(connection, "p2-1", meeting=meeting)
        await connection.execute(text("UPDATE task_person SET link_id = replace(link_id, '.', '-')"))
        await connection.commit()
    for project_id in ("p1", "p2", "p3", "p4"):
        for person in (CLERK, "anna.miller"):
            path = f"/api/v1/projects/{project_id}/dossier"
            shown = (await call(person, "GET", path, headers={"accept": "text/html"})).text
            assert keys_in(shown) == set(), (project_id, person)
    for language in ("zh", "en"):
        page = await call(CLERK, "GET", f"/d/{link_token('t1-gao-yuan', KEYS)}?lang={language}")
        assert page.status_code == 200
        assert keys_in(page.text) == set()


@pytest.mark.parametrize("kind", ["applications", "projects"])
async def test_n11_x4_the_language_links_of_a_dossier_lead_to_it_in_that_language(
    kind: str, ground: Ground, call: Call, engine: AsyncEngine
) -> None:
    if kind == "applications":
        await checked(ground)
    else:
        async with filled(engine) as tx:
            await fill(tx)
            await tx.commit()
    path = f"/api/v1/{kind}/{ID if kind == 'applications' else 'p1'}/dossier"
    own = await call(CLERK, "GET", path, headers={"accept": "text/html"})
    assert '<html lang="zh-CN">' in own.text
    (link,) = re.findall(r'<a href="([^"]*)" hreflang="en"', own.text)
    english = await call(CLERK, "GET", str(httpx.URL(f"http://here{path}").join(link)), headers={"accept": "text/html"})
    assert '<html lang="en">' in english.text
    assert "all decisions" in english.text
    assert keys_in(english.text) == set()
    (back,) = re.findall(r'<a href="([^"]*)" hreflang="zh"', english.text)
    again = await call("anna.miller", "GET", path + back, headers={"accept": "text/html"})
    assert '<html lang="zh-CN">' in again.text
    unknown = await call("anna.miller", "GET", f"{path}?lang=tlh", headers={"accept": "text/html"})
    assert '<html lang="en">' in unknown.text  # what they read in
    json_in_english = await call("anna.miller", "GET", f"{path}?lang=zh")
    assert json_in_english.json() == (await call("anna.miller", "GET", path)).json()


async def dossier(call: Call, person: str) -> str:
    path = f"/api/v1/applications/{ID}/dossier"
    return str((await call(person, "GET", path, headers={"accept": "text/html"})).text)

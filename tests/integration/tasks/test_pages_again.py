"""A form that is not taken comes back as it was sent, with every wrong field and the confirmation (X4, N9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from pydantic import SecretBytes
from sqlalchemy.ext.asyncio import AsyncEngine

from crypto.keyring import Keyring
from crypto.links import link_token
from db.projects import projects
from db.tasks import tasks
from domain.projects.project import ProjectStage
from domain.tasks.task import TaskKind
from tests.inputs import Inputs
from tests.integration.projects.project_door import APPLICANT, VP, Call, asked, door, filled, row, task
from texts.catalogue import Texts

KEYS = Keyring((("1", SecretBytes(bytes(range(7, 39)))),))
SUPPLY = f"/d/{link_token('t2-yang-fan', KEYS)}"
PAGE = f"/d/{link_token('t1-li-ming', KEYS)}"


class EngineAway:
    """An engine that cannot be reached: what passes the page's checks is answered with 503."""

    def get_workflow_handle(self, workflow_id: str) -> SimpleNamespace:
        async def signal(*sealed: object, **how: object) -> None:
            raise RuntimeError(f"no engine for {workflow_id}: {sealed} {how}")

        return SimpleNamespace(signal=signal)


@pytest.fixture
async def call(engine: AsyncEngine, database_url: str) -> AsyncIterator[Call]:
    async with filled(engine) as tx:
        await projects.add(tx, row("p1"))
        person = asked("t1", VP).model_copy(update={"link_id": "t1-li-ming"})
        await tasks.open_task(tx, task("t1", TaskKind.PROJECT_APPROVAL, subject="p1"), [person])
        await projects.add(tx, row("p2", stage=ProjectStage.HELD))
        person = asked("t2", APPLICANT).model_copy(update={"link_id": "t2-yang-fan"})
        await tasks.open_task(tx, task("t2", TaskKind.SUPPLY_INFORMATION, subject="p2"), [person])
        await tx.commit()
    async with door(engine, database_url, base_url="http://here", link_keys=KEYS, client=EngineAway()) as asking:
        yield asking


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("confirmed", [True, False])
async def test_n9_a_rejection_without_a_reason_keeps_its_confirmation_or_asks_for_it(
    call: Call, confirmed: bool, language: str
) -> None:
    typed = {"choice": "reject", "reason": "", **({"confirm": "yes"} if confirmed else {})}
    answer = await call(VP, "POST", f"{PAGE}?lang={language}", data=typed)
    assert answer.status_code == 422
    inputs = Inputs(answer.text)
    assert (inputs.values["choice"], "confirm" in inputs.checked) == ("reject", confirmed)
    assert ("f-confirm" in inputs.anchors, "f-reason" in inputs.anchors) == (not confirmed, True)
    missing = Texts("zh" if language == "zh" else "en").error("confirm_missing")
    assert answer.text.count(missing) == (0 if confirmed else 2)


async def test_x4_a_page_that_is_opened_is_never_confirmed(call: Call) -> None:
    page = await call(VP, "GET", f"{PAGE}?confirm=yes")
    assert page.status_code == 200
    assert not Inputs(page.text).checked


async def test_p2_a_form_that_nobody_has_changed_is_asked_about_once(call: Call) -> None:
    shown = Inputs((await call(APPLICANT, "GET", SUPPLY)).text)
    untouched = {**shown.values, "confirm": "yes"}
    asked_about = await call(APPLICANT, "POST", SUPPLY, data=untouched)
    assert asked_about.status_code == 422
    assert "您没有修改任何内容，仍要提交吗？" in asked_about.text
    again = Inputs(asked_about.text)
    assert "confirm" in again.checked
    # Pressed again, it is sent to the engine.
    assert (await call(APPLICANT, "POST", SUPPLY, data=again.values)).status_code == 503
    changed = {**untouched, "note": "已补充"}
    assert (await call(APPLICANT, "POST", SUPPLY, data=changed)).status_code == 503

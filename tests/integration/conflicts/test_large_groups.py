"""N3, P4, X3: a large group is judged within a budget, what is left out is kept and said, and nobody stands unseen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.projects import matches
from activities.steps import Moved
from conflicts import budget as budgets
from conflicts import hits
from conflicts.budget import Budget, turn
from conflicts.detection import detect
from conflicts.inquiry import Inquiry, keyed
from db.accounts import applications
from db.projects import projects
from db.reads import lists
from domain.conflicts.draft import ConflictDraft
from domain.policy import load_policy
from domain.projects.project import ProjectForm, ProjectStage
from matching.parties import Party
from tests.integration.projects.people import FAN, JING, LEI
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.tasks.race_ground import NOW
from tests.samples import project_form

pytestmark = pytest.mark.timeout(300)
"""Large groups take their time on a busy machine."""

GROUP = "云岭集团有限公司"
BRANCHES = [f"云岭集团有限公司{place}分公司" for place in ("北京", "上海", "重庆", "苏州")]


def of_group(*related: str) -> ProjectForm:
    return project_form(GROUP, related=[(name, None) for name in related])


async def test_p4_names_beyond_the_budget_are_listed_and_identical_names_still_found(
    ground: ProjectGround, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4, N3: the customer first; related parties are still found under their own names."""
    await ground.registered("near", LEI, project_form("云岭集团"))
    await ground.registered("exact", JING, project_form(BRANCHES[3]))
    monkeypatch.setattr(matches, "Budget", lambda: Budget(pairs=1))
    mine = await ground.registered("mine", FAN, of_group(*BRANCHES), NOW + timedelta(days=1))
    await mine.routes()
    async with engine.connect() as connection:
        found = {match.subject_id: match for match in await projects.matches_of(connection, "mine", 1)}
        left_out = await projects.not_compared(connection, "mine", 1)
    assert found.keys() == {"near", "exact"}
    assert found["exact"].declared
    assert set(left_out) == set(BRANCHES)
    monkeypatch.setattr(matches, "Budget", Budget)
    whole = await ground.registered("whole", FAN, of_group(*BRANCHES), NOW + timedelta(days=2))
    await whole.routes()
    async with engine.connect() as connection:
        assert await projects.not_compared(connection, "whole", 1) == ()


async def test_x3_a_step_waiting_for_its_turn_frees_its_connection_and_succeeds_on_retry(
    ground: ProjectGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "MANY", 3)
    monkeypatch.setattr(matches, "Budget", lambda: Budget(patience=0.01))
    mine = await ground.registered("mine", FAN, of_group(*BRANCHES))
    async with turn(100, Budget()):
        with pytest.raises(ApplicationError) as busy:
            await mine.routes()
    assert (busy.value.type, busy.value.non_retryable) == ("Busy", False)
    assert busy.value.next_retry_delay
    await mine.routes()


async def test_n3_many_names_are_looked_up_in_parts_and_found_as_one_by_one(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "AT_ONCE", 2)
    names = [GROUP, *BRANCHES]
    async with engine.begin() as connection:
        for number, name in enumerate(["云岭集团", "云岭集团北京分公司", "云岭", "云岭集团有限公司上海分公司"]):
            for twice in ("a", "b"):
                parties = keyed([Party(name=name)])
                await applications.set_parties(connection, "account", f"{twice}{number}", parties, since=NOW, live=True)
        bounds = load_policy().matching

        async def looked(*asked: str) -> dict[str, tuple[str, float]]:
            related = [{"name": name} for name in asked[1:]]
            draft = ConflictDraft.model_validate({"customer": {"name": asked[0], "related_parties": related}})
            found = await detect(connection, Inquiry.about(draft), ("account",), now=NOW, bounds=bounds)
            return {match.subject_id: (match.verdict.level, match.verdict.score) for match in found}

        whole = await looked(*names)
        assert whole.keys() == {f"{twice}{number}" for twice in "ab" for number in range(4)}
        assert whole["a3"][0] == "related", "N3: the same company as a declared related party"
        for number in range(4):
            assert whole[f"a{number}"] == whole[f"b{number}"], "two subjects that name one company"
        monkeypatch.setattr(hits, "AT_ONCE", 100)
        assert await looked(*names) == whole


async def test_x3_a_process_without_assignee_for_a_minute_is_counted(
    ground: ProjectGround, engine: AsyncEngine
) -> None:
    mine = await ground.registered("mine", FAN, project_form(GROUP))
    later = NOW + timedelta(seconds=61)

    async def standing() -> int:
        async with engine.connect() as connection:
            now = (await lists.waiting_now(connection, NOW + timedelta(seconds=59)))["baobei_processes_standing"]
            assert now == 0
            return await lists.processes_standing(connection, later)

    assert await standing() == 1, "still routing"
    await mine.routes()
    moved: Moved = await mine.is_checked()
    assert moved.tasks
    assert await standing() == 0, "somebody is asked"
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE task SET status = 'decided', closed_at = :at"), {"at": NOW})
    assert await standing() == 1, "answered, and nothing has followed"
    async with engine.begin() as connection:
        await projects.change(connection, "mine", stage=ProjectStage.ACTIVE)
    assert await standing() == 0, "an active project goes on by itself"

"""The inbox, the desk and the search: what somebody finds there, and what they do not."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.projects import projects
from db.tasks import tasks
from domain.tasks.task import TaskKind, TaskStatus
from tests.integration.pages.page_door import Pages, words
from tests.integration.projects.project_door import APPLICANT, CLERK, NOW, VP, asked, task
from tests.integration.projects.test_projects_record import project
from tests.samples import PROJECT_FORM

MANY = 230
LATE = 20
"""Of `MANY`; they were opened first, so a list of the newest does not have them."""
OTHER_CLERK = "anna.miller"


@pytest.fixture
async def crowded(connection: AsyncConnection) -> None:
    """The clerk has `MANY` more open tasks."""
    for number in range(MANY):
        late = number < LATE
        due_at = NOW + timedelta(minutes=number) - (timedelta(days=9) if late else -timedelta(days=9))
        row = task(
            f"m{number:03}",
            TaskKind.CONFLICT_CHECK,
            subject="p1",
            opened_at=NOW + timedelta(minutes=number) - timedelta(days=20),
            due_at=due_at,
        )
        await tasks.open_task(connection, row, [asked(row.id, CLERK)])
    await connection.commit()


def listed(page: httpx.Response) -> list[str]:
    """The tasks of a list, in its order."""
    return re.findall(r'<li[^>]*><a href="/inbox/([\w-]+)', page.text)


@pytest.mark.usefixtures("crowded")
async def test_n12_what_is_overdue_comes_first_however_much_waits(pages: Pages) -> None:
    first = await pages.get(CLERK, "/inbox")
    assert listed(first)[:LATE] == [f"m{number:03}" for number in range(LATE)]
    overdue = await pages.get(CLERK, "/inbox?overdue=true")
    assert listed(overdue) == [f"m{number:03}" for number in range(LATE)]
    desk = await pages.get(CLERK, "/")
    assert listed(desk)[0] == "m000"
    assert str(MANY + 1) in words(desk)


@pytest.mark.usefixtures("crowded")
async def test_n12_every_open_task_is_on_one_page_of_the_inbox(pages: Pages) -> None:
    seen: list[str] = []
    address = "/inbox"
    while address:
        shown = await pages.get(CLERK, address)
        assert len(shown.content) < 60_000
        seen += listed(shown)
        further = re.search(r'href="(/inbox\?[^"]*cursor=[^"]*)"', shown.text)
        address = further.group(1).replace("&amp;", "&") if further else ""
    assert sorted(seen) == sorted(["t1", *(f"m{number:03}" for number in range(MANY))])


@pytest.fixture
async def of_many_amounts(connection: AsyncConnection) -> None:
    """The clerk is asked about 40 projects: of the north, but every fourth one of the east; each a million larger."""
    for number in range(40):
        form = PROJECT_FORM.model_copy(update={"amount": Decimal(number + 10) * 1_000_000})
        department = "east" if number % 4 == 0 else "north"
        await projects.add(connection, project(f"a{number:02}", form=form, department=department))
        due_at = NOW + timedelta(days=40 - number)
        opened_at = NOW - timedelta(hours=number)
        asking = task(
            f"a{number:02}", TaskKind.CONFLICT_CHECK, subject=f"a{number:02}", due_at=due_at, opened_at=opened_at
        )
        await tasks.open_task(connection, asking, [asked(asking.id, CLERK)])
    await connection.commit()


async def all_listed(pages: Pages, address: str) -> list[str]:
    """The tasks of all pages of a list, in their order."""
    seen: list[str] = []
    while address:
        shown = await pages.get(CLERK, address)
        assert shown.status_code == 200
        seen += listed(shown)
        further = re.search(r'href="(/inbox\?[^"]*cursor=[^"]*)"', shown.text)
        address = further.group(1).replace("&amp;", "&") if further else ""
    return seen


@pytest.mark.usefixtures("of_many_amounts")
async def test_an_inbox_is_ordered_and_filtered_by_what_was_chosen_on_every_page(pages: Pages) -> None:
    names = [f"a{number:02}" for number in range(40)]
    assert await all_listed(pages, "/inbox") == [*names[:34:-1], "t1", *names[34::-1]]  # t1 is due in five days
    assert await all_listed(pages, "/inbox?order=newest") == sorted(["t1", *names], key=lambda name: name != "t1")
    assert await all_listed(pages, "/inbox?order=amount") == [*names[::-1], "t1"]
    assert await all_listed(pages, "/inbox?department=east&order=amount") == names[::4][::-1]
    assert await all_listed(pages, "/inbox?at_least=4%2C000") == names[30:][::-1]
    assert await all_listed(pages, "/inbox?department=east&at_least=4000&order=newest") == names[32::4]
    assert await all_listed(pages, "/inbox?department=nowhere") == []
    assert await all_listed(pages, "/inbox?at_least=many") == await all_listed(pages, "/inbox")


@pytest.mark.parametrize("cursor", ["x", "WyJtYW55IiwgInQxIl0", "WyJOYU4iLCAidDEiXQ"])
async def test_a_cursor_that_is_not_ours_is_refused(pages: Pages, cursor: str) -> None:
    for order in ("due", "newest", "amount"):
        assert (await pages.get(CLERK, f"/inbox?order={order}&cursor={cursor}")).status_code == 422


async def test_x2_decided_by_me_is_what_i_decided(connection: AsyncConnection, pages: Pages) -> None:
    for task_id, decider in (("mine", CLERK), ("theirs", OTHER_CLERK)):
        row = task(task_id, TaskKind.CONFLICT_CHECK, subject="p1")
        await tasks.open_task(connection, row, [asked(task_id, CLERK), asked(task_id, OTHER_CLERK)])
        await connection.execute(
            text(
                "INSERT INTO decision VALUES (:task, :task, :person, 'holder', NULL, 'clear', false, '', '{}', "
                ":now, :now)"
            ),
            {"task": task_id, "person": decider, "now": NOW},
        )
        await tasks.close(connection, [task_id], TaskStatus.ANSWERED, at=NOW, because="answered")
    await connection.commit()
    assert listed(await pages.get(CLERK, "/inbox?list=decided")) == ["mine"]
    assert listed(await pages.get(OTHER_CLERK, "/inbox?list=decided")) == ["theirs"]


async def test_x2_a_task_of_others_is_not_found(pages: Pages) -> None:
    for person in (VP, APPLICANT):
        assert (await pages.get(person, "/inbox/t1")).status_code == 404
        sent = await pages.post(person, "/inbox/t1", {"choice": "clear", "confirm": "yes"}, form_on="/inbox")
        assert sent.status_code == 404
        assert (await pages.get(person, "/inbox/t1/state")).status_code == 404
    assert (await pages.get(CLERK, "/inbox/no-task-of-ours")).status_code == 404


async def test_n6_a_decision_made_elsewhere_closes_the_task_and_says_who(
    connection: AsyncConnection, pages: Pages
) -> None:
    assert words(await pages.get(CLERK, "/inbox/t1/state")).strip() == ""
    await connection.execute(
        text(
            "INSERT INTO decision VALUES ('t1', 'm', :person, 'holder', NULL, 'clear', false, '不同的机房', '{}', "
            ":now, :now)"
        ),
        {"person": OTHER_CLERK, "now": NOW},
    )
    await tasks.close(connection, ["t1"], TaskStatus.ANSWERED, at=NOW, because="answered")
    await connection.commit()
    state = await pages.get(CLERK, "/inbox/t1/state", headers={"HX-Request": "true"})
    assert "Anna Miller" in words(state)
    assert "<html" not in state.text
    late = await pages.post(CLERK, "/inbox/t1", {"choice": "clear", "confirm": "yes"}, form_on="/inbox")
    assert late.status_code == 409
    assert "Anna Miller" in words(late)
    assert "未被记录" in words(late)


async def test_x2_only_what_i_decided_is_said_to_be_recorded(pages: Pages) -> None:
    for done in ("t1", "nothing", "%3Cscript%3E"):
        assert "上一项已记录" not in words(await pages.get(CLERK, f"/inbox?done={done}"))


async def test_x2_the_desk_says_whom_a_salesperson_waits_for(pages: Pages) -> None:
    desk = words(await pages.get(APPLICANT, "/"))
    assert "冲突检测" in desk
    assert "高媛" in desk
    assert "等我处理 没有等您处理的事项" in desk


async def test_x2_a_search_finds_what_the_viewer_may_see_and_nothing_else(pages: Pages) -> None:
    for person, found in ((APPLICANT, {"p1", "p2", "p3", "p4", "p5"}), (CLERK, {"p1", "p2", "p3", "p4", "p5", "p6"})):
        shown = await pages.get(person, "/search?q=码头")
        assert set(re.findall(r'href="/projects/(p\d)"', shown.text)) == found, person
    for words_of_nobody in ("%", "_", "\\", "没有这个客户"):
        assert 'href="/projects/' not in (await pages.get(CLERK, f"/search?q={words_of_nobody}")).text
    people = words(await pages.get(APPLICANT, "/search?q=高媛"))
    assert "gao.yuan@example.com" in people


async def test_each_list_says_how_much_of_it_is_mine(pages: Pages) -> None:
    async def counts(person: str) -> list[str]:
        page = await pages.get(person, "/inbox")
        tabs = re.findall(r'<a href="/inbox\?list=\w+"[^>]*>(.*?)</a>', page.text)
        return [re.sub(r"<[^>]+>|[^0-9+]", "", tab) for tab in tabs]

    assert await counts(CLERK) == ["1", "", "", ""]
    started = await pages.get(APPLICANT, "/inbox?list=started")
    assert await counts(APPLICANT) == ["", "", str(started.text.count('class="row-name"')), ""]
    assert await counts("tang.bo") == ["", "", "", "1"]

"""N3, N14, P10: what may be the same company comes from PostgreSQL by an index, and is always current."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bench.conflicts.data import fill
from bench.conflicts.names import invented
from conflicts import rekeying
from conflicts.inquiry import keyed
from conflicts.rekeying import rekey
from db.accounts import applications
from db.conflicts import candidates
from db.conflicts.candidates import projects_named
from db.connection.engine import make_engine
from embedded.servers.postgres import PostgresServer
from matching.parties import Party
from tests.integration.conftest import as_superuser

pytestmark = pytest.mark.timeout(300)
"""Twenty thousand names take their time on a slow disk."""

NOW = datetime(2026, 12, 1, 1, tzinfo=UTC)
FULL = "中国石油天然气集团有限公司"


async def register(connection: AsyncConnection, subject_id: str, *names: str, live: bool = True) -> None:
    parties = keyed([Party(name=name) for name in names])
    await applications.set_parties(connection, "account", subject_id, parties, since=NOW, live=live)


async def found(connection: AsyncConnection, name: str, **more: Any) -> list[str]:
    asked = keyed([Party(name=name)])
    return [
        candidate.name
        for candidate in await candidates.candidates(connection, ["account"], asked, **{"but": ""} | more)
    ]


@pytest.mark.parametrize(
    "asked",
    [
        "中石油",
        "中國石油",
        "中国石油天然气集团公司",
        "中国石油天燃气集团有限公司",
        "中国石油天然气集团有限公司北京分公司",
    ],
)
async def test_a_name_is_found_by_similar_ones(engine: AsyncEngine, asked: str) -> None:
    """N3: abbreviation, other script, other form, a slip of typing, a branch."""
    async with engine.begin() as connection:
        await register(connection, "a", FULL)
        await register(connection, "b", "苏州云岭精密制造股份有限公司")
        assert await found(connection, asked) == [FULL]


async def test_what_is_not_live_is_found_only_where_history_is_asked_for(engine: AsyncEngine) -> None:
    """P10: from the transaction that makes it live until the one that ends it."""
    async with engine.begin() as connection:
        await register(connection, "a", FULL, live=False)
        assert await found(connection, "中石油") == []
        assert await found(connection, "中石油", live_only=False) == [FULL]
        await applications.set_live(connection, "account", "a", True)
        assert await found(connection, "中石油") == [FULL]
        assert await found(connection, "中石油", but="a") == []
        assert await found(connection, FULL) == [FULL]


async def test_a_member_finds_its_group_among_many_of_the_same_trade(engine: AsyncEngine) -> None:
    """N3: by grams that only groups and institutions have."""
    async with engine.begin() as connection:
        await register(connection, "g", "中国大唐集团有限公司")
        for number in range(300):
            await register(connection, f"o{number}", f"大唐{chr(0x5000 + number)}环境产业股份有限公司")
        assert "中国大唐集团有限公司" in await found(connection, "大唐环境产业集团股份有限公司")


async def plan(connection: AsyncConnection, name: str, *, live_only: bool) -> str:
    probes = candidates._probes(keyed([Party(name=name)]), await candidates._counts(connection, candidates.PARTY_GRAMS))
    near = candidates.near_sql(live_only=live_only)
    values = {name: [getattr(probe, name) for probe in probes] for name in candidates.Probe._fields if name != "key"}
    explained = text(f"EXPLAIN (FORMAT JSON) {near}")
    return json.dumps(await connection.scalar(explained, {"types": ["account"], "but": "", "keys": [], **values}))


@dataclass(frozen=True)
class ManyNames:
    url: str
    names: Sequence[str]


@pytest.fixture(scope="module")
async def many_names(postgres: PostgresServer, migrated: str) -> AsyncIterator[ManyNames]:
    """A database with 20,000 names, for tests that only look."""
    names = [FULL, *invented(20_000)]
    url = await postgres.create_database("many_names", template=migrated)
    connection = await as_superuser(postgres, url)
    await fill(connection, names, 0)
    await connection.close()
    yield ManyNames(url, names)
    await postgres.drop_database("many_names")


async def test_the_index_is_used_and_few_rows_are_looked_at(many_names: ManyNames) -> None:
    """Issue: indexes it really uses. Among 20,000 names a check reads some hundreds."""
    names = many_names.names
    engine = make_engine(many_names.url, process="test", pool_size=1)
    async with engine.connect() as connection:
        for asked in ("中石油", names[777], "云岭精密"):
            for live_only in (True, False):
                used = await plan(connection, asked, live_only=live_only)
                assert "ix_party_grams" in used
                assert "ix_party_name_key" in used
                assert "Seq Scan" not in used
            near = await found(connection, asked)
            assert len(near) <= candidates.NEAREST + candidates.NEAREST_HEADS + 1
        assert FULL in await found(connection, "中石油")
        assert names[777] in await found(connection, names[777])
    await engine.dispose()


async def test_new_names_are_found_by_the_index_before_a_vacuum(engine: AsyncEngine) -> None:
    """Names that waited in a list beside the index made the planner read the whole table for each look-up."""
    async with engine.begin() as connection:
        await register(connection, "a", *invented(1000))
        await connection.execute(text("ANALYZE party"))
        assert "ix_party_grams" in await plan(connection, "云岭精密", live_only=True)


async def test_a_plan_for_all_values_uses_the_index_too(many_names: ManyNames) -> None:
    """The worker's connections have every statement planned once."""
    engine = make_engine(many_names.url, process="test", pool_size=1)
    worker = make_engine(many_names.url, process="test", pool_size=1, planned_once=True)
    async with engine.connect() as connection, worker.connect() as planned_once:
        for asked in ("中石油", many_names.names[777], "云岭精密"):
            assert await found(planned_once, asked) == await found(connection, asked)
        raw = await planned_once.get_raw_connection()
        assert raw.driver_connection is not None
        near = str(text(candidates.near_sql(live_only=True)).compile(dialect=worker.dialect))
        await raw.driver_connection.execute(f"PREPARE near AS {near}")
        values = ", ".join("'{}'" for _ in set(re.findall(r"\$\d", near)))
        rows = await raw.driver_connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE near ({values})")
        used = json.dumps(rows[0][0])
        assert re.search(r"\$\d", used)
        assert "ix_party_grams" in used
        assert "Seq Scan" not in used
    await worker.dispose()
    await engine.dispose()


async def test_many_projects_of_one_company_crowd_no_other_name_out(engine: AsyncEngine) -> None:
    """N3: hundreds of past projects of the customer itself, and one account under a name that is only near."""
    async with engine.begin() as connection:
        await register(connection, "a", "中石油")
        for number in range(candidates.NEAREST + 50):
            await register(connection, f"p{number}", FULL, live=False)
            await register(connection, f"q{number}", "中国石油天然气股份有限公司", live=False)
        for asked in (FULL, "中国石油集团"):
            assert "中石油" in await found(connection, asked, live_only=False)


async def test_common_grams_are_left_out_only_as_long_as_a_rare_one_is_left() -> None:
    counts = {1: 10.0, 2: 3_000.0, 3: 900_000.0}
    assert candidates._rarest((1, 2, 3, 0), counts, 4000) == [1, 2]
    assert candidates._rarest((3, 0), counts, 4000) == [3]
    assert candidates._rarest((0,), counts, 4000) == []
    assert candidates._rarest((4, 1), counts, 4000) == [4, 1]


@pytest.mark.parametrize("name", ["'; DROP TABLE party; --", "%_\\", "😀", "(.*)+", "有限公司", "1" * 200, "é" * 200])
async def test_any_name_is_looked_for_and_finds_itself(engine: AsyncEngine, name: str) -> None:
    async with engine.begin() as connection:
        await register(connection, "a", name)
        assert await found(connection, name) == [name]


async def test_old_keys_and_grams_are_recomputed_once(engine: AsyncEngine, database_url: str) -> None:
    """N14: what an older version has stored is found as well."""
    async with engine.begin() as connection:
        await register(connection, "a", "臺灣積體電路製造股份有限公司")
        await connection.execute(text("UPDATE party SET name_key = 'old', grams = '{}'"))
        assert await found(connection, "台积电") == []
    assert await rekey(database_url) == 1
    assert await rekey(database_url) == 0
    async with engine.connect() as connection:
        assert await found(connection, "台积电") == ["臺灣積體電路製造股份有限公司"]
        assert await found(connection, "台湾积体电路制造") == ["臺灣積體電路製造股份有限公司"]


async def test_n14_rows_with_invisible_characters_are_rekeyed_in_batches(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N14: what stood under a key of its own before is one customer with the plain name afterwards."""
    monkeypatch.setattr(rekeying, "BATCH", 2)
    odd = [f"云{unseen}岭精密" for unseen in "\u034f\u180b\u17b4\u0301\u3164"]
    async with engine.begin() as connection:
        for number, name in enumerate(odd):
            await register(connection, f"a{number}", name)
        await connection.execute(text("UPDATE party SET name_key = name, grams = '{}'"))
        await connection.execute(text("UPDATE name_keys SET version = 2"))
        assert await found(connection, "云岭精密有限公司") == []
    assert await rekey(database_url) == len(odd)
    async with engine.connect() as connection:
        assert sorted(await found(connection, "云岭精密有限公司")) == sorted(odd)


async def test_projects_are_found_by_a_near_name_and_by_their_tender_number(engine: AsyncEngine) -> None:
    """P4."""
    add = text(
        "INSERT INTO project (id, workflow_id, applicant, salesperson, stage, round, form, policy_digest,"
        " registered_at, stage_since) VALUES (:id, :id, 'p', 'p', 'active', 1, cast(:form AS jsonb), 'd', now(), now())"
    )
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO policy VALUES ('d', '1', '{}')"))
        for number, (name, tender) in enumerate(
            [("长江新区体育馆智能化工程", "ZB-1"), ("门禁", "ZB-2"), ("云桌面", "")]
        ):
            await connection.execute(
                add, {"id": f"p{number}", "form": json.dumps({"name": name, "tender_number": tender})}
            )
        assert await projects_named(connection, "长江新区体育馆智能化工程（第二次）招标公告", "", but="") == ("p0",)
        assert await projects_named(connection, "灾备中心", " ZB-2 ", but="") == ("p1",)
        assert await projects_named(connection, "云桌面", "", but="p2") == ()


async def test_p4_a_near_name_is_found_by_its_rare_pairs_among_many_common_ones(engine: AsyncEngine) -> None:
    """The pages that are read are bounded however many projects share the common words of names."""
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO policy VALUES ('d', '1', '{}')"))
        await connection.execute(
            text(
                "INSERT INTO project (id, workflow_id, applicant, salesperson, stage, round, form, policy_digest,"
                " registered_at, stage_since) SELECT 'p' || n, 'p' || n, 'p', 'p', 'active', 1,"
                " jsonb_build_object('name', chr(20000 + n) || chr(24000 + n) || '智能化系统集成工程'),"
                " 'd', now(), now() FROM generate_series(1, 6000) AS n"
            )
        )
        await connection.execute(text("ANALYZE project"))
        wanted = f"{chr(20000 + 77)}{chr(24000 + 77)}智能化系统集成工程（二期）"
        assert (await projects_named(connection, wanted, "", but=""))[:1] == ("p77",)
        assert len(await projects_named(connection, wanted, "", but="")) <= candidates.MOST_PROJECTS
        explained = text(f"EXPLAIN (FORMAT JSON) {candidates.PROJECTS_NAMED_SQL}")
        pairs = await connection.scalar(text("SELECT name_pairs(CAST(:name AS text))"), {"name": wanted[:2]})
        plan = json.dumps(
            await connection.scalar(explained, {"but": "", "name": wanted, "rare": pairs, "tender": "", "most": 50})
        )
        assert "ix_project_name_pairs" in plan


@pytest.mark.parametrize(
    ("name", "same"),
    [("长江 新区", "长江新区"), ("ＢＩＭ平台", "bim平台"), ("机房（二期）", "机房二期"), ("长江", "长江")],
)
async def test_p4_width_case_and_punctuation_count_for_nothing_in_pairs(
    engine: AsyncEngine, name: str, same: str
) -> None:
    async with engine.connect() as connection:
        pairs = text("SELECT name_pairs(CAST(:name AS text))")
        assert await connection.scalar(pairs, {"name": name}) == await connection.scalar(pairs, {"name": same})
        assert await connection.scalar(pairs, {"name": "长"}) == []
        assert await connection.scalar(pairs, {"name": ""}) == []

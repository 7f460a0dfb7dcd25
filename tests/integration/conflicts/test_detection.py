"""N3, N14: what is found on a real record when several registered companies are near to the one asked about."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from conflicts.detection import Found, detect
from conflicts.inquiry import Inquiry, keyed
from db.accounts import applications
from domain.conflicts.draft import ConflictDraft
from domain.conflicts.verdict import Level
from domain.policy import load_policy
from matching.parties import Party

NOW = datetime(2026, 12, 1, 1, tzinfo=UTC)
PETRO, SINOPEC = "中国石油天然气集团有限公司", "中国石油化工集团有限公司"


async def found(engine: AsyncEngine, asked: str, *registered: str) -> dict[str, Found]:
    """Every match by the name it was found by."""
    async with engine.begin() as connection:
        for name in registered:
            parties = keyed([Party(name=name)])
            await applications.set_parties(connection, "account", name, parties, since=NOW, live=True)
        draft = ConflictDraft.model_validate({"customer": {"name": asked}})
        matches = await detect(connection, Inquiry.about(draft), ("account",), now=NOW, bounds=load_policy().matching)
    return {match.name: match for match in matches}


async def test_n3_a_short_name_that_fits_one_registered_company_is_that_company(engine: AsyncEngine) -> None:
    match = (await found(engine, "中石油", PETRO, "苏州云岭精密制造股份有限公司"))[PETRO]
    assert match.verdict.level is Level.SAME


async def test_n3_a_short_name_that_fits_several_is_looked_at_and_refuses_or_routes_nothing(
    engine: AsyncEngine,
) -> None:
    """N3, P3: two companies cannot both be the one that is meant."""
    both = await found(engine, "中石油", PETRO, SINOPEC)
    assert both.keys() == {PETRO, SINOPEC}
    for match in both.values():
        assert (match.verdict.level, match.conflict) == (Level.LOOK, False)
        assert "fits_several" in {reason.key for reason in match.verdict.reasons}


async def test_n3_an_identical_name_stays_the_same_company_beside_similar_ones(engine: AsyncEngine) -> None:
    """N14."""
    matches = await found(engine, PETRO, PETRO, SINOPEC, "中石油")
    assert (matches[PETRO].verdict.level, matches[PETRO].conflict) == (Level.SAME, True)

"""What Named Accounts have brought in, imported from files (R2, R3): whole or not at all, once, the newest right."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from db.accounts import registers
from db.accounts.registers import AccountResultRow
from db.reference_data import ReferenceData
from db.tables.accounts import account
from db.tables.audit import audit as audit_table
from domain.policy import load_policy
from imports.csv_table import RegisterMistakes
from imports.results_register import read_results
from imports.run import Imports
from tests.integration.accounts.account_ground import add_account
from tests.integration.operations.test_imports_from_files import KEYS, NOW, SAMPLES, SINCE, count, recorded
from tests.integration.operations.test_operator_commands import Run, environ, run
from tests.integration.projects.test_projects_record import RULES

__all__ = ["environ", "run"]
SAMPLE = (SAMPLES / "results.csv").read_text(encoding="utf-8")
CUSTOMER = "苏州云岭精密制造股份有限公司"
HEADER = "account,customer,month,other_contracts,revenue,payments\n"


@pytest.fixture
async def imports(engine: AsyncEngine) -> Imports:
    """The record has two live accounts, and one that was revoked (R5)."""
    async with engine.begin() as connection:
        await RULES.pin_policy(connection)
        await add_account(connection, "yunling", CUSTOMER)
        await add_account(connection, "hengyuan", "恒远", salesperson="xu.jing")
        await add_account(connection, "gone", "旧客户", salesperson="xu.jing")
        await connection.execute(update(account).where(account.c.id == "gone").values(revoked_at=NOW))
    return Imports(engine, ReferenceData(load_policy()), KEYS)


async def kept(engine: AsyncEngine, account_id: str) -> dict[date, tuple[Decimal, ...]]:
    async with engine.connect() as connection:
        rows: tuple[AccountResultRow, ...] = await registers.results_of_account(connection, account_id)
    return {row.month: (row.other_contracts, row.revenue, row.payments) for row in rows}


async def test_r2_results_are_added_once_and_corrected_by_the_newest_file(
    engine: AsyncEngine, imports: Imports
) -> None:
    first = await imports.results(read_results(SAMPLE), **SINCE)
    assert (first.rows, first.added, first.changed) == (2, 2, 0)
    assert (await imports.results(read_results(SAMPLE), **SINCE)).unchanged
    corrected = f"{HEADER}yunling,{CUSTOMER},2026-11,0,1.50,2\n,{CUSTOMER},2026-09,5,6,7\n"
    again = await imports.results(read_results(corrected), **SINCE)
    assert (again.added, again.changed) == (1, 1)
    assert await kept(engine, "yunling") == {
        date(2026, 9, 1): (Decimal(5), Decimal(6), Decimal(7)),
        date(2026, 10, 1): (Decimal(0), Decimal(320000), Decimal(150000)),
        date(2026, 11, 1): (Decimal(0), Decimal("1.50"), Decimal(2)),
    }
    assert await recorded(engine) == ["register_imported"] * 2


async def test_r5_a_revoked_account_is_meant_by_its_id_alone(engine: AsyncEngine, imports: Imports) -> None:
    await imports.results(read_results(f"{HEADER}gone,,2026-10,1,2,3\n"), **SINCE)
    assert list(await kept(engine, "gone")) == [date(2026, 10, 1)]
    with pytest.raises(RegisterMistakes) as caught:
        await imports.results(read_results(f"{HEADER},旧客户,2026-10,1,2,3\n"), **SINCE)
    assert [(mistake.line, mistake.field) for mistake in caught.value.mistakes] == [(2, "customer")]


async def test_x3_a_file_with_a_mistake_changes_nothing(engine: AsyncEngine, imports: Imports) -> None:
    wrong = f"{SAMPLE}无名氏,2026-11,1,2,3\n{CUSTOMER},2026-11,x,2,3\n恒远,2027-06,1,2,3\n"
    with pytest.raises(RegisterMistakes) as caught:
        await imports.results(read_results(wrong), **SINCE)
    assert [(mistake.line, mistake.field) for mistake in caught.value.mistakes] == [
        (4, "customer"),
        (5, "other_contracts"),
        (6, "month"),
    ]
    assert await count(engine, "account_result") == 0
    assert await recorded(engine) == []


async def test_x2_the_record_of_an_import_of_results_names_no_customer(engine: AsyncEngine, imports: Imports) -> None:
    await imports.results(read_results(SAMPLE), **SINCE)
    async with engine.connect() as connection:
        (body,) = await connection.scalars(select(audit_table.c.body))
    assert (body["register_name"], body["rows"], body["added"]) == ("results", 2, 2)
    assert CUSTOMER not in str(body)


async def test_r2_the_command_says_what_it_did_and_names_every_mistake(
    run: Run, engine: AsyncEngine, imports: Imports, tmp_path: Path
) -> None:
    del imports  # the record it fills is what the command works on
    done = await run("register", "import-results", SAMPLES / "results.csv")
    assert (done.code, done.err) == (0, "")
    assert "已导入业绩登记册：共 2 行，新增 2，更正 0" in done.out
    assert "Unchanged" in (await run("register", "import-results", SAMPLES / "results.csv", lang="en_US.UTF-8")).out
    (tmp_path / "bad.csv").write_text(f"{SAMPLE}无名氏,2026-11,1,2,3\n", encoding="utf-8")
    bad = await run("register", "import-results", tmp_path / "bad.csv")
    assert bad.code == 1
    assert "第 4 行: customer: 没有这个名称的大客户" in bad.err
    assert "无名氏" in bad.err
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM account_result")) == 2

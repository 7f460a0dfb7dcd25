"""The operator's commands on a real database: in the tests' own process, and as an operator runs them, in their own."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from cli import app

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "embedded" / "sample"
KEYS = "k1:cdPUBaVTjNr1ksC6Ov5SpqQ4v+TKL1ZUBOIgk3CuBeU="


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Said]]


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    """What a command is told of the record."""
    return {"BAOBEI_EMBEDDED": "true", "BAOBEI_DATABASE_URL": database_url, "BAOBEI_SEAL_KEYS": KEYS}


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Runs `cli.py` with these words, in Chinese unless told otherwise: here, since a process costs more to start
    than most commands to run. One after the other: output and environment are the process's only ones."""
    turn = asyncio.Lock()

    async def command(*words: str | Path, lang: str = "zh_CN.UTF-8", **changed: str) -> Said:
        others = {name: None for name in os.environ if name.startswith(("BAOBEI_", "LC_"))}
        told = others | environ | {"LANG": lang} | changed
        arguments = [str(word) for word in words]
        async with turn:
            done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=told, catch_exceptions=False)
        return Said(done.exit_code, done.stdout, done.stderr)

    return command


@pytest.fixture
def run_apart(environ: dict[str, str]) -> Run:
    """Runs it as an operator does: a process of its own."""

    async def command(*words: str | Path, lang: str = "zh_CN.UTF-8", **changed: str) -> Said:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BAOBEI_", "LC_"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "cli.py",
            *words,
            cwd=ROOT,
            env=inherited | environ | {"LANG": lang, "PYTHONUTF8": "1"} | changed,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode(), err.decode())

    return command


async def counts(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        tables = ("organisation", "calendar", "background", "earlier_project", "party", "audit")
        return {name: int(await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0) for name in tables}


async def test_an_organisation_is_imported_shown_and_not_imported_twice(run: Run, run_apart: Run) -> None:
    missing = await run_apart("org", "show")
    assert (missing.code, missing.out) == (1, "")
    assert "尚未导入组织架构" in missing.err
    first = await run_apart("org", "import", SAMPLES / "org.toml")
    assert (first.code, first.err) == (0, "")
    assert "已导入组织架构第 1 版" in first.out
    assert "yang.fan" in first.out
    assert "已通知 0 个进行中的流程" in first.out
    again = await run("org", "import", SAMPLES / "org.toml", lang="en_US.UTF-8")
    assert again.out.startswith("Unchanged: version 1")
    shown = await run("org", "show")
    assert "华信系统集成有限公司（第 1 版" in shown.out
    assert "yang.fan  杨帆  销售  north" in shown.out


async def test_n6_an_import_warns_of_a_delegation_between_the_sales_vps(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "org.toml"
    given = '[[delegation]]\nperson = "li.ming"\ndelegate = "wang.fang"\n'
    given += "start = 2026-12-01T00:00:00+08:00\nend = 2026-12-09T00:00:00+08:00\n"
    file.write_text((SAMPLES / "org.toml").read_text(encoding="utf-8") + given, encoding="utf-8")
    zh = await run("org", "import", file)
    en = await run("org", "import", file, lang="en_GB.UTF-8")
    assert (zh.code, en.code) == (0, 0)
    assert "delegation.delegate: 提示：李明 与 王芳" in zh.err
    assert "主管VP审核不起作用" in zh.err
    assert "has no effect" in en.err
    assert "已导入组织架构第 1 版" in zh.out


async def test_a_wrong_organisation_is_refused_with_every_mistake_in_the_operators_language(
    run: Run, engine: AsyncEngine, tmp_path: Path
) -> None:
    file = tmp_path / "org.toml"
    sample = (SAMPLES / "org.toml").read_text(encoding="utf-8")
    file.write_text(
        sample.replace('gm = "zhao.lei"', 'gm = "nobody"').replace('["coo", ', '["ceo", '), encoding="utf-8"
    )
    zh, en = await asyncio.gather(run("org", "import", file), run("org", "import", file, lang="en_GB.UTF-8"))
    assert (zh.code, en.code, zh.out) == (1, 1, "")
    assert f"{file}: 第 9 行: department.gm: 没有这个人：nobody" in zh.err
    assert "没有角色“ceo”" in zh.err
    assert f"{file}: line 9: department.gm: unknown person nobody" in en.err
    assert "nothing was imported" in en.err
    assert set((await counts(engine)).values()) == {0}


async def test_registers_and_days_off_are_imported_once(run: Run, engine: AsyncEngine, tmp_path: Path) -> None:
    """N3, N4, N12."""
    year = {"year": 2027, "papers": ["x"], "days": [{"name": "春节", "date": "2027-02-06", "isOffDay": True}]}
    (tmp_path / "2027.json").write_text(json.dumps(year), encoding="utf-8")
    (tmp_path / "2028.json").write_text(
        json.dumps({"year": 2028, "papers": [], "days": [{"date": "2028-01-26", "isOffDay": True}]}), encoding="utf-8"
    )
    commands: list[tuple[str | Path, ...]] = [
        ("org", "import", SAMPLES / "org.toml"),
        ("register", "import-background", SAMPLES / "background.csv"),
        ("register", "import-projects", SAMPLES / "projects.csv"),
        ("calendar", "import", tmp_path / "2027.json", tmp_path / "2028.json"),
    ]
    said = [await run(*words) for words in commands]
    assert [(result.code, result.err) for result in said] == [(0, "")] * 4
    assert "已导入背景资料：共 5 行，新增 5" in said[1].out
    assert "已导入项目登记册：共 6 行，新增 6" in said[2].out
    assert "无法唯一对应" not in said[2].out
    assert "已导入日历第 1 版，含 2027、2028 年" in said[3].out
    assert "2028 年的文件未注明公布出处" in said[3].out
    after = await counts(engine)
    assert after == {"organisation": 1, "calendar": 1, "background": 5, "earlier_project": 6, "party": 7, "audit": 4}
    again = await asyncio.gather(*(run(*words) for words in commands))
    assert all(result.code == 0 and "无变化" in result.out for result in again)
    assert await counts(engine) == after


async def test_a_wrong_register_or_calendar_changes_nothing(run: Run, engine: AsyncEngine, tmp_path: Path) -> None:
    projects = (SAMPLES / "projects.csv").read_text(encoding="utf-8")
    (tmp_path / "p.csv").write_text(projects.replace("进行中", "在做"), encoding="utf-8")
    (tmp_path / "gbk.csv").write_bytes(projects.encode("gbk"))
    (tmp_path / "good.json").write_text('{"year": 2027, "days": [{"date": "2027-02-06", "isOffDay": true}]}')
    (tmp_path / "bad.json").write_text('{"year": 2027,\n"days": [{"date": "2027-02-30", "isOffDay": 1}]}')
    (tmp_path / "bytes.json").write_bytes(b'{"year": "\xff"}')
    wrong, gbk, both, twice, *unusable = await asyncio.gather(
        run("register", "import-projects", tmp_path / "p.csv"),
        run("register", "import-background", tmp_path / "gbk.csv"),
        run("calendar", "import", tmp_path / "good.json", tmp_path / "bad.json", lang="en_US.UTF-8"),
        run("calendar", "import", tmp_path / "good.json", tmp_path / "good.json"),
        *(run("calendar", "import", path) for path in (tmp_path / "bytes.json", tmp_path / "none.json", tmp_path)),
    )
    assert wrong.code == 1
    assert wrong.err.count("status: 没有这个状态") == 2
    assert "GBK" in gbk.err
    assert both.code == 1
    assert "bad.json: line 2: days[0].date: is not a date" in both.err
    assert "bad.json: line 2: days[0].isOffDay: must be true or false" in both.err
    assert "2027 年已在" in twice.err
    for said in unusable:
        assert (said.code, said.out) == (1, "")
        assert "无法读取" in said.err
    assert set((await counts(engine)).values()) == {0}


async def test_an_unavailable_or_empty_database_is_reported_in_one_line(run: Run, empty_database_url: str) -> None:
    urls = ("postgresql://baobei:x@127.0.0.1:9/baobei", empty_database_url, empty_database_url + "_none")
    command = ("org", "import", SAMPLES / "org.toml")
    for said in await asyncio.gather(*(run(*command, lang="en_US.UTF-8", BAOBEI_DATABASE_URL=url) for url in urls)):
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("The record database is unavailable; nothing was changed: ")
        assert said.err.count("\n") == 1


async def test_verify_prints_the_head_exports_the_record_and_proves_the_export_anywhere(
    run: Run, tmp_path: Path
) -> None:
    """X1."""
    assert (await run("verify", lang="en_US.UTF-8")).out.startswith("0 entries, head 0:")
    await run("org", "import", SAMPLES / "org.toml")
    await run("register", "import-background", SAMPLES / "background.csv")
    said = await run("verify", lang="en_US.UTF-8")
    assert said.code == 0
    assert said.out.startswith("2 entries, head 2:")
    assert said.out.endswith(", the record is intact.\n")
    head = said.out.split()[3].rstrip(",")
    export = tmp_path / "record.jsonl"
    assert (await run("verify", "--anchor", head, "--export", export)).code == 0
    assert stat.S_IMODE(export.stat().st_mode) == 0o600
    assert len(export.read_text(encoding="utf-8").splitlines()) == 3
    nowhere = {"BAOBEI_DATABASE_URL": "", "BAOBEI_EMBEDDED": ""}
    assert "记录完整可信" in (await run("verify", "--file", export, "--anchor", head, **nowhere)).out
    keyless = await run("verify", "--file", export, BAOBEI_SEAL_KEYS="", **nowhere)
    assert (keyless.code, "未核对末条印章" in keyless.out) == (0, True)
    export.write_text(export.read_text(encoding="utf-8").replace('"people":', '"People":'), encoding="utf-8")
    found = await run("verify", "--file", export, lang="en_US.UTF-8", **nowhere)
    assert (found.code, "entry 1: changed" in found.err) == (1, True)


async def test_verify_names_every_fault_and_ends_with_1(run: Run, superuser: asyncpg.Connection) -> None:
    """X1: tampering by somebody with all rights on the database."""
    await run("org", "import", SAMPLES / "org.toml")
    await superuser.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await superuser.execute("UPDATE audit SET actor = 'operator:other'; UPDATE audit_head SET seal = 'k1.x'")
    found = await run("verify")
    assert (found.code, found.out) == (1, "")
    assert "2 处问题" in found.err
    assert "第 1 条：内容被改动" in found.err
    assert "第 1 条：末条印章不符" in found.err
    assert "anchor differs" in (await run("verify", "--anchor", "1:" + "0" * 64, lang="en_US.UTF-8")).err
    refused = await asyncio.gather(*(run("verify", "--anchor", wrong) for wrong in ("1", "1:xyz", "1:" + "A" * 64)))
    assert [said.code for said in refused] == [2, 2, 2]

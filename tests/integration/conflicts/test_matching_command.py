"""`cli.py matching evaluate`: the protocol on a handful of made-up records, on a real server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.conflicts.evaluation import run
from cli import app
from commands.matching import size_of

FULL = "中国石油天然气集团有限公司"
RECORDS = [
    {"task": "pair", "type": "short_zh", "track": "main", "src": "x", "a": "中石油", "b": FULL, "label": "same"},
    {
        "task": "pair",
        "type": "neg",
        "track": "main",
        "src": "x",
        "a": "北京银行",
        "b": "南京银行",
        "label": "unrelated",
    },
    {
        "task": "retrieve",
        "type": "short_zh",
        "track": "main",
        "src": "x",
        "relation": "same",
        "q": "中石油",
        "gold": [FULL],
    },
    *(
        {"task": "nil", "type": "nil_random", "src": "x", "q": f"青海{brand}商贸有限公司"}
        for brand in ("伟辉", "瑞昌", "鑫隆", "金源", "盛达")
    ),
    {"task": "project_pair", "type": "proj_lot", "a": "体育馆一标段", "b": "体育馆二标段", "label": "related"},
    {"task": "uscc", "code": "91320594MA27XK3C44", "valid": True},
    {"task": "uscc", "code": "91320594MA27XK3C45", "valid": False},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "some.jsonl"
    made.write_text("\n".join(json.dumps(record) for record in RECORDS), encoding="utf-8")
    entities = tmp_path / "some_entities.jsonl"
    entities.write_text(json.dumps({"eid": "1", "names": [FULL], "src": "x"}), encoding="utf-8")
    with gzip.open(tmp_path / "corpus.txt.gz", "wt", encoding="utf-8") as corpus:
        corpus.write("上海泰玥贸易有限公司\n江西力鼎实业有限公司\n")
    return made


async def test_the_scores_are_printed(file: Path, empty_database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    await run(file, [2, 3], each=5, nil=20, baselines=2, database=empty_database_url)
    said = capsys.readouterr().out
    assert "| main | **ours** | 100.0 | 100.0 | 100.0 |" in said
    assert "Credit codes: 100.0 %" in said
    assert "## 3 names" in said
    assert "| short_zh | main | 100.0 | 100.0 | 100.0 |" in said
    assert "called `same`: 0.0 %" in said
    assert "pg_trgm at 3" in said


async def test_a_database_in_use_is_left_alone(file: Path, empty_database_url: str) -> None:
    await run(file, [2], each=1, nil=20, baselines=0, database=empty_database_url)
    with pytest.raises(ValueError, match="give an empty one"):
        await run(file, [2], each=1, nil=20, baselines=0, database=empty_database_url)


def test_sizes_are_written_as_people_do() -> None:
    assert [size_of(size) for size in ("10k", "1M", " 250 ")] == [10_000, 1_000_000, 250]
    for wrong in ("", "k", "-1", "0", "x"):
        with pytest.raises(ValueError, match="no number of names"):
            size_of(wrong)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["matching", "evaluate", str(tmp_path / "none.jsonl")])
    assert told.exit_code == 1
    assert len(told.output.strip().splitlines()) == 1

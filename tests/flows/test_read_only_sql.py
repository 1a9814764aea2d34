"""Typed SQL changes nothing and reads nothing but the metrics; reports and views still work."""

from pathlib import Path

import duckdb
import pytest

from flows.sql import run_lines, run_query, run_report
from tasks.metrics_db import VIEWS, atomic_update, list_reports, open_readonly

COPY = "(format csv, use_tmp_file false)"
FORBIDDEN = (
    "from read_text('{folder}/secret.txt')",
    "from '{folder}/secret.csv'",
    "from glob('{folder}/*')",
    "copy (select 1) to '{folder}/new.csv'",
    "copy (select 1) to '{metrics}' " + COPY,
    "copy (select 1) to '{metrics}.wal' " + COPY,
    "copy (select 1) to '{metrics}.tmp/x' " + COPY,
    "explain analyze copy (select 1) to '{metrics}' " + COPY,
    "with x as (copy (select 1) to '{metrics}' " + COPY + ") from x",
    "copy (pivot (select 1 as a, 'x' as b) on b using sum(a)) to '{metrics}' " + COPY,
    "export database '{folder}/all'",
    "attach '{folder}/new.duckdb'",
    "pragma profile_output = '{metrics}'",
    "set log_query_path = '{metrics}'",
    "from enable_logging(storage = 'file', storage_path = '{folder}/log')",
    "set disabled_filesystems = ''",
    "set enable_external_access = true",
    "install httpfs",
    "create table more as select 1",
    "delete from runs",
)


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty metrics database, with a file beside it that is none of its business."""
    monkeypatch.setenv("CONTENT_ADVISOR_STORE", str(tmp_path))
    path = tmp_path / "artifacts" / "metrics.duckdb"
    with atomic_update(path):
        pass
    for name in ("secret.txt", "secret.csv"):
        (tmp_path / name).write_text("secret")
    return path


@pytest.mark.parametrize("query", FORBIDDEN)
def test_typed_sql_can_open_no_file(query: str, tmp_path: Path, metrics: Path) -> None:
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(duckdb.Error):
        run_query(query.format(folder=tmp_path, metrics=metrics))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_forbidden_line_is_one_line_and_the_next_is_run(
    metrics: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_lines(
        [f"from read_text('{metrics}')", "set variable x = 41", "select getvariable('x') + 1"]
    )
    printed = capsys.readouterr()
    assert printed.err.startswith("error: Permission Error")
    assert printed.err.count("\n") == 1
    assert "42" in printed.out


def test_every_view_and_report_works(metrics: Path) -> None:
    with open_readonly(metrics) as db:
        views = db.execute(VIEWS).fetchall()
    assert len(views) >= 10
    for (view,) in views:
        run_query(f'from "{view}"')
    for name in list_reports():
        run_report(name, {})


def test_reports_can_spill_to_disk(metrics: Path) -> None:
    with open_readonly(metrics) as db:
        db.execute("set memory_limit = '60MB'")
        db.execute("set threads = 1")
        texts = "select md5(range::varchar) as text from range(2000000)"
        assert db.execute(f"select count(distinct text) from ({texts})").fetchall() == [(2000000,)]

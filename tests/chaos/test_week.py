"""A week of daily runs: killed once, with poisoned data for two days, and then sound again."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tasks.metrics_db import find_champion, open_readonly
from tests.servers import ROOT, beside_server, server, wait_until

OVERRIDES = {  # fewer rivals, films and probes: all stages are there, and soon done
    "baseline": {
        "rating_models": ["bias"],
        "list_models": ["popularity"],
        "blended": ["llm", "bias"],
    },
    "promotion": {"ndcg": 0.05},  # as short as these runs are, lists are a matter of luck
    "predict": {"greedy": False},
    "decode": {"list_length": 5},
    "ablation": {"perturbations": ["empty"]},
    "prompt": {"prior": "bias"},
    "rank": {"films": 500},
    "retrieve": {"candidates": 10, "films": 500},
}
WEEK = [dt.date(2018, 9, 17) + dt.timedelta(days) for days in range(7)]  # of ml-latest-small
MONDAY, _, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = WEEK


def walk(
    first: dt.date, last: dt.date, data: Path, environment: dict[str, str]
) -> subprocess.Popen[str]:
    """A backfill, with the processes that it starts in a group of their own."""
    days = ["--from", str(first), "--to", str(last)]
    how = ["--profile", "smoke", "--data", str(data)]
    how += [f"--set={name}={json.dumps(value)}" for name, value in OVERRIDES.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "backfill", *days, *how],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def poison(ratings: Path, file: Path) -> None:
    """Turn 5,000 ratings round, at noon of the Thursday."""
    noon = dt.datetime.combine(THURSDAY, dt.time(12), dt.UTC)
    turned = pl.read_csv(ratings).head(5_000)
    turned = turned.with_columns(
        rating=5.5 - pl.col("rating"), timestamp=pl.lit(int(noon.timestamp()))
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    turned.write_csv(file)


def built(store: Path) -> dict[Path, int]:
    """When each artifact was finished."""
    return {file.parent: file.stat().st_mtime_ns for file in store.glob("*/*/[!.]*/manifest.json")}


@pytest.mark.chaos
@pytest.mark.timeout(5400)
def test_a_week_with_a_poisoned_increment(ml_latest_small: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    metrics, poisoned = store / "artifacts" / "metrics.duckdb", store / "data/incoming/friday.csv"
    environment = beside_server(tmp_path, store)

    def ends_well(first: dt.date, last: dt.date) -> str:
        week = walk(first, last, ml_latest_small, environment)
        output, _ = week.communicate()
        assert week.returncode == 0, output
        return output

    with server(environment):
        week = walk(MONDAY, WEDNESDAY, ml_latest_small, environment)
        wait_until(lambda: len(list(store.glob("artifacts/adapter/[!.]*"))) == 2, seconds=1500)
        os.killpg(week.pid, signal.SIGKILL)
        week.communicate()
        there = built(store)
        ends_well(MONDAY, THURSDAY)
        assert there.items() <= built(store).items()  # nothing was done again
        before = find_champion(metrics)
        poison(ml_latest_small / "ratings.csv", poisoned)
        ends_well(FRIDAY, SATURDAY)
        assert find_champion(metrics) == before
        poisoned.unlink()
        output = ends_well(SUNDAY, SUNDAY)
    with open_readonly(metrics) as db:
        runs = db.execute(
            "select as_of, run_id, promoted, previous_champion, reason "
            "from champions join runs using (run_id) order by decided_at"
        ).fetchall()
        broken = db.execute(
            "select as_of, check_name, slice_value "
            "from checks join runs using (run_id) where not passed"
        ).fetchall()
    assert [(day, promoted) for day, _, promoted, *_ in runs] == [
        (day, day not in (FRIDAY, SATURDAY)) for day in WEEK
    ]
    assert sorted(broken) == [(FRIDAY, "data", "volume"), (SATURDAY, "data", "volume")]
    for _, _, _, against, reason in runs[4:6]:
        assert against == before
        assert reason.startswith("data (volume): 133.")  # usual days' ratings on one
    assert runs[6][3] == before
    assert all(str(day) in output for day in WEEK)
    assert output.count("rejected") == 2
    pages = [page.read_text() for page in store.glob("artifacts/report/*/report.html")]
    trends = [page.split("<h2>Trend")[1].split("<h2>")[0] for page in pages]
    (newest,) = [trend for trend in trends if runs[6][1] in trend]
    assert all(run in newest for _, run, *_ in runs)
    assert newest.count("<title>") == 7
    assert newest.count('fill="var(--other)"') == 2

"""Whole runs, cut down, on data sets whose faults show only after training; a folder of runs/ each.

A run takes about a minute, so they are slow tests.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.metrics_db import open_readonly
from tests.runs import FEW
from tests.servers import ROOT, beside_server, server

pytestmark = pytest.mark.slow
DATA = Path(__file__).parent / "runs"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A server, and the environment of who talks to it."""
    folder = tmp_path_factory.mktemp("server")
    environment = beside_server(folder, folder / "store")
    with server(environment):
        yield environment


@pytest.fixture
def advisor(environment, tmp_path):
    """Runs a command on a store of this test; returns what it printed."""

    def run(*arguments):
        ran = subprocess.run(
            [sys.executable, "-m", "flows", *arguments],
            cwd=ROOT,
            env=environment | {"CONTENT_ADVISOR_STORE": str(tmp_path), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


@pytest.fixture
def query(advisor, tmp_path):
    """Queries the metrics database of this test's store."""

    def rows(sql):
        with open_readonly(tmp_path / "artifacts" / "metrics.duckdb") as db:
            return db.execute(sql).fetchall()

    return rows


def power_user_has_empty_lists(query, advisor):
    """User 99 has rated every film: the model's lists are empty, and count among all 41."""
    entries = "select predictor, film_id, error from lists where user_id = 99 and fold = 'test'"
    for predictor in ("llm", "ranked"):
        assert query(f"{entries} and predictor = '{predictor}'") == [
            (predictor, None, "no film known")
        ]
    counted = "select distinct n from metrics where metric = 'ndcg' and slice = 'everyone'"
    counted += " and relevance = 'rated'"
    assert query(counted) == [(41,)]


def titles_are_printed_as_they_are(query, advisor):
    """What looks like markup is printed, and what acts on a terminal is escaped."""
    printed = advisor("sql", "select title from films where film_id in (5, 6, 14)")
    for title in ("[rec] (2007)", "[/bold] closing (2001)", "\\u202eevil"):
        assert title in printed
    advisor("recommend", "--user", "1")
    advisor("recommend", "[rec] (2007)=5")
    for report in ("film", "worst", "misses", "user"):
        advisor("reports", report)


def the_largest_id_is_answered(query, advisor):
    """A user id of 2147483647 has predictions, and a typed history is answered beside it."""
    largest = "select count(*) from rating_predictions where user_id = 2147483647"
    assert query(largest)[0][0]
    answer = json.loads(advisor("recommend", "Film 1=5", "Film 2=1", "--json"))
    assert answer["films"]


def half_stars_stay_half_stars(query, advisor):
    """Ratings from 0.5 to 5 without 2, 3 and 4 are predicted over all ten half stars."""
    lengths = "select distinct len(probabilities) from rating_predictions where predictor = 'llm'"
    assert query(lengths) == [(10,)]


CHECKS = {
    "n-power-user": power_user_has_empty_lists,
    "n-odd-titles": titles_are_printed_as_they_are,
    "n-max-int": the_largest_id_is_answered,
    "n-half-stars-from-whole": half_stars_stay_half_stars,
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_whole_run_ends_with_finite_figures(name, advisor, query):
    assignments = [f"--set={name}={json.dumps(value)}" for name, value in FEW.items()]
    advisor("nightly", "--profile", "smoke", "--data", str(DATA / name), *assignments)
    rmse = query("select value from metrics where metric = 'rmse'")
    assert rmse
    assert all(math.isfinite(value) for (value,) in rmse)
    CHECKS[name](query, advisor)


def test_every_data_set_has_a_check():
    assert {folder.name for folder in DATA.iterdir()} == set(CHECKS)

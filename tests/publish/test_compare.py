"""Two runs beside each other: intervals as a bootstrap over users has them, and what differs."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tasks.metrics_db import atomic_update, open_readonly, run_report

USERS, EACH = 120, 6
DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def predictions(run, noise, draw, users):
    """Of `users`, who rated the same films in every run."""
    truth = np.random.default_rng(0).integers(1, 6, (USERS, EACH))[:users]
    mean = truth + draw.normal(size=truth.shape) * noise
    rows = [(u, f, float(truth[u, f]), mean[u, f]) for u in range(users) for f in range(EACH)]
    table = pl.DataFrame(rows, ["user_id", "film_id", "rating", "mean"], orient="row")
    same = {"run_id": run, "predictor": "llm", "fold": "test"}
    return table.with_columns(**{name: pl.lit(value) for name, value in same.items()})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The database, and each run's predictions; the second one has ten users more."""
    path, draw = tmp_path_factory.mktemp("runs") / "metrics.duckdb", np.random.default_rng(1)
    tables = [predictions("a", 1.0, draw, USERS - 10), predictions("b", 0.9, draw, USERS)]
    with atomic_update(path) as db:
        for day, rated in enumerate(tables):
            run, films = rated["run_id"][0], 8 + day
            about = f"'{run}', ?, 'laptop', 'made', 'leave-last', null, null, 'recipe'"
            db.execute(f"insert into runs values ({about})", [DAY + dt.timedelta(days=day)])
            db.execute(
                "insert into earlier_rating_predictions by name "
                "select *, mean as median, mean as mode, 3 as within_half from rated"
            )
            db.execute(
                f"insert into earlier_lists by name select '{run}' as run_id, 'llm' as predictor, "
                "'test' as fold, user_id, film_id, 10 - rank as rank, 'x' as title, 0.0 as score "
                f"from (select distinct user_id from rated), range({day}, 4) as r(rank), "
                "lateral (select rank + 3 as film_id)"
            )
            db.execute(
                f"insert into earlier_films by name "
                f"select '{run}' as run_id, i as film_id, '' as genres, "
                f"'Film ' || if(i = 3, '{run}', '') as title from range({films}) as f(i)"
            )
            rows = [
                (run, "llm", metric, k, relevance, 0.5 + day, 0, 1, 9)
                for metric, k, relevance in (("rmse", None, None), ("ndcg", 10, "rated"))
            ]
            db.executemany("insert into overall_metrics values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            shown = [(run, "adapter", "lora.r", str(8 * (day + 1))), (run, "base", "name", '"x"')]
            db.executemany("insert into settings values (?, ?, ?, ?)", shown)
            seconds = [run, 1, "adapter", run, day == 0, 10.0 + day, 1, 1, 1, 1]
            db.execute("insert into stages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", seconds)
    return path, tables


def bootstrap(statistic, users):
    draw = np.random.default_rng(2)
    found = [statistic(draw.choice(users, len(users))) for _ in range(4000)]
    return np.quantile(found, [0.025, 0.975])


def test_the_rmse_of_common_users_differs_with_the_interval_of_a_bootstrap(runs):
    path, (a, b) = runs
    both = a.join(b, on=["user_id", "film_id"])
    errors = both.select(
        "user_id",
        one=(pl.col("mean") - pl.col("rating")) ** 2,
        other=(pl.col("mean_right") - pl.col("rating")) ** 2,
    )
    one, other = (errors[name].to_numpy().reshape(-1, EACH) for name in ("one", "other"))

    def difference(users):
        return np.sqrt(other[users].mean()) - np.sqrt(one[users].mean())

    with open_readonly(path) as db:
        query = "select difference, ci95_low, ci95_high, n from changed_metrics where run_id = 'b'"
        ((found, low, high, n),) = db.execute(query + " and metric = 'rmse'").fetchall()
    everyone = np.arange(USERS - 10)
    assert found == pytest.approx(difference(everyone))
    assert [low, high] == pytest.approx(bootstrap(difference, everyone), abs=0.01)
    assert high - low > 0.05
    assert n == len(everyone) * EACH


def test_the_ndcg_of_common_users_differs_by_the_hit_that_one_list_lacks(runs):
    """Films 3, 4, 5 and 6 at ranks 10, 9, 8 and 7; the second run names no film 3."""
    with open_readonly(runs[0]) as db:
        query = "select difference, ci95_low, ci95_high, n from changed_metrics where run_id = 'b'"
        ((found, low, high, n),) = db.execute(query + " and metric = 'ndcg'").fetchall()
    ideal = sum(1 / np.log2(place + 1) for place in range(1, EACH + 1))
    assert found == pytest.approx(-1 / np.log2(11) / ideal)
    assert (low, high, n) == (pytest.approx(found), pytest.approx(found), USERS - 10)


def test_what_differs_in_settings_and_data_is_listed_and_nothing_else(runs):
    with open_readonly(runs[0]) as db:
        settings = db.execute("from changed_settings where run_id = 'b'").fetchall()
        query = "select what, gained, lost, moved from changed_data where run_id = 'b' order by all"
        data = db.execute(query).fetchall()
    assert settings == [("b", "a", "adapter", "lora.r", "16", "8")]
    assert data == [("films", 1, 0, 1), ("test ratings", 10 * EACH, 0, 0)]


def test_the_report_takes_the_run_before_unless_it_is_told_which(runs):
    with open_readonly(runs[0]) as db:
        default = run_report(db, "compare", {}).fetchall()
        named = run_report(db, "compare", {"run": "b", "with": "a"}).fetchall()
        turned = run_report(db, "compare", {"run": "a", "with": "b"}).fetchall()
    assert default == named
    assert named[0][:4] == ("run", "run", "b", "a")
    assert {row[0] for row in named} == {"run", "settings", "metrics", "seconds", "data"}
    assert [row[4] for row in turned if row[4]] == [-row[4] for row in named if row[4]]

"""One half of the users decides about promotion, and the other half reports."""

import duckdb
import polars as pl

from tasks.score.halves import keep_half
from tests.score.random_world import make_world


def halves_of(users, seed=0):
    found = []
    for half in ("decides", "reports"):
        with duckdb.connect() as db:
            db.execute("create table users as select unnest(?) as user_id", [users])
            keep_half(db, half, seed)
            found.append({user for (user,) in db.execute("from users").fetchall()})
    return found


def test_each_user_is_in_one_half_whoever_else_is_there():
    decides, reports = halves_of(list(range(1000)))
    assert decides | reports == set(range(1000))
    assert not decides & reports
    assert 450 < len(decides) < 550
    assert halves_of(list(range(500)))[0] == {user for user in decides if user < 500}
    assert halves_of(list(range(1000)), seed=1)[0] != decides


def test_the_figures_of_both_halves_are_those_of_all_users(store, tmp_path):
    world, tables = make_world(store, resamples=100), {}
    for half in (None, "decides", "reports"):
        (folder := tmp_path / str(half)).mkdir()
        of_half = world._replace(inputs=world.inputs._replace(half=half))
        metrics, _ = of_half.measure(folder, store)
        tables[half] = metrics.filter(
            (pl.col("slice") == "everyone") & (pl.col("predictor") == "llm")
        )
    for metric in ("mse", "recall"):
        found = [table.filter(pl.col("metric") == metric) for table in tables.values()]
        rows = [table.row(0, named=True) for table in found]
        whole, decides, reports = ((row["value"], row["n"]) for row in rows)
        assert decides[1] + reports[1] == whole[1]
        total = decides[0] * decides[1] + reports[0] * reports[1]
        assert abs(total / whole[1] - whole[0]) < 1e-6

"""What the head is worth is paired, by times rated, and other films' states are all given away."""

import numpy as np
import polars as pl
import pytest

from bench.head import PAIRS, measure, retitle
from tasks.store.artifacts import FilmStates, SplitRatings


@pytest.fixture
def split(store):
    rows = [(1, 1, "train"), (2, 1, "train"), (1, 2, "test"), (2, 2, "test"), (3, 1, "test")]
    table = (
        pl.DataFrame(rows, ["user_id", "film_id", "fold"], orient="row")
        .with_columns(
            rating=pl.lit(3.0),
            rated_at=pl.lit(0),
            position=0,
            cold=pl.lit(False),
            role=pl.when(pl.col("fold") == "test")
            .then(pl.lit("target"))
            .otherwise(pl.lit("context")),
        )
        .cast(
            {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32, "position": pl.Int32}
        )
    )
    times = pl.col("rated_at").cast(pl.Datetime("us", "UTC"))

    def write(draft):
        table.with_columns(times).write_parquet(draft / "ratings.parquet")
        return {"dataset": "tiny", "scale": [1.0, 5.0], "protocol": "hand"}

    return store.build(SplitRatings, recipe={}, write=write)


def predictions(*error: float) -> pl.DataFrame:
    keys = {"user_id": [1, 2, 3], "film_id": [2, 2, 1], "rating": [3.0] * 3}
    return pl.DataFrame(keys).with_columns(mean=3 + pl.Series(error))


def test_rmse_and_differences_by_how_often_a_film_had_been_rated(split):
    names = {name for pair in PAIRS for name in pair}
    tables = {name: predictions(1, 1, 2) for name in names}
    tables["llm_head"] = predictions(0, 0, 2)
    found = measure(tables, split)
    assert {name: row["n"] for name, row in found.items()} == {
        "everyone": 3, "rated 0 times": 2, "rated 1 to 4 times": 1
    }  # fmt: skip
    assert found["everyone"]["llm_head"] == pytest.approx(np.sqrt(4 / 3))
    assert found["rated 0 times"]["llm_head - bayesian_fm"] == pytest.approx([-1, -1, -1])
    assert found["rated 1 to 4 times"]["retitled - llm_head"] == pytest.approx([0, 0, 0])


def test_every_state_is_given_to_another_film_once(store):
    def write(draft):
        columns = {"film_id": pl.Int32, "state": pl.List(pl.Float32)}
        rows = {"film_id": range(1, 41), "state": [[float(i)] for i in range(40)]}
        pl.DataFrame(rows, columns).write_parquet(draft / "states.parquet")
        return {"model": "hand"}

    states = store.build(FilmStates, recipe={}, write=write)
    before, after = (made.scan("states").collect() for made in (states, retitle(states, store)))
    assert after["film_id"].equals(before["film_id"])
    assert not after["state"].equals(before["state"])
    assert sorted(after["state"].to_list()) == before["state"].to_list()

"""Real ratings, as trusted and split by time with equal timestamps in order of film id."""

from pathlib import Path

import polars as pl
import pytest

from tasks.split.task import LeaveLast, split_ratings
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store

ML_100K = Path(__file__).resolve().parents[2] / "data" / "raw" / "ml-100k"


def prepared(store: Store, ratings: pl.DataFrame, films: pl.DataFrame, dataset: str, scale):
    """The handles of a data set whose reference figures are known."""

    def write(draft):
        typed = ratings.select(
            pl.col("user_id").cast(pl.Int32),
            pl.col("film_id").cast(pl.Int32),
            pl.col("rating").cast(pl.Float32),
            rated_at=pl.from_epoch("timestamp").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        )
        typed.sort("user_id", "rated_at", "film_id").write_parquet(draft / "ratings.parquet")
        films.select(
            pl.col("film_id").cast(pl.Int32),
            "title",
            year=pl.lit(None, pl.Int16),
            genres=pl.lit(""),
        ).sort("film_id").write_parquet(draft / "films.parquet")
        columns = {"relation": str, "source": str, "line": pl.UInt32, "rule": str, "detail": str}
        pl.DataFrame(schema=columns).write_parquet(draft / "quarantine.parquet")
        return {"dataset": dataset, "scale": scale}

    trusted = store.build(ValidatedRatings, recipe={"dataset": dataset}, write=write)
    return trusted, split_ratings.fn(trusted, config=LeaveLast(ties="film"), store=store)


@pytest.fixture(scope="session")
def house(tmp_path_factory) -> Store:
    """One store for all tests of the room."""
    return Store(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def small(house, ml_latest_small) -> tuple[ValidatedRatings, SplitRatings]:
    """ml-latest-small."""
    ratings = pl.read_csv(ml_latest_small / "ratings.csv")
    films = pl.read_csv(ml_latest_small / "movies.csv")
    names = {"userId": "user_id", "movieId": "film_id"}
    scale = [half / 2 for half in range(1, 11)]
    return prepared(
        house, ratings.rename(names), films.rename({"movieId": "film_id"}), "small", scale
    )


@pytest.fixture(scope="session")
def ml_100k(house) -> tuple[ValidatedRatings, SplitRatings]:
    """MovieLens-100K, where a night has fetched it."""
    if not ML_100K.is_dir():
        pytest.skip("no MovieLens-100K in data/raw: run `make nightly` first")
    ratings = pl.read_csv(ML_100K / "ml-100k.inter", separator="\t")
    films = pl.read_csv(ML_100K / "ml-100k.item", separator="\t", infer_schema=False)
    ratings.columns = ["user_id", "film_id", "rating", "timestamp"]
    films = films.select(pl.nth(0).cast(pl.Int32).alias("film_id"), pl.nth(1).alias("title"))
    scale = [1.0, 2.0, 3.0, 4.0, 5.0]
    return prepared(
        house, ratings.with_columns(pl.col("timestamp").cast(pl.Int64)), films, "100k", scale
    )

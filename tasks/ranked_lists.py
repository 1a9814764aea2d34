"""The columns of ranked lists, and a row for each user who has no list."""

import polars as pl

LIST = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("rank", pl.Int32),
        ("film_id", pl.Int32),
        ("title", pl.String),
        ("rating", pl.Float64),
        ("score", pl.Float64),
    ]
)


def with_empty(lists: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """The lists, and an empty entry for each of the users (fold, user_id) who has none.

    Whoever came before all others can be told of nothing, and is still to be counted.
    """
    without = users.unique().join(lists, on=["fold", "user_id"], how="anti")
    empty = without.with_columns(rank=1, title=pl.lit(""))
    missing = [pl.lit(None).alias(name) for name in LIST if name not in empty.columns]
    empty = empty.with_columns(missing).select(pl.col(n).cast(kind) for n, kind in LIST.items())
    return pl.concat([lists, empty])


def list_table(lists: pl.DataFrame, predictor: str) -> pl.DataFrame:
    """The table `lists` of the artifact; where no failure is told, there was no film or none."""
    nothing = pl.when(pl.col("film_id").is_null()).then(pl.lit("no film known"))
    failure = pl.col("error") if "error" in lists.columns else nothing
    return lists.select(
        pl.lit(predictor).alias("predictor"), *LIST, failure.cast(pl.String).alias("error")
    ).sort("predictor", "fold", "user_id", "rank")

"""The columns of ranked lists, and a row for each user without a list."""

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


def add_empty_lists(lists: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Add an empty entry for each of the users (fold, user_id) who has no list.

    For a user whose first target precedes all other ratings no film is eligible; metrics count that
    user all the same.
    """
    without = users.unique().join(lists, on=["fold", "user_id"], how="anti")
    empty = without.with_columns(rank=1, title=pl.lit(""))
    missing = [pl.lit(None).alias(name) for name in LIST if name not in empty.columns]
    empty = empty.with_columns(missing).select(pl.col(n).cast(kind) for n, kind in LIST.items())
    return pl.concat([lists, empty])


def to_list_table(lists: pl.DataFrame, predictor: str) -> pl.DataFrame:
    """The artifact's table `lists`; without a column `error`, an entry without a film has one."""
    no_film = pl.when(pl.col("film_id").is_null()).then(pl.lit("no film known"))
    error = pl.col("error") if "error" in lists.columns else no_film
    return lists.select(
        pl.lit(predictor).alias("predictor"), *LIST, error.cast(pl.String).alias("error")
    ).sort("predictor", "fold", "user_id", "rank")

"""Composes each user's list from the ranked candidates and their expected ratings."""

from pathlib import Path
from typing import Any

import polars as pl

from tasks.store.artifacts import (
    RankedLists,
    RatingPredictions,
    ServedLists,
    SplitRatings,
    ValidatedRatings,
)

EXPECTED = ("expected", "pi80_low", "pi80_high", "p_like")


def compose_lists(
    draft: Path,
    requests: SplitRatings,
    ratings: ValidatedRatings,
    lists: RankedLists,
    predictions: RatingPredictions,
    length: int,
) -> dict[str, Any]:
    """Write recommendations.parquet; return the number of users that asked.

    Among films of the same title only the first is taken: people know films by title.
    Raises ValueError where a list names a film that its user has rated or that is not in the
    catalogue: no list may.
    """
    titles = ratings.scan("films").select("film_id", "title", "genres")
    expected = predictions.scan("ratings").rename({"mean": "expected"})
    rows = lists.scan("lists").filter(pl.col("film_id").is_not_null()).drop("title")
    rows = rows.join(titles, on="film_id", how="left")
    rows = rows.join(expected.select("user_id", "film_id", *EXPECTED), on=["user_id", "film_id"])
    best = rows.sort("user_id", "rank").unique(
        ["user_id", "title"], keep="first", maintain_order=True
    )
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id")
    best = best.with_columns(rank=rank).filter(pl.col("rank") <= length)
    table = best.select(*ServedLists.tables["recommendations"].columns).collect()
    targets = requests.scan("ratings").filter(pl.col("role") == "target")
    known = requests.scan("ratings").filter(pl.col("role") == "context")
    _refuse_seen(table, known)
    table.write_parquet(draft / "recommendations.parquet")
    users = targets.select(pl.col("user_id").n_unique()).collect().item()
    return {"dataset": requests.metadata["dataset"], "users": users, "list_length": length}


def _refuse_seen(table: pl.DataFrame, known: pl.LazyFrame) -> None:
    if unknown := table["title"].null_count():
        raise ValueError(f"{unknown} places of the lists name a film that is not in the catalogue")
    seen = table.lazy().join(known, on=["user_id", "film_id"], how="semi").collect()
    if not seen.is_empty():
        user, film = seen.select("user_id", "film_id").row(0)
        raise ValueError(f"the list of user {user} names film {film}, which that user has rated")

"""Door: trusted ratings in, histories out."""

from pathlib import Path
from typing import Any

import polars as pl
from prefect import task

from tasks.artifacts import RATING, Histories, TrustedRatings
from tasks.split.protocols import LeaveLast, Split
from tasks.store import Store

__all__ = ["LeaveLast", "Split", "split_histories"]


@task
def split_histories(ratings: TrustedRatings, *, config: Split, store: Store) -> Histories:
    """Mark every rating of every user as context (shown) or target (to be guessed)."""

    def write(draft: Path) -> dict[str, Any]:
        marked = config.mark(ratings.scan("ratings")).collect()
        marked.with_columns(cold=_cold(marked)).select(
            *RATING, "position", "fold", "part", "cold"
        ).write_parquet(draft / "histories.parquet")
        notes = ratings.notes
        return {"dataset": notes["dataset"], "scale": notes["scale"], "protocol": config.name}

    return store.build(Histories, recipe=config, parents=[ratings], write=write)


def _cold(marked: pl.DataFrame) -> pl.Expr:
    """Whether no rating of the film lies in what the rating's fold may know of the folds before.

    The train fold knows itself, validation knows train, and test knows both.
    """
    trained, validated = (
        marked.filter(fold=fold)["film_id"].unique().implode() for fold in ("train", "validation")
    )
    new = ~pl.col("film_id").is_in(trained)
    return new & ((pl.col("fold") != "test") | ~pl.col("film_id").is_in(validated))

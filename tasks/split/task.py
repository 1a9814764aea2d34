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
        known = marked.filter(pl.col("fold") == "train").select("film_id").unique()
        marked.with_columns(cold=~pl.col("film_id").is_in(known["film_id"].implode())).select(
            *RATING, "position", "fold", "part", "cold"
        ).write_parquet(draft / "histories.parquet")
        notes = ratings.notes
        return {"dataset": notes["dataset"], "scale": notes["scale"], "protocol": config.name}

    return store.build(Histories, recipe=config, parents=[ratings], write=write)

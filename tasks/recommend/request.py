"""Puts a person who asks today into the histories: everything known is shown, nothing is hidden."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.recommend.config import RecommendRequest
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.titles import Understood, understand

ROW = ["user_id", "film_id", "rating", "rated_at", "position", "fold", "role", "cold"]


def write_request(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, request: RecommendRequest
) -> dict[str, Any]:
    """Leave the histories with the asker's in the draft; return who that is."""
    table = split.scan("ratings").collect()
    counts = table.group_by("film_id").agg(count=pl.len())
    films = ratings.scan("films").collect().join(counts, on="film_id", how="left")
    scale = ratings.metadata["scale"]
    told = understand(request.ratings, films.fill_null(0), scale[0], scale[-1])
    together, asker = with_asker(table, request.user, told, request.at)
    together.write_parquet(draft / "ratings.parquet")
    understood = [one._asdict() for one in told]
    return split.metadata | {"asker": asker, "understood": understood}


def with_asker(
    histories: pl.DataFrame, user: int | None, told: Sequence[Understood], at: dt.datetime
) -> tuple[pl.DataFrame, int]:
    """The histories with every rating known, and with the asker's last; and the asker's id.

    Ratings told by hand are a new user's. A place is kept at the end for what is asked: a target
    at the time `at`, of whose film and rating nothing is read.
    Raises ValueError where there is no such user.
    """
    known = histories.with_columns(fold=pl.lit("train"), role=pl.lit("context"))
    users = histories["user_id"].unique().sort().to_list()
    if user is not None and known.filter(user_id=user).is_empty():
        raise ValueError(f"no user {user}: there are users from {users[0]} to {users[-1]}")
    asker = users[-1] + 1 if user is None else user
    start = 0 if user is None else known.filter(user_id=user).height
    rows = [
        (asker, one.film_id, one.rating, at - dt.timedelta(seconds=len(told) - i), start + i)
        for i, one in enumerate(told)
    ]
    rows.append((asker, int(histories["film_id"][0]), 0.0, at, start + len(told)))
    added = pl.DataFrame(rows, ROW[:5], orient="row").with_columns(
        fold=pl.Series(["train"] * len(told) + ["test"]),
        role=pl.Series(["context"] * len(told) + ["target"]),
        cold=pl.lit(False),
    )
    types = dict(histories.schema)
    columns = [pl.col(name).cast(types[name]) for name in ROW]
    together = pl.concat([known.select(columns), added.select(columns)])
    return together.sort("user_id", "position", maintain_order=True), asker

"""Adds a person's request to the split ratings, with every known rating as context."""

import datetime as dt
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from tasks.recommend.config import RecommendRequest
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.titles import TitleMatch, match_titles

ROW = ["user_id", "film_id", "rating", "rated_at", "fold", "role", "cold"]
MOST = 2**31 - 1  # of an int32


def write_request(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, request: RecommendRequest
) -> dict[str, Any]:
    """Write ratings.parquet with the request's rows; return the metadata.

    `user` is that of the request, `typed` has each typed text with the film and rating it was taken
    for, and the rating of the user's own that it `replaces`, or None.
    """
    table = split.scan("ratings").collect()
    counts = table.group_by("film_id").agg(count=pl.len())
    films = ratings.scan("films").collect().join(counts, on="film_id", how="left")
    scale = ratings.metadata["scale"]
    matches = match_titles(request.ratings, films.fill_null(0), scale[0], scale[-1])
    add_to_split(table, request.user, matches, request.at).write_parquet(draft / "ratings.parquet")
    own = table.filter(pl.col("user_id").eq_missing(request.user)).select("film_id", "rating")
    stars = dict(own.iter_rows())
    typed = [match._asdict() | {"replaces": stars.get(match.film_id)} for match in matches]
    return split.metadata | {"user": request.user, "typed": typed}


def add_to_split(
    split: pl.DataFrame, user: int | None, matches: Sequence[TitleMatch], at: dt.datetime
) -> pl.DataFrame:
    """Every rating as the train fold's context, the typed ones last, and one test target.

    Without a user the typed ratings are those of an unused id. They replace the user's own of the
    same films. The target's film and rating are placeholders; it stands for the moment `at`.
    Raises ValueError for a user who is not in the split.
    """
    users = split["user_id"].unique().sort()
    if user is not None and user not in users:
        raise ValueError(f"no user {user}: there are users from {users[0]} to {users[-1]}")
    user_id = _unused_id(users) if user is None else user
    typed = [match.film_id for match in matches]
    replaced = (pl.col("user_id") == user_id) & pl.col("film_id").is_in(typed)
    known = split.filter(~replaced).with_columns(fold=pl.lit("train"), role=pl.lit("context"))
    times = [at - dt.timedelta(seconds=len(matches) - i) for i in range(len(matches))]
    rows = [
        (user_id, match.film_id, match.rating, time, "train", "context", False)
        for match, time in zip(matches, times, strict=True)
    ]
    rows.append((user_id, int(split["film_id"][0]), 0.0, at, "test", "target", False))
    return _append(known, pl.DataFrame(rows, ROW, orient="row"))


def ask_for_everyone(split: pl.DataFrame, active_days: int | None) -> pl.DataFrame:
    """Every rating as the train fold's context, and a test target for each user to be served.

    These are all users, or those whose last rating is no older than `active_days` at the newest
    rating of the data: no clock has a part in it. Targets are placeholders, as in `add_to_split`.
    """
    newest = split["rated_at"].max()
    last = pl.col("rated_at").max().over("user_id")
    since = pl.lit(newest) - pl.duration(days=active_days or 0)
    active = split.filter((last >= since) | pl.lit(active_days is None))
    targets = active.select(
        pl.col("user_id").unique().sort(),
        film_id=pl.lit(int(split["film_id"][0])),
        rating=pl.lit(0.0),
        rated_at=pl.lit(newest),
        fold=pl.lit("test"),
        role=pl.lit("target"),
        cold=pl.lit(False),
    )
    return _append(split.with_columns(fold=pl.lit("train"), role=pl.lit("context")), targets)


def _append(known: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """Both, with the added rows last in each history, and gapless positions."""
    added = added.with_columns(position=pl.lit(MOST))
    columns = [pl.col(name).cast(kind) for name, kind in known.schema.items()]
    together = pl.concat([known.select(columns), added.select(columns)])
    together = together.sort("user_id", "position", maintain_order=True)
    place = pl.int_range(pl.len(), dtype=pl.Int32).over("user_id")
    return together.with_columns(position=place)


def _unused_id(users: pl.Series) -> int:
    """One more than the largest id, or where that is no int32, the least unused one from 1."""
    if users[-1] < MOST:
        return int(users[-1]) + 1
    taken = set(users)
    return next(number for number in count(1) if number not in taken)

"""Retrieves candidates with EASE, and the most rated films for a user without known ratings."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.eligibility import eligible_films
from tasks.liked import EARLIER
from tasks.rank.config import Retrieve
from tasks.rank.ease import Ease
from tasks.rank.interactions import build_interactions, select_known, select_most_rated
from tasks.store.artifacts import Candidates, SplitRatings

Floats = NDArray[np.float64]
EASE = "ease.npz"
USERS = 1024  # at once: bounds the memory
CANDIDATE = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("rank", pl.Int32),
        ("film_id", pl.Int32),
        ("score", pl.Float64),
    ]
)


def write_candidates(
    draft: Path, split: SplitRatings, config: Retrieve, fitted: Candidates | None = None
) -> None:
    """Write candidates.parquet: the best films for every user of both later folds.

    ease.npz keeps the fit for the test fold, from which a request takes it: `fitted`.
    """
    ratings = split.scan("ratings").filter(pl.col("fold") != "unused")
    targets = ratings.filter(pl.col("role") == "target", pl.col("fold").is_in(list(EARLIER)))
    users = targets.select("fold", "user_id").unique().collect()
    candidates = pl.concat(
        _retrieve(draft, ratings, users.filter(fold=fold)["user_id"].sort(), fold, config, fitted)
        for fold in EARLIER
    )
    candidates = users.join(candidates, on=["fold", "user_id"], how="left")
    candidates = candidates.with_columns(pl.col("rank").fill_null(1)).select(*CANDIDATE)
    candidates.sort("fold", "user_id", "rank").write_parquet(draft / "candidates.parquet")


def _retrieve(
    draft: Path,
    ratings: pl.LazyFrame,
    users: pl.Series,
    fold: str,
    config: Retrieve,
    fitted: Candidates | None,
) -> pl.DataFrame:
    """The candidates of a fold's users, fitted on earlier folds and on its own context."""
    if users.is_empty():
        return CANDIDATE.to_frame()
    known = select_known(ratings, fold, "user_id", "film_id", "rated_at")
    if fitted:
        ease = Ease.load(fitted.path / EASE)
    else:
        films = select_most_rated(known, config.films)
        ease = Ease.fit(known, films, config.regularisation)
        if fold == "test":
            ease.save(draft / EASE)
    counts = ease.films.join(
        known.group_by("film_id").len(), on="film_id", how="left", maintain_order="left"
    )["len"].fill_null(0)
    by_count = np.argsort(-counts.to_numpy().astype(np.int64), kind="stable")
    of_users = pl.col("user_id").is_in(users.implode())
    columns = "user_id", "film_id", "rated_at", "fold", "role"
    own, known = ratings.filter(of_users).select(columns).collect(), known.filter(of_users)
    batches = [users[first : first + USERS] for first in range(0, len(users), USERS)]
    return pl.concat(
        _select_best(own, batch, known, ease, by_count, fold, config.candidates)
        for batch in batches
    )


def _select_best(
    own: pl.DataFrame,
    users: pl.Series,
    known: pl.DataFrame,
    ease: Ease,
    by_count: NDArray[np.int64],
    fold: str,
    most: int,
) -> pl.DataFrame:
    """The eligible films of highest score for each of the users, of equal ones the most rated.

    `own` are all ratings of the users, `known` those that the fold knows, `by_count` the places of
    the films, most rated first.
    """
    films = ease.films
    eligible = eligible_films(users.to_numpy(), fold, own.lazy(), films)
    raw = ease.score(build_interactions(known, users, films).toarray())
    scores: Floats = np.where(eligible, np.round(raw, 9), -np.inf)
    order = by_count[np.argsort(-scores[:, by_count], axis=1, kind="stable")[:, :most]]
    row, rank = np.nonzero(np.take_along_axis(eligible, order, axis=1))
    film = order[row, rank]
    return pl.DataFrame(
        {
            "fold": [fold] * len(row),
            "user_id": users.to_numpy()[row],
            "rank": rank + 1,
            "film_id": films["film_id"].to_numpy()[film],
            "score": scores[row, film],
        },
        CANDIDATE,
    )

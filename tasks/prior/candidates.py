"""Predicts candidates as a fold's targets are predicted: by the same factors and trees."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.behaviour import History, Questions
from tasks.features.factors import Factors
from tasks.features.histories import RatedFilms, known_to_fold, users_of_fit
from tasks.features.residual_trees import ResidualTrees
from tasks.features.stretches import FOLDS
from tasks.prior.chain import as_table
from tasks.store.artifacts import Candidates, RatingPriors, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def write_candidate_priors(
    draft: Path,
    priors: RatingPriors,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
) -> dict[str, Any]:
    """Write priors.parquet of all candidates; return the metadata."""
    users = users_of_fit(priors)
    rated = RatedFilms.load(split, ratings, users)
    history = rated.history(rated.expected(priors))
    listed = add_histories(list_films(candidates).collect(), rated.table)
    parts = []
    for fold in sorted(listed["fold"].unique()):
        of_fold = listed.filter(fold=fold)
        factors = Factors.load(priors.path / f"factors-{fold}.safetensors")
        count = rated.count_films(known_to_fold(rated.table, fold))
        p, prior = predict_fold(of_fold, fold, factors, users, rated, history, count, priors)
        parts.append((of_fold, p, prior))
    tables, machines, corrected = zip(*parts, strict=True)
    rows = add_stretch(pl.concat(tables), priors)
    made = as_table(rows, np.concatenate(machines), np.concatenate(corrected))
    made.write_parquet(draft / "priors.parquet")
    return priors.metadata


def predict_fold(
    listed: pl.DataFrame,
    fold: str,
    factors: Factors,
    users: NDArray,
    rated: RatedFilms,
    history: History,
    count: Ints,
    priors: RatingPriors,
) -> tuple[Floats, Floats]:
    """What the machine expects of each candidate, and the same corrected by the trees of the fold.

    `factors` are those of these users and of all films of the catalogue, `count` [films] how often
    the users of the fit rated each, as in the trees' examples.
    """
    films = np.searchsorted(rated.films["film_id"].to_numpy(), listed["film_id"].to_numpy())
    p = factors.probabilities(np.searchsorted(users, listed["user_id"].to_numpy()), films)
    questions = Questions(
        film=films,
        start=listed["start"].to_numpy(),
        end=listed["end"].to_numpy(),
        time=listed["time"].to_physical().to_numpy(),
        p=p,
        count=count[films],
    )
    trees = ResidualTrees.load(priors.path, f"trees-{fold}")
    return p, trees.correct(history.describe(questions, rated.scale), p, rated.scale)


def add_stretch(rows: pl.DataFrame, priors: RatingPriors) -> pl.DataFrame:
    """The number of the stretch that each fold's targets are."""
    code = pl.col("fold").replace_strict(FOLDS, range(len(FOLDS)))
    return rows.with_columns(stretch=priors.metadata["stretches"] + code)


def list_films(candidates: Candidates) -> pl.LazyFrame:
    """The candidates; of a user for whom no film was known there are none."""
    return candidates.scan("candidates").filter(pl.col("film_id").is_not_null())


def add_histories(listed: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Candidates with `start` and `end` of what their fold knows of the user, and its time."""
    rows = table.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    rows = rows.with_columns(start=pl.col("row").min().over("user_id")).filter(role="target")
    moments = rows.group_by("fold", "user_id").agg(
        pl.col("start").first(), end=pl.col("row").min(), time=pl.col("rated_at").min()
    )
    return listed.join(moments, on=["fold", "user_id"], how="left", maintain_order="left")

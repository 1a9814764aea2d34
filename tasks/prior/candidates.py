"""Predicts candidates as a fold's targets are predicted: by the same factors and trees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.behaviour import Questions
from tasks.features.factors import Factors
from tasks.features.fold_in import fold_in
from tasks.features.histories import RatedFilms, known_to_fold
from tasks.features.residual_trees import ResidualTrees
from tasks.features.stretches import FOLDS
from tasks.prior.chain import write_table
from tasks.store.artifacts import Candidates, RatingPriors, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]


def write_candidate_priors(
    draft: Path,
    priors: RatingPriors,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    *,
    new_histories: bool,
) -> dict[str, Any]:
    """Write priors.parquet of all candidates; return the metadata.

    With `new_histories` the users of the candidates, few, have ratings that the fit has not seen:
    their vectors are found from those.
    """
    rated = RatedFilms.load(split, ratings)
    history = rated.history(rated.expected(priors))
    listed = _with_histories(candidates, rated.table)
    parts = []
    for fold in sorted(listed["fold"].unique()):
        of_fold = listed.filter(fold=fold)
        factors = Factors.load(priors.path / f"factors-{fold}.safetensors")
        users = np.load(priors.path / "users.npz")["users"]
        if new_histories:
            users = of_fold["user_id"].unique().sort().to_numpy()
            factors = _fold_in(factors, users, rated)
        films = np.searchsorted(rated.films["film_id"].to_numpy(), of_fold["film_id"].to_numpy())
        p = factors.probabilities(np.searchsorted(users, of_fold["user_id"].to_numpy()), films)
        questions = Questions(
            film=films,
            start=of_fold["start"].to_numpy(),
            end=of_fold["end"].to_numpy(),
            time=of_fold["time"].to_physical().to_numpy(),
            p=p,
            count=rated.count_films(known_to_fold(rated.table, fold))[films],
        )
        trees = ResidualTrees.load(priors.path, f"trees-{fold}")
        prior = trees.correct(history.describe(questions, rated.scale), p, rated.scale)
        parts.append((of_fold, p, prior))
    tables, machines, corrected = zip(*parts, strict=True)
    rows = pl.concat(tables)
    code = np.searchsorted(FOLDS, rows["fold"].to_numpy())
    stretch = pl.Series("stretch", priors.metadata["stretches"] + code)
    write_table(
        draft, rows.with_columns(stretch), np.concatenate(machines), np.concatenate(corrected)
    )
    return priors.metadata


def _with_histories(candidates: Candidates, table: pl.DataFrame) -> pl.DataFrame:
    """The candidates, with `start` and `end` of what their fold knows of the user, and its time."""
    rows = table.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    rows = rows.with_columns(start=pl.col("row").min().over("user_id")).filter(role="target")
    moments = rows.group_by("fold", "user_id").agg(
        pl.col("start").first(), end=pl.col("row").min(), time=pl.col("rated_at").min()
    )
    listed = candidates.scan("candidates").filter(pl.col("film_id").is_not_null()).collect()
    return listed.join(moments, on=["fold", "user_id"], how="left", maintain_order="left")


def _fold_in(factors: Factors, users: NDArray, rated: RatedFilms) -> Factors:
    """The factors with these users in place of the fitted ones."""
    context = (rated.table["role"] == "context").to_numpy()
    vectors = []
    for user in np.searchsorted(rated.users, users):
        own = context & (rated.user == user)
        vectors.append(fold_in(factors, rated.film[own], rated.code[own], seed=0))
    return replace(factors, users=np.stack(vectors, axis=1))

"""Blends the language model's expected ratings with the baselines'.

Stacked regression with nonnegative weights (Breiman, 1996, Machine Learning 24), fitted on the
validation fold to deviations from the mean rating, with a ridge towards equal weights. Without a
validation fold the weights are equal.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import nnls

from tasks.baseline.interactions import Floats
from tasks.baseline.write_predictions import rating_rows
from tasks.store.artifacts import RatingPredictions, SplitRatings

KEY = ["user_id", "film_id"]


def write_blend(
    draft: Path,
    split: SplitRatings,
    predictions: Sequence[RatingPredictions],
    blends: Mapping[str, Sequence[str]],
    ridge: float,
) -> dict[str, Any]:
    """Write ratings.parquet (test) of each blend by its members; return the weights as metadata.

    Raises ValueError where a member is not among the predictions, or lacks a rating.
    """
    table = pl.concat([made.scan("ratings") for made in predictions]).collect()
    train = split.scan("ratings").filter(pl.col("fold") == "train")
    mean = float(train.select(pl.col("rating").cast(pl.Float64).mean()).collect().item())
    scale, made, metadata = split.metadata["scale"], [], {}
    for name, members in sorted(blends.items()):
        validation, truth = _member_predictions(table, "validation", members)
        weights = fit_weights(validation - mean, truth - mean, ridge)
        test, _ = _member_predictions(table, "test", members)
        blended = (mean + (test - mean) @ weights).clip(min(scale), max(scale))
        rows = table.filter(fold="test", predictor=members[0]).sort(KEY)
        made.append(rating_rows(name, rows, blended))
        by_member = dict(zip(members, weights.round(4).tolist(), strict=True))
        metadata[name] = {"weights": by_member, "fitted_on": len(truth)}
    pl.concat(made).write_parquet(draft / "ratings.parquet")
    return metadata


def fit_weights(predictions: Floats, truth: Floats, ridge: float) -> Floats:
    """[members] nonnegative weights of `predictions` [ratings, members].

    `ridge` is how many ratings, in squared stars, the pull towards equal weights counts for.
    """
    members = predictions.shape[1]
    pull = np.sqrt(ridge) * np.eye(members)
    matrix = np.concatenate([predictions, pull])
    weights, _ = nnls(matrix, np.concatenate([truth, pull.sum(axis=0) / members]))
    return weights


def _member_predictions(
    table: pl.DataFrame, fold: str, members: Sequence[str]
) -> tuple[Floats, Floats]:
    """[ratings, members] expected ratings, by user and film; and the true ratings."""
    of_fold = [table.filter(fold=fold, predictor=name).sort(KEY) for name in members]
    first = of_fold[0]
    for name, rows in zip(members, of_fold, strict=True):
        if not rows.select(KEY).equals(first.select(KEY)):
            raise ValueError(
                f"{name} has {len(rows)} {fold} ratings to blend, {members[0]} has {len(first)}: "
                f"all members must predict the same"
            )
    expected = np.stack([rows["mean"].to_numpy() for rows in of_fold], axis=1)
    return expected, first["rating"].cast(pl.Float64).to_numpy()

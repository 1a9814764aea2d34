"""Blends the language model's expected ratings with the baselines': what a user would ship.

Stacked regression with weights that cannot be negative (Breiman, 1996, Machine Learning 24), drawn
slightly towards equal shares: what the members say less the mean rating is weighed as the
validation fold shows. Without a validation fold equal shares remain.
"""

from collections.abc import Sequence
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
    members: Sequence[str],
    ridge: float,
) -> dict[str, Any]:
    """Write ratings.parquet (test); return the weights as metadata.

    Raises ValueError where a member is not among the predictions, or left a rating out.
    """
    table = pl.concat([made.scan("ratings") for made in predictions]).collect()
    past = split.scan("ratings").filter(pl.col("fold") == "train")
    middle = float(past.select(pl.col("rating").cast(pl.Float64).mean()).collect().item())
    shown, truth = _said(table, "validation", members)
    weights = fitted(shown - middle, truth - middle, ridge)
    asked, _ = _said(table, "test", members)
    scale = split.metadata["scale"]
    guess = (middle + (asked - middle) @ weights).clip(min(scale), max(scale))
    rows = table.filter(fold="test", predictor=members[0]).sort(KEY)
    rating_rows("blend", rows, guess).write_parquet(draft / "ratings.parquet")
    shares = dict(zip(members, weights.round(4).tolist(), strict=True))
    return {"weights": shares, "fitted_on": len(truth)}


def fitted(shown: Floats, truth: Floats, ridge: float) -> Floats:
    """[members] weights of `shown` [ratings, members], none negative.

    `ridge` counts as so many ratings, in squared stars, that ask for equal shares.
    """
    members = shown.shape[1]
    pull = np.sqrt(ridge) * np.eye(members)
    left = np.concatenate([shown, pull])
    weights, _ = nnls(left, np.concatenate([truth, pull.sum(axis=0) / members]))
    return weights


def _said(table: pl.DataFrame, fold: str, members: Sequence[str]) -> tuple[Floats, Floats]:
    """[ratings, members] what each member expects, by user and film; and the true ratings."""
    of_fold = [table.filter(fold=fold, predictor=name).sort(KEY) for name in members]
    first = of_fold[0]
    for name, rows in zip(members, of_fold, strict=True):
        if not rows.select(KEY).equals(first.select(KEY)):
            raise ValueError(
                f"{name} has {len(rows)} {fold} ratings to blend, {members[0]} has {len(first)}: "
                f"all members must predict the same"
            )
    said = np.stack([rows["mean"].to_numpy() for rows in of_fold], axis=1)
    return said, first["rating"].cast(pl.Float64).to_numpy()

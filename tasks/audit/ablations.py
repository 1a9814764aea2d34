"""Compares the model's error behind perturbed contexts with that behind the true ones."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from tasks.audit.config import Perturbation
from tasks.bootstrap import Resamples, percentile_interval
from tasks.store.artifacts import RatingPredictions

KEY = ["user_id", "film_id"]


def write_ablations(
    draft: Path,
    predictions: RatingPredictions,
    perturbed: Mapping[Perturbation, RatingPredictions],
    resamples: int,
    seed: int,
) -> None:
    """Write ablations.parquet.

    Raises ValueError if an ablation predicts other ratings than the run.
    """
    name = predictions.metadata["predictor"]
    errors = {ablation: _sum_errors(made, name) for ablation, made in sorted(perturbed.items())}
    users = next(iter(errors.values())).select("user_id")
    unperturbed = _sum_errors(predictions, name).join(users, on="user_id", how="semi")
    tables = {"none": unperturbed} | {str(ablation): table for ablation, table in errors.items()}
    targets = unperturbed.select("user_id", "n")
    if not all(table.select("user_id", "n").equals(targets) for table in tables.values()):
        raise ValueError("ablations predict other ratings than the run: perturb its own prompts")
    n = unperturbed["n"].to_numpy().astype(np.float64)
    columns = np.stack([n, *(table["squared"].to_numpy() for table in tables.values())], axis=1)
    sums = Resamples(len(n), resamples, seed).sums(columns)
    rmse = np.sqrt(sums[:, 1:] / sums[:, :1])
    point, resampled = rmse[0], rmse[1:]
    low, high = percentile_interval(resampled - resampled[:, :1])
    table = pl.DataFrame(
        {
            "ablation": list(tables),
            "predictor": [name] * len(tables),
            "n": pl.Series([int(n.sum())] * len(tables), dtype=pl.Int64),
            "rmse": point,
            "difference": point - point[0],
            "ci95_low": low,
            "ci95_high": high,
        }
    )
    table.sort("ablation").write_parquet(draft / "ablations.parquet")


def _sum_errors(made: RatingPredictions, predictor: str) -> pl.DataFrame:
    """By user: the number of test ratings, and the sum of their squared errors."""
    error = pl.col("mean") - pl.col("rating").cast(pl.Float64)
    rows = made.scan("ratings").filter(fold="test", predictor=predictor).sort(KEY)
    by_user = rows.group_by("user_id", maintain_order=True)
    return by_user.agg(n=pl.len(), squared=(error * error).sum()).collect()

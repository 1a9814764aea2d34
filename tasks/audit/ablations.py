"""How much worse the language model is where its contexts are spoilt, on the same ratings."""

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

    Raises ValueError where an ablation predicts other ratings than the run.
    """
    name = predictions.metadata["predictor"]
    sums = {ablation: _errors(made, name) for ablation, made in sorted(perturbed.items())}
    first = next(iter(sums.values()))
    whole = _errors(predictions, name).join(first.select("user_id"), on="user_id", how="semi")
    tables = {"none": whole} | {str(ablation): table for ablation, table in sums.items()}
    asked = whole.select("user_id", "n")
    if not all(table.select("user_id", "n").equals(asked) for table in tables.values()):
        raise ValueError("ablations predict other ratings than the run: perturb its own prompts")
    n = whole["n"].to_numpy().astype(np.float64)
    columns = np.stack([n, *(table["squared"].to_numpy() for table in tables.values())], axis=1)
    drawn = Resamples(len(n), resamples, seed).sums(columns)
    rmse = np.sqrt(drawn[:, 1:] / drawn[:, :1])
    figures, spread = rmse[:1], rmse[1:]
    low, high = percentile_interval(spread - spread[:, :1])
    table = pl.DataFrame(
        {
            "ablation": list(tables),
            "predictor": [name] * len(tables),
            "n": pl.Series([int(n.sum())] * len(tables), dtype=pl.Int64),
            "rmse": figures[0],
            "difference": figures[0] - figures[0, 0],
            "ci95_low": low,
            "ci95_high": high,
        }
    )
    table.sort("ablation").write_parquet(draft / "ablations.parquet")


def _errors(made: RatingPredictions, predictor: str) -> pl.DataFrame:
    """By user: how many test ratings, and the sum of their squared errors."""
    error = pl.col("mean") - pl.col("rating").cast(pl.Float64)
    rows = made.scan("ratings").filter(fold="test", predictor=predictor).sort(KEY)
    by_user = rows.group_by("user_id", maintain_order=True)
    return by_user.agg(n=pl.len(), squared=(error * error).sum()).collect()

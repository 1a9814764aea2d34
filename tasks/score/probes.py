"""How much worse the language model is where its contexts are spoilt, on the same ratings."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from tasks.artifacts import Predictions
from tasks.score.bootstrap import Resamples, middle
from tasks.score.config import Score

KEY = ["user_id", "film_id"]


def write_probes(
    draft: Path, said: Predictions, probed: Mapping[str, Predictions], config: Score
) -> None:
    """Write probes.parquet.

    Raises ValueError where a probe was asked for ratings that the night was not.
    """
    name = said.notes["predictor"]
    sums = {probe: _errors(made, name) for probe, made in sorted(probed.items())}
    first = next(iter(sums.values()))
    whole = _errors(said, name).join(first.select("user_id"), on="user_id", how="semi")
    tables = {"none": whole, **sums}
    asked = whole.select("user_id", "n")
    if not all(table.select("user_id", "n").equals(asked) for table in tables.values()):
        raise ValueError("probes were asked for other ratings than the night: spoil its prompts")
    n = whole["n"].to_numpy().astype(np.float64)
    columns = np.stack([n, *(table["squared"].to_numpy() for table in tables.values())], axis=1)
    drawn = Resamples(len(n), config.resamples, config.seed).sums(columns)
    rmse = np.sqrt(drawn[:, 1:] / drawn[:, :1])
    figures, spread = rmse[:1], rmse[1:]
    low, high = middle(spread - spread[:, :1])
    table = pl.DataFrame(
        {
            "probe": list(tables),
            "predictor": [name] * len(tables),
            "n": pl.Series([int(n.sum())] * len(tables), dtype=pl.Int64),
            "rmse": figures[0],
            "difference": figures[0] - figures[0, 0],
            "low": low,
            "high": high,
        }
    )
    table.sort("probe").write_parquet(draft / "probes.parquet")


def _errors(made: Predictions, predictor: str) -> pl.DataFrame:
    """By user: how many test ratings, and the sum of their squared errors."""
    error = pl.col("mean") - pl.col("rating").cast(pl.Float64)
    rows = made.scan("ratings").filter(fold="test", predictor=predictor).sort(KEY)
    by_user = rows.group_by("user_id", maintain_order=True)
    return by_user.agg(n=pl.len(), squared=(error * error).sum()).collect()

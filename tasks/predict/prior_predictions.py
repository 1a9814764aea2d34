"""Predicts targets by the prior's own models, calibrated as the language model is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.predict.calibration import Calibration
from tasks.predict.tables import READOUT, build_rating_table, calibrate
from tasks.store.artifacts import RatingPriors, SplitRatings

PREDICTORS = {"bayesian_fm": "machine_log_p", "residual_trees": "log_p"}


def write_prior_predictions(
    draft: Path, priors: RatingPriors, split: SplitRatings
) -> dict[str, Any]:
    """Write ratings.parquet; return the calibrations as metadata."""
    key, scale = ["fold", "user_id", "film_id"], priors.metadata["scale"]
    targets = split.scan("ratings").filter(pl.col("role") == "target", pl.col("fold") != "train")
    rows = targets.select(*key, "rating").join(priors.scan("priors"), on=key).collect()
    tables, calibrations = [], {}
    for predictor, column in PREDICTORS.items():
        own = rows.select(*key, "rating", log_p=column)
        table, calibration = calibrated_table(own, predictor, scale, split)
        tables.append(table)
        calibrations[predictor] = calibration.to_json()
    pl.concat(tables).write_parquet(draft / "ratings.parquet")
    of_split = {name: priors.metadata[name] for name in ("dataset", "protocol", "scale")}
    return of_split | {"calibrations": calibrations}


def calibrated_table(
    targets: pl.DataFrame, predictor: str, scale: Sequence[float], split: SplitRatings
) -> tuple[pl.DataFrame, Calibration]:
    """Predictions of targets with `log_p`, calibrated on their validation fold."""
    no_model = pl.lit([0.0] * len(scale), pl.List(pl.Float64))
    readouts = targets.sort("fold", "user_id", "film_id").select(
        "fold", "user_id", "film_id", "rating", log_prior="log_p", log_p=no_model
    )
    readouts = readouts.select(READOUT.names()).cast(READOUT)
    calibration = calibrate(readouts, scale, split)
    return build_rating_table(readouts, calibration, scale, predictor), calibration

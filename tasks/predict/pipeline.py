"""Makes calibrated predictions of what was read from the model."""

import json
from pathlib import Path
from typing import Any, Literal

import polars as pl
from scipy.special import log_softmax

from tasks.predict.config import Predict
from tasks.predict.greedy import build_greedy_table
from tasks.predict.tables import (
    READOUT,
    build_rating_table,
    calibrate,
    read_calibration,
    to_matrix,
)
from tasks.store.artifacts import RatingPredictions, Readings, SplitRatings

Role = Literal["target", "candidate"]


def write_predictions(
    draft: Path,
    readings: Readings,
    split: SplitRatings,
    config: Predict,
    role: Role,
    calibrated_by: RatingPredictions | None,
) -> dict[str, Any]:
    """Write ratings.parquet and calibration.json; return the metadata."""
    metadata = readings.metadata
    scale = metadata["scale"]
    rows = readings.scan("readings").filter(role=role).sort("fold", "user_id", "film_id")
    readouts = rows.select(READOUT.names()).collect().cast(READOUT)
    calibration = (
        read_calibration(calibrated_by) if calibrated_by else calibrate(readouts, scale, split)
    )
    tables = [build_rating_table(readouts, calibration, scale, config.predictor)]
    if config.greedy and calibrated_by is None:
        log_p, log_prior = (
            to_matrix(readouts[name], len(scale)) for name in ("log_p", "log_prior")
        )
        anchored = log_softmax(log_p + log_prior, axis=1)
        tables.append(build_greedy_table(tables[0], anchored, scale, metadata["tokens"]))
    pl.concat(tables).write_parquet(draft / "ratings.parquet")
    (draft / "calibration.json").write_text(json.dumps(calibration.to_json(), indent=1))
    return {
        "predictor": config.predictor,
        "calibration": calibration.to_json(),
        **{key: metadata[key] for key in ("dataset", "scale", "protocol")},
    }

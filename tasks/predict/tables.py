"""Builds the tables of predicted ratings: as read from the model, and calibrated."""

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.predict.calibration import Calibration, fit_calibration
from tasks.predict.distributions import summarise
from tasks.predict.fold_difficulty import validation_level
from tasks.predict.intervals import COVERAGE
from tasks.store.artifacts import RatingPredictions, SplitRatings

Floats = NDArray[np.float64]
READOUT = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("film_id", pl.Int32),
        ("rating", pl.Float32),
        ("log_p", pl.List(pl.Float64)),
        ("log_prior", pl.List(pl.Float64)),
    ]
)


def calibrate(readouts: pl.DataFrame, scale: Sequence[float], split: SplitRatings) -> Calibration:
    """Fit a calibration on the validation fold's known ratings."""
    known = readouts.filter(pl.col("fold") == "validation", pl.col("rating").is_not_null())
    truth = np.searchsorted(np.asarray(scale), known["rating"].to_numpy())
    users = known["user_id"].to_numpy().astype(np.int64)
    level = validation_level(split.scan("ratings"), COVERAGE)
    log_p, log_prior = (to_matrix(known[name], len(scale)) for name in ("log_p", "log_prior"))
    return fit_calibration(log_p, log_prior, truth, users, level)


def read_calibration(predictions: RatingPredictions) -> Calibration:
    """The calibration that these predictions were made with."""
    return Calibration.from_json(json.loads((predictions.path / "calibration.json").read_text()))


def build_rating_table(
    readouts: pl.DataFrame, calibration: Calibration, scale: Sequence[float], predictor: str
) -> pl.DataFrame:
    """The artifact's table `ratings`."""
    values = np.asarray(scale, np.float64)
    log_p, log_prior = (to_matrix(readouts[name], len(scale)) for name in ("log_p", "log_prior"))
    p = np.exp(calibration.apply(log_p, log_prior))
    summary = summarise(p, values, calibration.widths.select(p))
    rows = readouts.select(
        pl.lit(predictor).alias("predictor"), "fold", "user_id", "film_id", "rating"
    )
    return rows.with_columns(
        **{name: pl.Series(column) for name, column in vars(summary).items()},
        probabilities=pl.Series(p.astype(np.float32), dtype=pl.List(pl.Float32)),
    ).sort("predictor", "fold", "user_id", "film_id")


def to_matrix(column: pl.Series, width: int) -> Floats:
    """A column of lists, each of `width` numbers, as [rows, width]."""
    return column.explode().to_numpy().astype(np.float64).reshape(-1, width)

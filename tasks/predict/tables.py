"""The tables of predicted ratings: as read from the model, and calibrated."""

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tasks.nn.examples import Examples
from tasks.predict.calibration import Calibration, fit_calibration
from tasks.predict.distributions import summarise
from tasks.predict.fold_difficulty import level_for
from tasks.predict.intervals import COVERED
from tasks.readout.inference import Reader
from tasks.store.artifacts import RatingPredictions, SplitRatings

Floats = NDArray[np.float64]
READOUT = pl.Schema(
    [
        ("fold", pl.String),
        ("user_id", pl.Int32),
        ("film_id", pl.Int32),
        ("rating", pl.Float32),
        ("log_p", pl.List(pl.Float64)),
    ]
)


def readout_table(reader: Reader, table: pa.Table) -> pl.DataFrame:
    """One row an asked rating of these examples, as the model itself has it."""
    log_p = reader.read(Examples.from_table(table).take(range(len(table))))
    asked = pl.from_arrow(table.select(["fold", "user_id", "film_ids", "ratings"]))
    assert isinstance(asked, pl.DataFrame)
    rows = asked.rename({"film_ids": "film_id", "ratings": "rating"}).explode("film_id", "rating")
    return rows.with_columns(log_p=pl.Series(log_p, dtype=pl.List(pl.Float64))).cast(READOUT)


def calibration_of(
    readouts: pl.DataFrame,
    scale: Sequence[float],
    split: SplitRatings,
    like: RatingPredictions | None,
) -> Calibration:
    """Fitted on the validation fold's known ratings, or as other predictions had it."""
    if like is not None:
        return read_calibration(like)
    known = readouts.filter(pl.col("fold") == "validation", pl.col("rating").is_not_null())
    truth = np.searchsorted(np.asarray(scale), known["rating"].to_numpy())
    users = known["user_id"].to_numpy().astype(np.int64)
    level = level_for(split.scan("ratings").collect(), COVERED)
    return fit_calibration(matrix_of(known["log_p"], len(scale)), truth, users, level)


def read_calibration(predictions: RatingPredictions) -> Calibration:
    """The one that these predictions were made with."""
    return Calibration.of(json.loads((predictions.path / "calibration.json").read_text()))


def rating_table(
    readouts: pl.DataFrame, calibration: Calibration, scale: Sequence[float], predictor: str
) -> pl.DataFrame:
    """The table `ratings` of the artifact."""
    values = np.asarray(scale, np.float64)
    p = np.exp(calibration.apply(matrix_of(readouts["log_p"], len(scale))))
    summary = summarise(p, values, calibration.widths.of(p))
    rows = readouts.select(
        pl.lit(predictor).alias("predictor"), "fold", "user_id", "film_id", "rating"
    )
    return rows.with_columns(
        **{name: pl.Series(column) for name, column in vars(summary).items()},
        probabilities=pl.Series(p.astype(np.float32), dtype=pl.List(pl.Float32)),
    ).sort("predictor", "fold", "user_id", "film_id")


def matrix_of(column: pl.Series, width: int) -> Floats:
    """A column of lists of that many numbers."""
    return column.explode().to_numpy().astype(np.float64).reshape(-1, width)

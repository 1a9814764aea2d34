"""Predicts ratings by a head on frozen hidden states: attention over all films of a history.

A film of the history counts by how near its state is to that of the film in question; the mean of
its residuals so weighted joins the description from which boosted trees correct the machine.
(A head on cached states in place of generated text: RELISH, arXiv 2604.01206.)
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.histories import RatedFilms, users_of_fit
from tasks.features.residual_trees import ResidualTrees
from tasks.features.stretches import Stretches
from tasks.predict.prior_predictions import calibrated_table
from tasks.store.artifacts import FilmStates, RatingPriors, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]


def write_head_predictions(
    draft: Path,
    states: FilmStates,
    priors: RatingPriors,
    split: SplitRatings,
    ratings: ValidatedRatings,
    predictor: str,
) -> dict[str, Any]:
    """Write ratings.parquet; return the calibration as metadata."""
    rated, settings = RatedFilms.load(split, ratings, users_of_fit(priors)), priors.metadata
    machine = rated.expected(priors)
    stretches = rated.number_stretches(settings["stretches"], split)
    questions = rated.questions(machine, stretches, settings["horizon"])
    history = rated.history(machine)
    described = np.column_stack(
        [
            history.describe(questions, rated.scale),
            history.affinity(questions, read_states(states)),
        ]
    )
    p = correct_targets(rated, machine, stretches, described, settings["seed"])
    log_p = pl.Series("log_p", np.log(p), dtype=pl.List(pl.Float64))
    is_target = pl.col("role") == "target", pl.col("fold") != "train"
    targets = rated.table.with_columns(log_p).filter(*is_target)
    table, calibration = calibrated_table(targets, predictor, rated.scale.tolist(), split)
    table.write_parquet(draft / "ratings.parquet")
    of_split = {name: settings[name] for name in ("dataset", "protocol", "scale")}
    return of_split | {"calibrations": {predictor: calibration.to_json()}}


def read_states(states: FilmStates) -> Floats:
    """The films' vectors, in the order of the catalogue: [films, width]."""
    return np.array(states.scan("states").collect()["state"].to_list())


def correct_targets(
    rated: RatedFilms, machine: Floats, stretches: Stretches, described: Floats, seed: int
) -> Floats:
    """Targets corrected by trees on `described` [ratings, columns]: [ratings, values], else NaN.

    The trees of a fold learn from the stretches before it.
    """
    p = np.full_like(machine, np.nan)
    for stretch, rows, known in stretches.learnable(machine):
        if stretch >= stretches.of_history:  # a fold's targets
            trees = ResidualTrees.fit(
                described[known], machine[known], rated.code[known], rated.scale, seed
            )
            p[rows] = trees.correct(described[rows], machine[rows], rated.scale)
    return p

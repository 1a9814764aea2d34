"""Predicts every rating from what came earlier, by one fit for each stretch of the histories."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.end_with_parent import end_with
from tasks.features.factors import Factors
from tasks.features.histories import RatedFilms
from tasks.features.residual_trees import ResidualTrees
from tasks.features.stretches import FOLDS, Stretches
from tasks.prior.config import Prior
from tasks.prior.sample import choose_users
from tasks.progress import track
from tasks.store.artifacts import SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]


def write_priors(
    draft: Path, split: SplitRatings, ratings: ValidatedRatings, config: Prior
) -> dict[str, Any]:
    """Write priors.parquet, and the models of the targets' fits; return the metadata."""
    rated = RatedFilms.load(split, ratings, choose_users(split, config))
    stretches = rated.number_stretches(config.stretches, split)
    machine = np.full((len(rated.table), len(rated.scale)), np.nan)
    for stretch, factors in fit_stretches(rated, stretches, config):
        rows = stretches.number == stretch
        machine[rows] = factors.probabilities(rated.user[rows], rated.film[rows])
        if stretch >= config.stretches:
            factors.save(draft / f"factors-{FOLDS[stretch - config.stretches]}.safetensors")
    prior = correct_by_trees(draft, rated, stretches, machine, config)
    rows = rated.table.with_columns(stretch=pl.Series(stretches.number))
    as_table(rows, machine, prior).write_parquet(draft / "priors.parquet")
    np.savez(draft / "users.npz", users=rated.users)
    return split.metadata | config.model_dump(include={"stretches", "horizon", "seed"})


def correct_by_trees(
    draft: Path, rated: RatedFilms, stretches: Stretches, machine: Floats, config: Prior
) -> Floats:
    """Correct each stretch by trees that learn from the stretches before it."""
    questions = rated.questions(machine, stretches, config.horizon)
    behaviour = rated.history(machine).describe(questions, rated.scale)
    prior = machine.copy()
    for stretch, rows, known in stretches.learnable(machine):
        trees = ResidualTrees.fit(
            behaviour[known], machine[known], rated.code[known], rated.scale, config.seed
        )
        prior[rows] = trees.correct(behaviour[rows], machine[rows], rated.scale)
        if stretch >= config.stretches:
            trees.save(draft, f"trees-{FOLDS[stretch - config.stretches]}")
    return prior


def as_table(table: pl.DataFrame, machine: Floats, prior: Floats) -> pl.DataFrame:
    """The columns of priors.parquet, of the rows that have a prior, sorted."""
    columns = ["fold", "user_id", "film_id"]
    lists = {"machine_log_p": machine, "log_p": prior}
    rows = table.select(*columns, pl.col("stretch").cast(pl.Int16)).with_columns(
        pl.Series(name, np.log(p).astype(np.float32), dtype=pl.List(pl.Float32))
        for name, p in lists.items()
    )
    known = pl.Series(~np.isnan(prior).any(1))
    return rows.filter(known).sort(columns)


def fit_stretches(
    rated: RatedFilms, stretches: Stretches, config: Prior
) -> Iterator[tuple[int, Factors]]:
    """Fit what precedes each stretch, `config.workers` at a time, the largest first."""
    numbers = stretches.predicted
    if config.workers == 1:
        for number in track(numbers, "prior", len(numbers), "fits"):
            yield number, _fit(_job(rated, stretches, number, config))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.workers, context, end_with, (os.getpid(),)) as pool:
        jobs = [pool.submit(_fit, _job(rated, stretches, n, config)) for n in numbers]
        for number, job in track(zip(numbers, jobs, strict=True), "prior", len(jobs), "fits"):
            yield number, job.result()


def _job(rated: RatedFilms, stretches: Stretches, stretch: int, config: Prior) -> dict[str, Any]:
    known = stretches.known(stretch)
    columns = {name: getattr(rated, name)[known] for name in ("user", "film", "code")}
    return columns | {
        "users": len(rated.users),
        "films": len(rated.films),
        "values": len(rated.scale),
        "rank": config.rank,
        "draws": config.stretch_draws if stretch < stretches.of_history else config.draws,
        "kept": config.kept,
        "seed": config.seed,
        "period": rated.periods(config.period) if config.period else None,
    }


def _fit(job: dict[str, Any]) -> Factors:
    from tasks.prior.bayesian_fm import fit_bayesian_fm

    return fit_bayesian_fm(**job)

"""Multiplies what was tried by what a run does: seconds and memory of each long stage."""

from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.forecast.config import Plan, Served, Trial
from tasks.store.artifacts import SplitRatings, StageForecast
from tasks.training.config import TrainingConfig

Row = dict[str, Any]


def forecast_rows(
    trials: dict[str, Trial],
    counts: dict[str, int],
    fit: TrainingConfig,
    plan: Plan,
    everyone: int,
    loading: float,
) -> list[Row]:
    """A row of each stage, with the settings that make it shorter.

    `trials` are of train, rate, candidates, list, and of a user's targets and candidates with their
    likelihoods; `counts` [fold kind] are the examples of the prompts, one a user and fold but in
    training; `everyone` is how many users are served. Each stage loads the base in `loading`
    seconds, but for validation within training.
    """
    learnt = sum(counts.get(f"train {kind}", 0) for kind in fit.kinds)
    tokens = fit.epochs * learnt * trials["train"].tokens
    steps = tokens / fit.tokens_per_step
    if fit.examples_per_step:
        steps = fit.epochs * learnt / fit.examples_per_step
    if fit.max_steps and steps > fit.max_steps:
        tokens, steps = tokens * fit.max_steps / steps, float(fit.max_steps)
    trained = tokens / max(trials["train"].tokens, 1)
    validated = 0.0
    if fit.validate_steps:
        validated = (steps // fit.validate_steps + 2) * fit.validation_examples
    rated = sum(counts.get(f"{fold} rate", 0) for fold in ("validation", "test"))
    listed = counts.get("test recommend", 0)
    of_candidates = "retrieve.candidates, split.test_users, split.validation_users"
    rows = [
        ("train adapter", "train", trained, 1, "train.fit.epochs, train.fit.max_steps"),
        ("validate in training", "rate", validated, 0, "train.fit.validate_steps"),
        ("read prompts", "user", rated, 1, of_candidates),
        ("decode lists", "list", listed, 1, "split.test_users"),
    ]
    if n := plan.opponents:
        rows.append(("read prompts, opponents", "user", rated * n, n, of_candidates))
    if everyone:
        settings = "serving.active_days, serving.nightly"
        rows.append(("read prompts, everyone", "candidates", everyone, 1, settings))
    return [
        {
            "stage": stage,
            "examples": round(examples),
            "tokens_each": trials[work].tokens,
            "seconds_each": trials[work].seconds_each,
            "seconds": examples * trials[work].seconds_each + loads * loading,
            "peak_bytes": trials[work].peak_bytes,
            "settings": settings,
        }
        for stage, work, examples, loads, settings in rows
    ]


def count_served(split: SplitRatings, served: Served) -> int:
    """The users whose lists are made after the run's own stages."""
    if not served.nightly:
        return 0
    ratings, at = split.scan("ratings"), pl.col("rated_at")
    if served.active_days is not None:
        ratings = ratings.filter(at >= at.max() - pl.duration(days=served.active_days))
    return int(ratings.select(pl.col("user_id").n_unique()).collect().item())


def write_rows(rows: list[Row], file: str) -> None:
    """Write the table of the artifact."""
    columns = StageForecast.tables["stages"].columns
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, (kind, _) in columns.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema), file)


def too_long(forecast: StageForecast, max_hours: float) -> str | None:
    """What to change where the stages together would take longer, or None."""
    rows = forecast.scan("stages").sort("seconds", descending=True).collect().to_dicts()
    hours = sum(row["seconds"] for row in rows) / 3600
    if hours <= max_hours:
        return None
    most = rows[0]
    return (
        f"max_hours: the stages of the language model would take {hours:.1f} hours on this "
        f"machine, {max_hours:g} allowed; {most['seconds'] / 3600:.1f} of them {most['stage']}: "
        f"lower {most['settings']}, or raise max_hours"
    )

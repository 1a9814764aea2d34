"""Measures scoring: every metric and slice of ratings, and the intervals, over generated ratings.

    python -m bench.score --json score.json      20M predictions; a minute and 2 GB of disk
    python -m bench.score --rows 1000000         a short one

`seconds` and `peak_gb`: the sums of all metrics and slices over `rows` predictions, 144 per user,
read from Parquet. `bootstrap_seconds`: the same with all resamples, metrics, intervals and
differences of two predictors, over `bootstrap_rows` predictions, 10 per user. All are noise.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl

from tasks.executor import open_executor
from tasks.score.config import Score
from tasks.score.max_t import Family
from tasks.score.measure import Families, compute_metrics
from tasks.score.sums import ScoreContext, ScoreInputs, SumTable, sum_ratings
from tasks.store.artifacts import Artifact, RatingPredictions, SplitRatings, ValidatedRatings
from tasks.store.resource_usage import measure_usage
from tasks.store.store import Store

KNOWN, FILMS = 10, 27_278  # ratings of a user that are known, films
SCALE = [half / 2 for half in range(1, 11)]
GENRES = ["Drama", "Comedy|Romance", "Action|Sci-Fi|Thriller", "Documentary", ""]
USERS_AT_ONCE = 5_000
MILLION = 1_000_000


def write_data(root: Path, rows: int, per_user: int, predictors: list[str]) -> None:
    """Build artifacts with `rows` predictions of each predictor, `per_user` of a user."""
    store = Store(root)

    def write_films(draft: Path) -> dict[str, Any]:
        films = pl.DataFrame({"film_id": np.arange(1, FILMS + 1, dtype=np.int32)}).with_columns(
            title=pl.format("Film {}", "film_id"),
            year=(1920 + pl.col("film_id") % 100).cast(pl.Int16),
            genres=pl.Series(GENRES).gather(pl.int_range(FILMS) % len(GENRES)),
        )
        films.write_parquet(draft / "films.parquet")
        _empty(ValidatedRatings, "ratings").write_parquet(draft / "ratings.parquet")
        _empty(ValidatedRatings, "quarantine").write_parquet(draft / "quarantine.parquet")
        return {}

    def write_split(draft: Path) -> dict[str, Any]:
        for i, block in enumerate(_blocks(rows, per_user)):
            block.write_parquet(draft / f"{i:03}.parquet")
        pl.scan_parquet(draft / "*.parquet").sink_parquet(draft / "ratings.parquet")
        return {"scale": SCALE, "dataset": "generated", "protocol": "noise"}

    def write_predictions(draft: Path) -> None:
        random = np.random.default_rng(1)
        for name in predictors:
            for i, block in enumerate(_blocks(rows, per_user)):
                targets = block.filter(fold="test").sort("user_id", "film_id")
                _predict(name, targets, random).write_parquet(
                    draft / f"ratings-{name}-{i:03}.parquet"
                )

    films = store.build(ValidatedRatings, recipe={}, write=write_films)
    split = store.build(SplitRatings, recipe={}, parents=[films], write=write_split)
    store.build(RatingPredictions, recipe={}, parents=[split], write=write_predictions)


def _empty(kind: type[Artifact], table: str) -> pl.DataFrame:
    types: dict[str, pl.DataType | type[pl.DataType]] = {
        "string": pl.String,
        "int32": pl.Int32,
        "uint32": pl.UInt32,
        "float": pl.Float32,
        "double": pl.Float64,
        "timestamp[us, tz=UTC]": pl.Datetime("us", "UTC"),
    }
    columns = kind.tables[table].columns
    return pl.DataFrame(schema={name: types[arrow] for name, (arrow, _) in columns.items()})


def _blocks(rows: int, targets: int) -> Iterator[pl.DataFrame]:
    """The ratings of USERS_AT_ONCE users at a time, with fold and role."""
    random = np.random.default_rng(0)
    per_user = targets + KNOWN
    users = -(-rows // targets)
    for first in range(0, users, USERS_AT_ONCE):
        n = min(USERS_AT_ONCE, users - first)
        user, place = np.divmod(np.arange(n * per_user), per_user)
        film = (random.integers(FILMS, size=n)[user] + place * 181) % FILMS  # all different
        table = pl.DataFrame(
            {
                "user_id": (first + 1 + user).astype(np.int32),
                "film_id": (film + 1).astype(np.int32),
                "rating": (random.integers(1, 11, size=len(user)) / 2).astype(np.float32),
                "rated_at": place * 20_000_000_000 + random.integers(10**9, size=len(user)),
                "position": place.astype(np.int32),
            }
        )
        is_known = pl.col("position") < KNOWN
        yield table.with_columns(
            pl.from_epoch("rated_at", "us").dt.replace_time_zone("UTC"),
            fold=pl.when(is_known).then(pl.lit("train")).otherwise(pl.lit("test")),
            role=pl.when(is_known).then(pl.lit("context")).otherwise(pl.lit("target")),
            cold=pl.lit(False),
        )


def _predict(name: str, targets: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    p = random.random((len(targets), len(SCALE)), np.float32)
    p /= p.sum(axis=1, keepdims=True)
    guess = random.uniform(0.5, 5, len(targets))
    half = np.round(guess * 2) / 2
    return targets.select(
        pl.lit(name).alias("predictor"),
        "fold",
        "user_id",
        "film_id",
        "rating",
        mean=guess,
        median=half,
        mode=half,
        within_half=half,
        pi80_low=half - 1,
        pi80_high=half + 1,
        p_like=p[:, 7:].sum(axis=1).astype(np.float64),
        probabilities=pl.Series(p.reshape(-1)).reshape(p.shape).arr.to_list(),
    )


def sums(root: Path) -> dict[str, float]:
    """Cost of all sums, without resamples."""
    with measure_usage() as cost:
        _, rows = _sums(Store(root), Score().model_copy(update={"resamples": 0}))
    gigabytes = round(cost["peak_bytes"] / 1e9, 2)
    return {"rows": rows, "peak_gb": gigabytes} | {k: cost[k] for k in ("seconds", "cpu_seconds")}


def intervals(root: Path) -> dict[str, float]:
    """Cost with all resamples, and with metrics and differences from the sums."""
    config = Score(compared=("first",))
    families: Families = defaultdict(Family)
    with measure_usage() as cost:
        table, rows = _sums(Store(root), config)
        for slice_value, sums_of_value in table.items():
            compute_metrics(slice_value, sums_of_value, config.compared, families)
    return {f"bootstrap_{k}": v for k, v in [("rows", rows), *cost.items()] if k != "peak_bytes"}


def _sums(store: Store, config: Score) -> tuple[SumTable, int]:
    """The sums of ratings, and the number of predictions."""
    predictions = store.find_all(RatingPredictions)[-1]
    split, ratings = store.find_all(SplitRatings)[-1], store.find_all(ValidatedRatings)[-1]
    inputs = ScoreInputs(split, ratings, (predictions,), (), config)
    with duckdb.connect(config={"threads": 2}) as db, open_executor(2, None, store, []) as threads:
        table = sum_ratings(ScoreContext.create(db, inputs), inputs, threads)
    return table, predictions.manifest["rows"]["ratings"]


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--rows", type=int, default=20 * MILLION)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    plans: list[tuple[Any, ...]] = [
        (sums, options.rows, 144, ["first"]),
        (intervals, min(options.rows, MILLION) // 2, 10, ["first", "second"]),
    ]
    for measure, *data in plans:
        with TemporaryDirectory() as folder:
            _run_in_process(write_data, Path(folder), *data)
            figures |= _run_in_process(measure, Path(folder))
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _run_in_process(work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
    """The result of `work` in a new process, whose peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


if __name__ == "__main__":
    main()

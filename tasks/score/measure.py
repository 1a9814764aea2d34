"""Takes every metric of every predictor in every slice, with intervals and differences."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.bootstrap import middle
from tasks.executor import Executor
from tasks.score.relations import describe_lists
from tasks.score.statements import statements
from tasks.score.sums import Asked, Part, Scene, Sums, list_sums, rating_sums
from tasks.score.values import MILLION, Metric
from tasks.store.artifacts import Scores

Floats = NDArray[np.float64]
Row = dict[str, Any]


def measure(draft: Path, asked: Asked, executor: Executor) -> dict[str, Any]:
    """Write metrics.parquet and comparisons.parquet; return the notes for the manifest.

    Raises MissingPredictionError where a predictor left out a target, or a user.
    """
    comparisons: list[Row] = []
    with duckdb.connect(config={"threads": 2}) as db:
        scene = Scene.of(db, asked)
        describe_lists(db, asked.lists, asked.config.ks)
        metrics = list(_of_catalogue(db))
        tables = rating_sums(scene, asked, executor), list_sums(scene)
    for table in tables:
        for part, of in table.items():
            found, differences = scored(part, of, asked.config.compared)
            metrics += found
            comparisons += differences
    _write(metrics, "metrics", draft, ["predictor"])
    _write(comparisons, "comparisons", draft, ["predictor", "against"])
    return {name: asked.split.metadata[name] for name in ("dataset", "protocol")}


def _of_catalogue(db: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    """What is no mean over users: it has no interval, for fewer users name fewer films."""
    for file, text in statements("metrics/catalogue"):
        for predictor, k, value, n in db.execute(text).fetchall():
            yield {
                "predictor": predictor, "metric": file.stem, "k": k, "slice": "everyone",
                "slice_value": "all", "value": value, "ci95_low": None, "ci95_high": None, "n": n,
            }  # fmt: skip


def scored(
    part: Part, of: Mapping[str, Sums], compared: Sequence[str]
) -> tuple[list[Row], list[Row]]:
    """Each metric of each predictor in a part; and how the compared ones differ from the rest."""
    figures = {
        (name, metric): column
        for name, sums in of.items()
        for metric, column in zip(sums.metrics, _figures(sums).T, strict=True)
    }
    n = int(next(iter(of.values())).drawn[0, 0])

    def row(metric: Metric, **told: Any) -> Row:  # noqa: ANN401
        place = {"slice": part[0], "slice_value": part[1], "n": n}
        return place | {"metric": metric.name, "k": metric.k} | told

    low, high = middle(np.stack([column[1:] for column in figures.values()], 1))
    scored = [
        row(metric, predictor=name, value=float(column[0]), ci95_low=float(a), ci95_high=float(b))
        for ((name, metric), column), a, b in zip(figures.items(), low, high, strict=True)
    ]
    pairs = [
        (name, other, metric)
        for name, metric in figures if name in compared
        for other, same in figures if same == metric and other != name
    ]  # fmt: skip
    if not pairs:
        return scored, []
    apart = np.stack([figures[a, m] - figures[b, m] for a, b, m in pairs], 1)
    low, high = middle(apart[1:])
    against = [
        row(m, predictor=a, against=b, ci95_low=float(x), ci95_high=float(y), difference=float(d))
        for (a, b, m), x, y, d in zip(pairs, low, high, apart[0], strict=True)
    ]
    return scored, against


def _figures(sums: Sums) -> Floats:
    """[1 + resamples, metrics]; NaN in a row where nobody with a count was drawn."""
    figures, at = [], 1
    with np.errstate(invalid="ignore", divide="ignore"):
        for metric in sums.metrics:
            total = sums.drawn[:, at : at + metric.width]
            total = np.abs(total).sum(axis=1) if metric.binned else total[:, 0]
            figures.append((total / MILLION / sums.drawn[:, 0]) ** metric.power)
            at += metric.width
    return np.stack(figures, axis=1)


def _write(rows: list[Row], name: str, draft: Path, first: list[str]) -> None:
    types = {"string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64}
    columns = Scores.tables[name].columns
    schema = {column: types[arrow] for column, (arrow, _) in columns.items()}
    order = [*first, "metric", "k", "slice", "slice_value"]
    table = pl.DataFrame(rows, schema=schema).sort(order, nulls_last=True)
    table.write_parquet(draft / f"{name}.parquet")

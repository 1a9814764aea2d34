"""Computes every metric of every predictor by slice, with intervals, and paired differences."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.bootstrap import percentile_interval
from tasks.executor import Executor
from tasks.score.max_t import Family
from tasks.score.metric import Metric
from tasks.score.relations import create_listed
from tasks.score.statements import read_statements, without_semicolon
from tasks.score.sums import ScoreContext, ScoreInputs, SliceValue, Sums, sum_lists, sum_ratings
from tasks.store.artifacts import Scores

Floats = NDArray[np.float64]
Row = dict[str, Any]
Families = defaultdict[tuple[str, *tuple[object, ...]], Family]  # by slice and key of the metric


def measure(draft: Path, inputs: ScoreInputs, executor: Executor) -> dict[str, Any]:
    """Write metrics.parquet and comparisons.parquet; return the manifest's metadata.

    Raises MissingPredictionError where a predictor lacks a target, or a list for a user.
    """
    comparisons: list[Row] = []
    families: Families = defaultdict(Family)
    with duckdb.connect(config={"threads": 2}) as db:
        context = ScoreContext.create(db, inputs)
        create_listed(db, inputs.split, inputs.lists, inputs.config.ks, inputs.liked)
        metrics = list(_catalogue_metrics(db))
        tables = sum_ratings(context, inputs, executor), sum_lists(context)
    for table in tables:
        for value, by_predictor in table.items():
            figures, differences = compute_metrics(
                value, by_predictor, inputs.config.compared, families
            )
            metrics += figures
            comparisons += differences
    adjust(comparisons, families)
    _write(metrics, "metrics", draft, ["predictor"])
    _write(comparisons, "comparisons", draft, ["predictor", "against"])
    return {name: inputs.split.metadata[name] for name in ("dataset", "protocol")}


def _catalogue_metrics(db: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    """Metrics that are no mean over users. They have no interval: fewer users name fewer films."""
    for file, text in read_statements("metrics/catalogue"):
        query = f"select predictor, k, value, n from ({without_semicolon(text)})"
        for predictor, k, value, n in db.execute(query).fetchall():
            yield {
                "predictor": predictor, "metric": file.stem, "k": k, "relevance": None,
                "slice": "everyone", "slice_value": "all", "value": value, "ci95_low": None,
                "ci95_high": None, "n": n,
            }  # fmt: skip


def compute_metrics(
    slice_value: SliceValue,
    by_predictor: Mapping[str, Sums],
    compared: Sequence[str],
    families: Families,
) -> tuple[list[Row], list[Row]]:
    """Rows of metrics for one slice value, and of comparisons of `compared` with all others.

    The comparisons are added to their families, and lack their p until all are (`adjust`).
    """
    columns = {
        (name, metric): column
        for name, sums in by_predictor.items()
        for metric, column in _figures(sums).items()
        if not np.isnan(column[0]) and (not metric.pooled or slice_value[0] == "everyone")
    }
    key = {"slice": slice_value[0], "slice_value": slice_value[1]}
    n = {(name, metric): n for name, sums in by_predictor.items() for metric, n in _counts(sums)}
    low, high = percentile_interval(np.stack([column[1:] for column in columns.values()], 1))
    metrics = [
        key
        | _metric_key(metric)
        | {"predictor": name, "value": float(column[0]), "n": n[name, metric]}
        | _ci95(a, b)
        for ((name, metric), column), a, b in zip(columns.items(), low, high, strict=True)
    ]
    pairs = [
        (name, other, metric)
        for name, metric in columns if name in compared
        for other, same in columns if same == metric and other != name
    ]  # fmt: skip
    if not pairs:
        return metrics, []
    differences = np.stack([columns[a, m] - columns[b, m] for a, b, m in pairs], 1)
    low, high = percentile_interval(differences[1:])
    t = np.zeros(len(pairs))
    for metric in {metric for *_, metric in pairs}:
        at = np.array([same == metric for *_, same in pairs])
        t[at] = families[slice_value[0], *_metric_key(metric).values()].add(differences[:, at])
    comparisons = [
        key
        | _metric_key(metric)
        | {"predictor": name, "against": other, "difference": float(difference), "t": t_one}
        | _ci95(a, b)
        | {"n": n[name, metric]}
        for (name, other, metric), difference, t_one, a, b in zip(
            pairs, differences[0], t, low, high, strict=True
        )
    ]
    return metrics, comparisons


def adjust(comparisons: list[Row], families: Families) -> None:
    """Replace the `t` of each comparison by its `p_adjusted`.

    A family is all comparisons of one metric, k and relevance over all values of one slice.
    """
    for row in comparisons:
        family = families[row["slice"], row["metric"], row["k"], row["relevance"]]
        row["p_adjusted"] = family.adjusted_p(row.pop("t"))


def _metric_key(metric: Metric) -> Row:
    return {"metric": metric.name, "k": metric.k, "relevance": metric.relevance}


def _ci95(low: float, high: float) -> Row:
    return {"ci95_low": float(low), "ci95_high": float(high)}


def _figures(sums: Sums) -> dict[Metric, Floats]:
    """[1 + resamples] of each metric; NaN where a resample has no user with a count."""
    count = sums.resampled[:, 0]
    return {metric: metric.figure(columns, count) for metric, columns in _columns(sums)}


def _counts(sums: Sums) -> Iterator[tuple[Metric, int]]:
    """Over how many ratings or lists each metric is."""
    for metric, columns in _columns(sums):
        yield metric, metric.n(columns[0], sums.resampled[0, 0])


def _columns(sums: Sums) -> Iterator[tuple[Metric, Floats]]:
    """Each metric with its [1 + resamples, width]."""
    ends = np.cumsum([1, *(metric.width for metric in sums.metrics)])
    for metric, end in zip(sums.metrics, ends[1:], strict=True):
        yield metric, sums.resampled[:, end - metric.width : end]


def _write(rows: list[Row], name: str, draft: Path, first: list[str]) -> None:
    types = {"string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64}
    columns = Scores.tables[name].columns
    schema = {column: types[arrow] for column, (arrow, _) in columns.items()}
    order = [*first, "metric", "k", "relevance", "slice", "slice_value"]
    table = pl.DataFrame(rows, schema=schema).sort(order, nulls_last=True)
    table.write_parquet(draft / f"{name}.parquet")

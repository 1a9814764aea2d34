"""Takes every metric of every predictor in every slice, with intervals and differences."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.artifacts import Histories, Predictions, Scores, TrustedRatings
from tasks.progress import track
from tasks.score.bootstrap import Resamples, middle
from tasks.score.config import Score
from tasks.score.relations import check_lists, describe
from tasks.score.statements import statements
from tasks.score.sums import Part, list_parts, rating_parts
from tasks.score.values import MILLION, Metric

Floats = NDArray[np.float64]
Row = dict[str, Any]
AT_ONCE = 256  # columns that are drawn together: the draws are read once for all of them


def measure(
    draft: Path,
    histories: Histories,
    ratings: TrustedRatings,
    predictions: Sequence[Predictions],
    config: Score,
) -> dict[str, Any]:
    """Write metrics.parquet and comparisons.parquet; return the notes for the manifest.

    Raises MissingPredictionError where a predictor left out a target, or a user.
    """
    with duckdb.connect(config={"threads": 2}) as db:
        describe(db, histories, ratings, predictions, config.ks)
        check_lists(db)
        users = db.execute("select user_id from users").fetchnumpy()["user_id"]
        parts = rating_parts(db, users) + list_parts(db, users)
        metrics = list(_of_catalogue(db))
    resamples = Resamples(len(users), config.resamples, config.seed)
    comparisons: list[Row] = []
    for part, drawn in track(drawn_together(parts, resamples), "score", len(parts), "slices"):
        found, differences = scored(part, drawn, config.compared)
        metrics += found
        comparisons += differences
    _write(metrics, "metrics", draft, ["predictor"])
    _write(comparisons, "comparisons", draft, ["predictor", "against"])
    return {name: histories.notes[name] for name in ("dataset", "protocol")}


def _of_catalogue(db: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    """What is no mean over users: it has no interval, for fewer users name fewer films."""
    for file, text in statements("metrics/catalogue"):
        for predictor, k, value, n in db.execute(text).fetchall():
            yield {
                "predictor": predictor, "metric": file.stem, "k": k, "slice": "everyone",
                "part": "all", "value": value, "low": None, "high": None, "n": n,
            }  # fmt: skip


def drawn_together(parts: Sequence[Part], resamples: Resamples) -> Iterator[tuple[Part, Floats]]:
    """Each part with its sums over each resample; small parts are drawn with one another."""
    waiting: list[Part] = []
    for i, part in enumerate(parts):
        waiting.append(part)
        if sum(of.width for of in waiting) >= AT_ONCE or i + 1 == len(parts):
            drawn = resamples.sums(np.concatenate([of.columns() for of in waiting], axis=1))
            ends = np.cumsum([of.width for of in waiting])
            yield from zip(waiting, np.split(drawn, ends[:-1], axis=1), strict=True)
            waiting = []


def scored(part: Part, drawn: Floats, compared: Sequence[str]) -> tuple[list[Row], list[Row]]:
    """Each metric of each predictor in a part; and how the compared ones differ from the rest.

    `drawn` [resamples, part.width] are the sums of the part's columns over each resample.
    """
    keys = list(part.totals)
    whole = [part.count.sum(), *(s for total in part.totals.values() for s in total.sum(axis=0))]
    value = dict(zip(keys, _figures(keys, np.array([whole])).T, strict=True))
    spread = dict(zip(keys, _figures(keys, drawn).T, strict=True))
    n = int(part.count.sum())

    def row(metric: Metric, **told: Any) -> Row:  # noqa: ANN401
        place = {"slice": part.slice, "part": part.part, "n": n}
        return place | {"metric": metric.name, "k": metric.k} | told

    low, high = middle(np.stack([spread[key] for key in keys], 1))
    scored = [
        row(
            metric, predictor=name, value=float(value[name, metric][0]), low=float(a), high=float(b)
        )
        for (name, metric), a, b in zip(keys, low, high, strict=True)
    ]
    pairs = [
        (name, other, metric)
        for name, metric in keys if name in compared
        for other, same in keys if same == metric and other != name
    ]  # fmt: skip
    if not pairs:
        return scored, []
    low, high = middle(np.stack([spread[a, m] - spread[b, m] for a, b, m in pairs], 1))
    against = [
        row(m, predictor=a, against=b, low=float(x), high=float(y),
            difference=float(value[a, m][0] - value[b, m][0]))
        for (a, b, m), x, y in zip(pairs, low, high, strict=True)
    ]  # fmt: skip
    return scored, against


def _figures(keys: Sequence[tuple[str, Metric]], sums: Floats) -> Floats:
    """[rows, keys] from [rows, 1 + widths]: the count first, then each metric's sums.

    NaN in a row where nobody with a count was drawn.
    """
    figures, at = [], 1
    with np.errstate(invalid="ignore", divide="ignore"):
        for _, metric in keys:
            total = sums[:, at : at + metric.width]
            total = np.abs(total).sum(axis=1) if metric.binned else total[:, 0]
            figures.append((total / MILLION / sums[:, 0]) ** metric.power)
            at += metric.width
    return np.stack(figures, axis=1)


def _write(rows: list[Row], name: str, draft: Path, first: list[str]) -> None:
    types = {"string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64}
    columns = Scores.tables[name].columns
    schema = {column: types[arrow] for column, (arrow, _) in columns.items()}
    order = [*first, "metric", "k", "slice", "part"]
    table = pl.DataFrame(rows, schema=schema).sort(order, nulls_last=True)
    table.write_parquet(draft / f"{name}.parquet")

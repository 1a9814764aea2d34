"""Runs the metrics over the slices in DuckDB, and adds intervals and differences."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
import polars as pl

from tasks.artifacts import Histories, Predictions, Scores, TrustedRatings
from tasks.progress import track
from tasks.score.bootstrap import Resamples, interval
from tasks.score.statements import statements

REFERENCE = {"ratings": "bias", "lists": "popularity"}


class Settings(Protocol):
    """What of the settings matters here."""

    ks: tuple[int, ...]
    resamples: int
    seed: int


class MissingPredictionError(Exception):
    """A predictor has nothing to say where it was asked."""


def measure(
    draft: Path,
    histories: Histories,
    ratings: TrustedRatings,
    predictions: Sequence[Predictions],
    config: Settings,
) -> dict[str, Any]:
    """Write metrics.parquet and comparisons.parquet; return the notes for the manifest.

    Raises MissingPredictionError where a predictor left out a target, or a user.
    """
    with duckdb.connect(config={"threads": 2}) as db:
        _relations(db, histories, ratings, predictions, config)
        _complain_of_gaps(db)
        sums = list(_sums(db))
    users = np.unique(np.concatenate([table["user_id"].to_numpy() for _, table in sums]))
    resamples = Resamples(len(users), config.resamples, config.seed)
    metrics: list[dict[str, Any]] = []
    comparisons: list[dict[str, Any]] = []
    for about, table in track(sums, "score", len(sums), "metrics"):
        for key, group in table.group_by("k", "part", maintain_order=True):
            rows, against = _scored(group, users, resamples, REFERENCE[about["of"]])
            place = {
                "metric": about["metric"],
                "k": key[0],
                "slice": about["slice"],
                "part": key[1],
            }
            metrics += [place | row for row in rows]
            comparisons += [place | row for row in against]
    _write(metrics, "metrics", draft, ["predictor"])
    _write(comparisons, "comparisons", draft, ["predictor", "against"])
    return {name: histories.notes[name] for name in ("dataset", "protocol")}


def _relations(
    db: duckdb.DuckDBPyConnection,
    histories: Histories,
    ratings: TrustedRatings,
    predictions: Sequence[Predictions],
    config: Settings,
) -> None:
    """The relations that sql/metrics and sql/slices are written over."""
    rated = [str(file) for made in predictions for file in made.files("ratings")]
    listed = [str(file) for made in predictions for file in made.files("lists")]
    db.execute("set timezone = 'UTC'")
    db.from_parquet([str(f) for f in histories.files("histories")]).create_view("histories")
    db.from_parquet([str(f) for f in ratings.files("films")]).create_view("films")
    db.from_parquet(rated).filter("fold = 'test'").create("predicted_ratings")
    db.from_parquet(listed).filter("fold = 'test'").create("lists")
    ks = ", ".join(map(str, config.ks))
    db.execute("""
        create table targets as
        select user_id, film_id, rating, rated_at, cold,
            count(*) filter (not (fold = 'test' and part = 'target')) over of_user as known
        from histories where fold <> 'unused'
        window of_user as (partition by user_id)
        qualify fold = 'test' and part = 'target'""")
    db.execute(f"""
        create table listed as
        select l.predictor, l.user_id, k.k, l.rank, l.film_id,
            cast(t.film_id is not null as integer) as is_hit,
            h.film_id is not null as was_seen,
            (select count(*) from targets where user_id = l.user_id) as relevant
        from lists as l
        join (select unnest([{ks}]) as k) as k on l.rank <= k.k
        left join targets as t using (user_id, film_id)
        left join (select distinct user_id, film_id from histories where fold <> 'unused'
            and not (fold = 'test' and part = 'target')) as h using (user_id, film_id)""")


def _complain_of_gaps(db: duckdb.DuckDBPyConnection) -> None:
    gaps = db.execute("""
        select predictor, count(*) from (select distinct predictor from predicted_ratings)
        cross join targets
        anti join predicted_ratings using (predictor, user_id, film_id)
        group by predictor order by predictor""").fetchall()
    gaps += db.execute("""
        select predictor, count(*) from (select distinct predictor from lists)
        cross join (select distinct user_id from targets)
        anti join lists using (predictor, user_id)
        group by predictor order by predictor""").fetchall()
    if gaps:
        told = ", ".join(f"{name} of {count}" for name, count in gaps)
        raise MissingPredictionError(f"predictions are missing: {told}; none may be left out")


def _sums(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[dict[str, str], pl.DataFrame]]:
    """For each metric and slice its sum and count by predictor, k, part and user.

    Sums are of whole millionths: their order, which threads decide, changes no digit.
    """
    for slice_file, slice_text in statements("slices"):
        db.execute(f"create or replace table slice as {slice_text}")
        for file, text in statements("metrics/ratings", "metrics/lists"):
            of = file.parent.name
            db.execute(f"create or replace view metric as {text}")
            k, on = ("null::integer", "user_id, film_id") if of == "ratings" else ("k", "user_id")
            part = "slice" if of == "ratings" else "(select distinct user_id, part from slice)"
            table = db.sql(f"""
                select predictor, {k} as k, part, user_id, any_value(power) as power,
                    sum(cast(round(value * 1e6) as bigint))::double / 1e6 as total, count(*) as n
                from metric join {part} as slice using ({on})
                group by all order by k, part, predictor, user_id""").pl()
            yield {"of": of, "metric": file.stem, "slice": slice_file.stem}, table


def _scored(
    group: pl.DataFrame, users: np.ndarray, resamples: Resamples, reference: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Values with intervals for one metric, k and part; and differences to the reference."""
    values: dict[str, tuple[float, np.ndarray, int]] = {}
    for (predictor,), rows in group.group_by("predictor", maintain_order=True):
        at = np.searchsorted(users, rows["user_id"].to_numpy())
        total, n = np.zeros(len(users)), np.zeros(len(users))
        total[at], n[at] = rows["total"].to_numpy(), rows["n"].to_numpy()
        power = float(rows["power"][0])
        value = float((total.sum() / n.sum()) ** power)
        values[str(predictor)] = value, resamples.means(total, n, power), int(n.sum())
    scored = [
        {"predictor": name, "n": n} | vars(interval(value, drawn))
        for name, (value, drawn, n) in values.items()
    ]
    if reference not in values:
        return scored, []
    base, base_drawn, _ = values[reference]
    against = []
    for name, (value, drawn, n) in values.items():
        if name != reference:
            found = interval(value - base, drawn - base_drawn)
            row = {"predictor": name, "against": reference, "difference": found.value}
            against.append(row | {"low": found.low, "high": found.high, "n": n})
    return scored, against


def _write(rows: list[dict[str, Any]], name: str, draft: Path, first: list[str]) -> None:
    types = {"string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64}
    columns = Scores.tables[name].columns
    schema = {column: types[arrow] for column, (arrow, _) in columns.items()}
    order = [*first, "metric", "k", "slice", "part"]
    table = pl.DataFrame(rows, schema=schema).sort(order, nulls_last=True)
    table.write_parquet(draft / f"{name}.parquet")

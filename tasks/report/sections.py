"""The contents of each section about the run itself."""

import duckdb
from markupsafe import Markup

from tasks.report.charts import dot_plot, line_plot, reliability_plot
from tasks.report.query import Row, fetch_rows
from tasks.report.summary_text import LEADING, metric_title

BY_SLICE = ("blend", "llm", "bias")  # predictors whose RMSE is shown by slice
LOWER_IS_BETTER = ("rmse", "mae", "disliked")


def leaderboards(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    """`metric`, `name`, `rows` (best first) and `plot` of each leading metric."""
    boards = []
    for metric, k, relevance in LEADING:
        rows = fetch_rows(
            db,
            "select predictor, value, ci95_low, ci95_high, n from leaderboard where run_id = ? "
            "and metric = ? and k is not distinct from ? and relevance is not distinct from ? "
            "order by value, predictor",
            *(run_id, metric, k, relevance),
        )
        if metric not in LOWER_IS_BETTER:
            rows.reverse()
        boards.append(
            {
                "metric": metric,
                "name": metric_title(metric, k, relevance),
                "rows": rows,
                "plot": dot_plot(rows, metric),
            }
        )
    return boards


def rmse_by_slice(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    """For each slice a row per value, with a cell for each of BY_SLICE that the run has."""
    found = fetch_rows(
        db,
        """
        select slice, slice_value, predictor, value, ci95_low, ci95_high, n from metrics
        where run_id = ? and metric = 'rmse' and slice <> 'everyone'
        order by slice, slice_value""",
        run_id,
    )
    predictors = [name for name in BY_SLICE if any(row["predictor"] == name for row in found)]
    slices: dict[str, dict[str, Row]] = {}
    for row in found:
        values = slices.setdefault(row["slice"], {})
        values.setdefault(row["slice_value"], {})[row["predictor"]] = row
    return [
        {
            "name": name,
            "predictors": predictors,
            "rows": [
                {"slice_value": value, "cells": [cells[predictor] for predictor in predictors]}
                for value, cells in values.items()
            ],
        }
        for name, values in slices.items()
    ]


def reliability(db: duckdb.DuckDBPyConnection, run_id: str) -> Markup:
    """The predicted probability of 4 stars or more, in tenths, and the observed share."""
    rows = fetch_rows(
        db,
        """
        select avg(p_like) as x, avg(cast(rating >= 4 as integer)) as y, null as low, null as high,
            count(*) as n
        from rating_predictions
        where run_id = ? and predictor = 'llm' and fold = 'test' and p_like is not null
        group by least(floor(p_like * 10), 9) order by x""",
        run_id,
    )
    return reliability_plot(rows, "predicted probability", "observed share")


def expected_and_true(db: duckdb.DuckDBPyConnection, run_id: str) -> Markup:
    """The median and the middle 80 % of the expected rating, for each true rating."""
    rows = fetch_rows(
        db,
        """
        select rating as x, median(mean) as y, quantile_cont(mean, 0.1) as low,
            quantile_cont(mean, 0.9) as high, count(*) as n
        from rating_predictions where run_id = ? and predictor = 'llm' and fold = 'test'
        group by rating order by rating""",
        run_id,
    )
    return reliability_plot(rows, "true rating", "expected rating")


def training_plots(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Markup]:
    """`loss` and `rmse` (of validation) by step; empty where fewer than two were logged."""
    rows = fetch_rows(db, "select * from training where run_id = ? order by step", run_id)

    def plot(column: str, name: str) -> Markup:
        points = [(row["step"], row[column]) for row in rows if row[column] is not None]
        return line_plot(points, "step", name)

    return {"loss": plot("loss", "loss"), "rmse": plot("validation_rmse", "RMSE")}


def example_users(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    """The first ten users with their `listed` films, and the ten that they `rated` best.

    Lists are those of `ranked`, or of `llm` where there is no `ranked`.
    """
    listed = fetch_rows(
        db,
        """
        with shown as (
            select * from recommended where run_id = ? and predictor in ('llm', 'ranked')
            qualify predictor = max(predictor) over ())
        select user_id, rank, title, expected, rated from shown
        where user_id in (select distinct user_id from shown order by user_id limit 10)
        order by user_id, rank""",
        run_id,
    )
    rated = fetch_rows(
        db,
        """
        select user_id, title, rating from (
            select distinct user_id, film_id, rating from rating_predictions
            where run_id = ? and fold = 'test')
        join films using (film_id) where films.run_id = ?
        order by user_id, rating desc, title""",
        *(run_id, run_id),
    )
    return [
        {
            "user_id": user,
            "listed": [row for row in listed if row["user_id"] == user],
            "rated": [row for row in rated if row["user_id"] == user][:10],
        }
        for user in sorted({row["user_id"] for row in listed})
    ]


def data_docs(db: duckdb.DuckDBPyConnection, run_id: str) -> str | None:
    """The page of the data's validation, relative to the run's page; None where it has none."""
    found = fetch_rows(
        db, "select fingerprint from stages where run_id = ? and kind = 'validated-ratings'", run_id
    )
    page = "../../../data/validated-ratings/{fingerprint}/measured-docs/index.html"
    return page.format_map(found[0]) if found else None


def costs(db: duckdb.DuckDBPyConnection, run_id: str) -> Row:
    """Of the run: seconds, gigabytes, training tokens, and predicting seconds per 1,000 places."""
    (row,) = fetch_rows(
        db,
        """
        select sum(seconds) as seconds, max(peak_bytes) / 1e9 as gigabytes,
            (select max(tokens) from training where run_id = ?) as tokens,
            1000 * sum(seconds) filter (kind in ('readings', 'rating-predictions', 'candidates',
                'candidate-scores', 'ranked-lists'))
                / nullif((select count(*) from lists where run_id = ?), 0) as per_thousand
        from stages where run_id = ?""",
        *[run_id] * 3,
    )
    return row


def served(db: duckdb.DuckDBPyConnection, lists: str | None) -> Row | None:
    """The lists of everyone, beside those served before; None where a run served none."""
    found = fetch_rows(db, "select * from served where lists = ? order by served_at", lists)
    return found[-1] if found else None

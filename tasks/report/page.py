"""One self-contained page a run: text, tables and drawings, all from the metric file."""

from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.metrics_db import open_readonly
from tasks.report.plots import beside, curve, dots
from tasks.report.summary_text import LEAD, in_words, rows_of, verdicts_of

HERE = Path(__file__).parent
SLICED = ("blend", "llm", "bias")  # predictors whose error is told by slice


def page(metrics: Path, run_id: str) -> str:
    """The HTML of a run. Titles and names are data: they are escaped."""
    loader = FileSystemLoader(HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    with open_readonly(metrics) as db:
        run = rows_of(db, "select * from runs where run_id = ?", run_id)[0]
        return environment.get_template("page.html").render(
            run=run,
            boards=[_board(db, run_id, metric, k) for metric, k in LEAD],
            words=in_words(db, run_id),
            decisions=rows_of(db, "select * from champions where run_id = ?", run_id),
            verdicts=verdicts_of(db, run_id),
            calibration=_calibration(db, run_id),
            guessed=_guessed(db, run_id),
            slices=_slices(db, run_id),
            training=_training(db, run_id),
            trend=_trend(db, run),
            protocols=_protocols(db, run),
            users=_users(db, run_id),
            ablations=rows_of(
                db, "select * from ablations where run_id = ? order by difference, ablation", run_id
            ),
            memorization=rows_of(
                db, "select * from memorization where run_id = ? order by kind", run_id
            ),
            costs=_costs(db, run_id),
            stages=rows_of(db, "select * from stages where run_id = ? order by stage", run_id),
            asked=_asked(db, run_id),
            quarantine=rows_of(
                db,
                "select relation, rule, count(*) as n from quarantine where run_id = ? "
                "group by all order by all",
                run_id,
            ),
        )


def _board(db: duckdb.DuckDBPyConnection, run_id: str, metric: str, k: int | None) -> Any:  # noqa: ANN401
    rows = rows_of(
        db,
        "select predictor, value, ci95_low, ci95_high, n from leaderboard "
        "where run_id = ? and metric = ? and k is not distinct from ? order by value, predictor",
        run_id,
        metric,
        k,
    )
    if metric not in ("rmse", "mae"):  # the best first
        rows.reverse()
    return {"name": f"{metric}@{k}" if k else metric, "rows": rows, "drawing": dots(rows)}


def _calibration(db: duckdb.DuckDBPyConnection, run_id: str) -> Any:  # noqa: ANN401
    rows = rows_of(
        db,
        """
        select avg(p_like) as x, avg(cast(rating >= 4 as integer)) as y, null as low, null as high,
            count(*) as n
        from rating_predictions
        where run_id = ? and predictor = 'llm' and fold = 'test' and p_like is not null
        group by least(floor(p_like * 10), 9) order by x""",
        run_id,
    )
    return beside(rows, "said: 4 stars or more", "share that were")


def _guessed(db: duckdb.DuckDBPyConnection, run_id: str) -> Any:  # noqa: ANN401
    rows = rows_of(
        db,
        """
        select rating as x, median(mean) as y, quantile_cont(mean, 0.1) as low,
            quantile_cont(mean, 0.9) as high, count(*) as n
        from rating_predictions where run_id = ? and predictor = 'llm' and fold = 'test'
        group by rating order by rating""",
        run_id,
    )
    return beside(rows, "true rating", "expected rating")


def _costs(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    """Of the whole night: `tokens` learnt from, and seconds of predicting for 1,000 list places."""
    return rows_of(
        db,
        """
        select sum(seconds) as seconds, max(peak_bytes) / 1e9 as gigabytes,
            (select max(tokens) from training where run_id = ?) as tokens,
            1000 * sum(seconds) filter (kind in
                ('rating-predictions', 'candidates', 'candidate-scores', 'ranked-lists'))
                / nullif((select count(*) from lists where run_id = ?), 0) as per_thousand
        from stages where run_id = ?""",
        *[run_id] * 3,
    )[0]


def _slices(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """For each slice one row a part, with a figure for each of SLICED that there is."""
    found = rows_of(
        db,
        """
        select slice, slice_value, predictor, value, ci95_low, ci95_high, n from metrics
        where run_id = ? and metric = 'rmse' and slice <> 'everyone' order by slice, slice_value""",
        run_id,
    )
    predictors = [name for name in SLICED if any(row["predictor"] == name for row in found)]
    cells = {(row["slice"], row["slice_value"], row["predictor"]): row for row in found}
    parts = list(dict.fromkeys((row["slice"], row["slice_value"]) for row in found))
    return [
        {
            "name": name,
            "predictors": predictors,
            "rows": [
                {"value": part, "cells": [cells[of, part, said] for said in predictors]}
                for of, part in parts
                if of == name
            ],
        }
        for name in dict.fromkeys(of for of, _ in parts)
    ]


def _training(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    rows = rows_of(db, "select * from training where run_id = ? order by step", run_id)

    def of(column: str, name: str) -> str:
        told = [(row["step"], row[column]) for row in rows if row[column] is not None]
        return curve(told, "step", name)

    return {"loss": of("loss", "loss"), "rmse": of("validation_rmse", "RMSE")}


def _trend(db: duckdb.DuckDBPyConnection, run: dict[str, Any]) -> dict[str, Any]:
    """One row a night up to this one: the language model's RMSE, and the blend's beside it."""
    rows = rows_of(
        db,
        """
        select l.night, l.run_id, l.value, l.ci95_low, l.ci95_high, l.promoted, b.value as blend
        from trend as l left join trend as b
            on b.run_id = l.run_id and b.metric = l.metric and b.predictor = 'blend'
        where l.dataset = ? and l.protocol = ? and l.predictor = 'llm' and l.metric = 'rmse'
            and l.run_at <= ?
        order by l.night, l.run_at""",
        run["dataset"],
        run["protocol"],
        run["run_at"],
    )
    drawing = curve(
        [(night, row["value"]) for night, row in enumerate(rows, 1)],
        "night",
        "RMSE",
        [(row["ci95_low"], row["ci95_high"]) for row in rows],
        [(str(row["night"]), "model" if row["promoted"] else "other") for row in rows],
    )
    return {"rows": rows, "drawing": drawing}


def _protocols(db: duckdb.DuckDBPyConnection, run: dict[str, Any]) -> dict[str, Any] | None:
    """The RMSE of each predictor under each protocol of the same data; None where there is one."""
    found = rows_of(
        db,
        "select protocol, predictor, value from latest "
        "where dataset = ? and metric = 'rmse' order by value, predictor",
        run["dataset"],
    )
    names = sorted({row["protocol"] for row in found})
    if len(names) < 2:
        return None
    cells = {(row["predictor"], row["protocol"]): row["value"] for row in found}
    predictors = list(dict.fromkeys(row["predictor"] for row in found))
    rows = [{"predictor": p, "values": [cells.get((p, n)) for n in names]} for p in predictors]
    return {"names": names, "rows": rows}


def _asked(db: duckdb.DuckDBPyConnection, run_id: str) -> str | None:
    """Where the page of the rules lies that the data was held to, seen from the run's own page."""
    found = rows_of(
        db, "select fingerprint from stages where run_id = ? and kind = 'validated-ratings'", run_id
    )
    folder = "../../../data/validated-ratings/{fingerprint}/measured-docs/index.html"
    return folder.format_map(found[0]) if found else None


def _users(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """The first ten users with the best list there is of each, beside what they then liked."""
    rows = rows_of(
        db,
        """
        with shown as (
            select * from recommended where run_id = ? and predictor in ('llm', 'ranked')
            qualify predictor = max(predictor) over ())  -- ranked where there is one
        select user_id, rank, title, expected, rated from shown
        where user_id in (select distinct user_id from shown order by user_id limit 10)
        order by user_id, rank""",
        run_id,
    )
    liked = rows_of(
        db,
        """
        select user_id, title, rating from (
            select distinct user_id, film_id, rating from rating_predictions
            where run_id = ? and fold = 'test')
        join films using (film_id) where films.run_id = ?
        order by user_id, rating desc, title""",
        run_id,
        run_id,
    )
    return [
        {
            "user_id": user,
            "named": [row for row in rows if row["user_id"] == user],
            "liked": [row for row in liked if row["user_id"] == user][:10],
        }
        for user in sorted({row["user_id"] for row in rows})
    ]

"""One self-contained page a run: text, tables and drawings, all from the metric file."""

from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.report.drawing import curve, dots
from tasks.warehouse import reading

HERE = Path(__file__).parent
LEAD = [("rmse", None), ("mae", None), ("within_half", None), ("ndcg", 10), ("recall", 10)]


def page(metrics: Path, run_id: str) -> str:
    """The HTML of a run. Titles and names are data: they are escaped."""
    loader = FileSystemLoader(HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    with reading(metrics) as db:
        run = _rows(db, "select * from runs where run_id = ?", run_id)[0]
        return environment.get_template("page.html").render(
            run=run,
            boards=[_board(db, run_id, metric, k) for metric, k in LEAD],
            verdicts=_verdicts(db, run_id),
            slices=_slices(db, run_id),
            training=_training(db, run_id),
            trend=_trend(db, run),
            users=_users(db, run_id),
            stages=_rows(db, "select * from stages where run_id = ? order by stage", run_id),
            quarantine=_rows(
                db,
                "select relation, rule, count(*) as n from quarantine where run_id = ? "
                "group by all order by all",
                run_id,
            ),
        )


def _rows(db: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    found = db.execute(query, list(values))
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _board(db: duckdb.DuckDBPyConnection, run_id: str, metric: str, k: int | None) -> Any:  # noqa: ANN401
    rows = _rows(
        db,
        "select predictor, value, low, high, n from leaderboard "
        "where run_id = ? and metric = ? and k is not distinct from ? order by value, predictor",
        run_id,
        metric,
        k,
    )
    return {"name": f"{metric}@{k}" if k else metric, "rows": rows, "drawing": dots(rows)}


def _verdicts(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """What is and what is not told apart, of the model against each other predictor."""
    leading = " or ".join(
        f"(metric = '{m}' and k is not distinct from {k or 'null'})" for m, k in LEAD
    )
    return _rows(
        db,
        f"""
        select metric, k, against, difference, low, high, low > 0 or high < 0 as told_apart
        from comparisons
        where run_id = ? and predictor = 'llm' and slice = 'everyone' and ({leading})
        order by metric, k nulls first, against""",
        run_id,
    )


def _slices(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    rows = _rows(
        db,
        """
        select slice, part, predictor, value, low, high, n from metrics
        where run_id = ? and metric = 'rmse' and slice <> 'everyone'
            and predictor in ('llm', 'bias')
        order by slice, part, predictor desc""",
        run_id,
    )
    names = sorted({row["slice"] for row in rows})
    return [{"name": name, "rows": [r for r in rows if r["slice"] == name]} for name in names]


def _training(db: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    rows = _rows(db, "select * from training where run_id = ? order by step", run_id)

    def of(column: str, name: str) -> str:
        told = [(row["step"], row[column]) for row in rows if row[column] is not None]
        return curve(told, "step", name)

    return {"loss": of("loss", "loss"), "rmse": of("validation_rmse", "RMSE")}


def _trend(db: duckdb.DuckDBPyConnection, run: dict[str, Any]) -> list[dict[str, Any]]:
    return _rows(
        db,
        """
        select run_at, run_id, value, low, high from leaderboard
        where dataset = ? and protocol = ? and predictor = 'llm' and metric = 'rmse'
            and run_at <= ?
        order by run_at""",
        run["dataset"],
        run["protocol"],
        run["run_at"],
    )


def _users(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """The first ten users with their lists, beside what they then rated best."""
    rows = _rows(
        db,
        "select user_id, rank, title, expected, rated from recommended "
        "where run_id = ? and predictor = 'llm' and user_id in (select distinct user_id "
        "from lists where run_id = ? and predictor = 'llm' order by user_id limit 10) "
        "order by user_id, rank",
        run_id,
        run_id,
    )
    liked = _rows(
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

"""The contents of the sections that compare runs of the same data."""

from typing import Any

import duckdb

from tasks.metrics_db import run_report
from tasks.report.charts import line_plot
from tasks.report.query import Row, fetch_rows


def trend(db: duckdb.DuckDBPyConnection, run: Row) -> Row:
    """The RMSE of the language model and of the blend, run by run up to this one."""
    rows = fetch_rows(
        db,
        """
        select l.day, l.run_id, l.value, l.ci95_low, l.ci95_high, l.promoted, b.value as blend
        from trend as l left join trend as b
            on b.run_id = l.run_id and b.metric = l.metric and b.predictor = 'blend'
        where l.dataset = ? and l.split_recipe = ? and l.predictor = 'llm' and l.metric = 'rmse'
            and l.run_at <= ?
        order by l.day, l.run_at""",
        *(run["dataset"], run["split_recipe"], run["run_at"]),
    )
    plot = line_plot(
        [(number, row["value"]) for number, row in enumerate(rows, 1)],
        "run",
        "RMSE",
        [(row["ci95_low"], row["ci95_high"]) for row in rows],
        [(str(row["day"]), "model" if row["promoted"] else "other") for row in rows],
    )
    return {"rows": rows, "plot": plot}


def beside_last(db: duckdb.DuckDBPyConnection, run: Row, before: Row | None) -> list[Row]:
    """The rows of the report `compare`, but its first, against the run before; none without one."""
    if before is None:
        return []
    pair = {"run": run["run_id"], "with": before["run_id"]}
    found = run_report(db, "compare", pair)
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()][1:]


def protocols(db: duckdb.DuckDBPyConnection, run: Row) -> Row | None:
    """The RMSE of each predictor under each protocol of the same data; None if there is one."""
    found = fetch_rows(
        db,
        "select protocol, predictor, value from latest "
        "where dataset = ? and metric = 'rmse' order by value, predictor",
        run["dataset"],
    )
    names = sorted({row["protocol"] for row in found})
    if len(names) < 2:
        return None
    cells: dict[str, dict[str, Any]] = {}
    for row in found:
        cells.setdefault(row["predictor"], {})[row["protocol"]] = row["value"]
    rows = [
        {"predictor": predictor, "values": [values.get(name) for name in names]}
        for predictor, values in cells.items()
    ]
    return {"names": names, "rows": rows}

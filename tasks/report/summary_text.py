"""What a run's figures say in words: who is better than whom, and what cannot be told apart."""

from typing import Any

import duckdb

LEAD = [("rmse", None), ("mae", None), ("within_half", None), ("ndcg", 10), ("recall", 10)]
SAID = [("rmse", None, "min"), ("ndcg", 10, "max")]


def rows_of(db: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The answer to a query, a dictionary a row."""
    found = db.execute(query, list(values))
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_words(db: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """What each compared predictor reaches beside the best baseline, and what that tells."""
    return [_sentence(row) for metric in SAID for row in _beside_best(db, run_id, *metric)]


def _beside_best(
    db: duckdb.DuckDBPyConnection, run_id: str, metric: str, k: int | None, best: str
) -> list[dict[str, Any]]:
    return rows_of(
        db,
        f"""
        select c.*, m.value from comparisons as c join leaderboard as m
            on m.run_id = c.run_id and m.predictor = c.against and m.metric = c.metric
            and m.k is not distinct from c.k
        where c.run_id = ? and c.metric = ? and c.k is not distinct from ?
            and c.slice = 'everyone' and c.against not like 'llm%'
            and c.against not in ('blend', 'ranked', 'champion')
        qualify m.value = {best}(m.value) over (partition by c.predictor)
        order by c.predictor""",
        run_id,
        metric,
        k,
    )


def _sentence(row: dict[str, Any]) -> str:
    apart = row["ci95_low"] > 0 or row["ci95_high"] < 0
    side = "below" if row["difference"] < 0 else "above"
    metric = row["metric"].upper() + (f"@{row['k']}" if row["k"] else "")
    told = (
        f"The {metric} of {row['predictor']} is {row['value'] + row['difference']:.4f}, "
        f"{abs(row['difference']):.4f} ({abs(row['difference']) / row['value']:.1%}) {side} "
        f"that of {row['against']}, the best baseline by this figure. "
    )
    low, high = row["ci95_low"], row["ci95_high"]
    interval = f"The 95 % interval of the difference is {low:+.4f} to {high:+.4f}: "
    return told + interval + ("the two are told apart." if apart else "they cannot be told apart.")


def verdicts_of(db: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """What is and what is not told apart: a table for each predictor and kind of metric.

    `metrics` are its columns; each of `rows` has `against` and a cell for each metric, with
    `difference`, `ci95_low`, `ci95_high` and `verdict`.
    """
    tables = []
    for leading in ([m for m in LEAD if m[1] is None], [m for m in LEAD if m[1] is not None]):
        wanted = " or ".join(
            f"(metric = '{m}' and k is not distinct from {k or 'null'})" for m, k in leading
        )
        found = rows_of(
            db, f"select * from verdicts where run_id = ? and ({wanted}) order by against", run_id
        )
        for predictor in sorted({row["predictor"] for row in found}):
            own = [row for row in found if row["predictor"] == predictor]
            cells = {(row["against"], row["metric"], row["k"]): row for row in own}
            rows = [
                {"against": other, "cells": [cells[other, *metric] for metric in leading]}
                for other in sorted({row["against"] for row in own})
            ]
            names = [f"{m}@{k}" if k else m for m, k in leading]
            tables.append({"predictor": predictor, "metrics": names, "rows": rows})
    return tables

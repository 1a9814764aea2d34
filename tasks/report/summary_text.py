"""Says what the metrics show: how far each predictor is from the others, and if significantly."""

import duckdb

from tasks.report.query import Row, fetch_rows

Metric = tuple[str, int | None]  # name and k
RATINGS: list[Metric] = [
    (name, None) for name in ("rmse", "mae", "within_half", "within_half_rounded", "auc")
]
LISTS: list[Metric] = [("ndcg", 10), ("recall", 10)]
LEADING = RATINGS + LISTS
SUMMARIZED = [("rmse", None, 1), ("ndcg", 10, -1)]  # with 1 if lower is better


def summary_text(db: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """What the language models add, then a sentence for each compared predictor and summarized
    metric, against the best baseline.
    """
    worth = fetch_rows(
        db,
        "select * from llm_value where run_id = ? and metric = 'rmse' and slice = 'everyone'",
        run_id,
    )
    return [_worth(row) for row in worth] + [
        _sentence(row)
        for metric, k, sign in SUMMARIZED
        for row in fetch_rows(
            db,
            """
            select c.*, m.value from comparisons as c join leaderboard as m
                on m.run_id = c.run_id and m.predictor = c.against and m.metric = c.metric
                and m.k is not distinct from c.k
            where c.run_id = ? and c.metric = ? and c.k is not distinct from ?
                and c.slice = 'everyone' and c.against not like 'llm%'
                and c.against not like 'blend%' and c.against not in ('ranked', 'champion')
            qualify m.value = ? * min(? * m.value) over (partition by c.predictor)
            order by c.predictor""",
            *(run_id, metric, k, sign, sign),
        )
    ]


def _worth(row: Row) -> str:
    low, high, gain = row["ci95_low"], row["ci95_high"], -row["difference"]
    found = "lower" if gain > 0 else "raise"
    if not _is_significant(row):
        found = "do not significantly change"
    return (
        f"The language models {found} the RMSE of the best blend: with them it is "
        f"{abs(gain):.4f} {'below' if gain > 0 else 'above'} the blend of all other predictors, "
        f"95 % interval of the difference {low:+.4f} to {high:+.4f}."
    )


def _sentence(row: Row) -> str:
    metric = row["metric"].upper() + (f"@{row['k']}" if row["k"] else "")
    difference, low, high = row["difference"], row["ci95_low"], row["ci95_high"]
    p = row["p_adjusted"]  # null in runs of before
    adjusted = "" if p is None else f", its p-value adjusted for all comparisons {p:.4f}"
    verdict = "significant" if _is_significant(row) else "inconclusive"
    return (
        f"The {metric} of {row['predictor']} is {row['value'] + difference:.4f}, "
        f"{abs(difference):.4f} ({abs(difference) / row['value']:.1%}) "
        f"{'below' if difference < 0 else 'above'} that of {row['against']}, the best baseline by "
        f"this metric. The difference is {verdict}: "
        f"its 95 % interval is {low:+.4f} to {high:+.4f}{adjusted}."
    )


def _is_significant(row: Row) -> bool:
    """As the view `verdicts` has it."""
    p = row["p_adjusted"]
    return (row["ci95_low"] > 0 or row["ci95_high"] < 0) and (p is None or p < 0.05)


def significance_tables(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    """For each predictor a table over metrics of ratings, and one over metrics of lists.

    `metrics` are the columns; each of `rows` has `against` and a cell for each metric, with
    `difference`, `ci95_low`, `ci95_high`, `p_adjusted` and `verdict`.
    """
    verdicts = fetch_rows(db, "select * from verdicts where run_id = ? order by against", run_id)
    tables = []
    measured = {(row["metric"], row["k"]) for row in verdicts}  # no AUC if all films were liked
    for leading in (RATINGS, LISTS):
        metrics = [metric for metric in leading if metric in measured]
        cells: dict[str, dict[str, dict[Metric, Row]]] = {}
        for row in verdicts:
            if (metric := (row["metric"], row["k"])) in metrics:
                rows = cells.setdefault(row["predictor"], {})
                rows.setdefault(row["against"], {})[metric] = row
        names = [f"{metric}@{k}" if k else metric for metric, k in metrics]
        tables += [
            {
                "predictor": predictor,
                "metrics": names,
                "rows": [
                    {"against": other, "cells": [by_metric[metric] for metric in metrics]}
                    for other, by_metric in rows.items()
                ],
            }
            for predictor, rows in sorted(cells.items())
        ]
    return tables

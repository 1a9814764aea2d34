"""Says what the metrics show: how far each predictor is from the others, and if significantly."""

import duckdb

from tasks.report.query import Row, fetch_rows

Metric = tuple[str, int | None, str | None]  # name, k and relevance
RATINGS: list[Metric] = [
    (name, None, None) for name in ("rmse", "mae", "within_half", "within_half_rounded", "auc")
]
LISTS: list[Metric] = [
    *((name, 10, "liked") for name in ("ndcg", "recall")),
    *((name, 10, None) for name in ("hit_rating", "disliked")),
    ("ndcg", 10, "rated"),
]
LEADING = RATINGS + LISTS
SUMMARIZED = [("rmse", None, 1), ("ndcg", 10, -1)]  # with 1 if lower is better
WORTH = (("rmse", None), ("ndcg", 10))


def summary_text(db: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """What the language models add to ratings and lists, then a sentence for each compared
    predictor and summarized metric, against the best baseline.
    """
    worth = [
        row
        for metric, k in WORTH
        for row in fetch_rows(
            db,
            """
            select * from llm_value where run_id = ? and metric = ? and k is not distinct from ?
                and slice = 'everyone' and relevance is not distinct from (
                    select any_value(relevance) from headline where run_id = ? and metric = ?)""",
            *(run_id, metric, k, run_id, metric),
        )
    ]
    return [_worth(row) for row in worth] + [
        _sentence(row)
        for metric, k, sign in SUMMARIZED
        for row in fetch_rows(
            db,
            """
            select c.*, m.value from comparisons as c join headline as m
                on m.run_id = c.run_id and m.predictor = c.against and m.metric = c.metric
                and m.k is not distinct from c.k and m.relevance is not distinct from c.relevance
            where c.run_id = ? and c.metric = ? and c.k is not distinct from ?
                and c.slice = 'everyone' and c.against not like 'llm%'
                and c.against not like 'blend%' and c.against not like 'ranked%'
                and c.against <> 'champion'
            qualify m.value = ? * min(? * m.value) over (partition by c.predictor)
            order by c.predictor""",
            *(run_id, metric, k, sign, sign),
        )
    ]


def _worth(row: Row) -> str:
    low, high, difference = row["ci95_low"], row["ci95_high"], row["difference"]
    found = "raise" if difference > 0 else "lower"
    if not _is_significant(row):
        found = "do not significantly change"
    what = "best blend" if row["k"] is None else "ranked lists"
    return (
        f"The language models {found} the {_metric_name(row)} of the {what}: with them it is "
        f"{abs(difference):.4f} {'above' if difference > 0 else 'below'} that without them, "
        f"95 % interval of the difference {low:+.4f} to {high:+.4f}."
    )


def _metric_name(row: Row) -> str:
    """NDCG@10 (liked films), for example."""
    name = row["metric"].upper() + (f"@{row['k']}" if row["k"] else "")
    return name + (f" ({row['relevance']} films)" if row["relevance"] else "")


def _sentence(row: Row) -> str:
    difference, low, high = row["difference"], row["ci95_low"], row["ci95_high"]
    p = row["p_adjusted"]  # null in runs of before
    adjusted = "" if p is None else f", its p-value adjusted for all comparisons {p:.4f}"
    verdict = "significant" if _is_significant(row) else "inconclusive"
    share = (
        f"({abs(difference) / row['value']:.1%}) " if row["value"] else ""
    )  # 0: no list has a hit
    return (
        f"The {_metric_name(row)} of {row['predictor']} is {row['value'] + difference:.4f}, "
        f"{abs(difference):.4f} {share}"
        f"{'below' if difference < 0 else 'above'} that of {row['against']}, the best baseline by "
        f"this metric. The difference is {verdict}: "
        f"its 95 % interval is {low:+.4f} to {high:+.4f}{adjusted}."
    )


def _is_significant(row: Row) -> bool:
    """As the view `verdicts` has it."""
    p = row["p_adjusted"]
    return (row["ci95_low"] > 0 or row["ci95_high"] < 0) and (p is None or p < 0.05)


def metric_title(metric: str, k: int | None, relevance: str | None) -> str:
    """ndcg@10 (liked), for example."""
    return metric + (f"@{k}" if k else "") + (f" ({relevance})" if relevance else "")


def _key(row: Row) -> Metric:
    return row["metric"], row["k"], row["relevance"]


def significance_tables(db: duckdb.DuckDBPyConnection, run_id: str) -> list[Row]:
    """For each predictor a table over metrics of ratings, and one over metrics of lists.

    `metrics` are the columns; each of `rows` has `against` and a cell for each metric, None
    where one of the two lacks it, with `difference`, `ci95_low`, `ci95_high`, `p_adjusted` and
    `verdict`.
    """
    verdicts = fetch_rows(db, "select * from verdicts where run_id = ? order by against", run_id)
    tables = []
    measured = {_key(row) for row in verdicts}  # no AUC if all films were liked
    for leading in (RATINGS, LISTS):
        metrics = [metric for metric in leading if metric in measured]
        cells: dict[str, dict[str, dict[Metric, Row]]] = {}
        for row in verdicts:
            if (metric := _key(row)) in metrics:
                rows = cells.setdefault(row["predictor"], {})
                rows.setdefault(row["against"], {})[metric] = row
        names = [metric_title(*metric) for metric in metrics]
        tables += [
            {
                "predictor": predictor,
                "metrics": names,
                "rows": [
                    {"against": other, "cells": [by_metric.get(metric) for metric in metrics]}
                    for other, by_metric in rows.items()
                ],
            }
            for predictor, rows in sorted(cells.items())
        ]
    return tables

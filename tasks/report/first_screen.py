"""What a reader wants to know first: verdict, best figures, what is new, what is wrong."""

from typing import Any

import duckdb

from tasks.report.charts import MODELS
from tasks.report.query import Row, fetch_rows

# Metric, its k, whether lower is better, what it is of.
HEADLINES = (("rmse", None, True, "ratings"), ("ndcg", 10, False, "lists"))
RELATED = ("llm", "blend", "ranked", "champion", "best")  # beginnings of names that are no rivals


def first_screen(db: duckdb.DuckDBPyConnection, run: Row, served: Row | None) -> Row:
    """`verdict`, `champion`, `headlines`, `adds`, `changes` and `alarms`."""
    run_id = run["run_id"]
    decided = "select * from champions where run_id = ? order by decided_at limit 1"
    champion = "select adapter from champion where dataset = ? and split_recipe = ?"
    champions = fetch_rows(db, champion, run["dataset"], run["split_recipe"])
    found = (best_beside_rival(db, run_id, *headline) for headline in HEADLINES)
    return {
        "verdict": next(iter(fetch_rows(db, decided, run_id)), None),
        "champion": champions[0]["adapter"] if champions else None,
        "headlines": [row for row in found if row],
        "adds": [row for metric, k, *_ in HEADLINES for row in _added(db, run_id, metric, k)],
        "changes": since_last(db, run),
        "alarms": alarms(db, run_id, served),
    }


def best_beside_rival(
    db: duckdb.DuckDBPyConnection, run_id: str, metric: str, k: int | None, lower: bool, of: str
) -> Row | None:
    """The language models' best predictor by a metric, and the strongest of the others.

    `difference` is the row of the paired comparison, None where the two were not compared.
    """
    rows = fetch_rows(
        db,
        "select predictor, value, ci95_low, ci95_high, relevance from headline where run_id = ? "
        "and metric = ? and k is not distinct from ? order by value, predictor",
        *(run_id, metric, k),
    )
    ranked = rows if lower else rows[::-1]
    ours = next((row for row in ranked if row["predictor"] in MODELS), None)
    rival = next((row for row in ranked if not row["predictor"].startswith(RELATED)), None)
    if not ours or not rival:
        return None
    differences = fetch_rows(
        db,
        "select * from verdicts where run_id = ? and predictor = ? and against = ? and metric = ? "
        "and k is not distinct from ? and relevance is not distinct from ?",
        *(run_id, ours["predictor"], rival["predictor"], metric, k, ours["relevance"]),
    )
    name = metric.upper() + (f"@{k}" if k else "")
    return {"name": name, "of": of, "ours": ours, "rival": rival, "lower": lower} | {
        "difference": differences[0] if differences else None
    }


def _added(db: duckdb.DuckDBPyConnection, run_id: str, metric: str, k: int | None) -> list[Row]:
    """What the language models add to what is served, by a metric."""
    return fetch_rows(
        db,
        """
        select v.*, upper(metric) || coalesce('@' || k, '') as name from llm_value as v
        where run_id = ? and metric = ? and k is not distinct from ? and slice = 'everyone'
            and relevance is not distinct from (
                select any_value(relevance) from headline where run_id = ? and metric = ?)""",
        *(run_id, metric, k, run_id, metric),
    )


def since_last(db: duckdb.DuckDBPyConnection, run: Row) -> Row | None:
    """The run before on the same data and split, and how far what is served moved since."""
    before = fetch_rows(
        db,
        "select run_id, run_at from runs where dataset = ? and split_recipe = ? and run_at < ? "
        "order by run_at desc limit 1",
        *(run["dataset"], run["split_recipe"], run["run_at"]),
    )
    if not before:
        return None
    pair = (run["run_id"], before[0]["run_id"])
    moved = fetch_rows(
        db,
        """
        select predictor, upper(metric) || coalesce('@' || k, '') as name,
            difference, ci95_low, ci95_high
        from changed_metrics where run_id = ? and with_run = ? and slice = 'everyone'
            and ((predictor, metric) = ('blend', 'rmse') or (predictor, metric) = ('ranked', 'ndcg')
                and k = 10 and relevance = 'rated')
        order by metric desc""",
        *pair,
    )
    settings = "select count(*) as n from changed_settings where run_id = ? and with_run = ?"
    return before[0] | {"moved": moved, "settings": fetch_rows(db, settings, *pair)[0]["n"]}


def alarms(db: duckdb.DuckDBPyConnection, run_id: str, served: Row | None) -> list[str]:
    """What is wrong with the data, or with everyone's lists."""
    checks: list[dict[str, Any]] = fetch_rows(
        db, "select * from checks where run_id = ? and check_name = 'data' and not passed", run_id
    )
    found = [
        f"{check['slice_value']}: {check['value']:.4g}, {check['threshold']:g} allowed"
        for check in checks
    ]
    if served and served["refused"]:
        found.append(f"lists refused: {served['refused']}")
    return found

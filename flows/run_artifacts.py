"""Shows a run in Prefect's UI, which reaches no file of ours: tables, sentences and plots."""

import base64
from typing import Any

import duckdb
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.metrics_db import open_readonly, read_leaderboard, run_report
from tasks.metrics_location import metrics_path
from tasks.plain_text import escape_control, escape_markdown
from tasks.store.artifacts import Report, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.rules import RULES

LEADERBOARDS = {  # metrics and their k, the first best first
    "rating-leaderboard": (("rmse", None), ("mae", None), ("within_half", None), ("auc", None)),
    "list-leaderboard": (("ndcg", 10), ("recall", 10), ("hit_rating", 10), ("disliked", 10)),
}
PLOTS = {
    "rmse": "RMSE of every predictor",
    "ndcg": "NDCG@10 of every predictor's lists",
    "calibration": "Probability of 4 stars or more, predicted and observed",
    "training": "Loss of training",
}
Rows = list[dict[str, Any]]


def create_artifacts(run_id: str, report: Report, ratings: ValidatedRatings, store: Store) -> None:
    """Create the artifacts of a published run, of which Prefect keeps each key's history."""
    about = f"run {run_id}, test fold, 95 % intervals"
    for key, metrics in LEADERBOARDS.items():
        create_table_artifact(leaderboard(run_id, metrics, store), key=key, description=about)
    with open_readonly(metrics_path(store)) as db:
        checks = _report(db, "checks", run_id)
        drift = [check for check in checks if check["check_name"] == "data"]
        decided = "select adapter, promoted, reason from champions where run_id = ?"
        decisions = _rows(db.execute(decided, [run_id]))
        costs = _report(db, "costs", run_id)
    others = [check for check in checks if check not in drift]
    if decisions:
        create_markdown_artifact(decision_text(decisions[-1], others), key="decision")
    if drift:
        about = "the ratings beside those that the champion was trained on; larger is worse"
        create_table_artifact(drift, key="drift", description=about)
    create_table_artifact(costs, key="costs", description=f"run {run_id}, by stage")
    rules, kept = rule_rows(ratings), ratings.manifest["rows"]
    about = (
        f"{kept['ratings']} ratings of {kept['films']} films, {kept['quarantine']} in quarantine"
    )
    create_table_artifact(rules, key="data", description=about)
    create_markdown_artifact(page_text(run_id, report), key="report")


def leaderboard(run_id: str, metrics: tuple[tuple[str, int | None], ...], store: Store) -> Rows:
    """One row a predictor, best first; each metric in a column, the ends of its interval beside."""
    rows: dict[str, dict[str, Any]] = {}
    found = [row for row in read_leaderboard(metrics_path(store), run_id) if row[1:3] in metrics]
    found.sort(key=lambda row: metrics.index(row[1:3]))  # so are the columns
    for predictor, metric, _k, value, low, high in found:
        row = rows.setdefault(predictor, {"predictor": escape_control(predictor)})
        ends = {"": value, "_low": low, "_high": high}
        row |= {metric + end: end_value and round(end_value, 4) for end, end_value in ends.items()}
    leading, ascending = metrics[0][0], metrics[0][0] == "rmse"
    ranked = [row for row in rows.values() if leading in row]
    return sorted(ranked, key=lambda row: row[leading] * (1 if ascending else -1))


def decision_text(decision: dict[str, Any], checks: Rows) -> str:
    """What was decided about the run's adapter and why, with the checks, the closest first."""
    done = "is champion now" if decision["promoted"] else "was rejected"
    text = f"Adapter `{decision['adapter']}` **{done}**: {escape_markdown(decision['reason'])}\n"
    if checks:
        names = ("check_name", "slice_value", "value", "threshold", "passed")
        lines = [f"| {' | '.join(escape_markdown(str(c[n])) for n in names)} |" for c in checks]
        header = "| check | of | value | threshold | passed |\n|---|---|---|---|---|"
        text += "\n".join(("", header, *lines))
    return text


def rule_rows(ratings: ValidatedRatings) -> Rows:
    """Each rule of the data, how many rows violate it, and what then happens to them."""
    sentences = {rule.name: rule.sentence for rule in RULES}
    return [
        {
            "table": rule["relation"],
            "rule": sentences.get(rule["rule"], rule["rule"]),
            "rows that violate it": rule["violations"],
            "they are": {"quarantine": "in quarantine", "warn": "kept"}[rule["severity"]],
        }
        for rule in ratings.metadata["rules"]
    ]


def page_text(run_id: str, report: Report) -> str:
    """The sentences and plots of the run's page; each image is part of the text."""
    parts = [f"# Run {run_id}"]
    parts += map(escape_markdown, (report.path / "summary.txt").read_text().splitlines())
    for name, title in PLOTS.items():
        if (file := report.path / f"{name}.svg").exists():
            data = base64.b64encode(file.read_bytes()).decode()
            parts += [f"## {title}", f"![{title}](data:image/svg+xml;base64,{data})"]
    return "\n\n".join(parts)


def _report(db: duckdb.DuckDBPyConnection, name: str, run_id: str) -> Rows:
    """The rows of a file of sql/reports about one run."""
    return _rows(run_report(db, name, {"run_id": run_id}))


def _rows(found: duckdb.DuckDBPyConnection) -> Rows:
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

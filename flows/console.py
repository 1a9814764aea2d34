"""What a person sees of a night: one line a stage, and the leaderboard at its end."""

import logging
import warnings
from collections.abc import Sequence

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from rich.console import Console
from rich.table import Table

from tasks.metrics_db import read_leaderboard
from tasks.publish.task import metric_file
from tasks.store.artifacts import Artifact, Report, ValidatedRatings
from tasks.store.store import Store

SHOWN = {"rmse": None, "mae": None, "within_half": None, "ndcg": 10}


def quiet() -> None:
    """Show what the rooms say; of libraries only what has gone wrong."""
    warnings.filterwarnings("ignore")
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are told once, by whoever asked
    for name in ("transformers", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    for name in ("tasks", "flows"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def announce(
    run_id: str, report: Report, ratings: ValidatedRatings, night: Sequence[Artifact], store: Store
) -> None:
    """Print the leaderboard, what was built for it, where the report is, and how to ask further.

    The leaderboard is in the UI as well.
    """
    rows = best_first(store, run_id)
    page = report.path.relative_to(store.root) / "report.html"
    title = f"run {run_id}, test fold, 95 % intervals"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("predictor", *SHOWN):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row.values())
    console = Console(width=100)
    console.print(table)
    built = [stage.cost["seconds"] for stage in night if not stage.cache_hit]
    console.print(
        f"stages: {len(built)} built in {sum(built):.0f} s, {len(night) - len(built)} reused\n"
        f"report: {page}\nquery:  make sql q='select * from latest'",
        highlight=False,
    )
    create_table_artifact(key="leaderboard", table=rows, description=f"run {run_id}, test fold")
    create_markdown_artifact(
        key="summary",
        markdown=f"Run `{run_id}`: best by RMSE is **{rows[0]['predictor']}** with "
        f"{rows[0]['rmse']}.\n\nThe page of the run: `{page}`",
    )
    docs = ratings.path / "measured-docs" / "index.html"
    create_link_artifact(docs.as_uri(), "what was asked of the data", key="data-docs")


def best_first(store: Store, run_id: str) -> list[dict[str, str]]:
    """One row a predictor, by RMSE; each figure with its interval as text."""
    found: dict[str, dict[str, str]] = {}
    order: dict[str, float] = {}
    for predictor, metric, k, value, low, high in read_leaderboard(metric_file(store), run_id):
        row = found.setdefault(predictor, {"predictor": predictor} | dict.fromkeys(SHOWN, ""))
        if metric in SHOWN and k == SHOWN[metric]:
            row[metric] = f"{value:.4f} {low:.3f}-{high:.3f}"
        if metric == "rmse":
            order[predictor] = value
    return [found[name] for name in sorted(found, key=lambda name: (order.get(name, 9.0), name))]

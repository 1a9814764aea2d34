"""What a person sees of a night: one line a stage, and the leaderboard at its end."""

import logging
import warnings

from rich.console import Console
from rich.table import Table

from tasks.artifacts import Report
from tasks.publish.task import metric_file
from tasks.store import Store
from tasks.warehouse import leaderboard

SHOWN = ("rmse", "mae", "within_half", "ndcg")


def quiet() -> None:
    """Show what the rooms say; of libraries only what has gone wrong."""
    warnings.filterwarnings("ignore")
    for name in ("prefect", "great_expectations", "transformers", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    for name in ("tasks", "flows"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def announce(run_id: str, report: Report, store: Store) -> None:
    """Print the leaderboard, where the report is, and how to ask further."""
    path = metric_file(store)
    found: dict[str, dict[str, str]] = {}
    for predictor, metric, k, value, low, high in leaderboard(path, run_id):
        if metric in SHOWN and k in (None, 10):
            cell = f"{value:.4f}  [{low:.4f}, {high:.4f}]"
            found.setdefault(predictor, {})[metric] = cell
    table = Table(title=f"run {run_id}, test fold, 95 % intervals", title_justify="left")
    table.add_column("predictor")
    for metric in SHOWN:
        table.add_column(f"{metric}@10" if metric == "ndcg" else metric, justify="right")
    for predictor, cells in sorted(found.items(), key=lambda item: item[1].get("rmse", "9")):
        table.add_row(predictor, *[cells.get(metric, "") for metric in SHOWN])
    console = Console()
    console.print(table)
    console.print(f"report: {report.path.relative_to(store.root)}/report.html")
    console.print("query:  make sql q='select * from latest'")

"""What a run prints: a line for each stage, and the leaderboard at its end."""

import logging
import sys
import warnings
from collections.abc import Sequence

from prefect.logging.handlers import APILogHandler
from rich.console import Console
from rich.table import Table

from flows.run_start import OWN
from flows.tables import plain
from tasks.metrics_db import read_leaderboard
from tasks.metrics_location import metrics_path
from tasks.plain_text import escape_control
from tasks.publish.serving import ChampionRow
from tasks.store.artifacts import Artifact, Report
from tasks.store.store import Store

PROGRESS = "tasks.progress"  # a bar shows it on a terminal
SHOWN = {"rmse": None, "mae": None, "within_half": None, "ndcg": 10}


class PlainFormatter(logging.Formatter):
    """Escapes what data may have brought into a line; further lines are indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The time and the message."""
        return escape_control(super().format(record), keep="\n").replace("\n", "\n" + " " * 10)


def configure_logging(level: int = logging.INFO) -> None:
    """Show the log of flows and tasks from `level` on, of libraries only what has gone wrong."""
    warnings.filterwarnings("ignore")
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # to the server alone: the command line prints errors, once
    for name in ("transformers", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    handler = logging.StreamHandler()
    handler.setLevel(level)
    handler.setFormatter(PlainFormatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    handler.addFilter(lambda record: record.name != PROGRESS or not sys.stderr.isatty())
    for name in OWN:
        logger = logging.getLogger(name)
        to_server = [each for each in logger.handlers if isinstance(each, APILogHandler)]
        logger.handlers, logger.propagate = [*to_server, handler], False
        logger.setLevel(logging.INFO)


def send_log() -> None:
    """Send the server what it has not been sent yet; what does not go within 5 s is lost."""
    for name in (*OWN, "prefect.flow_runs"):
        for handler in logging.getLogger(name).handlers:
            handler.flush()


def print_summary(run_id: str, report: Report, made: Sequence[Artifact], store: Store) -> None:
    """Print the leaderboard, how many stages were built, and the paths of report and metrics."""
    rows = leaderboard_rows(store, run_id)
    page = report.path.relative_to(store.root) / "report.html"
    title = f"run {run_id}, test fold, 95 % intervals"
    table = Table(
        title=plain(title), title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in ("predictor", *SHOWN):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(plain, row.values()))
    console = Console(width=100)
    console.print(table)
    built = [artifact.cost["seconds"] for artifact in made if not artifact.cache_hit]
    console.print(
        f"stages: {len(built)} built in {sum(built):.0f} s, {len(made) - len(built)} reused\n"
        f'report: {page}\nquery:  make sql q="select * from latest"',
        highlight=False,
        markup=False,
    )


def leaderboard_rows(store: Store, run_id: str) -> list[dict[str, str]]:
    """One row a predictor, by RMSE; each figure with its interval as text."""
    rows: dict[str, dict[str, str]] = {}
    order: dict[str, float] = {}
    for predictor, metric, k, value, low, high in read_leaderboard(metrics_path(store), run_id):
        row = rows.setdefault(
            predictor, {"predictor": escape_control(predictor)} | dict.fromkeys(SHOWN, "")
        )
        if metric in SHOWN and k == SHOWN[metric]:
            row[metric] = f"{value:.4f} {low:.3f}-{high:.3f}"
        if metric == "rmse":
            order[predictor] = value
    return [rows[name] for name in sorted(rows, key=lambda name: (order.get(name, 9.0), name))]


def print_champions(rows: Sequence[ChampionRow]) -> None:
    """Print the champion of each data set and split, the one that serves first."""
    table = Table(box=None, pad_edge=False)
    for name in ("champion", "dataset", "split", "recipe", "serves"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        texts = (row.adapter, row.dataset, row.protocol, row.split_recipe)
        table.add_row(*map(plain, texts), "yes" if row.serves else "")
    Console(width=100).print(table, highlight=False)


def print_garbage(rows: list[dict[str, str]], *, apply: bool) -> None:
    """Print the sizes of what was deleted, or would be."""
    console = Console()
    if not rows:
        console.print("nothing to delete: kept runs depend on every folder")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("kind", "folders", "megabytes"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for row in rows:
        table.add_row(*map(plain, row.values()))
    console.print(table)
    console.print(
        "deleted" if apply else "not deleted: add --apply, or apply=yes to make", highlight=False
    )

"""Renders the page of a run from the metrics database: one HTML file that loads nothing."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.metrics_db import open_readonly
from tasks.plain_text import escape_control
from tasks.report.across_runs import beside_last, protocols, trend
from tasks.report.first_screen import first_screen
from tasks.report.query import fetch_rows
from tasks.report.sections import (
    costs,
    data_docs,
    example_users,
    expected_and_true,
    leaderboards,
    reliability,
    rmse_by_slice,
    served,
    training_plots,
)
from tasks.report.summary_text import significance_tables, summary_text

HERE = Path(__file__).parent
TABLES = {  # each with the run's id as its parameter
    "decisions": "select * from champions where run_id = ?",
    "contests": "select * from contests where run_id = ? and metric in ('rmse', 'ndcg') "
    "and coalesce(relevance, 'liked') = 'liked' order by metric desc, k, against",
    "ablations": "select * from ablations where run_id = ? order by difference, ablation",
    "memorization": "select * from memorization where run_id = ? order by kind",
    "stages": "select * from stages where run_id = ? order by stage",
    "quarantine": "select relation, rule, count(*) as n from quarantine where run_id = ? "
    "group by all order by all",
}


def render_page(metrics: Path, run_id: str, lists: str | None = None) -> str:
    """The HTML of a run, and of the lists that were served after it.

    Titles and names are escaped: they are data.
    """
    loader = FileSystemLoader(HERE)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_show
    )
    with open_readonly(metrics) as db:
        (run,) = fetch_rows(db, "select * from runs where run_id = ?", run_id)
        lists_served = served(db, lists)
        first = first_screen(db, run, lists_served)
        return environment.get_template("page.html").render(
            run=run,
            first=first,
            beside=beside_last(db, run, first["changes"]),
            sentences=summary_text(db, run_id),
            leaderboards=leaderboards(db, run_id),
            significance=significance_tables(db, run_id),
            slices=rmse_by_slice(db, run_id),
            reliability=reliability(db, run_id),
            expected_and_true=expected_and_true(db, run_id),
            training=training_plots(db, run_id),
            trend=trend(db, run),
            protocols=protocols(db, run),
            users=example_users(db, run_id),
            data_docs=data_docs(db, run_id),
            costs=costs(db, run_id),
            served=lists_served,
            **{name: fetch_rows(db, query, run_id) for name, query in TABLES.items()},
        )


def _show(value: object) -> object:
    """Text of the data without characters that act, such as marks of direction."""
    return escape_control(value, keep="\n") if type(value) is str else value

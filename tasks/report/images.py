"""Writes the headline plots of a run as images that need no page around them."""

import re
from pathlib import Path

import duckdb
from markupsafe import Markup

from tasks.report.sections import leaderboards, reliability, training_plots

LIGHT = {
    "ink": "#1c2330",
    "soft": "#667085",
    "line": "#e4e7ec",
    "model": "#0b6e99",
    "other": "#98a2b3",
}
VARIABLE = re.compile(r"var\(--(\w+)\)")  # of the page


def write_images(draft: Path, db: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Write an SVG for each plot that the run has."""
    boards = [board for board in reversed(leaderboards(db, run_id)) if board["plot"]]
    first = {board["metric"]: board["plot"] for board in boards}
    plots = {
        **{name: first.get(name) for name in ("rmse", "ndcg")},
        "calibration": reliability(db, run_id),
        "training": training_plots(db, run_id)["loss"],
    }
    for name, plot in plots.items():
        if plot:
            (draft / f"{name}.svg").write_text(_standalone(plot), encoding="utf-8")


def _standalone(plot: Markup) -> str:
    """An image with the page's light colours, a size and a white ground."""
    opening, _, rest = VARIABLE.sub(lambda name: LIGHT[name[1]], str(plot)).partition(">")
    width, height = opening.partition('viewBox="')[2].partition('"')[0].split()[2:]
    named = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return (
        f'{named} width="{width}" height="{height}"><rect width="100%" height="100%" fill="#fff"/>'
        f"{rest}"
    )

"""Writes the headline plots of a run as images that need no page around them."""

from pathlib import Path

import duckdb
from markupsafe import Markup

from tasks.report.sections import leaderboards, reliability, training_plots

STYLE = (  # that of the page, in its light colours
    "text{fill:#1c2330;font:13px sans-serif}.name,.end{text-anchor:end}"
    ".tick{fill:#667085;font-size:11px;text-anchor:middle}.tick.end{text-anchor:end}"
    ".tick.start{text-anchor:start}line{stroke-width:2}.model{stroke:#0b6e99;fill:#0b6e99}"
    ".other{stroke:#98a2b3;fill:#98a2b3}.even{stroke:#e4e7ec;stroke-width:1}"
    ".curve{fill:none;stroke:#0b6e99;stroke-width:2}.band{fill:#0b6e99;opacity:.15}"
)


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
    """An image with its own style, size and white ground."""
    opening, _, rest = str(plot).partition(">")
    box = opening.partition('viewBox="')[2].partition('"')[0]
    _, _, width, height = box.split()
    named = opening.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return (
        f'{named} width="{width}" height="{height}"><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{rest}'
    )

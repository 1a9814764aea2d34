"""Task: the id of a run in, its page out."""

from pathlib import Path

from prefect import task

from tasks.metrics_db import open_readonly
from tasks.store.artifacts import Report, Scores
from tasks.store.store import Store


@task
def write_report(run_id: str, scores: Scores, *, lists: str | None = None, store: Store) -> Report:
    """Render the page of a published run, its summary and plots, from the metrics database.

    `lists` is the fingerprint of the lists that were served, or refused, after the run.
    """

    def write(draft: Path) -> None:
        from tasks.report.images import write_images
        from tasks.report.page import render_page
        from tasks.report.summary_text import summary_text

        metrics = store.root / "artifacts" / "metrics.duckdb"
        html = render_page(metrics, run_id, lists)
        (draft / "report.html").write_text(html, encoding="utf-8")
        with open_readonly(metrics) as db:
            sentences = "".join(f"{line}\n" for line in summary_text(db, run_id))
            (draft / "summary.txt").write_text(sentences, encoding="utf-8")
            write_images(draft, db, run_id)

    return store.build(
        Report, recipe={"run_id": run_id, "lists": lists}, parents=[scores], write=write
    )

"""Task: the id of a run in, its page out."""

from pathlib import Path

from prefect import task

from tasks.store.artifacts import Report, Scores
from tasks.store.store import Store


@task
def write_report(run_id: str, scores: Scores, *, lists: str | None = None, store: Store) -> Report:
    """Render the page of a published run from the metrics database alone.

    `lists` is the fingerprint of the lists that were served, or refused, after the run.
    """

    def write(draft: Path) -> None:
        from tasks.report.page import render_page

        html = render_page(store.root / "artifacts" / "metrics.duckdb", run_id, lists)
        (draft / "report.html").write_text(html, encoding="utf-8")

    return store.build(
        Report, recipe={"run_id": run_id, "lists": lists}, parents=[scores], write=write
    )

"""Door: a run's id in, its page out."""

from pathlib import Path

from prefect import task

from tasks.store.artifacts import Report, Scores
from tasks.store.store import Store


@task
def write_report(run_id: str, scores: Scores, *, store: Store) -> Report:
    """Draw the run from the metric file alone."""

    def write(draft: Path) -> None:
        from tasks.report.page import page

        html = page(store.root / "artifacts" / "metrics.duckdb", run_id)
        (draft / "report.html").write_text(html, encoding="utf-8")

    return store.build(Report, recipe={"run_id": run_id}, parents=[scores], write=write)

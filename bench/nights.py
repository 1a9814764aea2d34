"""Measures what a publish costs when a thousand nights were published before it.

    python -m bench.nights --root STORE --json nights.json     on the newest run of a finished store

Each night has that run's figures with noise, as many of them, and valid data, one set of
predictions and one of lists in files of its own. The project's own code publishes it, and deletes
every seventh night what the last seven and the champion do not need. At the end one more night is
published on top of the database of the tenth and on that of the last in turn, eleven times each:
seconds are medians, wall and CPU.
"""

import argparse
import json
import random
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import MappingProxyType

import duckdb
import polars as pl

from tasks.metrics_db import atomic_update, gc_roots, open_readonly, run_report
from tasks.metrics_location import metrics_path
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import Challenge, Decision, champion_of
from tasks.publish.task import publish
from tasks.store.artifacts import (
    KINDS,
    Adapter,
    Artifact,
    RankedLists,
    RatingPredictions,
    Scores,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.garbage import delete, find_unreachable
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
KEPT, READS, TENTH, ALTERNATIONS = 7, 7, 10, 11
NONE: Mapping[str, Artifact] = MappingProxyType({})
OF_A_NIGHT = (RatingPredictions, RankedLists, ValidatedRatings)
FIGURES = ("value", "difference", "ci95_low", "ci95_high", "p_adjusted")


def newest_run(store: Store) -> list[Artifact]:
    """The artifacts of the newest run with an adapter, in order; its scores last."""
    with open_readonly(metrics_path(store)) as db:
        rows = db.execute(
            "select kind, fingerprint from stages where run_id = (select arg_max(run_id, run_at) "
            "from runs join stages using (run_id) where kind = 'adapter') order by stage"
        ).fetchall()
    return [_at(store, *row) for row in rows]


def _at(store: Store, kind: str, fingerprint: str) -> Artifact:
    (found,) = [known for known in KINDS if known.kind() == kind]
    return found(store.root / found.top_level / kind / fingerprint, fingerprint)


def again(
    store: Store, artifact: Artifact, night: int, copies: Mapping[str, Artifact] = NONE
) -> Artifact:
    """An artifact of the same rows with another fingerprint and, of scores, other figures."""
    spread = random.Random(night).gauss(0, 0.01)  # noqa: S311

    def write(draft: Path) -> dict[str, object]:
        for file in artifact.path.glob("*.parquet"):
            if isinstance(artifact, Scores):
                table = pl.read_parquet(file)
                noise = pl.Series([spread * random.random() for _ in range(len(table))])  # noqa: S311
                columns = [name for name in FIGURES if name in table.columns]
                table.with_columns(pl.col(*columns) + noise).write_parquet(draft / file.name)
            else:
                shutil.copyfile(file, draft / file.name)
        return artifact.metadata

    named = [_at(store, made["kind"], made["fingerprint"]) for made in artifact.manifest["parents"]]
    parents = [copies.get(parent.fingerprint, parent) for parent in named]
    return store.build(type(artifact), recipe={"night": night}, parents=parents, write=write)


def publish_night(store: Store, run: list[Artifact], night: int) -> tuple[float, float]:
    """Publish the run once more as that night's; return wall and CPU seconds."""
    *stages, scores = run
    scored = {parent["fingerprint"] for parent in scores.manifest["parents"]}
    own = {
        made.kind(): made
        for made in stages
        if isinstance(made, OF_A_NIGHT) and made.fingerprint in scored
    }
    copies = {made.fingerprint: again(store, made, night) for made in own.values()}
    figures = again(store, scores, night, copies)
    assert isinstance(figures, Scores)
    artifacts = [
        copies.get(made.fingerprint, made)
        for made in stages
        if made.fingerprint in copies or not isinstance(made, OF_A_NIGHT)
    ]
    (adapter,) = [made for made in stages if isinstance(made, Adapter)]
    with open_readonly(metrics_path(store)) as db:
        split = next(made for made in stages if isinstance(made, SplitRatings))
        expected = champion_of(db, split)
    challenge = Challenge(
        Adapter(adapter.path, f"{night:016x}"),
        PromotionMargins(),
        default_decision=Decision(promoted=night % 5 == 0, reason="a night of the benchmark"),
        expected=expected,
    )
    began, cpu = time.monotonic(), time.process_time()
    publish.fn(figures, artifacts, profile="laptop", commit=None, challenge=challenge, store=store)
    return time.monotonic() - began, time.process_time() - cpu


def read(path: Path) -> dict[str, float]:
    """Seconds of what people ask, each over a new connection."""

    def took(ask: Callable[[duckdb.DuckDBPyConnection], object]) -> float:
        began = time.monotonic()
        with open_readonly(path) as db:
            ask(db)
        return time.monotonic() - began

    questions: dict[str, Callable[[duckdb.DuckDBPyConnection], object]] = {
        "open": lambda db: None,
        "latest": lambda db: db.execute("from latest").fetchall(),
        "trend": lambda db: run_report(db, "trend", {}).fetchall(),
        "calibration": lambda db: run_report(db, "calibration", {}).fetchall(),
    }
    return {
        f"{name}_seconds": median(took(ask) for _ in range(READS))
        for name, ask in questions.items()
    }


def measure(source: Store, nights: int) -> dict[str, float]:
    """Publish that many nights in a scratch store."""
    run = newest_run(source)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for made in run:
            shutil.copytree(made.path, store.root / made.path.relative_to(source.root))
        run = [_at(store, made.kind(), made.fingerprint) for made in run]
        template, path = {made.path for made in run}, metrics_path(store)
        with atomic_update(path):
            pass
        for night in range(1, nights + 1):
            seconds, _ = publish_night(store, run, night)
            if night % KEPT == 0:
                found = find_unreachable(store, gc_roots(path, KEPT), spared_days=0)
                delete(garbage for garbage in found if garbage.path not in template)
                print(f"night {night}: published in {seconds:.2f} s", flush=True)
            if night == TENTH:
                shutil.copyfile(path, store.root / "tenth.duckdb")
        with open_readonly(path) as db:
            query = "select count(distinct run_id) from missing_files"
            ((missing,),) = db.execute(query).fetchall()
        return {
            "nights": nights,
            "file_megabytes": path.stat().st_size / 1e6,
            "runs_without_files": missing,
            **read(path),
            **compare(store, run, nights),
        }


def compare(store: Store, run: list[Artifact], nights: int) -> dict[str, float]:
    """Seconds of one more publish, on top of ten nights and of all, in turn."""
    path = metrics_path(store)
    took: dict[str, list[tuple[float, float]]] = {"tenth": [], "last": []}
    shutil.copyfile(path, store.root / "last.duckdb")
    for number in range(ALTERNATIONS):
        for name, seconds in took.items():
            shutil.copyfile(store.root / f"{name}.duckdb", path)
            seconds.append(publish_night(store, run, nights + 1 + number))
    figures = {}
    for place, unit in enumerate(("seconds", "cpu_seconds")):
        for name, seconds in took.items():
            figures[f"{name}_publish_{unit}"] = median(each[place] for each in seconds)
        figures[f"ratio_{unit}"] = (
            figures[f"last_publish_{unit}"] / figures[f"tenth_publish_{unit}"]
        )
    return figures


def main() -> None:
    """Print the figures as JSON, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=ROOT, help="a store with a finished night")
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    text = json.dumps(measure(Store(given.root), given.nights), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text)


if __name__ == "__main__":
    main()

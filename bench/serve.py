"""Measures everyone's lists beside one `recommend` a user.

    python -m bench.serve                        of the store of CONTENT_ADVISOR_STORE, which a run
                                                 has filled; MovieLens-100K takes two minutes
    python -m bench.serve --users 5 --json serve.json

`everyone_seconds` and `users_per_second`: lists for all users from nothing but a run's artifacts;
`unchanged_seconds`: the same again, a night without news; `changed_seconds`: after the newest
rating of one user was taken away; `recommend_per_second`: lists computed one user at a time, as
`recommend --why` does but for the start of a process. `cpu_` figures are processor seconds: on a
machine that others use, only these compare. What is written goes to a temporary folder.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from flows.ranker import call_directly
from flows.recommend import latest_champion_ranking, make_request, recommend_for
from flows.recommend_all import serve_everyone
from flows.settings import Settings, open_store
from flows.tonight import find_tonights_data
from tasks.serve.config import Serving
from tasks.store.artifacts import SplitRatings
from tasks.store.store import Store

MANIFESTS = "*/*/[!.]*/manifest.json"
FREE = Serving(max_film_share=1.0, min_full_share=0.0, min_overlap=0.0)


@contextmanager
def copied_store() -> Iterator[Store]:
    """The artifacts of the store, linked into a folder of its own, without earlier lists."""
    source = open_store().root
    with TemporaryDirectory(dir=source.parent) as folder:
        for top_level in ("data", "artifacts"):
            ignored = shutil.ignore_patterns("serving", "served-lists", ".lock*", ".draft-*", "raw")
            target = Path(folder) / top_level
            shutil.copytree(source / top_level, target, copy_function=os.link, ignore=ignored)
        database = Path(folder) / "artifacts" / "metrics.duckdb"
        database.unlink()
        shutil.copyfile(source / "artifacts" / "metrics.duckdb", database)
        drop_requests(Path(folder))
        yield Store(Path(folder))


def drop_requests(root: Path) -> None:
    """Delete what earlier lists for everyone left: requests, and all that was made of them."""
    manifests = {file.parent: json.loads(file.read_text()) for file in root.glob(MANIFESTS)}
    gone = {m["fingerprint"] for m in manifests.values() if "active_days" in m["recipe"]}
    while more := {
        m["fingerprint"]
        for m in manifests.values()
        if m["fingerprint"] not in gone and gone & {p["fingerprint"] for p in m["parents"]}
    }:
        gone |= more
    for folder, manifest in manifests.items():
        if manifest["fingerprint"] in gone:
            shutil.rmtree(folder)


def without_newest_rating(split: SplitRatings, store: Store) -> SplitRatings:
    """The split before its newest rating."""

    def write(draft: Path) -> dict[str, Any]:
        table = split.scan("ratings").collect()
        newest = table.with_row_index().sort("rated_at", "index").tail(1)["index"]
        table.with_row_index().filter(~pl.col("index").is_in(newest.implode())).drop(
            "index"
        ).write_parquet(draft / "ratings.parquet")
        return split.metadata

    recipe = {"bench": "without the newest rating"}
    return store.build(SplitRatings, recipe=recipe, parents=[split], write=write)


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of the processors."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def main() -> None:
    """Measure, and print or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5, help="of one `recommend` each")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    settings, figures = Settings(serving=FREE), dict[str, float]()
    with copied_store() as store:
        fitted = latest_champion_ranking(store)
        dataset = store.ancestor(SplitRatings, fitted).metadata["dataset"]
        split, ratings, _ = find_tonights_data(dataset, store)

        def serve(known: SplitRatings) -> int:
            serve = serve_everyone(settings, store, known, ratings, call_directly)
            if serve is None:
                raise SystemExit("nothing to measure: no user has a film left")
            figures["users"] = serve.figures.users
            return serve.figures.users

        for name, known in (
            ("everyone", split),
            ("unchanged", split),
            ("changed", without_newest_rating(split, store)),
        ):
            seconds = measure(lambda known=known: serve(known))  # type: ignore[misc]
            figures[f"{name}_seconds"], figures[f"cpu_{name}_seconds"] = seconds
        figures["users_per_second"] = figures["users"] / figures["everyone_seconds"]
        users = split.scan("ratings").select(pl.col("user_id").unique().sort()).collect()
        requests = [make_request(user, None, 10, why=True) for user in users["user_id"]]
        sample = requests[: arguments.users]
        one_by_one = measure(lambda: [recommend_for(r, None, store) for r in sample])
        figures["recommend_per_second"] = len(sample) / one_by_one[0]
        figures["cpu_recommend_seconds"] = one_by_one[1] / len(sample)
    text = json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1)
    arguments.json.write_text(text) if arguments.json else print(text)


if __name__ == "__main__":
    main()

"""Measures what a run costs on its own machine and on a cluster's workers, shard by shard.

    python -m bench.scale --json scale.json         5 and 20 million ratings
    python -m bench.scale --rows 500000 2000000     a try

A Dask cluster of two workers on this machine makes the prompts of generated ratings, and takes the
sums of as many predictions by ten. `here` is what the run's own process costs, and its peak;
`there` what the workers do, of which more can be had. Each is compared with what one machine makes:
`same_bytes`. docs/scale.md reckons with these figures.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distributed import Client, LocalCluster

from bench.data_path import settings_of
from bench.data_path_peers import learn_tokenizer
from bench.movielens_like import write_data_set
from bench.score import write_data
from tasks.ingest.task import ingest_ratings
from tasks.prompt.task import write_prompts
from tasks.score.config import Score
from tasks.score.relations import BLOCK
from tasks.score.task import score
from tasks.split.task import split_ratings
from tasks.store.artifacts import (
    Artifact,
    RatingPredictions,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store
from tasks.validate.task import validate_ratings

PREDICTED = 10  # times fewer ratings are predicted than there are


def prepare(rows: int, root: Path) -> None:
    """Generate and split ratings, and predictions of two predictors, each in a store of its own."""
    write_data_set(root / "csv", rows=rows)
    store = Store(root / "prompt")
    learn_tokenizer(root / "csv", store)
    settings = settings_of(root / "csv")
    raw = ingest_ratings.fn(config=settings.ingest, store=store)
    ratings = validate_ratings.fn(raw, config=settings.validation, store=store)
    split_ratings.fn(ratings, config=settings.split, store=store)
    write_data(root / "score", rows // PREDICTED // 2, 10, ["first", "second"])


def work(stage: str, root: Path, address: str | None) -> dict[str, Any]:
    """Run a stage on this machine or on a cluster; return its cost and its files."""
    store = Store(root / stage)
    split, ratings = store.find_all(SplitRatings)[-1], store.find_all(ValidatedRatings)[-1]
    made: Artifact
    if stage == "prompt":
        prompt = settings_of(root / "csv").prompt.model_copy(update={"dask_address": address})
        tokenizer = store.find_all(Tokenizer)[-1]
        made = write_prompts.fn(split, ratings, tokenizer, config=prompt, store=store)
        shards = len(made.files("examples"))
    else:
        predictions, config = store.find_all(RatingPredictions)[-1:], Score(dask_address=address)
        made = score.fn(split, ratings, predictions, [], config=config, store=store)
        shards = -(-sum(p.manifest["rows"]["ratings"] for p in predictions) // 2 // BLOCK)
    figures = {"shards": shards, "files": made.manifest["files"], **made.cost}
    shutil.rmtree(made.path)  # the next way makes it anew
    return figures


def alone(stage: str, root: Path, address: str | None) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "bench.scale", "--work", stage, str(root), address or ""]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{stage} ended with {ran.returncode}:\n{ran.stderr}")
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def compared(stage: str, root: Path, cluster: LocalCluster) -> dict[str, Any]:
    """Costs of a stage here and on the workers, and whether the bytes are those of one machine."""
    with Client(cluster) as client:
        before = sum(client.run(spent).values())
        shared = alone(stage, root, cluster.scheduler_address)
        there = sum(client.run(spent).values()) - before
    whole = alone(stage, root, None)
    return {
        "shards": shared["shards"],
        "here_cpu_seconds": shared["cpu_seconds"],
        "here_peak_gb": round(shared["peak_bytes"] / 1e9, 2),
        "there_cpu_seconds_a_shard": round(there / shared["shards"], 2),
        "one_machine_cpu_seconds": whole["cpu_seconds"],
        "same_bytes": shared["files"] == whole["files"],
    }


def spent() -> float:
    """CPU seconds of a process until now."""
    return sum(os.times()[:2])


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 20_000_000])
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)  # of the processes
    arguments = parser.parse_args()
    if arguments.work:
        stage, root, address = arguments.work
        print(json.dumps(work(stage, Path(root), address or None)))
        return
    figures: dict[str, Any] = {}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        for rows in arguments.rows:
            with TemporaryDirectory() as folder:
                prepare(rows, Path(folder))
                figures[str(rows)] = {
                    stage: compared(stage, Path(folder), cluster) for stage in ("prompt", "score")
                }
            print(json.dumps({rows: figures[str(rows)]}, indent=1), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

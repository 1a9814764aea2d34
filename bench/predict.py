"""Measures prediction against the plain path and the original's way, with the same weights.

    python -m bench.predict --json predict.json             a few minutes on two quiet cores
    python -m bench.predict --users 4 --peers 1 --runs 1    a try

Needs a published run below `--root`. Figures are medians of the runs; ways that are compared
take turns within each run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench.predict_ctranslate2 import convert
from bench.predict_peers import (
    ChampionRun,
    generate_lists,
    rate_each_prompt_alone,
    rate_fast,
    rmse_of_mean_and_greedy,
    score_lists,
    score_texts,
)
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
Rate = Callable[[int], NDArray[np.float64]]  # the candidates of the first users
LINES = 10  # of a complete list of the original


def measure_rates(ways: dict[str, Callable[[], int]], runs: int) -> dict[str, float]:
    """Median items a second of each way; a way returns the number of its items."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            start = time.perf_counter()
            made = way()
            found[name].append(made / (time.perf_counter() - start))
            print(f"{name:<36} {found[name][-1]:10.2f} /s", flush=True)
    return {name: statistics.median(speeds) for name, speeds in found.items()}


def measure(
    run: ChampionRun, users: int, peers: int, runs: int, others: dict[str, Rate]
) -> dict[str, float]:
    """All figures: the slow ways on `peers` users, the fast ones on `users`.

    `others` are other libraries that rate candidates, by name.
    """
    fast, plain = rate_fast(run, peers), rate_each_prompt_alone(run, peers)
    texts = generate_lists(run, users)
    speed = measure_rates(
        {
            "films rated, shared context": lambda: len(rate_fast(run, users)),
            "films rated, each prompt alone": lambda: len(rate_each_prompt_alone(run, peers)),
            "lists, trie": lambda: run.writer.decode(run.lists)["user_id"].n_unique(),
            "lists, one generate a user": lambda: len(generate_lists(run, peers)),
            **{f"films rated, {n}": partial(_count, rate, peers) for n, rate in others.items()},
        },
        runs,
    )
    fast_rate, plain_rate, list_rate, original_rate, *_ = speed.values()
    mean, mode = rmse_of_mean_and_greedy(run.predictions)
    return {
        **speed,
        "rate_speedup_plain": fast_rate / plain_rate,
        "rate_speedup_original": fast_rate / (LINES * original_rate),
        "list_speedup_original": list_rate / original_rate,
        "list_valid_share": score_lists(run, run.writer.decode(run.lists)),
        **{f"original_{k}_share": v for k, v in score_texts(run, texts).items()},
        **{f"rate_speedup_{n}": fast_rate / speed[f"films rated, {n}"] for n in others},
        "largest_difference_in_stars": max(
            float(np.abs(fast - other).max())
            for other in (plain, *(rate(peers) for rate in others.values()))
        ),
        "expectation_gain": 1 - mean / mode,
    }


def _count(rate: Rate, users: int) -> int:
    return len(rate(users))


def main() -> None:
    """Measure, print, and write JSON with `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--users", type=int, default=64, help="of the fast ways")
    parser.add_argument("--peers", type=int, default=4, help="users of the slow ways")
    parser.add_argument("--root", type=Path, default=ROOT, help="where the store is")
    parser.add_argument("--ctranslate2", action="store_true", help="also measure CTranslate2")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        run = ChampionRun.load(Store(arguments.root), arguments.users, Store(Path(folder)))
        others = {"ctranslate2": convert(run, Path(folder))} if arguments.ctranslate2 else {}
        figures = measure(run, arguments.users, arguments.peers, arguments.runs, others)
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

"""Measures prediction beside the plain path and the original's way, with the same weights.

    python -m bench.predict --json predict.json             a few minutes on two quiet cores
    python -m bench.predict --users 4 --peers 1 --runs 1    a try

Needs a finished night below `--root`. Figures are medians of the runs; ways that are compared
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

from bench.predict_ctranslate2 import converted
from bench.predict_peers import (
    Night,
    one_list_a_generate,
    rate_fast,
    rate_plainly,
    rmse_of_expectation_and_text,
    shares_of_texts,
    valid_share,
)
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parent.parent
Rate = Callable[[int], NDArray[np.float64]]  # the candidates of so many users
LINES = 10  # that a list of the original would have, were it not cut off


def per_second(ways: dict[str, Callable[[], int]], runs: int) -> dict[str, float]:
    """Things a second of each way, which returns how many it made; medians of the runs."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            start = time.perf_counter()
            made = way()
            found[name].append(made / (time.perf_counter() - start))
            print(f"{name:<36} {found[name][-1]:10.2f} /s", flush=True)
    return {name: statistics.median(speeds) for name, speeds in found.items()}


def measured(
    night: Night, users: int, peers: int, runs: int, others: dict[str, Rate]
) -> dict[str, float]:
    """All figures. The slow ways are given `peers` users, the fast one `users`.

    `others` rate candidates beside us, by name.
    """
    fast, plain = rate_fast(night, peers), rate_plainly(night, peers)
    texts = one_list_a_generate(night, users)
    speed = per_second(
        {
            "films rated, shared context": lambda: len(rate_fast(night, users)),
            "films rated, each prompt alone": lambda: len(rate_plainly(night, peers)),
            "lists, trie": lambda: night.writer.decode(night.lists)["user_id"].n_unique(),
            "lists, one generate a user": lambda: len(one_list_a_generate(night, peers)),
            **{f"films rated, {n}": partial(_count, rate, peers) for n, rate in others.items()},
        },
        runs,
    )
    rated, alone, ours, original, *_ = speed.values()
    mean, mode = rmse_of_expectation_and_text(night.predictions)
    return {
        **speed,
        "rate_speedup_plain": rated / alone,
        "rate_speedup_original": rated / (LINES * original),
        "list_speedup_original": ours / original,
        "list_valid_share": valid_share(night, night.writer.decode(night.lists)),
        **{f"original_{k}_share": v for k, v in shares_of_texts(night, texts).items()},
        **{f"rate_speedup_{n}": rated / speed[f"films rated, {n}"] for n in others},
        "largest_difference_in_stars": max(
            float(np.abs(fast - other).max())
            for other in (plain, *(rate(peers) for rate in others.values()))
        ),
        "expectation_gain": 1 - mean / mode,
    }


def _count(rate: Rate, users: int) -> int:
    return len(rate(users))


def main() -> None:
    """Measure, print, and write JSON where it is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--users", type=int, default=64, help="of the fast ways")
    parser.add_argument("--peers", type=int, default=4, help="users of the slow ways")
    parser.add_argument("--root", type=Path, default=ROOT, help="where a night lies")
    parser.add_argument("--ctranslate2", action="store_true", help="beside it, if installed")
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        night = Night.of(Store(told.root), told.users, Store(Path(folder)))
        others = {"ctranslate2": converted(night, Path(folder))} if told.ctranslate2 else {}
        figures = measured(night, told.users, told.peers, told.runs, others)
    print(json.dumps(figures, indent=1))
    if told.json:
        told.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

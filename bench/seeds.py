"""How much of a figure is the luck of one training: the default run with several training seeds.

Intervals resample users and seeds together: a predictor that no training seed moves keeps its own
users' interval. Runs share a store of their own, so only what a seed changes is made again.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.nightly import nightly
from flows.settings import Profile
from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.store.store import Store

RIVALS = ("bayesian_fm", "residual_trees", "blend_without_llm")
SHOWN = ("llm", "llm_head", "blend", *RIVALS)
RESAMPLES = 2000
Floats = NDArray[np.float64]


def main() -> None:
    """Print RMSE by predictor and seed, and differences to the rivals, with their intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="a folder for the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--data")
    options = parser.parse_args()
    os.environ["CONTENT_ADVISOR_STORE"] = str(options.store)
    runs = [_run(options.profile, options.data, seed) for seed in options.seeds]
    squares, counts = _read(Store(options.store), runs)
    print("\n".join(table(squares, counts)))


def _run(profile: Profile, data: str | None, seed: int) -> str:
    overrides = {
        "base": {"mini": {"fit": {"seed": seed}}},
        "train": {"fit": {"seed": seed}},
        "second_split": None,
    }
    return str(nightly(profile, data, overrides))


def _read(store: Store, runs: Sequence[str]) -> tuple[dict[str, Floats], Floats]:
    """Sums of squared errors [seeds, users] of each predictor, and ratings of each user [users]."""
    query = """
        select sum((mean - rating) ** 2) as squares, count(*) as n from rating_predictions
        where run_id = ? and predictor = ? and fold = 'test' group by user_id order by user_id"""
    with open_readonly(metrics_path(store)) as db:
        found = {
            name: [db.execute(query, [run, name]).fetchnumpy() for run in runs] for name in SHOWN
        }
    squares = {name: np.stack([rows["squares"] for rows in of]) for name, of in found.items()}
    return squares, found[SHOWN[0]][0]["n"].astype(float)


def table(squares: dict[str, Floats], counts: Floats) -> list[str]:
    """Lines of Markdown. squares [seeds, users] by predictor, counts [users]."""
    seeds, users = next(iter(squares.values())).shape
    random = np.random.default_rng(0)
    drawn_users = random.integers(users, size=(RESAMPLES, users))
    drawn_seeds = random.integers(seeds, size=(RESAMPLES, seeds))
    weights = np.stack([np.bincount(row, minlength=users) for row in drawn_users])

    def resampled(of: Floats) -> Floats:
        """The mean RMSE over the drawn seeds, of the drawn users: [resamples]."""
        by_seed = np.sqrt((weights @ of.T) / (weights @ counts)[:, None])
        return np.take_along_axis(by_seed, drawn_seeds, axis=1).mean(axis=1)

    drawn = {name: resampled(of) for name, of in squares.items()}
    each = {name: np.sqrt(of.sum(axis=1) / counts.sum()) for name, of in squares.items()}
    lines = [
        f"| predictor | RMSE by seed | mean | {' | '.join(f'minus {name}' for name in RIVALS)} |",
        f"|---|---|---|{'---|' * len(RIVALS)}",
    ]
    for name, values in each.items():
        by_seed = " ".join(f"{value:.4f}" for value in values)
        low, high = np.quantile(drawn[name], (0.025, 0.975))
        cells = [f"{values.mean():.4f} [{low:.4f}, {high:.4f}]"]
        for rival in RIVALS:
            low, high = np.quantile(drawn[name] - drawn[rival], (0.025, 0.975))
            difference = values.mean() - each[rival].mean()
            cells.append("" if name == rival else f"{difference:+.4f} [{low:+.4f}, {high:+.4f}]")
        lines.append(f"| {name} | {by_seed} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()

"""Compares this project's predictors with what papers report on CoLLM's split of MovieLens-1M.

    python -m bench.collm path/to/collm-ml-1m --json collm.json     twenty minutes on two cores

The folder holds ratings.parquet (fold, user_id, film_id, liked, timestamp) and films.parquet
(film_id, title). Everything is learnt on the train fold; weights of the blends are fitted on the
validation fold. Two readings of what a question may know of its user: `train` the train fold alone;
`in time` also what the user had rated before, as in the histories that the papers' models read.
Intervals are over resampled users and seeds, paired for differences.
"""

import argparse
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from bench.collm_figures import Figures, Interval, interval, mix
from bench.collm_predict import Data, encode, load_split, predict
from tasks.store.store import Store

Floats = NDArray[np.float64]
# AUC and UAUC of the test fold. Zhang et al., 2023, CoLLM (arXiv 2310.19488), table 2; what others
# report on the split: BinLLM (arXiv 2406.03210), SAILRec (arXiv 2606.04514).
PUBLISHED: dict[str, tuple[float, float | None]] = {
    "MF (CoLLM)": (0.6482, 0.6361),
    "LightGCN (CoLLM)": (0.5959, 0.6499),
    "SASRec (CoLLM)": (0.7078, 0.6884),
    "DIN (CoLLM)": (0.7166, 0.6459),
    "TALLRec, Vicuna-7B (CoLLM)": (0.7097, 0.6818),
    "CoLLM-MF, Vicuna-7B": (0.7295, 0.6875),
    "CoLLM-SASRec, Vicuna-7B": (0.7235, 0.6990),
    "CoLLM-DIN, Vicuna-7B": (0.7353, 0.6923),
    "BinLLM, Vicuna-7B": (0.7425, 0.6956),
    "SAILRec": (0.7571, None),
}
WITHOUT = ("bayesian_fm", "residual_trees", "process")
BLENDS = {"blend without llm": WITHOUT, "blend": (*WITHOUT, "llm_head", "llm_process")}
PAIRS = (
    ("llm", "bayesian_fm"),
    ("llm_head", "bayesian_fm"),
    ("llm_head", "residual_trees"),
    ("llm_process", "bayesian_fm"),
    ("llm_process", "process"),
    ("blend", "blend without llm"),
)
METRICS = ("auc", "uauc")
DAMPING = 5, 10  # ratings at the mean, of a film and of a user


def damped_means(data: Data, train: NDArray[np.bool_]) -> Floats:
    """Mean of all, plus what film and user are above it, learnt on the train fold: [ratings]."""
    rated, liked = data.rated, data.liked.astype(np.float64)
    score = np.full(len(liked), liked[train].mean())
    for place, damping in zip((rated.film, rated.user), DAMPING, strict=True):
        rest = np.bincount(place[train], (liked - score)[train], place.max() + 1)
        score += (rest / (np.bincount(place[train], minlength=len(rest)) + damping))[place]
    return score


def measure(
    data: Data, scores: list[dict[str, Floats]], chosen: NDArray[np.bool_]
) -> dict[str, Interval]:
    """AUC and UAUC of every predictor for the chosen ratings, and of the pairs' differences.

    `scores` [seeds] hold p(liked) [ratings].
    """
    figures = Figures(data.liked[chosen], data.rated.user[chosen], len(scores))
    found: dict[str, Interval] = {}
    for metric in (figures.auc, figures.uauc):
        resampled = {
            name: metric(np.stack([of_seed[name][chosen] for of_seed in scores]))
            for name in scores[0]
        }
        resampled |= {f"{a} - {b}": resampled[a] - resampled[b] for a, b in PAIRS if a in resampled}
        found |= {f"{metric.__name__} {name}": interval(r) for name, r in resampled.items()}
    return found


def compare(source: Path, folder: Path, store: Store, seeds: int, encoder: str) -> dict[str, dict]:
    """Figures of both readings on the validation and the test fold."""
    data = load_split(source, folder, store)
    states = encode(data, encoder, store)
    is_in = {name: data.fold == name for name in ("train", "valid", "test")}
    means = damped_means(data, is_in["train"])
    found = {}
    for reading in ("train", "in time"):
        scores = [
            {"damped means": means}
            | predict(data, states, seed, store, in_time=reading == "in time")
            for seed in range(seeds)
        ]
        for of_seed in scores:
            of_seed |= {
                blend: mix([of_seed[name] for name in members], data.liked, is_in["valid"])
                for blend, members in BLENDS.items()
            }
        for where in ("valid", "test"):
            found[f"{reading}, {where}"] = measure(data, scores, is_in[where])
    return found


def rows(found: dict[str, Interval]) -> list[str]:
    """A line for each predictor and pair: both figures with their intervals."""
    names = [key.removeprefix("auc ") for key in found if key.startswith("auc ")]
    return [
        f"{name:<32}"
        + "".join("{:9.4f} [{:.4f}, {:.4f}]".format(*found[f"{m} {name}"]) for m in METRICS)
        for name in names
    ]


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", default="smollm2-135m")
    parser.add_argument("--root", type=Path, help="a store to work in, and to keep")
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with TemporaryDirectory() as temporary:
        root = arguments.root or Path(temporary)
        found = compare(
            arguments.source, Path(temporary), Store(root), arguments.seeds, arguments.encoder
        )
    for name, (auc, uauc) in PUBLISHED.items():
        print(f"{name:<32}  {auc:7.4f}  {'' if uauc is None else f'{uauc:.4f}'}")
    for reading, figures in found.items():
        print(f"\n{reading}", *rows(figures), sep="\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

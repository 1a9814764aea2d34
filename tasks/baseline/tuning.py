"""Selects one setting of each LensKit model by its result on the validation fold."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import Codes, Ints, training_and_targets
from tasks.baseline.models import Entries, list_models, rating_models
from tasks.progress import track

# The setting that matters most, the reference value first: it wins a tie. The bias model keeps its
# published damping, EASE the setting with which it retrieves candidates.
GRIDS: dict[str, tuple[str, tuple[float, ...]]] = {
    "funk_svd": ("funk_regularisation", (0.02, 0.05, 0.1)),
    "item_knn": ("neighbours", (20, 40, 80)),
    "matrix_factorisation": ("regularisation", (0.1, 0.05, 0.2)),
    "implicit_item_knn": ("list_neighbours", (100, 20, 50, 200)),
    "implicit_mf": ("list_weight", (10, 5, 40)),
}


def tune(
    config: Baseline,
    names: Sequence[str],
    codes: Codes,
    table: pl.DataFrame,
    ends: tuple[float, float],
) -> dict[str, float]:
    """The settings with the least RMSE of ratings or the largest NDCG of lists, by field.

    Models are fitted on what precedes the validation fold; without one the result is empty.
    """
    training, targets = training_and_targets(table, "validation")
    if targets.is_empty():
        return {}
    interactions, pairs = codes.interactions(training), codes.pairs(targets)
    trials = [
        (name, field, value)
        for name, (field, values) in GRIDS.items()
        if name in names
        for value in values
    ]
    losses: dict[str, dict[float, float]] = {}
    for name, field, value in track(trials, "tune", len(trials), "fits"):
        trial = config.model_copy(update={field: value})
        if name in config.rating_models:
            predicted = rating_models(trial, ends)[name](interactions, *pairs).clip(*ends)
            loss = float(np.square(predicted - targets["rating"].to_numpy()).mean())
        else:
            users = np.unique(pairs[0])
            entries = list_models(trial)[name](interactions, users, config.list_length)
            loss = -mean_ndcg(entries, pairs, config.list_length)
        losses.setdefault(field, {})[value] = round(loss, 9)
    return {field: min(of, key=lambda value: of[value]) for field, of in losses.items()}


def mean_ndcg(entries: Entries, targets: tuple[Ints, Ints], k: int) -> float:
    """NDCG at k of each user's list, with the targets as the relevant films; mean over users.

    Järvelin and Kekäläinen, 2002, ACM TOIS 20(4), with binary gains.
    """
    user, rank, film, _ = entries
    films = 1 + max(int(film.max()), int(targets[1].max()))
    hit = np.isin(user * films + film, targets[0] * films + targets[1])
    gain = np.bincount(user, hit / np.log2(rank + 1), 1 + int(targets[0].max()))
    relevant = np.bincount(targets[0])
    ideal = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    who = np.flatnonzero(relevant)
    return float((gain[who] / ideal[np.minimum(relevant[who], k)]).mean())

"""Chooses a setting of each baseline by what it reaches on the validation fold."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import Codes, Ints, parts
from tasks.baseline.models import Entries, list_models, rating_models
from tasks.progress import track

# The setting of LensKit's predictors that matters most, the reference value first: it wins a draw.
# The bias model keeps its published damping, EASE the setting with which it proposes films.
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
    """The settings of these baselines that do best: the least RMSE, or the largest NDCG of lists.

    Fitted on what precedes the validation fold. Without a validation fold nothing is chosen.
    """
    known, asked = parts(table, "validation")
    if asked.is_empty():
        return {}
    told, pairs = codes.known(known), codes.pairs(asked)
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
            guess = rating_models(trial, ends)[name](told, *pairs).clip(*ends)
            loss = float(np.square(guess - asked["rating"].to_numpy()).mean())
        else:
            entries = list_models(trial)[name](told, np.unique(pairs[0]), config.list_length)
            loss = -ndcg(entries, pairs, config.list_length)
        losses.setdefault(field, {})[value] = round(loss, 9)
    return {field: min(of, key=lambda value: of[value]) for field, of in losses.items()}


def ndcg(entries: Entries, asked: tuple[Ints, Ints], k: int) -> float:
    """Of each user's list with the asked films as the relevant ones, all alike; then their mean.

    Järvelin and Kekäläinen, 2002, ACM TOIS 20(4), with binary gains.
    """
    user, rank, film, _ = entries
    films = 1 + max(int(film.max()), int(asked[1].max()))
    hit = np.isin(user * films + film, asked[0] * films + asked[1])
    gain = np.bincount(user, hit / np.log2(rank + 1), 1 + int(asked[0].max()))
    relevant = np.bincount(asked[0])
    ideal = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    who = np.flatnonzero(relevant)
    return float((gain[who] / ideal[np.minimum(relevant[who], k)]).mean())

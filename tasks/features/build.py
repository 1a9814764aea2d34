"""Computes point-in-time features for each rating from data visible to its fold."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from tasks.features.biases import FoldBiases, fit_fold_biases
from tasks.features.config import FeatureSettings
from tasks.features.point_in_time import Features, features_from_sums, point_in_time_features
from tasks.features.rating_arrays import RatingArrays, any_of_user, take_rows
from tasks.features.running_stats import Before, RunningStats
from tasks.features.time_ordered_stats import TimeOrderedStats
from tasks.features.user_shards import UserShards

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ComputeFeatures = Callable[[RatingArrays], Features]  # of one shard's ratings; can be pickled


class Dampings(TypedDict):
    """Ratings at the mean that are added to every film's and user's."""

    item_damping: float
    user_damping: float


def build_features(
    shards: UserShards,
    films: int,
    default_mean: float,
    users: Sequence[int] | None,
    config: FeatureSettings,
) -> Callable[[int], ComputeFeatures]:
    """Prepare the features of all shards; the result gives each shard's by its number.

    `default_mean` replaces the global mean before the first rating. With the prior "neighbours"
    everything is in memory, and only `users` (None: all) get it; with "bias" memory is bounded.
    """
    if config.prior == "neighbours":
        return _build_in_memory(shards, default_mean, users, config)
    ordered = TimeOrderedStats(shards, RunningStats.zeros(films, default_mean))
    ordered.scan(targets=config.features_as_of == "rating")
    biases: list[FoldBiases] = []
    if config.features_as_of == "fold":
        folds = sorted({int(fold) for rows in shards for fold in np.unique(rows.fold[rows.target])})
        biases = fit_fold_biases(shards, ordered.stats, folds, **_dampings(config))
    compute = partial(_streamed, final=ordered.stats, biases=biases, config=config)
    return lambda shard: partial(compute, before=ordered.read(shard))


def _streamed(
    rows: RatingArrays,
    *,
    before: Before,
    final: RunningStats,
    biases: list[FoldBiases],
    config: FeatureSettings,
) -> Features:
    """Features of each rating's own time; for targets of folds with biases, of the fold's start.

    A user's earlier ratings count with the statistics of their own time.
    """
    for model in biases:
        own = np.flatnonzero(rows.target & (rows.fold == model.fold))
        before.global_mean[own] = model.global_mean
        before.film_sum[own] = final.sums[model.fold][rows.film[own]]
        before.film_count[own] = final.counts[model.fold][rows.film[own]]
    features = _features_of_folds(rows, before, config)
    for model in biases:
        own = np.flatnonzero(rows.target & (rows.fold == model.fold))
        features.prior[own] = model.predict(rows)[own]
    return features


def _features_of_folds(rows: RatingArrays, before: Before, config: FeatureSettings) -> Features:
    """Each rating's features as its own fold knows them, from the histories that have the fold."""
    features = Features.unknown(len(rows.user))
    for fold in map(int, np.flatnonzero(np.bincount(rows.fold))):
        of_fold = rows.fold == fold
        some = any_of_user(rows.user, of_fold)
        at = slice(None) if some.all() else np.flatnonzero(some)
        own, found_own = np.flatnonzero(of_fold), np.flatnonzero(of_fold[at])
        columns = (rows.user, rows.rating, rows.known_to(fold), *vars(before).values())
        found = features_from_sums(*(column[at] for column in columns), **_dampings(config))
        for name, values in vars(found).items():
            getattr(features, name)[own] = values[found_own]
    return features


def _build_in_memory(
    shards: UserShards, default_mean: float, users: Sequence[int] | None, config: FeatureSettings
) -> Callable[[int], ComputeFeatures]:
    """All shards at once: item-item covariances take far more memory than the ratings."""
    each = list(shards)
    rows = RatingArrays(
        **{name: np.concatenate([vars(r)[name] for r in each]) for name in vars(each[0])}
    )
    ends = np.cumsum([len(r.user) for r in each])
    time = rows.time
    if config.features_as_of == "fold":
        time = np.where(rows.target, np.iinfo(np.int64).max, time)
    selected = np.ones(len(time), bool) if users is None else np.isin(rows.user, users)
    folds = (int(fold) for fold in np.unique(rows.fold[selected]))
    by_fold = {f: _fold_in_memory(rows, time, f, default_mean, selected, config) for f in folds}
    features = _select_fold(rows, by_fold)

    def features_of(shard: int) -> ComputeFeatures:
        own = np.arange(ends[shard] - len(each[shard].user), ends[shard])
        return partial(_precomputed, features=take_rows(features, own))

    return features_of


def _precomputed(_: RatingArrays, *, features: Features) -> Features:
    return features


def _fold_in_memory(
    rows: RatingArrays,
    time: Ints,
    fold: int,
    default_mean: float,
    selected: Bools,
    config: FeatureSettings,
) -> Features:
    # scipy takes half a second to import.
    from tasks.features.collaborative import damped_bias_prediction, gaussian_process_prediction

    known = rows.known_to(fold)
    dampings = _dampings(config)
    features = point_in_time_features(
        rows.user, rows.film, rows.rating, time, known, **dampings, default_mean=default_mean
    )
    if config.features_as_of == "rating" or not known.any():
        return features
    user = np.unique(rows.user, return_inverse=True)[1]
    ratings = (user, rows.film, rows.rating, known)
    prior = gaussian_process_prediction(
        *ratings,
        features.prior,
        damped_bias_prediction(*ratings, **dampings),
        **config.neighbours.model_dump(),
        selected=selected & (rows.fold == fold),
    )
    return replace(features, prior=prior)


def _select_fold(rows: RatingArrays, by_fold: dict[int, Features]) -> Features:
    """Each rating's features as its own fold knows them."""
    own = [rows.fold == fold for fold in by_fold]
    columns = [vars(features) for features in by_fold.values()]
    return Features(**{name: np.select(own, [c[name] for c in columns]) for name in columns[0]})


def _dampings(config: FeatureSettings) -> Dampings:
    return {"item_damping": config.item_damping, "user_damping": config.user_damping}

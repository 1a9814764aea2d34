"""Selects settings of the baselines by their result on the validation fold.

Optuna (Akiba et al., 2019, KDD) proposes them by its tree-structured Parzen estimator.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
import polars as pl

from tasks.baseline.config import Baseline, Tuning
from tasks.baseline.interactions import Codes, Entries, Ints, training_and_targets
from tasks.baseline.models import list_models, rating_models
from tasks.baseline.search_spaces import SPACES, SearchSpace, Settings
from tasks.baseline.sequential import SequentialLists
from tasks.progress import track

RANDOM_TRIALS = 4  # before the estimator proposes, the two given ones among them


def tune(
    config: Baseline,
    names: Sequence[str],
    codes: Codes,
    ratings: pl.LazyFrame,
    ends: tuple[float, float],
) -> tuple[Baseline, dict[str, Any]]:
    """The settings with the least RMSE of ratings or the largest NDCG of lists; and all trials.

    Models are fitted on what precedes the validation fold; without one nothing is selected.
    """
    chosen = [name for name in names if name in config.tuning.models]
    if not chosen:
        return config, {}
    interactions, targets = training_and_targets(ratings, codes, "validation")
    if targets.is_empty():
        return config, {}
    pairs = codes.pairs(targets)
    truth, users, k = targets["rating"].to_numpy(), np.unique(pairs[0]), config.list_length

    def loss_of_lists(entries: Entries) -> float:
        return -mean_ndcg(entries, pairs, k)

    def loss(name: str, settings: Settings) -> float:
        trial = with_settings(config, settings)
        if name in config.rating_models:
            predicted = rating_models(trial, ends)[name](interactions, *pairs).clip(*ends)
            return float(np.sqrt(np.square(predicted - truth).mean()))
        return loss_of_lists(list_models(trial)[name](interactions, users, k))

    found: dict[str, Any] = {}
    for name in track(chosen, "tune", len(chosen), "baselines"):
        if name == "sasrec":  # one fit has a result for each number of epochs
            model = SequentialLists(config.sasrec)
            losses = model.stop_early(interactions, users, k, loss_of_lists)
            found[name] = _select(
                {"loss": round(value, 9), "settings": {"sasrec.epochs": epoch}}
                for epoch, value in enumerate(losses, 1)
            )
        else:
            space, as_set = SPACES[name], settings_of(config, SPACES[name])
            found[name] = search(partial(loss, name), space, as_set, config.tuning)
    best = {name: value for of in found.values() for name, value in of["selected"].items()}
    return with_settings(config, best), found


def search(
    loss: Callable[[Settings], float], space: SearchSpace, as_set: Settings, config: Tuning
) -> dict[str, Any]:
    """The `selected` settings, the first of equals, and all `trials`, each with its loss.

    The library's settings are tried first, then those of the configuration.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=RANDOM_TRIALS)
    study = optuna.create_study(sampler=sampler)
    for known in (as_set | space.of_library, as_set):
        study.enqueue_trial(known, skip_if_exists=True)
    trials = []
    for _ in range(config.trials):
        trial = study.ask(space.ranges)
        # Digits that differ between machines must not decide what is proposed next.
        value = round(loss(trial.params), 9)
        study.tell(trial, value)
        trials.append({"loss": value, "settings": trial.params})
    return _select(trials)


def _select(trials: Iterable[dict[str, Any]]) -> dict[str, Any]:
    trials = list(trials)
    return {"selected": min(trials, key=lambda trial: trial["loss"])["settings"], "trials": trials}


def settings_of(config: Baseline, space: SearchSpace) -> Settings:
    """The values of the settings of a search space."""
    values = config.model_dump()
    flat = {f"{name}.{inner}": v for name, of in values.items() if isinstance(of, dict)
            for inner, v in of.items()}  # fmt: skip
    return {name: (values | flat)[name] for name in space.ranges}


def with_settings(config: Baseline, settings: Settings) -> Baseline:
    """The configuration with these values, by dotted name."""
    values = config.model_dump()
    for name, value in settings.items():
        *section, field = name.split(".")
        (values[section[0]] if section else values)[field] = value
    return Baseline.model_validate(values)


def mean_ndcg(entries: Entries, targets: tuple[Ints, Ints], k: int) -> float:
    """NDCG at k of each user's list, with the targets as the relevant films; mean over users.

    Järvelin and Kekäläinen, 2002, ACM TOIS 20(4), with binary gains.
    """
    user, rank, film, _ = entries
    films = 1 + max(int(film.max(initial=0)), int(targets[1].max()))
    hit = np.isin(user * films + film, targets[0] * films + targets[1])
    gain = np.bincount(user, hit / np.log2(rank + 1), 1 + int(targets[0].max()))
    relevant = np.bincount(targets[0])
    ideal = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    who = np.flatnonzero(relevant)
    return float((gain[who] / ideal[np.minimum(relevant[who], k)]).mean())

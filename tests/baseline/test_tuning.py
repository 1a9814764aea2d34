"""Settings are chosen on validation, and by nothing else."""

import numpy as np
import polars as pl
import pytest

from tasks.baseline.config import Baseline, Tuning
from tasks.baseline.interactions import Codes
from tasks.baseline.search_spaces import SPACES
from tasks.baseline.task import predict_baselines
from tasks.baseline.tuning import mean_ndcg, search, settings_of, tune

NEIGHBOURS = Baseline(
    tuning=Tuning(models=("item_knn",), trials=3),
    rating_models=("item_knn",),
    list_models=("popularity",),
)
FACTORS = Baseline(tuning=Tuning(trials=2), rating_models=("bias",), list_models=("implicit_als",))


def test_ndcg_worked_by_hand():
    user, rank = np.array([0, 0, 0, 2, 2, 2]), np.array([1, 2, 3, 1, 2, 3])
    film = np.array([3, 1, 2, 1, 2, 3])
    targets = np.array([0, 0, 2]), np.array([1, 2, 9])  # user 1 has none, all of user 2 are missed
    first = (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3))
    assert mean_ndcg((user, rank, film, rank * 0.0), targets, 3) == pytest.approx((first + 0) / 2)
    assert mean_ndcg((user[:0], rank[:0], film[:0], rank[:0] * 0.0), targets, 3) == 0


@pytest.mark.parametrize("name", SPACES)
def test_the_librarys_settings_are_tried_first_and_then_those_set(name):
    space, tried = SPACES[name], []
    as_set = settings_of(Baseline(), space)
    search(lambda settings: tried.append(settings) or 0.0, space, as_set, Tuning(trials=3))
    assert tried[0] == as_set | space.of_library
    assert as_set in tried[:2]


def test_the_search_takes_the_least_loss_and_repeats_itself():
    space, as_set = SPACES["ease"], {"ease_regularisation": 200.0}

    def loss(settings):
        return abs(np.log(settings["ease_regularisation"] / 37))

    first, second = (search(loss, space, as_set, Tuning(trials=20)) for _ in range(2))
    assert first == second
    assert loss(first["selected"]) < 0.2 < loss(as_set)
    assert first["trials"] != search(loss, space, as_set, Tuning(trials=20, seed=1))["trials"]


def test_of_equal_losses_the_first_trial_counts():
    space, as_set = SPACES["item_knn"], {"neighbours": 20}
    assert search(lambda _: 1.0, space, as_set, Tuning())["selected"] == as_set


def test_predictions_are_those_of_the_setting_with_the_least_validation_error(
    shared_store, hundred_k
):
    ratings, split = hundred_k
    made = predict_baselines.fn(split, ratings, config=NEIGHBOURS, store=shared_store)
    tuned = made.metadata["tuned"]["item_knn"]
    assert len(tuned["trials"]) == 3
    best = min(tuned["trials"], key=lambda trial: trial["loss"])
    assert tuned["selected"] == best["settings"]
    assert best["loss"] < tuned["trials"][0]["loss"]
    table = made.scan("ratings").collect()
    error = table.filter(fold="validation").select(pl.col("mean") - pl.col("rating"))
    assert float((error.to_series() ** 2).mean() ** 0.5) == pytest.approx(best["loss"], abs=1e-6)
    by_hand = {"tuning": Tuning(models=()), **tuned["selected"]}
    config = NEIGHBOURS.model_copy(update=by_hand)
    again = predict_baselines.fn(split, ratings, config=config, store=shared_store)
    assert again.scan("ratings").collect().equals(table)
    assert again.metadata["tuned"] == {}


@pytest.mark.parametrize("config", [NEIGHBOURS, FACTORS], ids=["ratings", "lists"])
def test_the_test_fold_does_not_change_the_selection(hundred_k, config):
    valid, split = hundred_k
    table = split.scan("ratings").filter(pl.col("fold") != "unused")
    codes = Codes(table, valid.scan("films").collect())
    without = table.filter(pl.col("fold") != "test")
    assert without.collect().height < table.collect().height
    names = (*config.rating_models, *config.list_models)
    first, second = (tune(config, names, codes, rows, (1.0, 5.0)) for rows in (table, without))
    assert first == second != (config, {})
    earlier = table.filter(pl.col("fold") == "train")
    assert tune(config, names, codes, earlier, (1.0, 5.0)) == (config, {})

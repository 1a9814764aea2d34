"""Settings are chosen on validation, and by nothing else."""

import numpy as np
import polars as pl
import pytest

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import Codes
from tasks.baseline.task import predict_baselines
from tasks.baseline.tuning import GRIDS, mean_ndcg, tune

NEIGHBOURS = Baseline(tune=True, rating_models=("item_knn",), list_models=("popularity",))


def test_ndcg_worked_by_hand():
    user, rank = np.array([0, 0, 0, 2, 2, 2]), np.array([1, 2, 3, 1, 2, 3])
    film = np.array([3, 1, 2, 1, 2, 3])
    targets = np.array([0, 0, 2]), np.array([1, 2, 9])  # user 1 has none, all of user 2 are missed
    first = (1 / np.log2(3) + 1 / 2) / (1 + 1 / np.log2(3))
    assert mean_ndcg((user, rank, film, rank * 0.0), targets, 3) == pytest.approx((first + 0) / 2)


def test_the_setting_with_the_least_validation_error_is_taken(shared_store, hundred_k):
    ratings, split = hundred_k

    def validation_error(config: Baseline) -> float:
        made = predict_baselines.fn(split, ratings, config=config, store=shared_store)
        table = made.scan("ratings").filter(fold="validation").collect()
        return (table["mean"] - table["rating"].cast(pl.Float64)).pow(2).mean()

    field, values = GRIDS["item_knn"]
    errors = {
        value: validation_error(NEIGHBOURS.model_copy(update={field: value, "tune": False}))
        for value in values
    }
    made = predict_baselines.fn(split, ratings, config=NEIGHBOURS, store=shared_store)
    assert made.metadata["tuned"] == {field: min(errors, key=errors.get)}
    assert validation_error(NEIGHBOURS) == min(errors.values()) < max(errors.values())


def test_the_test_fold_does_not_change_the_selection(hundred_k):
    valid, split = hundred_k
    table = split.scan("ratings").filter(pl.col("fold") != "unused").collect()
    codes = Codes(table, valid.scan("films").collect())
    without = table.filter(pl.col("fold") != "test")
    assert without.height < table.height
    choices = [
        tune(NEIGHBOURS, NEIGHBOURS.rating_models, codes, ratings, (1.0, 5.0))
        for ratings in (table, without)
    ]
    assert choices[0] == choices[1]
    earlier = table.filter(pl.col("fold") == "train")
    assert tune(NEIGHBOURS, NEIGHBOURS.rating_models, codes, earlier, (1.0, 5.0)) == {}

"""The blend weighs its members on the validation fold."""

import numpy as np
import polars as pl
import pytest

from tasks.baseline.blend import fit_weights
from tasks.baseline.config import Baseline
from tasks.baseline.task import blend_predictions, predict_baselines
from tasks.store.artifacts import RatingPredictions

MEMBERS = Baseline(
    rating_models=(
        "bias",
        "funk_svd",
        "item_knn",
        "item_mean",
        "matrix_factorisation",
        "user_mean",
    ),
    list_models=("popularity",),
    blended=("bias", "funk_svd", "item_knn", "matrix_factorisation"),
)


def rmse(predictions, predictor):
    table = predictions.scan("ratings").filter(fold="test", predictor=predictor).collect()
    return (table["mean"] - table["rating"].cast(pl.Float64)).pow(2).mean() ** 0.5


def test_weights_are_those_of_the_members_that_made_the_truth():
    predicted = np.random.default_rng(0).normal(size=(5000, 3))
    assert fit_weights(predicted, predicted @ [0.7, 0.3, 0.0], 1e-6) == pytest.approx(
        [0.7, 0.3, 0.0], abs=1e-6
    )


def test_no_weight_is_negative():
    predicted = np.random.default_rng(0).normal(size=(500, 2))
    assert fit_weights(predicted, predicted @ [1.0, -0.5], 0)[1] == 0


def test_without_validation_equal_shares_remain():
    assert fit_weights(np.empty((0, 4)), np.empty(0), 10) == pytest.approx([0.25] * 4)


def test_the_blend_beats_each_of_its_members(shared_store, hundred_k):
    ratings, split = hundred_k
    made = predict_baselines.fn(split, ratings, config=MEMBERS, store=shared_store)
    blend = blend_predictions.fn(
        split, [made], without=("bias",), config=MEMBERS, store=shared_store
    )
    singles = {name: rmse(made, name) for name in MEMBERS.rating_models}
    assert rmse(blend, "blend") < min(singles.values())
    assert set(blend.metadata["blend"]["weights"]) == set(MEMBERS.blended)
    others = blend.metadata["blend_without_bias"]["weights"]
    assert set(others) == set(MEMBERS.blended) - {"bias"}
    assert rmse(blend, "blend") != rmse(blend, "blend_without_bias")


def test_a_member_that_leaves_out_a_rating_is_an_error(shared_store, hundred_k):
    ratings, split = hundred_k
    made = predict_baselines.fn(split, ratings, config=MEMBERS, store=shared_store)

    def write(draft):
        rows = made.scan("ratings").filter(predictor="bias").slice(1)
        rows.with_columns(predictor=pl.lit("short")).collect().write_parquet(
            draft / "ratings.parquet"
        )

    short = shared_store.build(RatingPredictions, recipe={"short": 1}, write=write)
    config = MEMBERS.model_copy(update={"blended": ("bias", "short")})
    with pytest.raises(ValueError, match="short has"):
        blend_predictions.fn(
            split, [made, short], without=("bias",), config=config, store=shared_store
        )

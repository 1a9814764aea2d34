"""Baselines reproduce figures known from elsewhere, and do not see what they predict."""

import numpy as np
import polars as pl
import pytest
import torch

from tasks.baseline.config import Baseline, Tuning
from tasks.baseline.task import predict_baselines, rank_baselines
from tasks.split.protocols import GlobalTime
from tasks.split.task import split_ratings
from tasks.store.artifacts import SplitRatings

RIVALS = Baseline(
    rating_models=(
        "bias",
        "constant",
        "context_mean",
        "context_median",
        "global_mean",
        "item_mean",
        "neighbourhood",
        "svdpp",
        "user_mean",
    ),
    list_models=("implicit_als", "popularity"),
    tuning=Tuning(trials=2),
)  # fmt: skip


def errors(predictions, predictor):
    table = predictions.scan("ratings").filter(fold="test", predictor=predictor).collect()
    error = table["mean"] - table["rating"].cast(pl.Float64)
    return error.pow(2).mean() ** 0.5, error.abs().mean(), (error.abs() <= 0.5).mean()


def test_means_and_biases_on_ml_latest_small(shared_store, small):
    ratings, split = small
    config = RIVALS.model_copy(update={"user_damping": 10.0})
    made = predict_baselines.fn(split, ratings, config=config, store=shared_store)
    assert errors(made, "global_mean")[:2] == pytest.approx((1.1011, 0.8967), abs=0.0002)
    assert errors(made, "user_mean")[:2] == pytest.approx((1.0216, 0.7847), abs=0.0002)
    assert errors(made, "bias") == pytest.approx((0.9388, 0.7164, 0.450), abs=0.0005)
    assert errors(made, "neighbourhood")[0] == pytest.approx(0.9288, abs=0.0005)


def test_the_bias_model_on_movielens_100k(shared_store, hundred_k):
    ratings, split = hundred_k
    made = predict_baselines.fn(split, ratings, config=RIVALS, store=shared_store)
    assert errors(made, "bias")[:2] == pytest.approx((1.0238, 0.8198), abs=0.0002)
    assert errors(made, "neighbourhood")[0] == pytest.approx(1.0065, abs=0.0005)


def test_lenskit_on_movielens_100k(shared_store, hundred_k):
    ratings, split = hundred_k
    threads = torch.get_num_threads()
    config = Baseline(
        rating_models=("item_knn", "matrix_factorisation"),
        list_models=("ease", "popularity"),
        tuning=Tuning(models=()),
    )
    made = predict_baselines.fn(split, ratings, config=config, store=shared_store)
    lists = rank_baselines.fn(split, ratings, config=config, store=shared_store)
    factors, neighbours = errors(made, "matrix_factorisation"), errors(made, "item_knn")
    assert factors[:2] == pytest.approx((1.0103, 0.7986), abs=0.002)
    assert neighbours[:2] == pytest.approx((1.0152, 0.7973), abs=0.002)
    targets = split.scan("ratings").filter(fold="test").select("user_id", "film_id")
    hits = lists.scan("lists").join(targets, on=["user_id", "film_id"]).group_by("predictor").len()
    recall = {name: n / 9430 for name, n in hits.collect().iter_rows()}
    assert recall == pytest.approx({"ease": 0.1275, "popularity": 0.0726}, abs=0.005)
    assert torch.get_num_threads() == threads


def test_no_prediction_changes_with_the_targets_ratings(shared_store, hundred_k, store):
    ratings, split = hundred_k

    def write(draft):
        is_test = (pl.col("fold") == "test") & (pl.col("role") == "target")
        flipped = pl.when(is_test).then(5.5 - pl.col("rating")).otherwise(pl.col("rating"))
        table = split.scan("ratings").with_columns(flipped.cast(pl.Float32).alias("rating"))
        table.collect().write_parquet(draft / "ratings.parquet")
        return split.metadata

    other = store.build(SplitRatings, recipe={"flipped": True}, write=write)
    for make, table in ((predict_baselines, "ratings"), (rank_baselines, "lists")):
        before = make.fn(split, ratings, config=RIVALS, store=shared_store).scan(table).collect()
        after = make.fn(other, ratings, config=RIVALS, store=store).scan(table).collect()
        if "rating" in before.columns:
            before, after = before.drop("rating"), after.drop("rating")
        assert before.equals(after)


def test_lists_name_only_what_the_user_has_not_rated(shared_store, hundred_k):
    ratings, split = hundred_k
    made = rank_baselines.fn(split, ratings, config=RIVALS, store=shared_store)
    known = split.scan("ratings").filter(pl.col("fold") != "test")
    lists = made.scan("lists").collect()
    assert lists.lazy().join(known, on=["user_id", "film_id"]).collect().is_empty()
    assert set(lists.group_by("predictor", "user_id").len()["len"]) == {10}
    assert lists["rank"].to_list() == list(np.tile(np.arange(1, 11), len(lists) // 10))


def test_who_has_rated_nothing_yet_gets_the_popular_films(shared_store, hundred_k):
    ratings, _ = hundred_k
    split = split_ratings.fn(ratings, config=GlobalTime(), store=shared_store)
    config = RIVALS.model_copy(
        update={"list_models": ("ease", "popularity"), "tuning": Tuning(models=())}
    )
    made = rank_baselines.fn(split, ratings, config=config, store=shared_store)
    folds = split.scan("ratings").collect()
    newcomers = folds.filter(fold="test").join(
        folds.filter(pl.col("fold") != "test"), on="user_id", how="anti"
    )
    lists = made.scan("lists").collect()
    assert set(lists["user_id"]) == set(folds.filter(fold="test")["user_id"])
    assert not newcomers.is_empty()
    ease, popular = (
        lists.filter(pl.col("user_id").is_in(newcomers["user_id"].implode()), predictor=name)
        .sort("user_id", "rank")
        .drop("predictor")
        for name in ("ease", "popularity")
    )
    assert ease.equals(popular)

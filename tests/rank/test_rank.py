"""Candidates are rated and ranked; what the model says is used only if it helps."""

import json

import numpy as np
import polars as pl
import pytest

from tasks.liked import Liked, judge_targets
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.rank.config import Rank
from tasks.rank.features import mean_likelihoods
from tasks.rank.task import rank_candidates
from tasks.ranked_lists import LIST, add_empty_lists, to_list_table
from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.store.artifacts import Candidates, RankedLists, RatingPredictions, Readings
from tests.world import typed

KEY = ["fold", "user_id", "film_id"]


@pytest.fixture(scope="module")
def readings(store, adapter, base, prompts, candidate_prompts):
    given = (adapter, base, prompts, candidate_prompts)
    return read_prompts.fn(*given, inference=Inference(), store=store)


def test_every_candidate_is_rated_with_the_calibration_of_the_targets(
    store, split, readings, candidates
):
    settings = {"config": Predict(), "store": store}
    llm = predict_ratings.fn(readings, split, **settings)
    rated = predict_ratings.fn(readings, split, **settings, role="candidate", calibrated_by=llm)
    expected = candidates.scan("candidates").select(KEY).collect().sort(KEY)
    assert rated.scan("ratings").select(KEY).collect().equals(expected)
    calibrations = [(made.path / "calibration.json").read_text() for made in (llm, rated)]
    assert calibrations[0] == calibrations[1]


@pytest.fixture
def judge(store):
    """`judge(candidates, expected)`: predictions with these expected ratings, and likelihoods."""

    def run(candidates, expected, likelihoods=True):
        rows = candidates.scan("candidates").select(KEY).collect()
        columns = rows.to_dict(as_series=False)

        def write_predictions(draft):
            table = {**columns, "predictor": "made", "mean": expected.to_list()}
            typed(RatingPredictions, "ratings", table).write_parquet(draft / "ratings.parquet")

        def write_readings(draft):
            likelihood = np.random.default_rng(1).random(len(rows)).tolist()
            table = {**columns, "role": "candidate", "log_likelihood": likelihood}
            typed(Readings, "readings", table).write_parquet(draft / "readings.parquet")

        recipe = {"expected": expected.to_list(), "likelihoods": likelihoods}
        made = {"recipe": recipe, "parents": [candidates]}
        predictions = store.build(RatingPredictions, write=write_predictions, **made)
        return predictions, store.build(Readings, write=write_readings, **made)

    return run


@pytest.fixture
def rank(store, split, ratings, judge):
    """`rank(candidates, expected)`: the ranked films and the mix, for these expected ratings."""

    def run(candidates, expected, **settings):
        judged = judge(candidates, expected)
        lists = rank_candidates.fn(
            split, ratings, candidates, *judged, config=Rank(**settings), store=store
        )
        table = lists.scan("lists").sort("predictor", "fold", "user_id", "rank").collect()
        return table, json.loads((lists.path / "mix.json").read_text())

    return run


def mark_hits(candidates, split) -> pl.Series:
    """1 where a candidate is a target that the user liked, in the candidates' order."""
    folds = [
        judge_targets(split.scan("ratings"), fold, Liked())
        .filter("liked")
        .with_columns(fold=pl.lit(fold))
        for fold in ("validation", "test")
    ]
    targets = pl.concat(folds).lazy().select(*KEY, hit=pl.lit(1.0))
    table = candidates.scan("candidates").select(KEY)
    table = table.join(targets, on=KEY, how="left", maintain_order="left").collect()
    return table["hit"].fill_null(0.0)


def first_films(candidates, k=10):
    table = candidates.scan("candidates").filter(pl.col("rank") <= k)
    return table.sort("fold", "user_id", "rank").collect()["film_id"].to_list()


def test_a_model_that_raises_ndcg_is_used(rank, candidates, split):
    hits = mark_hits(candidates, split)
    noise = pl.Series(np.random.default_rng(0).random(len(hits)))
    lists, mix = rank(candidates, hits + noise)
    ndcg = mix["validation_ndcg"]
    assert mix["used_features"] == max(ndcg, key=ndcg.get)
    assert ndcg["interactions, expectation and language model"] > ndcg["retriever"] + 0.1
    named = {name: rows["film_id"].to_list() for (name,), rows in lists.group_by("predictor")}
    assert set(named) == {"ranked", "ranked_without_llm"}
    assert named["ranked"] != first_films(candidates)
    # Without the language model nothing is expected, as there is no prior: interactions are left.
    assert named["ranked_without_llm"] != named["ranked"]


def test_a_model_that_does_not_raise_ndcg_is_not_used(rank, candidates, split, store):
    """Behind a retriever that ranks all hits first, no feature can add anything."""
    table = candidates.scan("candidates").collect()
    best = table.with_columns(score=mark_hits(candidates, split))
    best = best.sort("fold", "user_id", "score", descending=[False, False, True])
    rank_of = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("fold", "user_id")
    best = best.with_columns(rank=rank_of)
    perfect = store.build(
        Candidates,
        recipe={"perfect": True},
        parents=[candidates],
        write=lambda draft: best.write_parquet(draft / "candidates.parquet"),
    )
    lists, mix = rank(perfect, pl.Series(np.random.default_rng(0).random(len(best))))
    assert mix["used_features"] == "retriever"
    assert mix["validation_ndcg"]["retriever"] == max(mix["validation_ndcg"].values())
    assert lists["film_id"].to_list() == 2 * first_films(perfect)


@pytest.mark.parametrize("feature", [None, "log_likelihood", "likelihood_lift"])
def test_likelihoods_are_needed_only_where_the_mix_weighs_them(
    store, split, ratings, candidates, judge, feature
):
    mix = {"weights": {"retrieval_score": 0.5, "llm_rating": 0.5, feature or "expected_rating": 1}}

    def write(draft):
        (draft / "mix.json").write_text(json.dumps(mix))
        mean_likelihoods(readings).write_parquet(draft / "mean_likelihoods.parquet")
        typed(RankedLists, "lists", {}).write_parquet(draft / "lists.parquet")
        return mix

    predictions, readings = judge(candidates, mark_hits(candidates, split))
    _, without = judge(candidates, mark_hits(candidates, split), likelihoods=False)
    fitted = store.build(RankedLists, recipe=mix, parents=[candidates, readings], write=write)
    given = {"config": Rank(), "store": store, "mix_of": fitted}
    inputs = (split, ratings, candidates, predictions)
    with_likelihoods = rank_candidates.fn(*inputs, readings, **given).scan("lists").collect()
    if feature:
        with pytest.raises(ValueError, match="weighs likelihoods"):
            rank_candidates.fn(*inputs, without, **given)
    else:
        lists = rank_candidates.fn(*inputs, without, **given).scan("lists").collect()
        assert lists.equals(with_likelihoods)


def test_a_list_has_the_length_of_the_settings(rank, candidates, split):
    lists, _ = rank(candidates, mark_hits(candidates, split), list_length=5)
    counts = lists.group_by("predictor", "fold", "user_id").len()["len"]
    assert counts.unique().to_list() == [5]


def test_a_user_without_a_list_has_one_empty_entry():
    entry = {"fold": "test", "user_id": 1, "rank": 1, "film_id": 7, "title": "", "score": 0.5}
    lists = pl.DataFrame([{**entry, "rating": None}]).select(*LIST).cast(dict(LIST))
    users = pl.DataFrame({"fold": ["test"] * 3, "user_id": [1, 2, 2]}).cast({"user_id": pl.Int32})
    table = to_list_table(add_empty_lists(lists, users), "ease")
    assert table.select("user_id", "rank", "film_id", "error").rows() == [
        (1, 1, 7, None),
        (2, 1, None, "no film known"),
    ]

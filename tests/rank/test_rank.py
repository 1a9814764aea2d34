"""Candidates are rated, scored and ranked; the model's scores are used only if they help."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from tasks.hub import load_adapted
from tasks.liked import Liked, judge_targets
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.rank.config import Rank
from tasks.rank.features import mean_likelihoods
from tasks.rank.task import rank_candidates, score_candidates
from tasks.ranked_lists import LIST, add_empty_lists, to_list_table
from tasks.readout.config import Inference
from tasks.store.artifacts import Candidates, CandidateScores, RankedLists, RatingPredictions
from tasks.templates import Compact
from tests.world import typed

KEY = ["fold", "user_id", "film_id"]


@pytest.fixture(scope="module")
def scores(store, adapter, base, candidate_prompts):
    return score_candidates.fn(adapter, base, candidate_prompts, inference=Inference(), store=store)


def test_every_candidate_is_rated_with_the_calibration_of_the_targets(
    store, split, adapter, base, prompts, candidates, candidate_prompts
):
    settings = {"config": Predict(), "inference": Inference(), "store": store}
    llm = predict_ratings.fn(adapter, base, prompts, split, **settings)
    rated = predict_ratings.fn(
        adapter, base, candidate_prompts, split, **settings, calibrated_by=llm
    )
    expected = candidates.scan("candidates").select(KEY).collect().sort(KEY)
    assert rated.scan("ratings").select(KEY).collect().equals(expected)
    calibrations = [(made.path / "calibration.json").read_text() for made in (llm, rated)]
    assert calibrations[0] == calibrations[1]


@torch.no_grad()
def test_likelihoods_equal_the_plain_path(scores, tokenizer, adapter, base, candidate_prompts):
    table = scores.scan("scores").filter(fold="test").collect()
    model, words = load_adapted(base, adapter), AutoTokenizer.from_pretrained(tokenizer.path)
    lines = dict(candidate_prompts.scan("films").select("film_id", "line").collect().iter_rows())
    contexts = candidate_prompts.scan("examples").filter(fold="test").select("user_id", "context")
    assert len(table) == 24 * 8
    for user, context in contexts.collect().iter_rows():
        prefix = words(context + Compact().recommend)["input_ids"]
        rows = table.filter(user_id=user).select("film_id", "log_likelihood")
        for film, score in rows.iter_rows():
            line = words(lines[film])["input_ids"]
            logits = model(input_ids=torch.tensor([prefix + line])).logits[0, len(prefix) - 1 : -1]
            log_p = torch.log_softmax(logits.double(), -1)[range(len(line)), line].sum().item()
            assert score == pytest.approx(log_p, abs=1e-3)


@pytest.fixture
def judge(store):
    """`judge(candidates, expected)`: predictions with these expected ratings, and some scores."""

    def run(candidates, expected):
        rows = candidates.scan("candidates").select(KEY).collect()
        columns = rows.to_dict(as_series=False)

        def write_predictions(draft):
            table = {**columns, "predictor": "made", "mean": expected.to_list()}
            typed(RatingPredictions, "ratings", table).write_parquet(draft / "ratings.parquet")

        def write_scores(draft):
            likelihood = np.random.default_rng(1).random(len(rows)).tolist()
            table = {**columns, "log_likelihood": likelihood}
            typed(CandidateScores, "scores", table).write_parquet(draft / "scores.parquet")

        recipe = {"expected": expected.to_list()}
        made = {"recipe": recipe, "parents": [candidates]}
        predictions = store.build(RatingPredictions, write=write_predictions, **made)
        return predictions, store.build(CandidateScores, write=write_scores, **made)

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
def test_scores_are_needed_only_where_the_mix_weighs_them(
    store, split, ratings, candidates, judge, feature
):
    mix = {"weights": {"retrieval_score": 0.5, "llm_rating": 0.5, feature or "expected_rating": 1}}

    def write(draft):
        (draft / "mix.json").write_text(json.dumps(mix))
        mean_likelihoods(scores).write_parquet(draft / "mean_likelihoods.parquet")
        typed(RankedLists, "lists", {}).write_parquet(draft / "lists.parquet")
        return mix

    predictions, scores = judge(candidates, mark_hits(candidates, split))
    fitted = store.build(RankedLists, recipe=mix, parents=[candidates, scores], write=write)
    given = {"config": Rank(), "store": store, "mix_of": fitted}
    inputs = (split, ratings, candidates, predictions)
    with_scores = rank_candidates.fn(*inputs, scores, **given).scan("lists").collect()
    if feature:
        with pytest.raises(ValueError, match="weighs likelihoods"):
            rank_candidates.fn(*inputs, None, **given)
    else:
        assert (
            rank_candidates.fn(*inputs, None, **given).scan("lists").collect().equals(with_scores)
        )


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

"""Retrieve, then rank: EASE as published, only news proposed, a mix that earns its place."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from tasks.hub import load_adapted
from tasks.predict.config import Predict, Rank, Retrieve
from tasks.predict.tables import LIST, list_table, no_ratings, with_empty
from tasks.predict.task import predict, rank, retrieve, weigh
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidates
from tasks.rank.interactions import nearness, together
from tasks.rank.retriever import ease
from tasks.store.artifacts import Predictions
from tasks.templates import Compact


def test_ease_is_the_best_linear_model_without_a_diagonal():
    """Each column is a ridge regression on the other films, solved here one by one."""
    rated = (np.random.default_rng(0).random((40, 7)) < 0.4).astype(float)
    weights = ease(rated.T @ rated, 3.0)
    for film in range(7):
        others = np.delete(rated, film, axis=1)
        gram = others.T @ others + 3.0 * np.eye(6)
        expected = np.linalg.solve(gram, others.T @ rated[:, film])
        assert np.allclose(np.delete(weights[:, film], film), expected)
        assert weights[film, film] == 0


@pytest.fixture(scope="module")
def retrieved(house, histories):
    return retrieve.fn(histories, config=Retrieve(candidates=8), store=house)


@pytest.mark.parametrize("fold", ["validation", "test"])
def test_only_news_is_proposed(retrieved, histories, fold):
    lists = retrieved.scan("lists").filter(fold=fold).collect()
    rows = histories.scan("ratings").collect()
    later = {"validation": ["validation", "test"], "test": ["test"]}[fold]
    seen = rows.filter(~pl.col("fold").is_in(later))
    assert lists["user_id"].n_unique() == 24
    assert lists.group_by("user_id").len()["len"].unique().to_list() == [8]
    assert lists.join(seen, on=["user_id", "film_id"]).is_empty()


def test_where_rare_films_are_left_out_only_what_is_seen_is_kept_back(house, histories):
    few = retrieve.fn(histories, config=Retrieve(candidates=20, films=20), store=house)
    lists = few.scan("lists").filter(fold="test").collect()
    rows = histories.scan("ratings").collect()
    seen = rows.filter(
        pl.col("fold") != "test", pl.col("film_id").is_in(lists["film_id"].implode())
    )
    assert lists["film_id"].n_unique() == 20
    for user, films in lists.group_by("user_id"):
        kept_back = seen.filter(user_id=user[0])["film_id"]
        assert set(films["film_id"]).isdisjoint(kept_back)
        assert len(films) >= 20 - len(kept_back) - 2  # few are younger than the user's targets


def test_the_model_rates_every_candidate(
    house, histories, trusted, tokenizer, adapter, base, prompts, retrieved
):
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    candidates = write_candidates.fn(
        histories, trusted, tokenizer, retrieved, config=wording, store=house
    )
    config = Predict(list_length=4)
    night = predict.fn(adapter, base, prompts, histories, config=config, store=house)
    rated = predict.fn(
        adapter, base, candidates, histories, config=config, store=house, calibrated=night
    )
    key = ["fold", "user_id", "film_id"]
    lists = retrieved.scan("lists").select(key).collect()
    assert rated.scan("ratings").select(key).collect().equals(lists.sort(key))
    same = [json.loads((p.path / "calibration.json").read_text()) for p in (night, rated)]
    assert same[0] == same[1]
    weighed = weigh.fn(adapter, base, candidates, config=config, store=house)
    found = rank.fn(
        histories, trusted, retrieved, rated, weighed, config=Rank(list_length=5), store=house
    )
    sizes = found.scan("lists").group_by("predictor", "fold", "user_id").len().collect()
    assert sizes["len"].unique().to_list() == [5]
    assert sizes["predictor"].unique().to_list() == ["ranked"]


@torch.no_grad()
def test_likelihoods_equal_the_plain_path(
    house, histories, trusted, tokenizer, adapter, base, prompts, retrieved
):
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    candidates = write_candidates.fn(
        histories, trusted, tokenizer, retrieved, config=wording, store=house
    )
    found = weigh.fn(adapter, base, candidates, config=Predict(), store=house).scan("lists")
    model, words = load_adapted(base, adapter), AutoTokenizer.from_pretrained(tokenizer.path)
    lines = dict(candidates.scan("films").select("film_id", "line").collect().iter_rows())
    contexts = candidates.scan("examples").filter(fold="test").select("user_id", "context")
    for user, context in contexts.collect().iter_rows():
        shown = words(context + Compact().recommend)["input_ids"]
        for film, score in (
            found.filter(fold="test", user_id=user).select("film_id", "score").collect().iter_rows()
        ):
            line = words(lines[film])["input_ids"]
            logits = model(input_ids=torch.tensor([shown + line])).logits[0, len(shown) - 1 : -1]
            log_p = torch.log_softmax(logits.double(), -1)[range(len(line)), line].sum().item()
            assert score == pytest.approx(log_p, abs=1e-3)


def rank_with(house, histories, trusted, retrieved, told):
    """The lists and the mix where a model tells these numbers of the retrieved films."""
    lists = retrieved.scan("lists").select("fold", "user_id", "film_id").collect()

    def write(draft):
        empty = no_ratings(histories.metadata["scale"])
        rated = lists.with_columns(mean=told, p_like=told, predictor=pl.lit("made"))
        rated = pl.concat([empty, rated], how="diagonal").select(empty.columns)
        rated.write_parquet(draft / "ratings.parquet")
        list_table(LIST.to_frame(), "made").write_parquet(draft / "lists.parquet")

    recipe = {"told": told.to_list()}
    rated = house.build(Predictions, recipe=recipe, parents=[retrieved], write=write)
    found = rank.fn(histories, trusted, retrieved, rated, retrieved, config=Rank(), store=house)
    films = found.scan("lists").sort("fold", "user_id", "rank").collect()["film_id"].to_list()
    return films, json.loads((found.path / "mix.json").read_text())


def first_films(lists, k=10):
    """The first films of each user's list."""
    first = lists.scan("lists").filter(pl.col("rank") <= k).sort("fold", "user_id", "rank")
    return first.collect()["film_id"].to_list()


def hits_of(lists, histories):
    targets = histories.scan("ratings").filter(role="target").collect()
    key = ["fold", "user_id", "film_id"]
    joined = lists.join(targets, on=key, how="left", maintain_order="left")
    return joined["rating_right"].is_not_null().cast(pl.Float64)


def test_a_model_that_knows_is_heard(house, histories, trusted, retrieved):
    lists = retrieved.scan("lists").collect()
    noise = pl.Series(np.random.default_rng(0).random(len(lists)))
    told = hits_of(lists, histories) + noise
    mixed, mix = rank_with(house, histories, trusted, retrieved, told)
    assert mix["heard"] == "people and model"
    gains = mix["validation_ndcg"]
    assert gains["people and model"] > gains["retriever"] + 0.1
    assert mixed != first_films(retrieved)


def test_a_model_that_does_not_help_is_not_heard(house, histories, trusted, retrieved):
    """Behind a retriever that names all hits first, nothing is left to be won."""
    lists = retrieved.scan("lists").collect()
    best = lists.with_columns(score=hits_of(lists, histories))
    best = best.sort("fold", "user_id", "score", descending=[False, False, True])
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over("fold", "user_id"))

    def write(draft):
        list_table(best.cast(dict(LIST.items()) | {"error": pl.String}), "best").write_parquet(
            draft / "lists.parquet"
        )
        no_ratings(histories.metadata["scale"]).write_parquet(draft / "ratings.parquet")

    perfect = house.build(Predictions, recipe={}, parents=[retrieved], write=write)
    told = pl.Series(np.random.default_rng(0).random(len(lists)))
    mixed, mix = rank_with(house, histories, trusted, perfect, told)
    assert mix["heard"] == "retriever"
    assert mix["validation_ndcg"]["retriever"] == max(mix["validation_ndcg"].values())
    assert mixed == first_films(perfect)


def test_a_film_is_near_to_the_latest_by_cosines():
    """Worked by hand: three people have rated A, two of them B as well, and one of these C."""
    films = pl.DataFrame({"film_id": [1, 2, 3]}, {"film_id": pl.Int32})
    rows = [(1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 1, 0), (2, 2, 1), (3, 1, 0)]
    known = pl.DataFrame(rows, ["user_id", "film_id", "position"], orient="row")
    known = known.cast({"film_id": pl.Int32})
    assert together(known, films).tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 1]]
    asked = pl.DataFrame({"user_id": [2, 3, 3], "film_id": [3, 2, 3]})
    one = nearness(known, asked, films, latest=1)
    assert one.to_list() == pytest.approx([1 / 2**0.5, 2 / 6**0.5, 1 / 3**0.5])
    two = nearness(known, asked, films, latest=2)
    assert two.to_list() == pytest.approx([1 / 2**0.5 + 1 / 3**0.5, 2 / 6**0.5, 1 / 3**0.5])


def test_who_came_before_all_others_has_an_empty_list():
    named = {"fold": "test", "user_id": 1, "rank": 1, "film_id": 7, "title": "", "score": 0.5}
    lists = pl.DataFrame([{**named, "rating": None}]).select(*LIST).cast(dict(LIST))
    users = pl.DataFrame({"fold": ["test"] * 3, "user_id": [1, 2, 2]}).cast({"user_id": pl.Int32})
    found = list_table(with_empty(lists, users), "ease")
    assert found.select("user_id", "rank", "film_id", "error").rows() == [
        (1, 1, 7, None),
        (2, 1, None, "no film known"),
    ]

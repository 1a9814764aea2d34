"""Lists are ranked for what users like: films below a user's own mean come last, and the language
models' worth is what the lists lose without them.
"""

import json

import numpy as np
import polars as pl
import pytest

from tasks.liked import Liked, judge_targets
from tasks.rank.config import Rank
from tasks.rank.features import OF_LLM
from tasks.rank.ranking import LAST
from tasks.rank.task import rank_candidates
from tasks.store.artifacts import (
    RatingPredictions,
    RatingPriors,
    Readings,
    SplitRatings,
)
from tests.pipeline_world import SCALE
from tests.world import typed

KEY = ["fold", "user_id", "film_id"]


@pytest.fixture(scope="module")
def rank(store, ratings, candidates):
    """`rank(split, prior)`: the lists of a split, whose candidates have a prior drawn at random."""
    rows = candidates.scan("candidates").select(KEY).collect().sort(KEY)
    draw = np.random.default_rng(3)
    columns = rows.to_dict(as_series=False)

    def made(kind, name, **values):
        table = typed(kind, name, columns | values)
        return lambda draft: table.write_parquet(draft / f"{name}.parquet")

    log_p = np.log(draw.dirichlet(np.full(5, 0.5), len(rows)))
    built = {"recipe": {"made": "liked"}, "parents": [candidates]}
    mean = draw.uniform(1, 5, len(rows)).tolist()
    predictions = store.build(
        RatingPredictions, write=made(RatingPredictions, "ratings", mean=mean), **built
    )
    likelihood = draw.random(len(rows)).tolist()
    read = made(Readings, "readings", role="candidate", log_likelihood=likelihood)
    readings = store.build(
        Readings, write=read, recipe={"made": "liked", "likelihoods": True}, parents=[candidates]
    )

    def write_priors(draft):
        made(RatingPriors, "priors", log_p=log_p.tolist(), machine_log_p=log_p.tolist())(draft)
        return {"scale": SCALE}

    priors = store.build(RatingPriors, write=write_priors, **built)
    expected = rows.with_columns(expected=pl.Series(np.exp(np.float32(log_p)) @ np.array(SCALE)))

    def run(split, liked=Liked(), **settings):  # noqa: B008
        lists = rank_candidates.fn(
            split, ratings, candidates, predictions, readings, priors,
            config=Rank(list_length=5, **settings), liked=liked, store=store,
        )  # fmt: skip
        return lists, expected

    return run


@pytest.fixture(scope="module")
def judged(split):
    """The targets of both folds, judged."""
    folds = ("validation", "test")
    return pl.concat(
        judge_targets(split.scan("ratings"), fold, Liked()).with_columns(fold=pl.lit(fold))
        for fold in folds
    )


def test_a_film_expected_below_the_own_mean_is_named_only_where_nothing_else_is_left(
    rank, split, candidates, judged
):
    lists, expected = rank(split)
    own = judged.select("fold", "user_id", "own_mean").unique()
    table = lists.scan("lists").collect().join(own, on=["fold", "user_id"])
    enough = expected.join(own, on=["fold", "user_id"]).filter(
        pl.col("expected") >= pl.col("own_mean")
    )
    left = {tuple(row[:2]): row[2] for row in enough.group_by("fold", "user_id").len().iter_rows()}
    some = 0
    for (fold, user, _), rows in table.group_by("fold", "user_id", "predictor"):
        above = (rows["rating"] >= rows["own_mean"]).to_numpy()
        allowed = min(5, left.get((fold, user), 0))
        assert above.sum() == allowed
        assert above[np.argsort(rows["rank"].to_numpy())][:allowed].all()
        some += 0 < allowed < 5
    assert some > 5


@pytest.mark.parametrize(("margin", "last"), [(0.0, True), (5.0, False), (None, False)])
def test_a_setting_says_how_far_below_the_own_mean_a_film_comes_last(rank, split, margin, last):
    lists, _ = rank(split, below_own_mean=margin)
    assert (lists.scan("lists").collect()["score"].min() < -LAST / 2) == last


def test_the_lists_without_language_models_give_these_no_weight(rank, split):
    lists, _ = rank(split)
    without = lists.metadata["without_llm"]
    assert all(without["weights"][name] == 0 for name in OF_LLM)
    assert "interactions and expectation" in without["validation_ndcg"]
    assert lists.scan("lists").collect()["predictor"].unique().sort().to_list() == [
        "ranked", "ranked_without_llm",
    ]  # fmt: skip


def test_no_test_rating_moves_a_list(rank, split, store):
    """Which films are test targets, and with how many stars, decides nothing."""
    lists, _ = rank(split)

    def write(draft):
        test = pl.col("fold") == "test"
        turned = pl.when(test).then(6 - pl.col("rating")).otherwise("rating").cast(pl.Float32)
        other = pl.when(test).then(pl.col("film_id") % 40 + 1).otherwise("film_id").cast(pl.Int32)
        table = split.scan("ratings").with_columns(rating=turned, film_id=other)
        table.collect().write_parquet(draft / "ratings.parquet")
        return split.metadata

    spoilt = store.build(SplitRatings, recipe={"turned": True}, parents=[split], write=write)
    other, _ = rank(spoilt)
    assert other.fingerprint != lists.fingerprint
    assert other.scan("lists").collect().equals(lists.scan("lists").collect())


def test_a_user_likes_from_four_stars_or_half_a_star_above_the_own_mean():
    rows = [
        (1, 1, 2.0, "train", "context"), (1, 2, 3.0, "validation", "target"),
        (1, 3, 3.0, "test", "target"), (1, 4, 2.5, "test", "target"),
        (2, 1, 5.0, "train", "context"), (2, 5, 4.0, "test", "target"),
        (2, 6, 3.5, "test", "target"),
        (3, 7, 3.5, "test", "target"), (3, 8, 4.0, "test", "target"),
    ]  # fmt: skip
    columns = ["user_id", "film_id", "rating", "fold", "role"]
    table = pl.DataFrame(rows, columns, orient="row").lazy()
    judged = judge_targets(table, "test", Liked())
    assert judged.select("film_id", "own_mean", "liked", "disliked").rows() == [
        (3, 2.5, True, False), (4, 2.5, False, True), (5, 5.0, True, False),
        (6, 5.0, False, False), (7, None, False, False), (8, None, True, False),
    ]  # fmt: skip
    strict = judge_targets(table, "test", Liked(above_own_mean=None))
    assert strict["liked"].to_list() == [False, False, True, False, False, True]
    validation = judge_targets(table, "validation", Liked())
    assert validation.select("own_mean", "liked").rows() == [(2.0, True)]


def test_the_mix_is_fitted_to_what_was_liked_and_not_to_what_was_rated(split, judged, rank):
    """A split in which other validation ratings are liked gets other weights."""
    lists, _ = rank(split)
    strict, _ = rank(split, liked=Liked(stars=5.0, above_own_mean=None))
    mixes = [json.loads((made.path / "mix.json").read_text()) for made in (lists, strict)]
    assert mixes[0]["validation_ndcg"] != mixes[1]["validation_ndcg"]

"""Metrics of lists equal those of LensKit and of trec_eval, with liked and with rated films as
relevant ones; the bootstrap equals scipy's.

trec_eval stands for ranx, whose metrics are tested against it: ranx needs numba and nine more
packages, and minutes to compile.
"""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import pytrec_eval
from scipy.stats import bootstrap

from tasks.bootstrap import Resamples, percentile_interval
from tasks.store.store import Store
from tests.score.random_world import LISTED, USERS, make_world

TREC = {  # our name: trec_eval's
    "ndcg": "ndcg_cut_10", "map": "map_cut_10", "recall": "recall_10", "precision": "P_10",
    "mrr": "recip_rank", "hit": "success_10",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The random world."""
    return make_world(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def figures(world, tmp_path_factory):
    """Metrics and comparisons over it."""
    return world.measure(tmp_path_factory.mktemp("draft"), Store(tmp_path_factory.mktemp("none")))


def everyone(figures, predictor, relevance=None):
    rows = figures[0].filter(pl.col("relevance").eq_missing(relevance))
    rows = rows.filter(slice="everyone", predictor=predictor)
    return {row["metric"]: row for row in rows.to_dicts()}


def relevant_films(world, relevance):
    """The films of each user, by the definition: 4 stars, or half a star above the own mean."""
    known = world.inputs.split.scan("ratings").filter(fold="train").collect()
    means = dict(known.group_by("user_id").agg(pl.col("rating").mean()).iter_rows())
    films = {}
    for user, film, stars in world.targets.select("user_id", "film_id", "rating").iter_rows():
        if relevance == "rated" or stars >= 4 or stars >= means[user] + 0.5:
            films.setdefault(user, []).append(film)
    return films


def films_by_user(table):
    return dict(table.group_by("user_id", maintain_order=True).agg("film_id").iter_rows())


BOTH = pytest.mark.parametrize("relevance", ["liked", "rated"])


@BOTH
@pytest.mark.parametrize("predictor", ["llm", "bias"])
def test_metrics_of_lists_are_those_of_trec_eval(world, figures, predictor, relevance):
    relevant = {
        str(user): {str(film): 1 for film in films}
        for user, films in relevant_films(world, relevance).items()
    }
    run = {
        str(user): {str(film): float(-rank) for rank, film in enumerate(films)}
        for user, films in films_by_user(world.lists.filter(predictor=predictor)).items()
    }
    by_user = pytrec_eval.RelevanceEvaluator(relevant, set(TREC.values())).evaluate(run)
    assert (len(by_user) < USERS) == (relevance == "liked")  # some user liked no target
    found = everyone(figures, predictor, relevance)
    for name, theirs in TREC.items():
        mean = np.mean([values[theirs] for values in by_user.values()])
        assert mean > 0
        assert found[name]["n"] == len(by_user)
        assert found[name]["value"] == pytest.approx(mean, abs=1e-6), name


@BOTH
@pytest.mark.parametrize("predictor", ["llm", "bias"])
def test_metrics_of_lists_are_those_of_lenskit(world, figures, predictor, relevance):
    from lenskit.data import ItemList
    from lenskit.metrics import NDCG, Hit, LogRankWeight, Precision, Recall, RecipRank

    metrics = {
        "ndcg": NDCG(LISTED, weight=LogRankWeight(offset=1)),
        "hit": Hit(LISTED), "precision": Precision(LISTED), "recall": Recall(LISTED),
        "mrr": RecipRank(LISTED),
    }  # fmt: skip
    relevant = relevant_films(world, relevance)
    lists = films_by_user(world.lists.filter(predictor=predictor))
    for name, metric in metrics.items():
        values = [
            metric.measure_list(ItemList(films, ordered=True), ItemList(relevant[user]))
            for user, films in lists.items() if user in relevant
        ]  # fmt: skip
        value = everyone(figures, predictor, relevance)[name]["value"]
        assert value == pytest.approx(np.mean(values), abs=1e-6), name


@pytest.mark.parametrize("predictor", ["llm", "bias"])
def test_mean_stars_and_disliked_share_are_those_of_the_named_films_that_were_rated(
    world, figures, predictor
):
    listed = world.lists.filter(predictor=predictor).select("user_id", "film_id")
    stars = world.targets.join(listed, on=["user_id", "film_id"])["rating"].to_numpy()
    found = everyone(figures, predictor)
    assert found["hit_rating"]["n"] == found["disliked"]["n"] == len(stars) > 20
    assert found["hit_rating"]["value"] == pytest.approx(stars.mean(), abs=1e-6)
    assert found["disliked"]["value"] == pytest.approx((stars <= 2.5).mean(), abs=1e-6)
    assert found["disliked"]["ci95_low"] < (stars <= 2.5).mean() < found["disliked"]["ci95_high"]


def errors_by_user(world):
    squared = (pl.col("mean") - pl.col("rating").cast(pl.Float64)) ** 2
    rows = world.targets.group_by("user_id", maintain_order=True).agg(squared.sum(), n=pl.len())
    return rows["mean"].to_numpy(), rows["n"].to_numpy()


def test_an_interval_has_the_ends_that_scipy_takes_of_the_same_resamples(world):
    errors, counts = errors_by_user(world)
    sums = Resamples(USERS, 999, seed=0).sums(np.stack([errors, counts], axis=1))
    resampled = np.sqrt(sums[:, 0] / sums[:, 1])[1:]
    theirs = bootstrap(
        (errors,), np.mean, n_resamples=0, method="percentile",
        bootstrap_result=SimpleNamespace(bootstrap_distribution=resampled),
    ).confidence_interval  # fmt: skip
    low, high = percentile_interval(resampled[:, None])
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_interval_of_an_rmse_is_scipys_but_for_the_draws(world, figures):
    errors, counts = errors_by_user(world)
    theirs = bootstrap(
        (errors, counts), lambda e, n, axis: np.sqrt(e.sum(axis) / n.sum(axis)), paired=True,
        n_resamples=4000, method="percentile", vectorized=True, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    ours, width = everyone(figures, "llm")["rmse"], theirs.high - theirs.low
    assert ours["ci95_low"] == pytest.approx(theirs.low, abs=0.1 * width)
    assert ours["ci95_high"] == pytest.approx(theirs.high, abs=0.1 * width)

"""Intervals come from resampled users, the same ones for every predictor."""

from collections import defaultdict

import numpy as np
import pytest

from tasks.bootstrap import Resamples, percentile_interval
from tasks.score.max_t import Family
from tasks.score.measure import adjust, compute_metrics
from tasks.score.metric import Metric
from tasks.score.sums import Sums
from tasks.score.task import Score, score
from tasks.store.store import Store

USERS = 400


def sums(shift=0.0, resamples=1000):
    """Of a predictor, and of another that is off by so much."""
    draw = np.random.default_rng(3)
    total = np.rint(draw.normal(1.0, 0.5, (USERS, 1)) * 1e6)
    other = total + np.rint((shift + draw.normal(0, 0.01, (USERS, 1))) * 1e6)
    drawn, once = Resamples(USERS, resamples, seed=0), np.ones((USERS, 1))
    return {
        name: Sums((Metric("mae"),), drawn.sums(np.concatenate([once, of], axis=1)))
        for name, of in {"llm": total, "bias": other}.items()
    }


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.random.default_rng(3).normal(1.0, 0.5, (USERS, 1))
    low, high = percentile_interval(Resamples(USERS, 4000, seed=0).sums(values)[1:] / USERS)
    half = 1.96 * values.std() / np.sqrt(USERS)
    assert low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_every_resample_draws_as_many_users_as_there_are():
    assert (Resamples(50, 300, seed=1).counts.sum(axis=1, dtype=int) == 50).all()


def test_equal_seeds_draw_alike_and_others_do_not():
    assert (Resamples(50, 9, seed=1).counts == Resamples(50, 9, seed=1).counts).all()
    assert (Resamples(50, 9, seed=1).counts != Resamples(50, 9, seed=2).counts).any()


def test_pairing_tells_apart_what_two_intervals_cannot():
    families = defaultdict(Family)
    single, paired = compute_metrics(("everyone", "all"), sums(shift=0.005), ["llm"], families)
    adjust(paired, families)
    llm, bias = single
    assert bias["ci95_low"] < llm["value"] < bias["ci95_high"]
    assert paired[0]["ci95_low"] < paired[0]["difference"] < paired[0]["ci95_high"] < 0
    assert paired[0]["p_adjusted"] == 1 / 1001  # no resample strays as far


def test_sums_over_blocks_of_users_add_up_to_those_over_all():
    whole = np.rint(np.random.default_rng(0).normal(0, 1e6, (USERS, 3)))
    drawn = Resamples(USERS, 100, seed=0)
    blocks = [drawn.sums(whole[first : first + 150], first) for first in (0, 150, 300)]
    assert (sum(blocks) == drawn.sums(whole)).all()


@pytest.mark.parametrize("block", [1, 2, 3])
def test_a_score_has_the_same_bytes_however_many_blocks_and_whoever_takes_them(
    split, ratings, predict, rank, store, tmp_path, cluster, monkeypatch, block
):
    config = Score(ks=(2, 4), compared=("hand",), resamples=200)
    parts = [predict(), predict("other")], [rank(), rank("other")]
    whole = score.fn(split, ratings, *parts, config=config, store=store)
    monkeypatch.setattr("tasks.score.relations.BLOCK", block)
    there = config.model_copy(update={"dask_address": cluster})
    for name, how in {"here": config, "there": there}.items():
        made = score.fn(split, ratings, *parts, config=how, store=Store(tmp_path / name))
        for table in ("metrics", "comparisons"):
            assert made.files(table)[0].read_bytes() == whole.files(table)[0].read_bytes()


def test_scoring_twice_gives_the_same_bytes(split, ratings, predict, rank, store, tmp_path):
    config = Score(ks=(2, 4), compared=("hand",), resamples=200)
    parts = [predict(), predict("other")], [rank(), rank("other")]
    made = [
        score.fn(split, ratings, *parts, config=config, store=at)
        for at in (store, Store(tmp_path / "second"))
    ]
    for name in ("metrics", "comparisons"):
        first, second = (scores.files(name)[0].read_bytes() for scores in made)
        assert first == second

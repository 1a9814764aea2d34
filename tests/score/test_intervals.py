"""Intervals come from resampled users, the same ones for every predictor."""

import numpy as np
import pytest

from tasks.score.bootstrap import Resamples, middle
from tasks.score.sums import Part
from tasks.score.task import Score, score
from tasks.score.values import Metric

USERS = 400


def part(shift=0.0):
    draw = np.random.default_rng(3)
    total = np.rint(draw.normal(1.0, 0.5, (USERS, 1)) * 1e6)
    other = total + np.rint((shift + draw.normal(0, 0.01, (USERS, 1))) * 1e6)
    totals = {("llm", Metric("mae")): total, ("bias", Metric("mae")): other}
    return Part("everyone", "all", np.ones(USERS), totals)


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    values = part().totals["llm", Metric("mae")] / 1e6
    resamples = Resamples(USERS, 4000, seed=0)
    low, high = middle(resamples.sums(values) / USERS)
    half = 1.96 * values.std() / np.sqrt(USERS)
    assert low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_every_resample_draws_as_many_users_as_there_are():
    assert (Resamples(50, 300, seed=1).draws.sum(axis=1, dtype=int) == 50).all()


def test_equal_seeds_draw_alike_and_others_do_not():
    assert (Resamples(50, 9, seed=1).draws == Resamples(50, 9, seed=1).draws).all()
    assert (Resamples(50, 9, seed=1).draws != Resamples(50, 9, seed=2).draws).any()


def test_pairing_tells_apart_what_two_intervals_cannot():
    from tasks.score.measure import scored

    both = part(shift=0.005)
    drawn = Resamples(USERS, 1000, seed=0).sums(both.columns())
    single, paired = scored(both, drawn, ["llm"])
    llm, bias = single
    assert bias["low"] < llm["value"] < bias["high"]
    assert paired[0]["low"] < paired[0]["difference"] < paired[0]["high"] < 0


def test_parts_drawn_together_are_as_drawn_alone():
    from tasks.score.measure import drawn_together

    parts, resamples = [part(), part(0.1), part(0.2)], Resamples(USERS, 100, seed=0)
    for one, drawn in drawn_together(parts, resamples):
        assert (drawn == resamples.sums(one.columns())).all()


def test_scoring_twice_gives_the_same_bytes(histories, ratings, say, store, tmp_path):
    from tasks.store import Store

    config = Score(ks=(2, 4), compared=("hand",), resamples=200)
    predictions = [say(), say("other")]
    made = [
        score.fn(histories, ratings, predictions, config=config, store=at)
        for at in (store, Store(tmp_path / "second"))
    ]
    for name in ("metrics", "comparisons"):
        first, second = (scores.files(name)[0].read_bytes() for scores in made)
        assert first == second

"""Many comparisons without a difference rarely give one better; a true difference is found."""

import numpy as np
import pytest
from scipy.stats import norm

from tasks.bootstrap import Resamples
from tasks.score.max_t import Family
from tasks.store.store import Store
from tests.score.random_world import make_world

USERS, COMPARISONS = 200, 30


def differences(draw, shift=0.0, resamples=300):
    """[1 + resamples, comparisons] of means over users; the first one is shifted."""
    values = draw.normal(0, 1, (USERS, COMPARISONS))
    values[:, 0] += shift
    return Resamples(USERS, resamples, seed=0).sums(values) / USERS


def adjusted(table):
    family = Family()
    return np.array([family.adjusted_p(t) for t in family.add(table)])


def test_a_family_without_differences_is_rarely_wrong_and_single_intervals_often_are():
    draw = np.random.default_rng(0)
    wrong, wrong_one_by_one = 0, 0
    for _ in range(100):
        table = differences(draw)
        low, high = np.percentile(table[1:], [2.5, 97.5], axis=0)
        wrong += (adjusted(table) < 0.05).any()
        wrong_one_by_one += ((low > 0) | (high < 0)).any()
    assert wrong <= 13  # 5 are expected; more than 13 have a chance of 0.05 %
    assert wrong_one_by_one > 50


def test_a_true_difference_is_found_among_the_others():
    p = adjusted(differences(np.random.default_rng(1), shift=0.5))
    assert p[0] < 0.01
    assert (p[1:] > 0.05).all()


def test_a_single_comparison_has_the_p_of_the_normal_theory():
    values = np.random.default_rng(2).normal(0.1, 1, (USERS, 1))
    table = Resamples(USERS, 4000, seed=0).sums(values) / USERS
    z = values.mean() / (values.std() / np.sqrt(USERS))
    assert adjusted(table)[0] == pytest.approx(2 * norm.sf(z), abs=0.02)


def test_a_family_is_judged_together_however_it_is_added():
    table, at_once, in_parts = differences(np.random.default_rng(3), shift=0.3), Family(), Family()
    t = at_once.add(table)
    parts = np.concatenate([in_parts.add(table[:, :7]), in_parts.add(table[:, 7:])])
    assert (t == parts).all()
    assert [at_once.adjusted_p(x) for x in t] == [in_parts.adjusted_p(x) for x in parts]


def test_a_difference_that_no_resample_changes_is_no_evidence():
    assert adjusted(np.full((101, 2), 0.25)).tolist() == [1.0, 1.0]
    assert adjusted(np.zeros((101, 2))).tolist() == [1.0, 1.0]


def test_a_resample_without_a_user_of_a_slice_is_left_out():
    table = differences(np.random.default_rng(4), shift=0.5)
    table[5, 0] = np.nan
    assert adjusted(table)[0] < 0.01


def test_every_comparison_has_a_p_above_that_of_it_alone(tmp_path):
    world = make_world(Store(tmp_path), resamples=200)
    _, comparisons = world.measure(tmp_path, Store(tmp_path / "none"))
    assert comparisons["p_adjusted"].is_between(1 / 201, 1).all()
    better = comparisons.filter(slice="everyone", metric="rmse").to_dicts()
    assert [row["p_adjusted"] for row in better] == [1 / 201]  # bias is far worse

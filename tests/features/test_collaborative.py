"""Collaborative predictions: by hand, against plain loops, blind to what they predict."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tasks.features.biases import ITERATIONS
from tasks.features.collaborative import damped_bias_prediction, gaussian_process_prediction

DAMPINGS = {"item_damping": 2.0, "user_damping": 3.0}
KERNEL = {"shrinkage": 1.5, "noise": 0.4}


@pytest.fixture
def ratings():
    """Forty ratings of five users and six films, a third of them not known."""
    rng = np.random.default_rng(5)
    pairs = rng.permutation(30)[:25]
    user, film = np.divmod(np.sort(pairs), 6)
    return user, film, rng.integers(1, 6, 25).astype(float), rng.random(25) < 0.7


def test_biases_are_damped_means_of_residuals(ratings):
    user, film, rating, known = ratings
    mean, of_film, of_user = rating[known].mean(), np.zeros(6), np.zeros(5)
    rows = [(u, f, r) for u, f, r, k in zip(*ratings, strict=True) if k]
    for _ in range(ITERATIONS):
        for one in range(6):
            residual = [r - mean - of_user[u] for u, f, r in rows if f == one]
            of_film[one] = sum(residual) / (len(residual) + 2)
        for one in range(5):
            residual = [r - mean - of_film[f] for u, f, r in rows if u == one]
            of_user[one] = sum(residual) / (len(residual) + 3)
    expected = mean + of_film[film] + of_user[user]
    assert damped_bias_prediction(*ratings, **DAMPINGS) == pytest.approx(expected)


def conditional_mean(ratings, prediction, at, given, users):
    """The mean of one residual given other residuals of its user, from the textbook formula."""
    user, film, rating, known = ratings
    fitted = damped_bias_prediction(*ratings, **DAMPINGS)
    residual, counts = rating - fitted, np.bincount(film, known, minlength=6)
    covariance = np.zeros((6, 6))
    for one in users:
        of_one = np.zeros(6)
        of_one[film[(user == one) & known]] = residual[(user == one) & known]
        covariance += np.outer(of_one, of_one)
    covariance /= np.sqrt(np.outer(counts + 1.5, counts + 1.5))
    noise = 0.4 * (residual[known] ** 2).mean()
    within = covariance[np.ix_(film[given], film[given])] + noise * np.eye(len(given))
    rest = (rating - prediction)[given]
    return covariance[film[at], film[given]] @ np.linalg.inv(within) @ rest


def test_an_unknown_rating_is_corrected_by_all_known_ratings_of_its_user(ratings):
    user, _, _, known = ratings
    fitted = damped_bias_prediction(*ratings, **DAMPINGS)
    found = gaussian_process_prediction(*ratings, np.full(25, 3.0), fitted, **KERNEL)
    for at in np.flatnonzero(~known):
        given = np.flatnonzero((user == user[at]) & known)
        correction = conditional_mean(ratings, fitted, at, given, range(5))
        assert found[at] == pytest.approx(fitted[at] + correction)
    assert (np.abs(found - fitted)[~known] > 0.01).sum() > 3


def test_a_known_rating_is_corrected_by_earlier_ones_and_by_other_users(ratings):
    user, _, _, known = ratings
    before = np.random.default_rng(6).uniform(2, 4, 25)
    found = gaussian_process_prediction(
        *ratings, before, damped_bias_prediction(*ratings, **DAMPINGS), **KERNEL
    )
    for at in np.flatnonzero(known):
        given = np.flatnonzero((user == user[at]) & known)
        others = set(range(5)) - {user[at]}
        correction = conditional_mean(ratings, before, at, given[given < at], others)
        assert found[at] == pytest.approx(before[at] + correction)
    assert (np.abs(found - before)[known] > 0.01).sum() > 3


def test_a_long_history_is_cut_into_stretches_and_the_last_one_is_full(ratings, monkeypatch):
    """A known rating has those before it in its stretch, an unknown one the last stretch."""
    user, _, _, known = ratings
    fitted = damped_bias_prediction(*ratings, **DAMPINGS)
    whole = gaussian_process_prediction(*ratings, fitted, fitted, **KERNEL)
    monkeypatch.setattr("tasks.features.collaborative.MOST", 2)
    found = gaussian_process_prediction(*ratings, fitted, fitted, **KERNEL)
    longest = 0
    for one in range(5):
        observed = np.flatnonzero((user == one) & known)
        stretches = [observed[max(0, end - 2) : end] for end in range(len(observed), 0, -2)]
        for stretch in stretches:
            for at in stretch:
                others, given = set(range(5)) - {one}, stretch[stretch < at]
                correction = conditional_mean(ratings, fitted, at, given, others)
                assert found[at] == pytest.approx(fitted[at] + correction)
        for at in np.flatnonzero((user == one) & ~known):
            correction = conditional_mean(ratings, fitted, at, stretches[0], range(5))
            assert found[at] == pytest.approx(fitted[at] + correction)
        if len(observed) <= 2:
            assert np.array_equal(found[user == one], whole[user == one])
        longest = max(longest, len(observed))
    assert longest > 3


def test_two_users_who_agree_by_hand():
    """Both rated film 0 a star above the prediction, only the first also film 1."""
    user, film = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    rating, known = np.array([4.0, 4.0, 4.0, np.nan]), np.array([True, True, True, False])
    threes = np.full(4, 3.0)
    found = gaussian_process_prediction(
        user, film, rating, known, threes, threes, shrinkage=0, noise=1
    )
    # Film 0 varies by (1 + 1)/2 = 1, with film 1 by 1/sqrt(2); noise 1: 1/sqrt(2) / (1 + 1).
    assert found[3] == pytest.approx(3 + 1 / (2 * np.sqrt(2)))
    # For the first user nobody else has rated both films.
    assert found[:3] == pytest.approx(3)


def test_a_selected_user_gets_the_same_prediction_alone(ratings):
    user, fitted = ratings[0], damped_bias_prediction(*ratings, **DAMPINGS)
    everyone = gaussian_process_prediction(*ratings, fitted, fitted, **KERNEL)
    for one in range(5):
        alone = gaussian_process_prediction(
            *ratings, fitted, fitted, **KERNEL, selected=user == one
        )
        assert np.array_equal(alone, np.where(user == one, everyone, fitted))


@pytest.mark.parametrize("hidden", [99.0, np.nan])
def test_unknown_ratings_change_no_prediction(ratings, hidden):
    user, film, rating, known = ratings
    blinded = (user, film, np.where(known, rating, hidden), known)
    fitted, found = (damped_bias_prediction(*each, **DAMPINGS) for each in (ratings, blinded))
    assert np.array_equal(fitted, found)
    corrected = (
        gaussian_process_prediction(*each, fitted, fitted, **KERNEL) for each in (ratings, blinded)
    )
    assert np.array_equal(*corrected)


def test_no_digit_depends_on_the_number_of_threads():
    rng = np.random.default_rng(0)
    user, film = np.repeat(np.arange(40), 300), np.tile(np.arange(300), 40)
    known = rng.random(len(user)) < 0.9
    ratings = (user, film, rng.integers(1, 6, len(user)).astype(float), known)
    fitted = np.full(len(user), 3.0)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            found.append(gaussian_process_prediction(*ratings, fitted, fitted, **KERNEL))
    assert np.array_equal(*found)

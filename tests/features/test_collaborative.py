"""Guesses from all users' ratings: by hand, against plain loops, blind to what they guess."""

import numpy as np
import pytest

from tasks.features.collaborative import SWEEPS, bias_guess, neighbour_guess

DAMPINGS = {"item_damping": 2.0, "user_damping": 3.0}
MENDS = {"shrinkage": 1.5, "noise": 0.4}


@pytest.fixture
def told():
    """Forty ratings of five users and six films, a third of them not known."""
    rng = np.random.default_rng(5)
    pairs = rng.permutation(30)[:25]
    user, film = np.divmod(np.sort(pairs), 6)
    return user, film, rng.integers(1, 6, 25).astype(float), rng.random(25) < 0.7


def test_biases_are_damped_means_of_what_the_others_leave(told):
    user, film, rating, known = told
    mean, of_film, of_user = rating[known].mean(), np.zeros(6), np.zeros(5)
    rows = [(u, f, r) for u, f, r, k in zip(*told, strict=True) if k]
    for _ in range(SWEEPS):
        for one in range(6):
            left = [r - mean - of_user[u] for u, f, r in rows if f == one]
            of_film[one] = sum(left) / (len(left) + 2)
        for one in range(5):
            left = [r - mean - of_film[f] for u, f, r in rows if u == one]
            of_user[one] = sum(left) / (len(left) + 3)
    expected = mean + of_film[film] + of_user[user]
    assert bias_guess(*told, **DAMPINGS) == pytest.approx(expected)


def conditional_mean(told, guess, asked, given, users):
    """By the book: of one rating's rest, given other rests of its user."""
    user, film, rating, known = told
    fitted = bias_guess(*told, **DAMPINGS)
    left, counts = rating - fitted, np.bincount(film, known, minlength=6)
    together = np.zeros((6, 6))
    for one in users:
        of_one = np.zeros(6)
        of_one[film[(user == one) & known]] = left[(user == one) & known]
        together += np.outer(of_one, of_one)
    together /= np.sqrt(np.outer(counts + 1.5, counts + 1.5))
    floor = 0.4 * (left[known] ** 2).mean()
    within = together[np.ix_(film[given], film[given])] + floor * np.eye(len(given))
    rest = (rating - guess)[given]
    return together[film[asked], film[given]] @ np.linalg.inv(within) @ rest


def test_what_is_not_known_is_mended_by_all_that_its_user_told(told):
    user, _, _, known = told
    fitted = bias_guess(*told, **DAMPINGS)
    found = neighbour_guess(*told, np.full(25, 3.0), fitted, **MENDS)
    for at in np.flatnonzero(~known):
        given = np.flatnonzero((user == user[at]) & known)
        mend = conditional_mean(told, fitted, at, given, range(5))
        assert found[at] == pytest.approx(fitted[at] + mend)
    assert (np.abs(found - fitted)[~known] > 0.01).sum() > 3


def test_what_is_known_is_mended_by_what_stands_before_it_and_by_other_users(told):
    user, _, _, known = told
    before = np.random.default_rng(6).uniform(2, 4, 25)
    found = neighbour_guess(*told, before, bias_guess(*told, **DAMPINGS), **MENDS)
    for at in np.flatnonzero(known):
        given = np.flatnonzero((user == user[at]) & known)
        others = set(range(5)) - {user[at]}
        mend = conditional_mean(told, before, at, given[given < at], others)
        assert found[at] == pytest.approx(before[at] + mend)
    assert (np.abs(found - before)[known] > 0.01).sum() > 3


def test_two_users_who_agree_speak_for_each_other_by_hand():
    """Both rated film 0 a star above the guess; the first also film 1, which the second asks."""
    user, film = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    rating, known = np.array([4.0, 4.0, 4.0, np.nan]), np.array([True, True, True, False])
    threes = np.full(4, 3.0)
    found = neighbour_guess(user, film, rating, known, threes, threes, shrinkage=0, noise=1)
    # Film 0 varies by (1 + 1)/2 = 1, with film 1 by 1/sqrt(2); noise 1: 1/sqrt(2) / (1 + 1).
    assert found[3] == pytest.approx(3 + 1 / (2 * np.sqrt(2)))
    # To the first user nobody else has told of both films.
    assert found[:3] == pytest.approx(3)


def test_who_is_asked_for_is_told_the_same_alone(told):
    user, fitted = told[0], bias_guess(*told, **DAMPINGS)
    everyone = neighbour_guess(*told, fitted, fitted, **MENDS)
    for one in range(5):
        alone = neighbour_guess(*told, fitted, fitted, **MENDS, asked=user == one)
        assert np.array_equal(alone, np.where(user == one, everyone, fitted))


@pytest.mark.parametrize("hidden", [99.0, np.nan])
def test_what_is_not_known_changes_no_guess(told, hidden):
    user, film, rating, known = told
    blinded = (user, film, np.where(known, rating, hidden), known)
    fitted, found = (bias_guess(*ratings, **DAMPINGS) for ratings in (told, blinded))
    assert np.array_equal(fitted, found)
    mended = (neighbour_guess(*each, fitted, fitted, **MENDS) for each in (told, blinded))
    assert np.array_equal(*mended)

"""Calibration: what is too sharp is corrected, and intervals hold what they are to hold."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy.special import log_softmax

from tasks.predict.calibration import Calibration, fit_calibration, uncalibrated
from tasks.predict.distributions import summarise
from tasks.predict.fold_difficulty import harder, level_for, surprises
from tasks.predict.greedy import greedy_values
from tasks.predict.intervals import Widths, fit_widths
from tasks.readout.rating_trie import RatingTrie

SCALE = np.arange(1.0, 6.0)


def world(ratings, seed):
    """True log-probabilities of ratings drawn from them; ten a user."""
    draw = np.random.default_rng(seed)
    log_p = log_softmax(draw.normal(size=(ratings, 5)) * draw.uniform(0.3, 3, (ratings, 1)), 1)
    truth = (np.exp(log_p).cumsum(1) < draw.random((ratings, 1))).sum(1)
    return log_p, truth, np.arange(ratings) // 10


def test_a_model_that_is_too_sharp_is_made_as_sharp_as_it_is_right():
    log_p, truth, users = world(4000, 0)
    found = fit_calibration(log_softmax(2 * log_p, 1), truth, users, 0.8)
    assert found.method != "none"
    assert found.sharpness == pytest.approx(0.5, abs=0.05)
    assert found.nats_after < found.nats_before
    assert Calibration.of(found.json()) == found


def test_a_model_that_is_right_is_left_alone():
    log_p, truth, users = world(4000, 1)
    found = fit_calibration(log_p, truth, users, 0.8)
    assert found.sharpness == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("level", [0.7, 0.8, 0.9])
def test_intervals_hold_as_many_of_others_as_they_are_to_hold(level):
    log_p, truth, users = world(8000, 2)
    found = fit_calibration(log_p, truth, users, level)
    log_p, truth, _ = world(8000, 3)
    p = np.exp(found.apply(log_p))
    summary = summarise(p, SCALE, found.widths.of(p))
    covered = (summary.pi80_low <= SCALE[truth]) & (SCALE[truth] <= summary.pi80_high)
    assert covered.mean() == pytest.approx(level, abs=0.02)


def test_who_is_surer_than_right_is_given_wider_intervals_where_that_is_so():
    """Half of the distributions are ten times too sharp, and only these are held wider."""
    log_p, truth, users = world(8000, 4)
    sharp = log_softmax(np.where(np.arange(8000)[:, None] % 2, 10 * log_p, log_p), 1)
    widths = fit_widths(np.exp(sharp), truth, users, 0.8)
    assert len(widths.masses) > 1
    assert widths.masses[0] > widths.masses[-1]


def test_without_validation_the_model_is_taken_at_its_word():
    nothing = fit_calibration(np.empty((0, 5)), np.empty(0, int), np.empty(0, int), 0.8)
    assert nothing.widths == uncalibrated(5).widths == Widths((), (0.8,))


def histories(rows):
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    names = ["user_id", "film_id", "rating", "rated_at", "position", "fold", "role"]
    table = [
        (user, film, float(rating), start + dt.timedelta(hours=hour), place, fold, part)
        for user, film, rating, hour, place, fold, part in rows
    ]
    return pl.DataFrame(table, names, orient="row")


def test_a_surprise_is_told_from_strictly_earlier_ratings():
    """Worked by hand: the mean is 3; a film begins with 5 ratings of it, a user with 10."""
    table = histories(
        [
            (1, 1, 5, 0, 0, "train", "context"),
            (2, 1, 1, 1, 0, "train", "context"),
            (2, 2, 3, 2, 1, "validation", "target"),
            (2, 3, 5, 3, 2, "test", "target"),
        ]
    )
    second = -2 - 2 / 6
    missed = surprises(table).sort("rated_at")["missed"].to_list()
    assert missed == pytest.approx([2, second, 0 - second / 11])


def test_a_fold_that_is_twice_as_hard_asks_for_a_higher_level():
    draw = np.random.default_rng(0)
    rows = [
        (user, user * 100 + n, 3 + draw.normal() * (2 if user % 2 else 1), user * 100 + n, n,
         "test" if n >= 50 else "validation" if n >= 40 and not user % 2 else "train",
         "target" if n >= 50 or (n >= 40 and not user % 2) else "context")
        for user in range(200)
        for n in range(60)
    ]  # fmt: skip
    table = histories(rows)
    # Validation has the users of spread 1 alone; of all the spread is the root of (1 + 4) / 2.
    assert harder(table) == pytest.approx(2.5**0.5, rel=0.06)
    assert level_for(table, 0.8) == pytest.approx(0.957, abs=0.02)  # 2 Phi(1.58 * 1.28) - 1
    none = table.with_columns(fold=pl.col("fold").replace("validation", "train"))
    assert level_for(none, 0.8) == 0.8


def test_greedy_text_is_spelt_token_by_token():
    """4 leads as a whole, and yet more is said of what begins with 3."""
    trie = RatingTrie((3.0, 3.5, 4.0), ((1, 2), (1, 3), (4,)))
    assert greedy_values(np.log([[0.33, 0.27, 0.4], [0.1, 0.2, 0.7]]), trie).tolist() == [3.0, 4.0]

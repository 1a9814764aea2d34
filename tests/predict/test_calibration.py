"""Calibration corrects sharpness; intervals hold the share of ratings that they must hold."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy.special import log_softmax

from tasks.predict.calibration import Calibration, fit_calibration, uncalibrated
from tasks.predict.distributions import summarise
from tasks.predict.fold_difficulty import bias_residuals, difficulty_ratio, validation_level
from tasks.predict.greedy import decode_greedily
from tasks.predict.intervals import Widths, fit_widths

SCALE = np.arange(1.0, 6.0)


def draw_ratings(ratings, seed):
    """True log-probabilities of ratings drawn from them; ten a user."""
    draw = np.random.default_rng(seed)
    log_p = log_softmax(draw.normal(size=(ratings, 5)) * draw.uniform(0.3, 3, (ratings, 1)), 1)
    truth = (np.exp(log_p).cumsum(1) < draw.random((ratings, 1))).sum(1)
    return log_p, truth, np.arange(ratings) // 10


def test_a_model_twice_too_sharp_is_halved():
    log_p, truth, users = draw_ratings(4000, 0)
    found = fit_calibration(log_softmax(2 * log_p, 1), np.zeros_like(log_p), truth, users, 0.8)
    assert found.method != "none"
    assert found.gate == pytest.approx(0.5, abs=0.05)
    assert found.nats_after < found.nats_before
    assert Calibration.from_json(found.to_json()) == found


def test_a_calibrated_model_keeps_its_sharpness():
    log_p, truth, users = draw_ratings(4000, 1)
    found = fit_calibration(log_p, np.zeros_like(log_p), truth, users, 0.8)
    assert found.gate == pytest.approx(1, abs=0.08)


def test_a_model_that_adds_noise_leaves_the_prior_as_it_is():
    log_prior, truth, users = draw_ratings(4000, 5)
    noise = log_softmax(np.random.default_rng(6).normal(size=log_prior.shape), 1)
    found = fit_calibration(noise, log_prior, truth, users, 0.8)
    assert found.method == "prior"
    np.testing.assert_array_equal(found.apply(noise, log_prior), log_softmax(log_prior, 1))


def test_a_model_that_knows_more_than_the_prior_gets_a_weight():
    """Ratings are drawn from the product of both; the prior alone is too flat."""
    log_p, truth, users = draw_ratings(4000, 7)
    share = np.random.default_rng(8).uniform(0.3, 0.7, (len(log_p), 1))
    found = fit_calibration(share * log_p, (1 - share) * log_p, truth, users, 0.8)
    assert found.gate == pytest.approx(1, abs=0.15)
    assert found.sharpness == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("level", [0.7, 0.8, 0.9])
def test_intervals_hold_their_share_of_unseen_ratings(level):
    log_p, truth, users = draw_ratings(8000, 2)
    found = fit_calibration(log_p, np.zeros_like(log_p), truth, users, level)
    log_p, truth, _ = draw_ratings(8000, 3)
    p = np.exp(found.apply(log_p, np.zeros_like(log_p)))
    summary = summarise(p, SCALE, found.widths.select(p))
    covered = (summary.pi80_low <= SCALE[truth]) & (SCALE[truth] <= summary.pi80_high)
    assert covered.mean() == pytest.approx(level, abs=0.02)


def test_only_overconfident_distributions_get_wider_intervals():
    """Every second distribution is ten times too sharp."""
    log_p, truth, users = draw_ratings(8000, 4)
    sharp = log_softmax(np.where(np.arange(8000)[:, None] % 2, 10 * log_p, log_p), 1)
    widths = fit_widths(np.exp(sharp), truth, users, 0.8)
    assert len(widths.masses) > 1
    assert widths.masses[0] > widths.masses[-1]


def test_without_validation_nothing_is_calibrated():
    nothing = fit_calibration(
        np.empty((0, 5)), np.empty((0, 5)), np.empty(0, int), np.empty(0, int), 0.8
    )
    assert nothing.widths == uncalibrated(5).widths == Widths((), (0.8,))


def split_of(rows):
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    names = ["user_id", "film_id", "rating", "rated_at", "position", "fold", "role"]
    table = [
        (user, film, float(rating), start + dt.timedelta(hours=hour), place, fold, role)
        for user, film, rating, hour, place, fold, role in rows
    ]
    return pl.LazyFrame(table, names, orient="row")


def test_a_residual_uses_strictly_earlier_ratings():
    """Worked by hand: the mean is 3; films are damped by 5 ratings, users by 10."""
    table = split_of(
        [
            (1, 1, 5, 0, 0, "train", "context"),
            (2, 1, 1, 1, 0, "train", "context"),
            (2, 2, 3, 2, 1, "validation", "target"),
            (2, 3, 5, 3, 2, "test", "target"),
        ]
    )
    second = -2 - 2 / 6
    residuals = bias_residuals(table).sort("rated_at")["residual"].to_list()
    assert residuals == pytest.approx([second, 0 - second / 11])  # of the user with targets


def test_a_harder_fold_needs_a_higher_level():
    draw = np.random.default_rng(0)
    rows = [
        (user, user * 100 + n, 3 + draw.normal() * (2 if user % 2 else 1), user * 100 + n, n,
         "test" if n >= 50 else "validation" if n >= 40 and not user % 2 else "train",
         "target" if n >= 50 or (n >= 40 and not user % 2) else "context")
        for user in range(200)
        for n in range(60)
    ]  # fmt: skip
    table = split_of(rows)
    # Validation has only the users of deviation 1; over all users it is the root of (1 + 4) / 2.
    assert difficulty_ratio(table, bias_residuals(table)) == pytest.approx(2.5**0.5, rel=0.06)
    assert validation_level(table, 0.8) == pytest.approx(0.957, abs=0.02)  # 2 Phi(1.58 * 1.28) - 1
    none = table.with_columns(fold=pl.col("fold").replace("validation", "train"))
    assert validation_level(none, 0.8) == 0.8


def test_greedy_decoding_takes_the_likeliest_token_at_each_step():
    """4.0 is the likeliest rating, but a first token 3 is likelier than a first token 4."""
    log_p = np.log([[0.33, 0.27, 0.4], [0.1, 0.2, 0.7]])
    paths = [(1, 2), (1, 3), (4,)]
    assert decode_greedily(log_p, (3.0, 3.5, 4.0), paths).tolist() == [3.0, 4.0]

"""Baselines that would take hours are refused before a run, with the setting to change."""

from flows.overrides import overlay
from flows.settings import Settings, of_profile
from tasks.baseline.config import Baseline, Tuning
from tasks.baseline.duration import too_large
from tasks.prior.config import Prior
from tasks.prior.duration import too_long

ML_20M = 20_000_263, 27_278
USERS = 138_493


def test_nothing_is_refused_on_small_data():
    assert not [*too_large(Baseline(), 100_000, 1682, 1), *too_long(Prior(), 100_000, 943, 1)]


def test_at_20_million_ratings_what_takes_hours_is_named_with_its_setting():
    slow = {sentence.split(" would")[0] for sentence in too_large(Baseline(), *ML_20M, 3)}
    assert {"baseline.rating_models: neighbourhood", "baseline.list_models: sasrec"} <= slow
    assert not list(too_large(Baseline(), *ML_20M, 1000))


def test_trials_count_as_fits():
    config = Baseline(rating_models=("svdpp",), list_models=("popularity",))
    tuned = config.model_copy(update={"tuning": Tuning(trials=200)})
    assert not list(too_large(config, *ML_20M, 3))
    assert "svdpp would take" in next(too_large(tuned, *ML_20M, 3))


def test_ease_is_refused_where_its_matrix_has_no_room():
    assert "GB of memory on 2,000,000 films" in next(too_large(Baseline(), 10, 2_000_000, 3))


def test_the_profile_for_20_million_ratings_is_not_refused():
    settings = Settings.model_validate(overlay(Settings(), of_profile("nightly")))
    hours = settings.max_hours
    assert not list(too_long(settings.prior, ML_20M[0], USERS, hours))
    assert not list(too_large(settings.baseline, *ML_20M, hours))


def test_the_prior_names_what_to_set_instead():
    assert "set prior.users to fewer of the 138,493" in next(too_long(Prior(), ML_20M[0], USERS, 3))
    assert not list(too_long(Prior(users=10_000), ML_20M[0], USERS, 3))
    assert not list(too_long(Prior(model="none"), ML_20M[0], USERS, 3))

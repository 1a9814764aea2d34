"""Features: sums over what is known and earlier, the same in partitions as all at once."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.features import time_ordered_stats
from tasks.features.build import build_features
from tasks.features.collaborative import damped_bias_prediction
from tasks.features.config import FeatureSettings
from tasks.features.point_in_time import point_in_time_features
from tasks.features.user_shards import UserShards
from tasks.user_batches import rebatch

FILMS = np.array([1, 2, 5, 7, 8, 11])


@pytest.fixture
def ratings() -> pl.DataFrame:
    """60 users rate five or six films; the last two of each are targets."""
    rng = np.random.default_rng(3)
    rows = [
        (
            user,
            film,
            float(rng.integers(1, 6)),
            time,
            fold,
            "target" if fold != "train" else "context",
        )
        for user in range(60)
        for film, time, fold in zip(
            rng.permutation(FILMS)[: 5 + user % 2],
            np.sort(rng.integers(0, 40, 5 + user % 2)),
            [*["train"] * (3 + user % 2), "validation", "test"],
            strict=True,
        )
    ]
    names = ["user_id", "film_id", "rating", "rated_at", "fold", "role"]
    return pl.DataFrame(rows, names, orient="row").with_columns(pl.from_epoch("rated_at"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_features_are_sums_over_earlier_known_ratings(seed, users):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    user = np.sort(rng.integers(0, users, n))
    film, time = rng.integers(0, 4, n), rng.integers(0, 6, n)
    rating, known = rng.integers(1, 6, n).astype(float), rng.random(n) < 0.7
    found = point_in_time_features(
        user, film, rating, time, known, item_damping=2, user_damping=3, default_mean=3.0
    )
    for i in range(n):
        of_film = [j for j in range(n) if known[j] and film[j] == film[i] and time[j] < time[i]]
        of_user = [j for j in range(i) if known[j] and user[j] == user[i]]
        assert found.film_count[i] == len(of_film)
        assert found.user_count[i] == len(of_user)
        if of_film:
            assert found.film_mean[i] == pytest.approx(rating[of_film].mean())
        if of_user:
            assert found.user_mean[i] == pytest.approx(rating[of_user].mean())
        if not of_film and not of_user:
            earlier = [j for j in range(n) if known[j] and time[j] < time[i]]
            assert found.prior[i] == pytest.approx(rating[earlier].mean() if earlier else 3.0)


@pytest.mark.parametrize("as_of", ["rating", "fold"])
def test_features_in_partitions_are_those_of_all_ratings_at_once(
    ratings, tmp_path, monkeypatch, as_of
):
    monkeypatch.setattr(time_ordered_stats, "PARTITION", 40)
    tables = list(rebatch([ratings[:100], ratings[100:]], 7))
    shards = UserShards.write(tmp_path / "some", tables, FILMS)
    config = FeatureSettings(prior="bias", features_as_of=as_of)
    features_of = build_features(shards, len(FILMS), 3.0, None, config)
    rows = UserShards.write(tmp_path / "all", [ratings], FILMS).read(0)
    assert shards.count == 9
    assert (tmp_path / "some" / "stats-3").exists()
    computed = [vars(features_of(n)(rows)) for n, rows in enumerate(shards)]
    for fold in range(3):
        known = rows.known_to(fold)
        columns = (rows.user, rows.film, rows.rating)
        dampings = {"item_damping": 2.0, "user_damping": 10.0}
        expected = vars(
            point_in_time_features(*columns, rows.time, known, **dampings, default_mean=3.0)
        )
        if fold and as_of == "rating":
            del expected["prior"]  # weighs a user's ratings by what was known at each of them
        elif fold:
            sums = np.bincount(rows.film, rows.rating * known, len(FILMS))
            counts = np.bincount(rows.film, known, len(FILMS))
            expected["film_mean"], expected["film_count"] = (
                (sums / counts)[rows.film],
                counts[rows.film],
            )
            expected["prior"] = damped_bias_prediction(*columns, known, **dampings)
        for name, values in expected.items():
            found = np.concatenate([features[name] for features in computed])
            own = rows.fold == fold
            assert found[own] == pytest.approx(values[own], nan_ok=True)

"""A split loses nothing, doubles nothing, and never lets the past see the future."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.artifacts import TrustedRatings
from tasks.split.protocols import LeaveLast
from tasks.split.task import split_histories
from tasks.store import Store

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
AGE = {"train": 0, "validation": 1, "test": 2}


def table(rows):
    """Rows of (user, film, half-stars, minutes after the start)."""
    user, film, halves, minutes = map(list, zip(*rows, strict=True))
    return pl.DataFrame(
        {
            "user_id": pl.Series(user, dtype=pl.Int32),
            "film_id": pl.Series(film, dtype=pl.Int32),
            "rating": pl.Series([h / 2 for h in halves], dtype=pl.Float32),
            "rated_at": pl.Series(
                [START + dt.timedelta(minutes=m) for m in minutes], dtype=pl.Datetime("us", "UTC")
            ),
        }
    )


# Few minutes for many films, so that equal timestamps are the rule.
ratings = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 10), st.integers(0, 9)),
    min_size=1,
    max_size=120,
    unique_by=lambda row: row[:2],
).map(table)
protocols = st.builds(
    LeaveLast,
    n=st.integers(1, 5),
    validation_users=st.sampled_from([0.0, 0.5, 1.0]),
    ties=st.sampled_from(["hash", "film"]),
    seed=st.integers(0, 3),
)

timeless = settings(max_examples=50, deadline=None)  # results are asserted, never seconds


def marked(rows, protocol):
    return protocol.mark(rows.lazy()).collect()


@timeless
@given(ratings, protocols)
def test_nothing_is_lost_and_nothing_comes_twice(rows, protocol):
    found = marked(rows, protocol).select(rows.columns).sort("user_id", "film_id")
    assert found.equals(rows.sort("user_id", "film_id"))


@timeless
@given(ratings, protocols)
def test_no_target_is_older_than_its_context(rows, protocol):
    for _, history in marked(rows, protocol).group_by("user_id"):
        in_order = history.sort("position")
        assert in_order["position"].to_list() == list(range(len(history)))
        assert in_order["rated_at"].is_sorted()
        ages = in_order["fold"].replace_strict(AGE)
        assert ages.is_sorted()
        assert (in_order["part"] == "target").to_list() == (ages > 0).to_list()


@timeless
@given(ratings, protocols)
def test_every_user_is_asked_the_last_n_or_all_there_are(rows, protocol):
    counts = (
        marked(rows, protocol)
        .group_by("user_id")
        .agg(pl.len(), asked=(pl.col("fold") == "test").sum())
    )
    assert (counts["asked"] == counts["len"].clip(upper_bound=protocol.n)).all()


@timeless
@given(ratings, protocols, st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, protocol, random):
    order = random.sample(range(len(rows)), len(rows))
    assert marked(rows[order], protocol).equals(marked(rows, protocol))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.5]))
def test_validation_users_are_a_seeded_share(seed, share):
    rows = table([(user, film, 6, film) for user in range(1, 1501) for film in (1, 2)])
    protocol = LeaveLast(n=1, validation_users=share, seed=seed)
    drawn = marked(rows, protocol).filter(fold="validation")["user_id"].unique()
    assert len(drawn) / 1500 == pytest.approx(share, abs=0.065)  # five standard deviations


def test_another_seed_draws_other_users():
    rows = table([(user, film, 6, film) for user in range(1, 200) for film in (1, 2)])
    draws = [
        marked(rows, LeaveLast(n=1, seed=seed)).filter(fold="validation")["user_id"].to_list()
        for seed in (0, 1)
    ]
    assert draws[0] != draws[1]


def test_equal_timestamps_go_by_film_or_by_a_seeded_hash():
    rows = table([(1, film, 6, 0) for film in range(1, 30)])
    by_film = marked(rows, LeaveLast(ties="film"))["film_id"].to_list()
    hashed = [marked(rows, LeaveLast(seed=seed))["film_id"].to_list() for seed in (0, 0, 1)]
    assert by_film == sorted(by_film)
    assert hashed[0] == hashed[1]
    assert by_film != hashed[0] != hashed[2]


def trusted(store, rows):
    def write(draft):
        rows.write_parquet(draft / "ratings.parquet")
        films = {"film_id": [1, 2, 3], "title": list("abc"), "year": [2000] * 3, "genres": [""] * 3}
        types = {"film_id": pl.Int32, "year": pl.Int16}
        pl.DataFrame(films, schema_overrides=types).write_parquet(draft / "films.parquet")
        columns = {"relation": pl.String, "source": pl.String, "line": pl.UInt32}
        columns |= {"rule": pl.String, "detail": pl.String}
        pl.DataFrame(schema=columns).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "hand", "scale": [1, 2, 3, 4, 5]}

    return store.build(TrustedRatings, recipe={}, write=write)


HAND = table([(1, 1, 6, 0), (1, 2, 7, 1), (1, 3, 7, 2), (2, 1, 4, 0), (2, 3, 5, 1), (2, 2, 9, 3)])
EVERYONE = LeaveLast(n=1, validation_users=1)


def test_the_door_gives_the_same_bytes_again(store, tmp_path):
    made = [
        split_histories.fn(trusted(at, HAND), config=EVERYONE, store=at)
        for at in (store, Store(tmp_path / "second"))
    ]
    first, second = (histories.files("histories")[0].read_bytes() for histories in made)
    assert first == second
    assert made[0].notes["protocol"] == "leave-last-1"


def test_a_film_is_cold_that_no_fold_before_has_rated(store):
    last = HAND.filter(~((pl.col("user_id") == 2) & (pl.col("film_id") == 3)))
    found = split_histories.fn(trusted(store, last), config=EVERYONE, store=store)
    rows = found.scan("histories").select("user_id", "film_id", "fold", "cold").collect().rows()
    assert rows == [
        (1, 1, "train", False),
        (1, 2, "validation", True),
        (1, 3, "test", True),
        (2, 1, "validation", False),
        (2, 2, "test", False),
    ]

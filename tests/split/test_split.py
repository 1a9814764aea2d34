"""Every rating is assigned once, and no context is younger than its targets."""

import datetime as dt
import itertools
import typing

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.split.protocols import (
    GivenFolds,
    GlobalTime,
    LeaveLast,
    Legacy,
    Split,
    UserHoldout,
)
from tasks.split.task import split_ratings
from tasks.split.time_order import TimeOrdered
from tasks.store.artifacts import ValidatedRatings
from tasks.store.store import Store
from tasks.user_batches import iter_user_batches

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
orders = {"ties": st.sampled_from(["hash", "film"]), "seed": st.integers(0, 3)}
ends = {"n": st.integers(1, 5), "share": st.sampled_from([None, 0.2, 0.7])}
shares = st.sampled_from([0.0, 0.3, 0.5, 1.0])
dates = st.integers(0, 9).map(lambda minute: START + dt.timedelta(minutes=minute))
sizes = st.sampled_from([0.0, 0.3, 1.0, 2, 3])
last = st.builds(LeaveLast, validation_users=sizes, test_users=sizes, **ends, **orders)
of_time = st.builds(GlobalTime, validation_from=st.just(0.2), test_from=shares, **orders).filter(
    lambda protocol: protocol.test_from >= 0.2
)
of_dates = dates.map(lambda at: GlobalTime(validation_from=START, test_from=at))
held_out = st.builds(UserHoldout, validation_users=shares, test_users=shares, **ends, **orders)
legacy = st.builds(
    Legacy,
    users=st.integers(1, 6),
    over=st.integers(1, 4),
    top=st.integers(2, 5),
    answers=st.just(1),
    validation_users=shares,
    test_users=shares,
)
timed = st.one_of(last, of_time, of_dates, held_out)
protocols = st.one_of(timed, legacy)

timeless = settings(max_examples=50, deadline=None)  # results are asserted, never seconds


def assign(rows, protocol):
    return protocol.make_assigner(rows.lazy())(rows)


def test_every_protocol_is_generated():
    tested = {LeaveLast, GlobalTime, UserHoldout, Legacy, GivenFolds}  # the last in test_given.py
    assert set(typing.get_args(typing.get_args(Split)[0])) == tested


@timeless
@given(ratings, protocols)
def test_every_rating_is_assigned_once(rows, protocol):
    found = assign(rows, protocol).select(rows.columns).sort("user_id", "film_id")
    assert found.equals(rows.sort("user_id", "film_id"))


@timeless
@given(ratings, protocols)
def test_context_precedes_targets(rows, protocol):
    for _, history in assign(rows, protocol).group_by("user_id"):
        in_order = history.sort("position")
        assert in_order["position"].to_list() == list(range(len(history)))
        used = in_order.filter(pl.col("fold") != "unused")
        assert used["fold"].cast(pl.String).replace_strict(AGE).is_sorted()
        for _, fold in used.group_by("fold"):
            assert fold["role"].is_sorted()  # context, then target


@timeless
@given(ratings, timed)
def test_no_target_is_older_than_its_context(rows, protocol):
    assert isinstance(protocol, TimeOrdered)
    for _, history in assign(rows, protocol).group_by("user_id"):
        assert history.sort("position")["rated_at"].is_sorted()


@timeless
@given(ratings, st.one_of(of_time, of_dates))
def test_folds_of_global_time_do_not_overlap_in_time(rows, protocol):
    found = assign(rows, protocol)
    spans = [found.filter(fold=fold)["rated_at"] for fold in AGE]
    known = [span for span in spans if len(span)]
    assert all(a.max() < b.min() for a, b in itertools.pairwise(known))


@timeless
@given(ratings, held_out)
def test_a_user_is_in_one_fold_only(rows, protocol):
    folds = assign(rows, protocol).group_by("user_id").agg(pl.col("fold").n_unique())
    assert folds["fold"].max() == 1


@timeless
@given(ratings, last)
def test_leave_last_tests_the_last_n_or_a_share_or_all(rows, protocol):
    counts = (
        assign(rows, protocol)
        .group_by("user_id")
        .agg(pl.len(), targets=(pl.col("fold") == "test").sum())
    )
    sampled = {user: size for user, size, targets in counts.iter_rows() if targets}
    for _, size, targets in counts.filter(pl.col("user_id").is_in(list(sampled))).iter_rows():
        share = protocol.share
        assert targets == (min(size, protocol.n) if share is None else max(1, int(size * share)))
    if (users := protocol.test_users) in (0, 1):
        assert len(sampled) == users * len(counts)
    if users > 1:
        assert len(sampled) == min(users, len(counts))


@timeless
@given(ratings, protocols, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, protocol, random):
    order = random.sample(range(len(rows)), len(rows))
    assert assign(rows[order], protocol).equals(assign(rows, protocol))


@timeless
@given(st.integers(0, 5), st.integers(2, 80), st.sets(st.integers(1, 500), min_size=60))
def test_samples_have_their_size_and_take_in_new_users_only(seed, size, users):
    """Whatever the batches of users are: the first are those that there were before."""
    rows = table([(user, film, 6, film) for user in sorted(users) for film in (1, 2, 3)])
    before = rows.filter(pl.col("user_id") <= sorted(users)[len(users) // 2])
    protocol = LeaveLast(n=1, test_users=size, validation_users=size, seed=seed)

    def sample(rows, fold):
        found = protocol.make_assigner(rows.lazy())
        assigned = pl.concat([found(half) for _, half in rows.group_by(pl.col("user_id") > 100)])
        assert assigned.sort("user_id", "position").equals(found(rows).sort("user_id", "position"))
        targets = assigned.filter(pl.col("fold") == fold)
        assert targets["user_id"].is_unique().all()  # n is 1
        return set(targets["user_id"])

    for fold in ("test", "validation"):
        old, new = sample(before, fold), sample(rows, fold)
        assert len(old) == min(size, before["user_id"].n_unique())
        assert len(new) == min(size, len(users))
        assert new & set(before["user_id"]) <= old


def test_a_split_of_all_users_has_the_recipe_of_before():
    assert "test_users" not in LeaveLast().model_dump()
    assert LeaveLast(test_users=1).model_dump() == LeaveLast().model_dump()
    assert LeaveLast(test_users=5000).model_dump()["test_users"] == 5000


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.5]))
def test_validation_users_are_a_seeded_share(seed, share):
    rows = table([(user, film, 6, film) for user in range(1, 1501) for film in (1, 2)])
    protocol = LeaveLast(n=1, validation_users=share, seed=seed)
    tested = assign(rows, protocol).filter(fold="validation")["user_id"].unique()
    assert len(tested) / 1500 == pytest.approx(share, abs=0.065)  # five standard deviations


def test_another_seed_selects_other_users():
    rows = table([(user, film, 6, film) for user in range(1, 200) for film in (1, 2)])
    draws = [
        assign(rows, LeaveLast(n=1, seed=seed)).filter(fold="validation")["user_id"].to_list()
        for seed in (0, 1)
    ]
    assert draws[0] != draws[1]


def test_ties_are_ordered_by_film_or_by_a_seeded_hash():
    rows = table([(1, film, 6, 0) for film in range(1, 30)])
    by_film = assign(rows, LeaveLast(ties="film"))["film_id"].to_list()
    hashed = [assign(rows, LeaveLast(seed=seed))["film_id"].to_list() for seed in (0, 0, 1)]
    assert by_film == sorted(by_film)
    assert hashed[0] == hashed[1]
    assert by_film != hashed[0] != hashed[2]


def validated(store, rows):
    def write(draft):
        rows.write_parquet(draft / "ratings.parquet")
        films = {"film_id": [1, 2, 3], "title": list("abc"), "year": [2000] * 3, "genres": [""] * 3}
        types = {"film_id": pl.Int32, "year": pl.Int16}
        pl.DataFrame(films, schema_overrides=types).write_parquet(draft / "films.parquet")
        columns = {"relation": pl.String, "source": pl.String, "line": pl.UInt32}
        columns |= {"rule": pl.String, "detail": pl.String}
        pl.DataFrame(schema=columns).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "hand", "scale": [1, 2, 3, 4, 5]}

    return store.build(ValidatedRatings, recipe={}, write=write)


HAND = table([(1, 1, 6, 0), (1, 2, 7, 1), (1, 3, 7, 2), (2, 1, 4, 0), (2, 3, 5, 1), (2, 2, 9, 3)])
EVERYONE = LeaveLast(n=1, validation_users=1)


def test_the_task_writes_the_same_bytes_again(store, tmp_path):
    made = [
        split_ratings.fn(validated(at, HAND), config=EVERYONE, store=at)
        for at in (store, Store(tmp_path / "second"))
    ]
    first, second = (split.files("ratings")[0].read_bytes() for split in made)
    assert first == second
    assert made[0].metadata["protocol"] == "leave-last-1"


def test_a_film_is_cold_without_ratings_in_earlier_folds(store):
    last = HAND.filter(~((pl.col("user_id") == 2) & (pl.col("film_id") == 3)))
    found = split_ratings.fn(validated(store, last), config=EVERYONE, store=store)
    rows = found.scan("ratings").select("user_id", "film_id", "fold", "cold").collect().rows()
    assert rows == [
        (1, 1, "train", False),
        (1, 2, "validation", True),
        (1, 3, "test", True),
        (2, 1, "validation", False),
        (2, 2, "test", False),
    ]


def test_a_cut_is_a_date_or_a_share_of_the_ratings():
    rows = table([(1, film, 6, film) for film in range(10)])
    at = START + dt.timedelta(minutes=8)
    for test_from in (0.8, at, at.replace(tzinfo=None)):
        found = assign(rows, GlobalTime(validation_from=0.5, test_from=test_from))
        assert found["fold"].to_list() == ["train"] * 5 + ["validation"] * 3 + ["test"] * 2
    with pytest.raises(ValueError, match="set validation_from to an earlier moment"):
        assign(rows, GlobalTime(validation_from=0.9, test_from=0.1))


def test_a_batch_of_users_is_assigned_as_among_all(tmp_path):
    rows = table([(u, f, 6, (u * f) % 7) for u in range(1, 40) for f in range(1, 2 + u % 9)])
    rows.write_parquet(tmp_path / "ratings.parquet", row_group_size=11)
    for protocol in (LeaveLast(n=2), GlobalTime(), UserHoldout(n=2), Legacy(over=3, top=3)):
        mark = protocol.make_assigner(rows.lazy())
        parts = [
            mark(users) for users in iter_user_batches([tmp_path / "ratings.parquet"], rows=20)
        ]
        assert len(parts) > 5
        assert pl.concat(parts).equals(assign(rows, protocol))

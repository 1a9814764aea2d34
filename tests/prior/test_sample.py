"""A prior of a sample of the users: whose ratings it learns from, and that nobody else counts."""

import polars as pl
import pytest

from tasks.prior.sample import choose_users
from tests.prior.conftest import SMALL, make_split

WITH_TARGETS = set(range(1, 21))  # users with targets
BOUNDED = SMALL.model_copy(update={"users": 35})


def make_sampled_split(without: int = 0) -> pl.DataFrame:
    """The split, in which only `WITH_TARGETS` have targets; without the last users."""
    others = ~pl.col("user_id").is_in(WITH_TARGETS)
    train, context = pl.lit("train"), pl.lit("context")
    return (
        make_split()
        .filter(pl.col("user_id") <= 60 - without)
        .with_columns(
            fold=pl.when(others).then(train).otherwise("fold"),
            role=pl.when(others).then(context).otherwise("role"),
        )
    )


def test_everyone_with_targets_is_in_the_sample_and_some_of_the_others(build):
    split, _, priors = build(make_sampled_split(), config=BOUNDED)
    users = choose_users(split, BOUNDED).tolist()
    assert len(users) == 35
    assert set(users) > WITH_TARGETS
    assert users == sorted(users)
    assert set(priors.scan("priors").collect()["user_id"]) == set(users)
    other = choose_users(split, BOUNDED.model_copy(update={"seed": 1}))
    assert set(other) != set(users)


def test_the_sample_stays_where_users_are_added(build):
    fewer = set(choose_users(build(make_sampled_split(without=10), config=BOUNDED)[0], BOUNDED))
    more = set(choose_users(build(make_sampled_split(), config=BOUNDED)[0], BOUNDED))
    assert {user for user in more if user <= 50} <= fewer


def test_all_users_where_none_is_left_out(build):
    split = build(make_sampled_split())[0]
    for users in (None, 60, 1000):
        config = SMALL.model_copy(update={"users": users})
        assert choose_users(split, config).tolist() == list(range(1, 61))


def test_too_small_a_sample_is_refused_with_what_to_set(build):
    split = build(make_sampled_split())[0]
    with pytest.raises(ValueError, match=r"prior\.users is 19, and 20 users have targets"):
        choose_users(split, SMALL.model_copy(update={"users": 19}))


def test_no_prior_moves_with_the_ratings_of_users_outside_the_sample(build):
    split, _, before = build(make_sampled_split(), config=BOUNDED)
    outside = ~pl.col("user_id").is_in(choose_users(split, BOUNDED))
    turned = make_sampled_split().with_columns(
        rating=pl.when(outside).then(6 - pl.col("rating")).otherwise("rating")
    )
    after = build(turned, config=BOUNDED)[2]
    assert before.scan("priors").collect().equals(after.scan("priors").collect())

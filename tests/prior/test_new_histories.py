"""Histories that a fit has not seen: what is expected of their ratings, and of candidates."""

import shutil

import numpy as np
import polars as pl
import pytest

from tasks.features.histories import users_of_fit
from tasks.prior import new_histories
from tasks.prior.task import predict_candidate_priors
from tasks.recommend.task import add_everyone
from tasks.store.artifacts import Candidates, RatingPriors
from tests.prior.conftest import FILMS, SCALE, make_split
from tests.prior.test_sample import BOUNDED, make_sampled_split

KEY = ["user_id", "film_id"]


@pytest.fixture
def predict(build, store):
    """The priors of unrated films for some users, by a fit on `make_sampled_split()`."""
    _, fitted_on, priors = build(make_sampled_split(), config=BOUNDED)

    def predict(table: pl.DataFrame, users: list[int]) -> tuple[RatingPriors, pl.DataFrame]:
        split, ratings, _ = build(table, config=BOUNDED)
        requests = add_everyone.fn(split, active_days=None, store=store)

        def write(draft):
            ids = {"user_id": users}, {"film_id": range(1, FILMS + 1)}
            who, films = (pl.DataFrame(values).cast(pl.Int32) for values in ids)
            rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id")
            frame = who.join(films, how="cross").join(table, on=KEY, how="anti")
            frame = frame.with_columns(fold=pl.lit("test"), rank=rank, score=pl.lit(0.0))
            frame = frame.select("fold", "user_id", "rank", "film_id", "score")
            frame.write_parquet(draft / "candidates.parquet")

        recipe = {"users": users, "of": requests.fingerprint}
        candidates = store.build(Candidates, recipe=recipe, parents=[requests], write=write)
        found = predict_candidate_priors.fn(
            priors, requests, ratings, candidates, fitted_on=fitted_on, store=store
        )
        return found, found.scan("priors").collect()

    predict.outside = sorted(set(range(1, 61)) - set(users_of_fit(priors).tolist()))
    return predict


def own_ratings(priors: pl.DataFrame, table: pl.DataFrame, user: int) -> pl.DataFrame:
    """A user's own ratings with what was expected of them, by position."""
    return table.filter(user_id=user).join(priors, on=KEY, how="left").sort("position")


def stars_expected(priors: pl.DataFrame) -> np.ndarray:
    return np.exp(np.stack(priors["machine_log_p"].to_list())) @ SCALE


def test_a_rating_of_an_unseen_user_is_expected_from_the_user_s_others(predict):
    user, table = predict.outside[0], make_split()
    before = stars_expected(own_ratings(predict(make_sampled_split(), [user])[1], table, user))
    assert len(before) == 14
    for position in (0, 7, 13):
        turned = (pl.col("user_id") == user) & (pl.col("position") == position)
        other = pl.when(turned).then(pl.when(pl.col("rating") < 3).then(5.0).otherwise(1.0))
        changed = make_sampled_split().with_columns(
            rating=other.otherwise("rating").cast(pl.Float32)
        )
        moved = np.abs(
            stars_expected(own_ratings(predict(changed, [user])[1], table, user)) - before
        )
        assert moved[position] < 0.1
        assert moved[position] < 0.5 * np.delete(moved, position).max()


def test_a_user_s_priors_do_not_depend_on_who_else_is_asked_for(predict):
    users = [1, *predict.outside[:3]]
    together = predict(make_sampled_split(), users)[1]
    for user in users:
        alone = predict(make_sampled_split(), [user])[1]
        assert alone.equals(together.filter(user_id=user))


def test_an_unseen_user_is_expected_nearly_as_if_the_fit_had_seen_the_user(predict, build):
    _, _, of_all = build(make_sampled_split())
    seen = of_all.scan("priors").collect()
    unseen = predict(make_sampled_split(), predict.outside)[1]
    both = unseen.join(seen.select(*KEY, seen="log_p"), on=KEY)
    one, other = (np.exp(np.stack(both[name].to_list())) @ SCALE for name in ("log_p", "seen"))
    assert len(both) > 200
    assert np.corrcoef(one, other)[0, 1] > 0.7


def test_vectors_found_before_give_the_same_bytes(predict):
    users = [1, 2, *predict.outside[:2]]
    first, _ = predict(make_sampled_split(), users[:1])
    later, _ = predict(make_sampled_split(), users)
    kept, found = (np.load(p.path / "vectors.npz") for p in (first, later))
    assert (len(kept["hashes"]), len(found["hashes"])) == (1, 2)  # those of the fit's users
    order = np.searchsorted(found["hashes"], kept["hashes"])
    np.testing.assert_array_equal(found["vectors"][order], kept["vectors"])


def test_users_and_ratings_of_after_the_fit_are_expected_too(predict):
    """A user of the fit with one rating more, and a new user with a single rating."""
    history = make_sampled_split().filter(user_id=1)
    unrated = next(film for film in range(1, FILMS + 1) if film not in set(history["film_id"]))
    last = history.filter(position=13)
    later = last.with_columns(
        film_id=pl.lit(unrated, pl.Int32), position=pl.lit(14, pl.Int32),
        rated_at=pl.col("rated_at").dt.offset_by("1d"),
    )  # fmt: skip
    new = last.with_columns(
        user_id=pl.lit(61, pl.Int32), position=pl.lit(0, pl.Int32),
        fold=pl.lit("train"), role=pl.lit("context"),
    )  # fmt: skip
    tonight = pl.concat([make_sampled_split(), later, new]).sort("user_id", "position")
    _, priors = predict(tonight, [1, 61])
    expected = priors.filter(pl.col("film_id").is_in([unrated, last["film_id"][0]]))
    assert {(1, unrated), (61, last["film_id"][0])} <= set(expected.select(KEY).iter_rows())
    p = np.exp(np.stack(priors["log_p"].to_list()))
    assert np.allclose(p.sum(1), 1, atol=1e-5)


def test_blocks_of_users_give_the_same_priors(predict, monkeypatch):
    users = [1, *predict.outside[:4]]
    whole, _ = predict(make_sampled_split(), users)
    content = (whole.path / "priors.parquet").read_bytes()
    monkeypatch.setattr(new_histories, "USERS", 2)
    shutil.rmtree(whole.path)
    parts, table = predict(make_sampled_split(), users)
    assert parts.path == whole.path
    assert table.equals(pl.read_parquet(content))

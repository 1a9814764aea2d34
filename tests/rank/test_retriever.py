"""EASE as published; candidates are eligible films; similarities of films by hand."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tasks.rank.config import Retrieve
from tasks.rank.interactions import (
    compute_recency_similarity,
    count_cooccurrences,
    count_recent_ratings,
)
from tasks.rank.retriever import fit_ease
from tasks.rank.task import retrieve_candidates


def test_ease_is_the_best_linear_model_without_a_diagonal():
    """Each column is a ridge regression on the other films, solved here one by one."""
    rated = (np.random.default_rng(0).random((40, 7)) < 0.4).astype(float)
    weights = fit_ease(rated.T @ rated, 3.0)
    for film in range(7):
        others = np.delete(rated, film, axis=1)
        gram = others.T @ others + 3.0 * np.eye(6)
        expected = np.linalg.solve(gram, others.T @ rated[:, film])
        assert np.allclose(np.delete(weights[:, film], film), expected)
        assert weights[film, film] == 0


@pytest.mark.parametrize("fold", ["validation", "test"])
def test_no_candidate_was_rated_before(candidates, split, fold):
    table = candidates.scan("candidates").filter(fold=fold).collect()
    hidden = {"validation": ["validation", "test"], "test": ["test"]}[fold]
    rated = split.scan("ratings").filter(~pl.col("fold").is_in(hidden)).collect()
    assert table["user_id"].n_unique() == 24
    assert table.group_by("user_id").len()["len"].unique().to_list() == [8]
    assert table.join(rated, on=["user_id", "film_id"]).is_empty()


def test_a_small_catalogue_excludes_only_rated_films(store, split):
    few = retrieve_candidates.fn(split, config=Retrieve(candidates=20, films=20), store=store)
    table = few.scan("candidates").filter(fold="test").collect()
    catalogue = table["film_id"].implode()
    rated = split.scan("ratings").filter(pl.col("fold") != "test").collect()
    rated = rated.filter(pl.col("film_id").is_in(catalogue))
    assert table["film_id"].n_unique() == 20
    for (user,), films in table.group_by("user_id"):
        excluded = rated.filter(user_id=user)["film_id"]
        assert set(films["film_id"]).isdisjoint(excluded)
        assert len(films) >= 20 - len(excluded) - 2  # few are newer than the user's targets


def test_recency_similarity_is_a_sum_of_cosines():
    """Worked by hand: three users have rated A, two of them B as well, and one of these C."""
    films = pl.DataFrame({"film_id": [1, 2, 3]}, {"film_id": pl.Int32})
    rows = [(1, 1, 0), (1, 2, 1), (1, 3, 2), (2, 1, 0), (2, 2, 1), (3, 1, 0)]
    known = pl.DataFrame(rows, ["user_id", "film_id", "position"], orient="row")
    known = known.cast({"film_id": pl.Int32})
    assert count_cooccurrences(known, films).tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 1]]
    pairs = pl.DataFrame({"user_id": [2, 3, 3], "film_id": [3, 2, 3]})
    one = compute_recency_similarity(known, pairs, films, latest=1)
    assert one.to_list() == pytest.approx([1 / 2**0.5, 2 / 6**0.5, 1 / 3**0.5])
    two = compute_recency_similarity(known, pairs, films, latest=2)
    assert two.to_list() == pytest.approx([1 / 2**0.5 + 1 / 3**0.5, 2 / 6**0.5, 1 / 3**0.5])


def test_recent_ratings_are_those_in_the_days_before_a_moment():
    """Worked by hand: film 1 is rated on days 0, 5 and 9, film 2 on day 8."""
    day = [dt.datetime(2020, 1, 1 + n, tzinfo=dt.UTC) for n in range(20)]
    known = pl.DataFrame({"film_id": [1, 1, 1, 2], "rated_at": [day[n] for n in (0, 5, 9, 8)]})
    films = pl.DataFrame({"film_id": [1, 2]})
    moments = {"film_id": [1, 1, 1, 2, 2], "moment": [day[n] for n in (5, 9, 19, 8, 19)]}
    counts = count_recent_ratings(known, pl.DataFrame(moments), films, days=5)
    # The third and the last moment lie behind the last rating: as if a second after it.
    assert counts.to_list() == [1, 1, 2, 0, 1]

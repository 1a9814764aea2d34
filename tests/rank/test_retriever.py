"""EASE as published; candidates are eligible films; similarities of films by hand."""

import datetime as dt
import tracemalloc

import numpy as np
import polars as pl
import pytest

from tasks.liked import known_to
from tasks.rank.config import Retrieve
from tasks.rank.ease import Ease
from tasks.rank.interactions import (
    compute_recency_similarity,
    count_cooccurrences,
    count_recent_ratings,
    select_most_rated,
)
from tasks.rank.task import retrieve_candidates


@pytest.mark.parametrize(("users", "films"), [(40, 7), (9, 12)])
def test_ease_is_the_best_linear_model_without_a_diagonal(users, films, tmp_path):
    """Each column is a ridge regression on the other films, solved here one by one.

    With fewer films than users, and with fewer users than films; after saving and loading.
    """
    rated = np.random.default_rng(0).random((users, films)) < 0.4
    rated[0] = True  # each film is rated
    user, film = np.nonzero(rated)
    known = pl.DataFrame({"user_id": user, "film_id": film}).with_columns(
        pl.col("film_id").cast(pl.Int32), rated_at=pl.lit(0).cast(pl.Datetime("us", "UTC"))
    )
    fitted = Ease.fit(known, select_most_rated(known, films), 3.0)
    assert (fitted.interactions is None) == (users >= films)
    fitted.save(tmp_path / "ease.npz")
    x = rated.astype(float)
    scores = Ease.load(tmp_path / "ease.npz").score(x)
    for film in range(films):
        others = np.delete(x, film, axis=1)
        gram = others.T @ others + 3.0 * np.eye(films - 1)
        assert np.allclose(scores[:, film], others @ np.linalg.solve(gram, others.T @ x[:, film]))


def test_a_fit_holds_one_matrix_of_films():
    """Gigabytes for ten thousand films: it is counted, penalised and inverted in one place."""
    films = 2500
    known = pl.DataFrame({"user_id": np.arange(films), "film_id": np.arange(films)})
    known = known.with_columns(rated_at=pl.lit(0).cast(pl.Datetime("us", "UTC")))
    catalogue = select_most_rated(known, films)
    tracemalloc.start()
    Ease.fit(known, catalogue, 3.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 <= peak / (8 * films**2) < 1.7  # and 1,024 rows that are being counted


def test_a_request_takes_the_fit_of_everyone(store, split, candidates, tmp_path):
    again = retrieve_candidates.fn(
        split, config=Retrieve(candidates=8), store=store, fitted=candidates
    )
    tables = [c.scan("candidates").filter(fold="test").collect() for c in (again, candidates)]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("fold", ["validation", "test"])
def test_no_candidate_was_rated_before(candidates, split, fold):
    table = candidates.scan("candidates").filter(fold=fold).collect()
    hidden = {"validation": ["validation", "test"], "test": ["test"]}[fold]
    rated = split.scan("ratings").filter(~pl.col("fold").is_in(hidden)).collect()
    assert table["user_id"].n_unique() == 24
    assert table.group_by("user_id").len()["len"].unique().to_list() == [8]
    assert table.join(rated, on=["user_id", "film_id"]).is_empty()


def test_a_user_without_known_ratings_gets_the_films_that_most_have_rated(store, split):
    def write(draft):
        table = split.scan("ratings").collect()
        later = pl.col("rated_at") + pl.duration(days=365)  # all films are known by then
        new = table.filter(user_id=3).with_columns(
            rated_at=later, fold=pl.lit("test"), role=pl.lit("target")
        )
        pl.concat([table.filter(pl.col("user_id") != 3), new]).sort(
            "user_id", "position"
        ).write_parquet(draft / "ratings.parquet")
        return split.metadata

    begun = store.build(type(split), recipe={"new": 3}, parents=[split], write=write)
    found = retrieve_candidates.fn(begun, config=Retrieve(candidates=8), store=store)
    listed = found.scan("candidates").filter(fold="test", user_id=3).collect()
    known = begun.scan("ratings").filter(known_to("test")).collect()
    counts = known.group_by("film_id").len().sort("len", "film_id", descending=[True, False])
    assert listed["film_id"].to_list() == counts["film_id"].head(8).to_list()


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

"""Figures beside a published table: its filter and its protocol, by the project's own metrics."""

import numpy as np
import polars as pl
import pytest

from bench.sasrec import compare, judge, keep_core, load_split, summarise
from tasks.baseline.config import SASRec
from tasks.store.artifacts import RankedLists
from tasks.store.store import Store

USERS, FILMS = 12, 20
TINY = SASRec(window=4, hidden=8, layers=1, epochs=1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Files of MovieLens' form: film 99 has too few ratings, and user 99 is left with too few."""
    draw = np.random.default_rng(0)
    rows = [
        (user, int(film), 1.0 + film % 5, 10**9 + 100 * user + place // 2)
        for user in range(1, USERS + 1)
        for place, film in enumerate(draw.permutation(FILMS)[:14] + 1)
    ]
    rows += [(99, film, 3.0, 10**9 + film) for film in (1, 2, 3, 4, 99)]
    folder = tmp_path_factory.mktemp("movielens")
    names = ["userId", "movieId", "rating", "timestamp"]
    pl.DataFrame(rows, names, orient="row").write_csv(folder / "ratings.csv")
    films = [*range(1, FILMS + 1), 99]
    titles = [f"Film {film} ({1990 + film % 20})" for film in films]
    pl.DataFrame({"movieId": films, "title": titles, "genres": "Drama"}).write_csv(
        folder / "movies.csv"
    )
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def loaded(source, store, tmp_path_factory):
    return load_split(source, tmp_path_factory.mktemp("core"), store)


def test_what_is_left_has_enough_ratings_of_each_film_and_user(source):
    kept = keep_core(pl.read_csv(source / "ratings.csv"))
    assert sorted(kept["userId"].unique()) == [*range(1, USERS + 1)]
    assert 99 not in kept["movieId"]
    for column in ("movieId", "userId"):
        assert kept[column].value_counts()["count"].min() >= 5


def test_the_last_rating_is_the_test_target_and_the_one_before_it_validates(source, loaded):
    valid, split = loaded
    given = keep_core(pl.read_csv(source / "ratings.csv")).sort("userId", "timestamp", "movieId")
    targets = split.scan("ratings").filter(role="target").collect()
    for fold, place in {"test": -1, "validation": -2}.items():
        own = targets.filter(fold=fold).sort("user_id")
        of_files = given.group_by("userId", maintain_order=True).agg(pl.col("movieId").get(place))
        assert own["film_id"].to_list() == of_files["movieId"].to_list()
    assert 99 not in valid.scan("films").collect()["film_id"]  # is in no list


def test_a_hit_counts_by_its_rank(loaded, store):
    _, split = loaded
    target = split.scan("ratings").filter(fold="test", role="target").sort("user_id").collect()
    own = target.select("user_id", "film_id", rank=pl.Series([1, 3] * (USERS // 2)))
    own = own.filter(pl.col("user_id") != USERS)
    missed = pl.DataFrame({"user_id": [USERS], "film_id": [99], "rank": [1]})
    listed = pl.concat([own, missed.cast(dict(own.schema))]).select(
        pl.col("rank").cast(pl.Int32),
        "user_id",
        "film_id",
        predictor=pl.lit("made up"),
        fold=pl.lit("test"),
        title=pl.lit(""),
        rating=pl.lit(None, pl.Float64),
        score=pl.lit(1.0),
        error=pl.lit(None, pl.String),
    )

    def write(draft):
        listed.write_parquet(draft / "lists.parquet")
        return {}

    found = judge(store.build(RankedLists, recipe={}, parents=[split], write=write), split)
    assert found["recall", "made up"].tolist() == [1.0] * (USERS - 1) + [0.0]
    assert found["ndcg", "made up"].tolist() == [1.0, 0.5] * (USERS // 2 - 1) + [1.0, 0.0]


def test_a_figure_is_the_mean_over_seeds_with_an_interval_over_users():
    values = np.stack([np.ones(400), np.arange(400) % 2.0])
    mean, low, high, *each = summarise(values)
    assert (mean, each) == (pytest.approx(0.75), [1.0, 0.5])
    assert (low, high) == pytest.approx((0.7255, 0.7745), abs=0.005)


def test_every_baseline_has_both_figures(source, store, tmp_path):
    found = compare(source, tmp_path, store, seeds=1, shorter=TINY)
    assert [*found] == ["ease", "implicit_als", "popularity", "sasrec", "sasrec, shorter"]
    for of in found.values():
        assert 0 <= of["ndcg"][0] <= of["recall"][0] <= 1

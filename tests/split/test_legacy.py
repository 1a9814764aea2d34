"""The original's selection, on data that is small enough to check by counting."""

import datetime as dt

import polars as pl

from tasks.split.legacy import Legacy

SETTINGS = Legacy(users=3, over=5, top=4, answers=1, validation_users=0.0, test_users=0.0)


def _ratings(films_by_user: dict[int, int]) -> pl.DataFrame:
    rows = [
        (user, film, float(1 + (film * 7 + user) % 5))
        for user, films in films_by_user.items()
        for film in range(1, films + 1)
    ]
    schema = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32}
    moment = pl.lit(dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(rated_at=moment)


def test_the_first_users_with_many_ratings_are_taken_with_their_best_films():
    ratings = _ratings({1: 5, 2: 6, 3: 9, 4: 20, 5: 30})
    assigned = SETTINGS.make_assigner(ratings.lazy())(ratings)
    used = assigned.filter(pl.col("fold") != "unused")
    assert used["user_id"].unique().sort().to_list() == [2, 3, 4]
    for (user,), chosen in used.group_by("user_id"):
        best = ratings.filter(user_id=user).sort("rating", "film_id", descending=True).head(4)
        assert sorted(chosen["film_id"]) == sorted(best["film_id"])
        assert chosen.sort("position")["role"].to_list() == ["context"] * 3 + ["target"]
        assert chosen["position"].max() == 3
    assert (
        assigned.select(ratings.columns).sort(ratings.columns).equals(ratings.sort(ratings.columns))
    )


def test_held_out_users_are_a_share_and_whole():
    ratings = _ratings(dict.fromkeys(range(1, 301), 8))
    held = SETTINGS.model_copy(update={"users": 1000, "test_users": 0.3, "validation_users": 0.2})
    folds = held.make_assigner(ratings.lazy())(ratings).filter(pl.col("fold") != "unused")
    by_user = folds.group_by("user_id").agg(pl.col("fold").unique())
    assert by_user["fold"].list.len().max() == 1
    counts = dict(by_user.explode("fold").group_by("fold").len().iter_rows())
    assert 60 < counts["test"] < 120
    assert 30 < counts["validation"] < 90

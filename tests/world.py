"""A world of two users and ten films, small enough to work every figure by hand.

Folders of tests whose rooms are scored take its fixtures into their conftest.
"""

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from tasks.publish.config import Contest, Margins
from tasks.store.artifacts import Adapter, Artifact, Predictions, SplitRatings, ValidatedRatings
from tasks.store.store import Store

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
GENRES = [
    "Drama",
    "Drama|War",
    "Comedy",
    "Comedy",
    "",
    "Drama",
    "War",
    "War",
    "War",
    "Comedy|Drama",
]
YEARS = [1994, 1999, None, *[2001] * 7]
# user, film, stars, hours after the start, fold
RATED = [
    (1, 8, 4, 0, "train"),
    (1, 9, 4, 1, "train"),
    (1, 10, 2, 2, "validation"),
    (1, 1, 4, 2.5, "test"),
    (1, 2, 2, 20, "test"),
    (2, 5, 3, 0, "train"),
    (2, 10, 3, 1, "train"),
    (2, 1, 5, 100, "test"),
    (2, 3, 3, 1000, "test"),
]
SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
# true rating, mean, median, mode, within_half, pi80_low, pi80_high, probabilities
SAID = [
    (1, 1, 4, 3.5, 4, 4, 4.5, 3, 5, [0.125, 0.125, 0.125, 0.625, 0]),
    (1, 2, 2, 3.0, 3, 3, 3.5, 3, 5, [0.25, 0.25, 0.375, 0.125, 0]),
    (2, 1, 5, 4.5, 4, 5, 4.0, 4, 5, [0, 0, 0.1875, 0.125, 0.6875]),
    (2, 3, 3, 3.0, 5, 1, 3.0, 2, 4, [0.5, 0, 0, 0.25, 0.25]),
]
# The second list names a film that is none, one film twice, and one that the user knows.
NAMED = {1: [4, 1, 2, 6], 2: [3, None, 3, 10]}


def typed(kind: type[Artifact], table: str, rows: dict[str, Any]) -> pl.DataFrame:
    """The rows with the columns and types that the handle promises."""
    types = {
        "string": pl.String,
        "int16": pl.Int16,
        "int32": pl.Int32,
        "int64": pl.Int64,
        "uint32": pl.UInt32,
        "bool": pl.Boolean,
        "float": pl.Float32,
        "double": pl.Float64,
        "list<float>": pl.List(pl.Float32),
        "list<int32>": pl.List(pl.Int32),
        "list<string>": pl.List(pl.String),
        "list<list<int32>>": pl.List(pl.List(pl.Int32)),
        "list<struct<branch: int16, start: int32, end: int32, rating: float>>": pl.List(
            pl.Struct(
                {"branch": pl.Int16, "start": pl.Int32, "end": pl.Int32, "rating": pl.Float32}
            )
        ),
        "timestamp[us, tz=UTC]": pl.Datetime("us", "UTC"),
    }
    columns = kind.tables[table].columns
    height = max((len(v) for v in rows.values() if isinstance(v, list)), default=0)
    series = []
    for name, (arrow, _) in columns.items():
        value = rows.get(name)
        value = value if isinstance(value, list) else [value] * height
        series.append(pl.Series(name, value, dtype=types[arrow], strict=False))
    return pl.DataFrame(series)


@pytest.fixture(scope="session")
def world() -> SimpleNamespace:
    """What is said of the targets, and which lists are named."""
    return SimpleNamespace(SAID=SAID, NAMED=NAMED, SCALE=SCALE)


@pytest.fixture
def ratings(store: Store) -> ValidatedRatings:
    """Ten films; the ratings themselves play no part in scoring."""

    def write(draft):
        films = {
            "film_id": list(range(1, 11)),
            "title": [f"Film {n}" for n in range(1, 11)],
            "year": YEARS,
            "genres": GENRES,
        }
        typed(ValidatedRatings, "films", films).write_parquet(draft / "films.parquet")
        for name in ("ratings", "quarantine"):
            typed(ValidatedRatings, name, {}).write_parquet(draft / f"{name}.parquet")
        return {"dataset": "by-hand", "scale": SCALE, "rules": []}

    return store.build(ValidatedRatings, recipe={}, write=write)


@pytest.fixture
def histories(store: Store, ratings: ValidatedRatings) -> SplitRatings:
    """Two test targets a user."""

    def write(draft):
        user, film, stars, hours, fold = map(list, zip(*RATED, strict=True))
        rows = {
            "user_id": user,
            "film_id": film,
            "rating": stars,
            "rated_at": [START + dt.timedelta(hours=h) for h in hours],
            "position": list(range(len(RATED))),
            "fold": fold,
            "role": ["context" if f == "train" else "target" for f in fold],
            "cold": [False] * len(RATED),
        }
        typed(SplitRatings, "ratings", rows).write_parquet(draft / "ratings.parquet")
        return {"dataset": "by-hand", "scale": SCALE, "protocol": "leave-last-2"}

    return store.build(SplitRatings, recipe={}, parents=[ratings], write=write)


@pytest.fixture
def say(store: Store, histories: SplitRatings) -> Callable[..., Predictions]:
    """`say(name, said, named)`: predictions in the shape of SAID and NAMED."""

    def build(name="hand", said=SAID, named=NAMED):
        def write(draft):
            columns = ("user_id", "film_id", "rating", "mean", "median", "mode", "within_half")
            columns = (*columns, "pi80_low", "pi80_high", "probabilities")
            rows = dict(zip(columns, map(list, zip(*said, strict=True)), strict=True))
            rows |= {"predictor": name, "fold": "test"}
            typed(Predictions, "ratings", rows).write_parquet(draft / "ratings.parquet")
            entries = [(u, r, f) for u, films in named.items() for r, f in enumerate(films, 1)]
            user, rank, film = map(list, zip(*entries, strict=True)) if entries else ([], [], [])
            rows = {"user_id": user, "rank": rank, "film_id": film}
            rows |= {"title": [f"Film {f}" for f in film], "score": [-float(r) for r in rank]}
            rows |= {"predictor": name, "fold": "test"}
            typed(Predictions, "lists", rows).write_parquet(draft / "lists.parquet")
            return {}

        recipe = {"name": name, "said": repr(said), "named": repr(named)}
        return store.build(Predictions, recipe=recipe, parents=[histories], write=write)

    return build


@pytest.fixture
def contest(store: Store, histories: SplitRatings) -> Callable[..., Contest]:
    """`contest(name, against)`: an adapter, and the one that it competes with, if any."""

    def adapter(name):
        def write(draft):
            typed(Adapter, "history", {}).write_parquet(draft / "history.parquet")

        return store.build(Adapter, recipe={"name": name}, parents=[histories], write=write)

    def build(name="first", against=None, **changes):
        margins = Margins(**{"coverage": 0.1} | changes)
        return Contest(adapter(name), margins, against and adapter(against))

    return build

"""A world of two users and ten films, small enough to work every figure by hand.

The conftest of a folder of tests imports the fixtures that it needs.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import Challenge
from tasks.store.artifacts import (
    Adapter,
    Artifact,
    Base,
    Prompts,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
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
COLUMNS = (
    *("user_id", "film_id", "rating", "mean", "median", "mode", "within_half"),
    *("pi80_low", "pi80_high", "probabilities"),
)
PREDICTED = [  # rows of COLUMNS
    (1, 1, 4, 3.5, 4, 4, 4.5, 3, 5, [0.125, 0.125, 0.125, 0.625, 0]),
    (1, 2, 2, 3.0, 3, 3, 3.5, 3, 5, [0.25, 0.25, 0.375, 0.125, 0]),
    (2, 1, 5, 4.5, 4, 5, 4.0, 4, 5, [0, 0, 0.1875, 0.125, 0.6875]),
    (2, 3, 3, 3.0, 5, 1, 3.0, 2, 4, [0.5, 0, 0, 0.25, 0.25]),
]
# The second list names no film at rank 2, film 3 twice, and a film that the user has rated.
LISTED = {1: [4, 1, 2, 6], 2: [3, None, 3, 10]}


def typed(kind: type[Artifact], table: str, rows: dict[str, Any]) -> pl.DataFrame:
    """The rows with the columns and types that the handle promises."""
    types = {
        "string": pl.String,
        "int16": pl.Int16,
        "int32": pl.Int32,
        "int64": pl.Int64,
        "uint16": pl.UInt16,
        "uint32": pl.UInt32,
        "bool": pl.Boolean,
        "float": pl.Float32,
        "double": pl.Float64,
        "list<float>": pl.List(pl.Float32),
        "list<int32>": pl.List(pl.Int32),
        "list<string>": pl.List(pl.String),
        "list<list<int32>>": pl.List(pl.List(pl.Int32)),
        "list<struct<branch: int16, start: int32, end: int32, rating: float, "
        "log_prior: list<float>>>": pl.List(
            pl.Struct(
                {
                    "branch": pl.Int16,
                    "start": pl.Int32,
                    "end": pl.Int32,
                    "rating": pl.Float32,
                    "log_prior": pl.List(pl.Float32),
                }
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
def split(store: Store, ratings: ValidatedRatings) -> SplitRatings:
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
def predict(store: Store, split: SplitRatings) -> Callable[..., RatingPredictions]:
    """`predict(name, rows)`: a predictor's ratings, in the shape of PREDICTED."""

    def build(name="hand", rows=PREDICTED):
        def write(draft):
            table = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
            table |= {"predictor": name, "fold": "test"}
            table["p_like"] = [p and sum(p[3:]) for p in table["probabilities"]]
            typed(RatingPredictions, "ratings", table).write_parquet(draft / "ratings.parquet")

        recipe = {"name": name, "rows": repr(rows)}
        return store.build(RatingPredictions, recipe=recipe, parents=[split], write=write)

    return build


@pytest.fixture
def rank(store: Store, split: SplitRatings) -> Callable[..., RankedLists]:
    """`rank(name, films)`: a predictor's lists, in the shape of LISTED."""

    def build(name="hand", films=LISTED):
        def write(draft):
            places = [(u, r, f) for u, listed in films.items() for r, f in enumerate(listed, 1)]
            user, place, film = map(list, zip(*places, strict=True))
            table = {"user_id": user, "rank": place, "film_id": film}
            table |= {"title": [f"Film {f}" for f in film], "score": [-float(r) for r in place]}
            table["rating"] = 3.25
            table |= {"predictor": name, "fold": "test"}
            typed(RankedLists, "lists", table).write_parquet(draft / "lists.parquet")

        recipe = {"name": name, "films": repr(films)}
        return store.build(RankedLists, recipe=recipe, parents=[split], write=write)

    return build


@pytest.fixture
def challenge(store: Store, split: SplitRatings) -> Callable[..., Challenge]:
    """`challenge(name, against)`: an adapter, and the champion that it is compared with, if any."""

    def build(name="first", against=None, **changes):
        margins = PromotionMargins(**{"coverage": 0.1} | changes)
        champion = bare_adapter(store, split, against) if against else None
        return Challenge(bare_adapter(store, split, name), margins, champion)

    return build


def bare_adapter(store: Store, split: SplitRatings, name: str) -> Adapter:
    """An adapter with the lineage of a trained one, and nothing to predict with."""

    def write_tables(kind):
        def write(draft):
            for table, files in kind.tables.items():
                file = files.files.replace("*", "00000")
                typed(kind, table, {}).write_parquet(draft / file)

        return write

    def build(kind, *parents, **recipe):
        return store.build(kind, recipe=recipe, parents=parents, write=write_tables(kind))

    tokenizer = build(Tokenizer)
    prompts = build(Prompts, split, tokenizer)
    return build(Adapter, build(Base, tokenizer), prompts, name=name)

"""Sums of every metric over all users and over each resample, for each predictor and part.

Whatever is a mean over ratings, or over lists, is known from these sums, and so are its intervals.
They add up from blocks of users, whoever takes them: values are whole millionths, and the sums of
integers below 2^53 are the same in every order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tasks.bootstrap import Resamples
from tasks.executor import Executor
from tasks.progress import track
from tasks.score.config import Score
from tasks.score.relations import blocks, describe
from tasks.score.slices import Slice, film_slices
from tasks.score.statements import bare, statements
from tasks.score.values import MILLION, Metric, block_sums
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = tuple[str, str]  # slice and part
# The executor shares out the cores already. The limit is the process's: no thread sets its own.
ONE_THREAD: dict[str, Any] = {"limits": 1, "user_api": "blas"}
Masks = dict[Part, NDArray[np.bool_]]


class Sums(NamedTuple):
    """`drawn` [1 + resamples, 1 + widths] in millionths: the count, then each metric's sums.

    The first row is over all users, each other one over a resample of them.
    """

    metrics: tuple[Metric, ...]
    drawn: Floats


Table = dict[Part, dict[str, Sums]]  # of each part, by predictor


class Asked(NamedTuple):
    """What is scored, and how."""

    split: SplitRatings
    ratings: ValidatedRatings
    predictions: tuple[RatingPredictions, ...]
    lists: tuple[RankedLists, ...]
    config: Score


@dataclass(frozen=True)
class Scene:
    """The relations of DuckDB, and what all blocks of users have in common."""

    db: duckdb.DuckDBPyConnection
    users: Ints
    predictors: list[str]
    films: Ints
    film_slices: list[Slice]
    user_slices: Masks
    resamples: Resamples

    @classmethod
    def of(cls, db: duckdb.DuckDBPyConnection, asked: Asked) -> "Scene":
        """Describe users and films in an empty database."""
        describe(db, asked.split, asked.ratings, asked.predictions)
        users = db.execute("select user_id from users").fetchnumpy()["user_id"]
        named = db.execute("select distinct predictor from all_ratings order by 1").fetchall()
        return cls(
            db,
            users,
            [str(name) for (name,) in named],
            db.sql("select film_id from film_facts").pl()["film_id"].to_numpy(),
            film_slices(db),
            _user_slices(db, users),
            Resamples(len(users), asked.config.resamples, asked.config.seed),
        )


def rating_sums(scene: Scene, asked: Asked, executor: Executor) -> Table:
    """The sums of what is told of single ratings; a block of users at a time."""
    here = partial(sums_of_block, scene)
    work = partial(_sums_elsewhere, asked) if executor.is_remote else here
    asked_of, table = blocks(scene.db), Table()
    with threadpool_limits(**ONE_THREAD):
        for made in track(executor.map_ordered(work, asked_of), "score", len(asked_of), "blocks"):
            for part, of in made.items():
                known = table.setdefault(part, {})
                for name, sums in of.items():
                    known[name] = _added(known[name], sums) if name in known else sums
    return table


def sums_of_block(scene: Scene, block: tuple[int, int]) -> Table:
    """Those of the users between a first and a last one, in parts that any of them is in."""
    table: Table = {}
    with scene.db.cursor() as own:
        for told in block_sums(own, block, scene.predictors, scene.films, scene.film_slices):
            first = int(np.searchsorted(scene.users, told.users[0]))
            sums = told.sums.astype(np.float64)
            named = {(told.slice.name, label): sums[i] for i, label in enumerate(told.slice.labels)}
            if told.slice.name == "everyone":
                named = _by_user(sums[0], scene.user_slices, first)
            drawn = scene.resamples.sums(np.concatenate([*named.values()], axis=1), first)
            for part, of in zip(named, np.split(drawn, len(named), axis=1), strict=True):
                if of[0, 0]:
                    table.setdefault(part, {})[told.predictor] = Sums(told.metrics, of)
    return table


def list_sums(scene: Scene) -> Table:
    """The sums of what is told of whole lists, where lists are described."""
    told: dict[str, list[tuple[Metric, Floats]]] = {}
    for file, text in statements("metrics/lists"):
        table = scene.db.sql(f"select * from ({bare(text)}) order by predictor, k, user_id").pl()
        for (predictor, k), rows in table.group_by("predictor", "k", maintain_order=True):
            total = np.zeros(len(scene.users))
            value = rows["value"].cast(pl.Float64).to_numpy()
            total[np.searchsorted(scene.users, rows["user_id"])] = np.rint(value * MILLION)
            metric = Metric(file.stem, int(str(k)))
            told.setdefault(str(predictor), []).append((metric, total))
    made: Table = {}
    for predictor, metrics in told.items():
        columns = np.stack([np.ones(len(scene.users)), *(total for _, total in metrics)], axis=1)
        for part, some in _by_user(columns, scene.user_slices, 0).items():
            sums = Sums(tuple(metric for metric, _ in metrics), scene.resamples.sums(some))
            made.setdefault(part, {})[predictor] = sums
    return made


def _by_user(columns: Floats, slices: Masks, first: int) -> dict[Part, Floats]:
    """For each part of the users its columns: those of the other users are 0."""
    at = np.s_[first : first + len(columns)]
    return {part: columns * inside[at, None] for part, inside in slices.items()}


def _user_slices(db: duckdb.DuckDBPyConnection, users: Ints) -> Masks:
    return {
        (file.stem, str(name)): np.isin(users, rows["user_id"])
        for file, text in statements("slices/users")
        for (name,), rows in _parts(db.sql(bare(text)).pl())
    }


def _parts(table: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    yield from table.sort("slice_value", "user_id").group_by("slice_value", maintain_order=True)


@lru_cache(1)
def _scene_of(asked: Asked) -> Scene:
    """A worker has the scene of the last block at hand."""
    return Scene.of(duckdb.connect(config={"threads": 1}), asked)


def _sums_elsewhere(asked: Asked, block: tuple[int, int]) -> Table:
    with threadpool_limits(**ONE_THREAD):
        return sums_of_block(_scene_of(asked), block)


def _added(one: Sums, other: Sums) -> Sums:
    if one.metrics != other.metrics:
        names = sorted({m.name for m in one.metrics} ^ {m.name for m in other.metrics})
        raise ValueError(f"some blocks of users have metrics that others lack: {names}")
    return Sums(one.metrics, one.drawn + other.drawn)

"""Sums every metric over all users and over each resample, by slice value and predictor.

Every mean over ratings or lists, and its interval, follows from these sums. Blocks of users are
summed apart, on any thread or worker: values are whole millionths, and sums of integers below 2^53
are the same in every order.
"""

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
from tasks.liked import Liked
from tasks.progress import track
from tasks.score.config import Score
from tasks.score.halves import Half
from tasks.score.keys import StatementError, join_to_keys, require_keys
from tasks.score.metric import MILLION, Metric
from tasks.score.relations import Block, create_relations, user_blocks
from tasks.score.slices import Slice, film_slices
from tasks.score.statements import read_statements, without_semicolon
from tasks.score.values import block_sums
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SliceValue = tuple[str, str]  # name of the slice, and one of its values
Masks = dict[SliceValue, NDArray[np.bool_]]
# The executor shares out the cores already. The limit is the process's: no thread sets its own.
ONE_THREAD: dict[str, Any] = {"limits": 1, "user_api": "blas"}


class Sums(NamedTuple):
    """`resampled` [1 + resamples, 1 + widths] in millionths: the count, then each metric's sums.

    Row 0 is over all users, each further row over a resample of them.
    """

    metrics: tuple[Metric, ...]
    resampled: Floats


SumTable = dict[SliceValue, dict[str, Sums]]  # by slice value and predictor


class ScoreInputs(NamedTuple):
    """What is scored, and how."""

    split: SplitRatings
    ratings: ValidatedRatings
    predictions: tuple[RatingPredictions, ...]
    lists: tuple[RankedLists, ...]
    config: Score
    liked: Liked = Liked()
    half: Half | None = None


@dataclass(frozen=True)
class ScoreContext:
    """A database with the relations, and what all blocks of users share."""

    db: duckdb.DuckDBPyConnection
    users: Ints
    predictors: list[str]
    films: Ints
    film_slices: list[Slice]
    user_slices: Masks
    resamples: Resamples

    @classmethod
    def create(cls, db: duckdb.DuckDBPyConnection, inputs: ScoreInputs) -> "ScoreContext":
        """Create the relations in an empty database."""
        create_relations(
            db, inputs.split, inputs.ratings, inputs.predictions, inputs.half, inputs.config.seed
        )
        users = db.execute("select user_id from users").fetchnumpy()["user_id"]
        names = db.execute("select distinct predictor from all_ratings order by 1").fetchall()
        return cls(
            db,
            users,
            [str(name) for (name,) in names],
            db.sql("select film_id from film_facts").pl()["film_id"].to_numpy(),
            film_slices(db),
            _user_slices(db, users),
            Resamples(len(users), inputs.config.resamples, inputs.config.seed),
        )


def sum_ratings(context: ScoreContext, inputs: ScoreInputs, executor: Executor) -> SumTable:
    """The sums of sql/metrics/ratings, users and pooled, added up over blocks of users."""
    local = partial(sum_block, context)
    work = partial(_sum_block_remotely, inputs) if executor.is_remote else local
    blocks, table = user_blocks(context.db), SumTable()
    with threadpool_limits(**ONE_THREAD):
        for made in track(executor.map_ordered(work, blocks), "score", len(blocks), "blocks"):
            for value, by_predictor in made.items():
                total = table.setdefault(value, {})
                for name, sums in by_predictor.items():
                    total[name] = _add(total[name], sums) if name in total else sums
    return table


def sum_block(context: ScoreContext, block: Block) -> SumTable:
    """The sums of one block, for the slice values that occur in it."""
    table: SumTable = {}
    with context.db.cursor() as db:
        for found in block_sums(db, block, context.predictors, context.films, context.film_slices):
            first = int(np.searchsorted(context.users, found.users[0]))
            sums = found.sums.astype(np.float64)
            columns = {(found.slice.name, v): sums[i] for i, v in enumerate(found.slice.values)}
            if found.slice.name == "everyone":
                columns = _by_user_slice(sums[0], context.user_slices, first)
            resampled = context.resamples.sums(np.concatenate([*columns.values()], axis=1), first)
            for value, part in zip(columns, np.split(resampled, len(columns), axis=1), strict=True):
                if part[0, 0]:
                    table.setdefault(value, {})[found.predictor] = Sums(found.metrics, part)
    return table


def sum_lists(context: ScoreContext) -> SumTable:
    """The sums of sql/metrics/lists and relevance, after `create_listed`.

    Raises StatementError where a statement does not return a value for each list once.
    """
    totals: dict[str, list[tuple[Metric, Floats]]] = {}
    for folder, relation, key in (
        ("metrics/lists", "listed", ["predictor", "k"]),
        ("metrics/relevance", "judged", ["predictor", "k", "relevance"]),
    ):
        query = f"select distinct {', '.join(key)}, user_id from {relation} order by all"
        keys = context.db.sql(query).pl()
        for file, text in read_statements(folder):
            table = join_to_keys(keys, context.db.sql(without_semicolon(text)).pl(), file.stem)
            if table["value"].null_count():
                raise StatementError(f"{file.stem} returns null for some lists: give each a value")
            for names, rows in table.group_by(key, maintain_order=True):
                predictor, k, *relevance = map(str, names)
                metric, columns = _list_columns(file.stem, int(k), relevance, rows, context.users)
                totals.setdefault(predictor, []).append((metric, columns))
    made: SumTable = {}
    for predictor, found in totals.items():
        metrics, tables = zip(*found, strict=True)
        columns = np.concatenate([np.ones((len(context.users), 1)), *tables], axis=1)
        for value, part in _by_user_slice(columns, context.user_slices, 0).items():
            made.setdefault(value, {})[predictor] = Sums(metrics, context.resamples.sums(part))
    return made


def _list_columns(
    name: str, k: int, relevance: list[str], rows: pl.DataFrame, users: Ints
) -> tuple[Metric, Floats]:
    """A metric of lists with its [users, width]; users without a list of the kind weigh nothing."""
    values = rows["value"].cast(pl.Float64).to_numpy()[:, None]
    if not relevance and "weight" not in rows.columns:
        return Metric(name, k), np.rint(values * MILLION)
    weights = rows["weight"].to_numpy() if "weight" in rows.columns else np.ones(len(rows))
    columns = np.zeros((len(users), 2))
    at = np.searchsorted(users, rows["user_id"].to_numpy())
    columns[at] = np.rint(np.column_stack([values, weights]) * MILLION)
    return Metric(name, k, kind="ratio", relevance=relevance[0] if relevance else None), columns


def _by_user_slice(columns: Floats, slices: Masks, first: int) -> dict[SliceValue, Floats]:
    """For each value of a user slice the columns, with 0 for the users outside it."""
    rows = np.s_[first : first + len(columns)]
    return {value: columns * inside[rows, None] for value, inside in slices.items()}


def _user_slices(db: duckdb.DuckDBPyConnection, users: Ints) -> Masks:
    slices = {}
    for file, text in read_statements("slices/users"):
        table = db.sql(without_semicolon(text)).pl().sort("slice_value", "user_id")
        require_keys(users, table["user_id"], file.stem)
        for (value,), rows in table.group_by("slice_value", maintain_order=True):
            slices[file.stem, str(value)] = np.isin(users, rows["user_id"])
    return slices


@lru_cache(1)
def _context_of(inputs: ScoreInputs) -> ScoreContext:
    """A worker keeps the context of its last block."""
    return ScoreContext.create(duckdb.connect(config={"threads": 1}), inputs)


def _sum_block_remotely(inputs: ScoreInputs, block: Block) -> SumTable:
    with threadpool_limits(**ONE_THREAD):
        return sum_block(_context_of(inputs), block)


def _add(one: Sums, other: Sums) -> Sums:
    if one.metrics != other.metrics:
        names = sorted({m.name for m in one.metrics} ^ {m.name for m in other.metrics})
        raise ValueError(f"some blocks of users have metrics that others lack: {names}")
    return Sums(one.metrics, one.resampled + other.resampled)

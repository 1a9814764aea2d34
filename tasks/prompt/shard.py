"""One shard: the examples of some users, from their ratings to the bytes of a Parquet file."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from transformers import AutoTokenizer

from tasks.features.build import Tell
from tasks.features.point_in_time import Facts
from tasks.features.rating_arrays import RatingArrays
from tasks.prompt.config import Prompt
from tasks.prompt.examples import lay_out
from tasks.prompt.lines import Wording
from tasks.prompt.plan import Plan, within_tokens
from tasks.store.artifacts import Tokenizer, ValidatedRatings

Ints = NDArray[np.int64]


class Material(NamedTuple):
    """What a shard is made from; it can be carried to another machine."""

    rows: RatingArrays
    tell: Tell | None  # None: without facts
    plans: Sequence[Plan]
    first: int  # number of the first example


class Shard(NamedTuple):
    """A file of examples and its tokens, and how many ratings it was made from."""

    file: bytes
    tokens: int
    ratings: int


class Bound(NamedTuple):
    """What all shards have in common."""

    films: pl.DataFrame
    film_ids: Ints
    scale: Sequence[float]
    wording: Wording


@lru_cache(1)
def bound(ratings: ValidatedRatings, tokenizer: Tokenizer, config: Prompt) -> Bound:
    """The films and the wording, put together once in each process."""
    films, scale = ratings.scan("films").collect(), ratings.metadata["scale"]
    loaded: Any = AutoTokenizer.from_pretrained(tokenizer.path)
    wording = Wording(config.template, loaded, films, scale)
    return Bound(films, films["film_id"].to_numpy(), scale, wording)


def make_shard(
    ratings: ValidatedRatings, tokenizer: Tokenizer, config: Prompt, material: Material
) -> Shard:
    """The examples of the plans, numbered on from the first."""
    films, rows = bound(ratings, tokenizer, config), material.rows
    facts = material.tell(rows) if material.tell else None
    plans = [_bounded(plan, rows, facts, films.wording, config) for plan in material.plans]
    table = pa.concat_tables(
        [lay_out(plan, rows, facts, films.film_ids, films.wording) for plan in plans if len(plan)]
    )
    number = pa.array(np.arange(material.first, material.first + len(table)), pa.int64())
    file = pa.BufferOutputStream()
    pq.write_table(table.add_column(0, "example", number), file, compression="zstd")
    tokens = sum(_tokens(table[name]) for name in ("prefix_tokens", "branch_tokens"))
    return Shard(file.getvalue().to_pybytes(), tokens, len(rows.user))


def _bounded(
    plan: Plan, rows: RatingArrays, facts: Facts | None, wording: Wording, config: Prompt
) -> Plan:
    if config.context_tokens is None:
        return plan
    lines = wording.shown(rows, facts)
    return within_tokens(plan, lines.pieces.tokens.lengths, config.context_tokens)


def _tokens(column: pa.ChunkedArray) -> int:
    """How many token ids a column of lists, or of lists of lists, holds."""
    flat = pc.list_flatten(column)
    return len(pc.list_flatten(flat) if pa.types.is_large_list(flat.type) else flat)

"""Makes one shard: from the ratings of some users to the bytes of a Parquet file."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.features.build import ComputeFeatures
from tasks.features.point_in_time import Features
from tasks.features.rating_arrays import RatingArrays
from tasks.prompt.config import Prompt
from tasks.prompt.examples import render_examples
from tasks.prompt.lines import Wording
from tasks.prompt.plan import Plan, limit_tokens
from tasks.store.artifacts import Tokenizer, ValidatedRatings
from tasks.text_tokenizer import load_tokenizer


class ShardInput(NamedTuple):
    """What a shard is made from; it is pickled where an executor is remote."""

    rows: RatingArrays
    compute_features: ComputeFeatures | None  # None: the template has none
    plans: Sequence[Plan]
    first: int  # number of the first example


class Shard(NamedTuple):
    """The bytes of a Parquet file, its tokens, and the ratings it was made from."""

    file: bytes
    tokens: int
    ratings: int


class ShardContext(NamedTuple):
    """What all shards have in common."""

    films: pl.DataFrame
    film_ids: NDArray[np.int64]
    scale: Sequence[float]
    wording: Wording


@lru_cache(1)
def load_context(ratings: ValidatedRatings, tokenizer: Tokenizer, config: Prompt) -> ShardContext:
    """Load films, scale and wording, once in each process."""
    films, scale = ratings.scan("films").collect(), ratings.metadata["scale"]
    loaded: Any = load_tokenizer(tokenizer)
    wording = Wording(config.template, loaded, films, scale)
    return ShardContext(films, films["film_id"].to_numpy(), scale, wording)


def make_shard(
    ratings: ValidatedRatings, tokenizer: Tokenizer, config: Prompt, given: ShardInput
) -> Shard:
    """Render the examples of the plans, numbered from `given.first`."""
    context, rows = load_context(ratings, tokenizer, config), given.rows
    wording = context.wording
    features = given.compute_features(rows) if given.compute_features else None
    if config.needs_priors:
        prior = np.exp(rows.log_prior) @ np.asarray(context.scale)
        features = replace(features or Features.unknown(len(prior)), prior=prior)
    plans = [_limit(plan, rows, features, wording, config) for plan in given.plans]
    table = pa.concat_tables(
        [
            render_examples(plan, rows, features, context.film_ids, wording)
            for plan in plans
            if len(plan)
        ]
    )
    number = pa.array(np.arange(given.first, given.first + len(table)), pa.int64())
    file = pa.BufferOutputStream()
    pq.write_table(table.add_column(0, "example", number), file, compression="zstd")
    tokens = sum(_count_tokens(table[name]) for name in ("prefix_tokens", "branch_tokens"))
    return Shard(file.getvalue().to_pybytes(), tokens, len(rows.user))


def _limit(
    plan: Plan, rows: RatingArrays, features: Features | None, wording: Wording, config: Prompt
) -> Plan:
    if config.context_tokens is None:
        return plan
    lines = wording.context_lines(rows, features)
    return limit_tokens(plan, lines.pieces.tokens.lengths, config.context_tokens)


def _count_tokens(column: pa.ChunkedArray) -> int:
    """Token ids in a column of lists, or of lists of lists."""
    flat = pc.list_flatten(column)
    return len(pc.list_flatten(flat) if pa.types.is_large_list(flat.type) else flat)

"""Cuts a night's work into parts, each of which is finished or done again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts import Prompts

COLUMNS = [
    "example",
    "user_id",
    "fold",
    "kind",
    "film_ids",
    "ratings",
    "prefix_tokens",
    "branch_tokens",
    "spans",
]


class Part(NamedTuple):
    """Some examples of one shard, one fold and one kind."""

    name: str
    kind: str
    examples: pa.Table


def parts_of(prompts: Prompts, users: int, more: Sequence[str] = ()) -> Iterator[Part]:
    """All that is asked for, at most so many users at a time: ratings, and lists for the test.

    `more` names columns that are wanted beside those of tokens.
    """
    for shard, file in enumerate(prompts.files("examples")):
        for kind, fold in (("rate", "validation"), ("rate", "test"), ("recommend", "test")):
            wanted = (pc.field("fold") == fold) & (pc.field("kind") == kind)
            table = pq.read_table(file, columns=[*COLUMNS, *more], filters=wanted)
            for first in range(0, len(table), users):
                name = f"{kind}-{fold}-{shard:05}-{first:06}.parquet"
                yield Part(name, kind, table.slice(first, users))


def finish_part(folder: Path, part: Part, make: Callable[[pa.Table], pl.DataFrame]) -> None:
    """Make the part's table and put it in the folder whole, unless it is there already."""
    if (folder / part.name).exists():
        return
    unfinished = folder / f".{part.name}"
    make(part.examples).write_parquet(unfinished)
    unfinished.rename(folder / part.name)


def joined(folder: Path, kind: str, schema: pl.Schema) -> pl.DataFrame:
    """All finished parts of a kind."""
    files = sorted(folder.glob(f"{kind}-*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files] or [schema.to_frame()])

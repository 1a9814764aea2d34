"""Cuts the examples of prompts into batches of whole users."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.artifacts import Prompts

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
SUFFIX = ".batch"  # a Parquet file with its SHA-256 behind it
READ = 8192  # users whose examples are in memory at once
RATE = (("rate", "validation"), ("rate", "test"))  # kind and fold of the examples
LISTS = (("recommend", "test"),)


class Batch(NamedTuple):
    """The examples of some users, of one fold and kind; column `role`: of which prompts each is."""

    name: str
    examples: pa.Table

    @property
    def users(self) -> int:
        """How many."""
        return pc.count_distinct(self.examples["user_id"]).as_py()


def iter_batches(
    prompts: Mapping[str, Prompts],
    users: int,
    selection: Sequence[tuple[str, str]],
    extra_columns: Sequence[str] = (),
) -> Iterator[Batch]:
    """Examples of the selected kinds and folds, of at most `users` users at a time.

    Those of a user are neighbours, in the order of the prompts, whose names are in a column `role`.
    """
    columns = [*COLUMNS, *extra_columns]
    for kind, fold in selection:
        wanted = (pc.field("fold") == fold) & (pc.field("kind") == kind)
        known = _users(prompts, wanted)
        at_once = -(-READ // users) * users
        for start in range(0, len(known), at_once):
            some = known[start : start + at_once]
            within = (pc.field("user_id") >= some[0]) & (pc.field("user_id") <= some[-1])
            table = _read(prompts, columns, wanted & within)
            ends = np.searchsorted(table["user_id"].to_numpy(), some, side="right")
            for first in range(0, len(some), users):
                begin = int(ends[first - 1]) if first else 0
                end = int(ends[min(first + users, len(some)) - 1])
                name = f"{kind}-{fold}-{start + first:08}{SUFFIX}"
                yield Batch(name, table.slice(begin, end - begin))


def _users(prompts: Mapping[str, Prompts], wanted: pc.Expression) -> NDArray[np.integer]:
    """Those with an example, ascending."""
    files = [file for made in prompts.values() for file in made.files("examples")]
    return np.unique(pq.read_table(files, columns=["user_id"], filters=wanted)["user_id"])


def _read(prompts: Mapping[str, Prompts], columns: list[str], wanted: pc.Expression) -> pa.Table:
    """The examples of all prompts by user, with a column `role`."""
    tables = []
    for role, made in prompts.items():
        table = pq.read_table(made.files("examples"), columns=columns, filters=wanted)
        tables.append(table.append_column("role", pa.repeat(role, len(table))))
    order = np.concatenate([table["user_id"].to_numpy() for table in tables]).argsort(kind="stable")
    return pa.concat_tables(tables).take(order)

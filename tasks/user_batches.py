"""Reads a table that is sorted by user, some whole users at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROWS = 1 << 20  # more make no pass faster, and memory goes with them


def whole_users(
    files: Sequence[Path], columns: Sequence[str] | None = None, rows: int = ROWS
) -> Iterator[pl.DataFrame]:
    """The rows in stored order, about `rows` at a time, no user being cut in two."""
    held: pl.DataFrame | None = None
    for file in files:
        opened = pq.ParquetFile(file, pre_buffer=False)
        for batch in opened.iter_batches(rows, columns=columns):
            frame = pl.DataFrame(pl.from_arrow(batch))
            if held is not None:
                frame = pl.concat([held, frame])
            cut = int(frame["user_id"].search_sorted(frame["user_id"][-1], "left"))
            if cut:
                yield frame[:cut]
            held = frame[cut:]
    if held is not None:
        yield held


def regrouped(tables: Iterable[pl.DataFrame], users: int) -> Iterator[pl.DataFrame]:
    """The same rows with so many users in each table, and the rest of them in the last."""
    held: pl.DataFrame | None = None
    for table in tables:
        held = table if held is None else pl.concat([held, table])
        cuts = np.flatnonzero(_begins(held["user_id"].to_numpy()))[::users].tolist()
        for start, end in pairwise(cuts):
            yield held[start:end]
        held = held[cuts[-1] :] if cuts else held
    if held is not None and held.height:
        yield held


def _begins(user: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where another user begins."""
    return np.concatenate([[True], user[1:] != user[:-1]])[: len(user)]

"""Reads a table that is sorted by user in batches of whole users."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

ROWS = 1 << 20  # a batch; more are no faster, and memory grows with them


def iter_user_batches(
    files: Sequence[Path],
    columns: Sequence[str] | None = None,
    rows: int = ROWS,
    *,
    categorical: Sequence[str] = (),
) -> Iterator[pl.DataFrame]:
    """The rows in stored order, about `rows` in a batch, no user in two batches.

    Text columns that are `categorical` are not spelt out row by row.
    """
    pending: pl.DataFrame | None = None
    for file in files:
        reader = pq.ParquetFile(file, pre_buffer=False, read_dictionary=[*categorical])
        for batch in reader.iter_batches(rows, columns=columns):
            frame = pl.DataFrame(pl.from_arrow(batch))
            if pending is not None:
                frame = pl.concat([pending, frame])
            last_user = int(frame["user_id"].search_sorted(frame["user_id"][-1], "left"))
            if last_user:
                yield frame[:last_user]
            pending = frame[last_user:]
    if pending is not None:
        yield pending


def rebatch(tables: Iterable[pl.DataFrame], users: int) -> Iterator[pl.DataFrame]:
    """The same rows in batches of `users` users, the last one perhaps smaller."""
    pending: pl.DataFrame | None = None
    for table in tables:
        pending = table if pending is None else pl.concat([pending, table])
        cuts = np.flatnonzero(_is_first_row(pending["user_id"].to_numpy()))[::users].tolist()
        for start, end in pairwise(cuts):
            yield pending[start:end]
        pending = pending[cuts[-1] :] if cuts else pending
    if pending is not None and pending.height:
        yield pending


def _is_first_row(user: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether another user begins at each row."""
    return np.concatenate([[True], user[1:] != user[:-1]])[: len(user)]

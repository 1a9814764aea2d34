"""Reads a table that is sorted by user, a range of whole users at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

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

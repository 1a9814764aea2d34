"""Writes valid ratings, deduplicated and in order, a batch of users at a time."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.artifacts import ORIGIN, RATING
from tasks.validate.deduplicate import deduplicate, is_grouped, iter_users
from tasks.validate.row_counts import ValidCounts

MICROSECONDS_A_DAY = 86_400_000_000
SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("film_id", pa.int32()),
        ("rating", pa.float32()),
        ("rated_at", pa.timestamp("us", "UTC")),
    ]
)


def write_valid_ratings(
    db: duckdb.DuckDBPyConnection, raw: Path, draft: Path, violation: str | None
) -> ValidCounts:
    """Write ratings.parquet and count its rows.

    `violation` is the condition of rows that go to quarantine, None where there are none. The view
    `ratings` in `db` reads the file `raw`.
    """
    source, sorted_file = raw, draft / ".sorted.parquet"
    if violation or not is_grouped(raw):
        db.execute(
            f"""copy (
                select {", ".join([*RATING, *ORIGIN])} from ratings
                where not ({violation or "false"}) order by user_id
            ) to $file (format parquet, compression lz4, row_group_size 1000000)""",
            {"file": str(sorted_file)},
        )
        source = sorted_file
    counts = _write(source, draft / "ratings.parquet")
    sorted_file.unlink(missing_ok=True)
    return counts


def _write(source: Path, file: Path) -> ValidCounts:
    valid, kept, halves, days = (Counter[int]() for _ in range(4))
    with pq.ParquetWriter(file, SCHEMA, compression="lz4") as writer:
        for rows in iter_users(source):
            newest = deduplicate(rows)
            _count(valid, rows["source"])
            _count(kept, newest["source"])
            _count(halves, (rows["rating"] * 2).astype(np.int64))
            _count(days, rows["rated_at"] // MICROSECONDS_A_DAY)
            arrays = [pa.array(newest[field.name]).cast(field.type) for field in SCHEMA]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return ValidCounts(
        kept=kept,
        deduplicated=valid - kept,
        rating_histogram={half / 2: halves[half] for half in sorted(halves)},
        daily_counts={date(1970, 1, 1) + timedelta(day): days[day] for day in sorted(days)},
    )


def _count(counts: Counter[int], values: NDArray[np.generic]) -> None:
    """Add how often each of these small, non-negative integers occurs."""
    found = np.bincount(values)
    for value in np.flatnonzero(found):
        counts[int(value)] += int(found[value])

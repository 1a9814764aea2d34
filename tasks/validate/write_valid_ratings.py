"""Writes the ratings that can be trusted, some users at a time."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.artifacts import ORIGIN, RATING
from tasks.validate.deduplicate import by_users, in_order, is_grouped
from tasks.validate.row_counts import Tally

MICROSECONDS_A_DAY = 86_400_000_000
SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("film_id", pa.int32()),
        ("rating", pa.float32()),
        ("rated_at", pa.timestamp("us", "UTC")),
    ]
)


def keep_ratings(db: duckdb.DuckDBPyConnection, raw: Path, draft: Path, bad: str | None) -> Tally:
    """Write ratings.parquet, and count its rows and those that were folded into them.

    `bad` is the condition of rows that are set aside, None where there are none. The view
    `ratings` in `db` is over the file `raw`.
    """
    source, file = raw, draft / "ratings.parquet"
    cleaned = draft / ".cleaned.parquet"
    if bad or not is_grouped(raw):
        db.execute(f"""
            copy (
                select {", ".join([*RATING, *ORIGIN])} from ratings where not ({bad or "false"})
                order by user_id
            ) to '{cleaned}' (format parquet, compression lz4, row_group_size 1000000)""")
        source = cleaned
    tally = _write(source, file)
    cleaned.unlink(missing_ok=True)
    return tally


def _write(source: Path, file: Path) -> Tally:
    came, kept, halves, days = (Counter[int]() for _ in range(4))
    with pq.ParquetWriter(file, SCHEMA, compression="lz4") as writer:
        for rows in by_users(source):
            newest = in_order(rows)
            _count(came, rows["source"])
            _count(kept, newest["source"])
            _count(halves, (rows["rating"] * 2).astype(np.int64))
            _count(days, rows["rated_at"] // MICROSECONDS_A_DAY)
            arrays = [pa.array(newest[field.name]).cast(field.type) for field in SCHEMA]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return Tally(
        kept=dict(kept),
        folded={source: n - kept[source] for source, n in came.items()},
        by_star={half / 2: halves[half] for half in sorted(halves)},
        by_day={date(1970, 1, 1) + timedelta(day): days[day] for day in sorted(days)},
    )


def _count(counts: Counter[int], values: NDArray[np.generic]) -> None:
    """Add how often each of these small, non-negative numbers is there."""
    found = np.bincount(values)
    for value in np.flatnonzero(found):
        counts[int(value)] += int(found[value])

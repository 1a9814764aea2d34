"""Writes the ratings that can be trusted, some users at a time."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.artifacts import ORIGIN, RATING
from tasks.validate.account import Counts
from tasks.validate.newest import by_users, in_order, is_grouped

SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("film_id", pa.int32()),
        ("rating", pa.float32()),
        ("rated_at", pa.timestamp("us", "UTC")),
    ]
)


def keep_ratings(
    db: duckdb.DuckDBPyConnection, raw: Path, draft: Path, bad: str | None
) -> tuple[Counts, Counts]:
    """Write ratings.parquet; return kept and folded rows by source.

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
    kept, folded = _write(source, file)
    cleaned.unlink(missing_ok=True)
    return kept, folded


def _write(source: Path, file: Path) -> tuple[Counts, Counts]:
    kept: Counts = {}
    folded: Counts = {}
    with pq.ParquetWriter(file, SCHEMA, compression="lz4") as writer:
        for rows in by_users(source):
            newest = in_order(rows)
            came = np.bincount(rows["source"])
            stays = np.bincount(newest["source"], minlength=len(came))
            for number in np.flatnonzero(came):
                kept[int(number)] = kept.get(int(number), 0) + int(stays[number])
                left = int(came[number] - stays[number])
                folded[int(number)] = folded.get(int(number), 0) + left
            arrays = [pa.array(newest[field.name]).cast(field.type) for field in SCHEMA]
            writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return kept, folded

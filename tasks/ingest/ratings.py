"""Reads ratings in batches; a line that cannot be typed becomes a reject."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.ingest.detect_format import Source
from tasks.ingest.heads import read_head
from tasks.ingest.lines import LineReader, Lines
from tasks.ingest.parquet_types import ParquetColumns
from tasks.ingest.times import parse_seconds, parse_text
from tasks.store.artifacts import RATING

BATCH = 1_000_000  # rows; a batch takes some 40 MB
TYPES = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32}
TIMES = {"seconds": pl.Int64, "fraction": pl.Float64, "text": pl.String}


@dataclass(frozen=True)
class Batch:
    """Consecutive rows: those that could be typed, the rejects, and the last row's line."""

    ratings: pl.DataFrame
    rejects: pl.DataFrame
    last_line: int


def read_ratings(source: Source, number: int, lines: Lines) -> Iterator[Batch]:
    """The rows in file order, with all of RawRatings' columns; `source` is `number`."""
    rows = _scan_parquet(source) if source.format.separator == "" else _scan_text(source)
    typed = rows.select(*RATING, "line", "surplus", source=pl.lit(number, pl.UInt16))
    with LineReader(source.file) as reader:
        for batch in typed.collect_batches(chunk_size=BATCH, maintain_order=True):
            if len(lines.continued):  # a row is not always one line
                placed = lines.of_rows(batch["line"].to_numpy().astype(np.int64))
                batch = batch.with_columns(line=pl.Series(placed, dtype=pl.UInt32))
            whole = pl.all_horizontal(pl.col(*RATING).is_not_null()) & pl.col("surplus").is_null()
            good = batch.filter(whole)
            bad = batch if good.is_empty() else batch.filter(~whole)
            rejects = _describe_rejects(bad, reader if source.format.separator else None)
            yield Batch(good.drop("surplus"), rejects, int(batch["line"][-1]))


def _scan_text(source: Source) -> pl.LazyFrame:
    """Every line behind the header, with the needed columns typed where possible.

    An extra last column, `surplus`, receives what follows the last field of a line.
    """
    known = source.format
    names = list(known.fields) or read_head(source.file, known.separator).names
    names = [n if n in known.columns.values() else f"other {i}" for i, n in enumerate(names)]
    kinds = {
        known.columns[name]: kind
        for name, kind in (TYPES | {"rated_at": TIMES[known.time]}).items()
    }
    gaps = known.separator[1:]  # "::" is read as ":" with an empty column between any two
    columns: dict[str, type[pl.DataType]] = {}
    for place, name in enumerate(names):
        if place and gaps:
            columns[f"gap {place}"] = pl.String
        columns[name] = kinds.get(name, pl.String)
    parse = parse_text if known.time == "text" else parse_seconds
    rows = pl.scan_csv(
        source.file,
        glob=False,
        separator=known.separator[0],
        quote_char='"' if known.quoted else None,
        has_header=False,
        skip_rows=0 if known.fields else 1,
        schema=columns | {"surplus": pl.String},
        ignore_errors=True,
        truncate_ragged_lines=True,
        missing_columns="insert",
        extra_columns="ignore",
        encoding="utf8-lossy",
        row_index_name="line",
        row_index_offset=1 if known.fields else 2,
    )
    ours = {name: pl.col(theirs) for name, theirs in known.columns.items()}
    return rows.select("line", "surplus", **ours | {"rated_at": parse(ours["rated_at"])})


def _scan_parquet(source: Source) -> pl.LazyFrame:
    columns, theirs = ParquetColumns(source.file), source.format.columns
    rows = pl.scan_parquet(source.file, glob=False).with_row_index("line", offset=2)
    return rows.select(
        "line",
        user_id=columns.integer(theirs["user_id"]),
        film_id=columns.integer(theirs["film_id"]),
        rating=columns.number(theirs["rating"]),
        rated_at=columns.time(theirs["rated_at"]),
        surplus=pl.lit(None, pl.String),
    )


def _describe_rejects(bad: pl.DataFrame, reader: LineReader | None) -> pl.DataFrame:
    """The table of rejects, with the reason and an excerpt; blank lines are no rows."""
    missing = pl.concat_list(pl.when(pl.col(n).is_null()).then(pl.lit(n)) for n in RATING)
    excerpts = reader.read_lines(set(bad["line"])) if reader else {}
    reason = (
        pl.when(pl.col("surplus").is_not_null())
        .then(pl.lit("too many fields"))
        .otherwise(pl.format("no {} can be read", missing.list.drop_nulls().list.join(", ")))
    )
    excerpt = pl.col("line").replace_strict(excerpts, default=None, return_dtype=pl.String)
    shown = bad.with_columns(excerpt=excerpt)
    return shown.filter(pl.col("excerpt").is_null() | (pl.col("excerpt") != "")).select(
        relation=pl.lit("ratings"),
        source="source",
        line="line",
        rule=pl.lit("typed"),
        detail=pl.concat_str(reason, pl.col("excerpt"), separator=": ", ignore_nulls=True),
    )

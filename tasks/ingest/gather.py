"""Reads all sources into one table of ratings, one of films and one of rejects."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.download import SourceError
from tasks.ingest.bounds import check_parquet, check_rows
from tasks.ingest.detect_format import Source
from tasks.ingest.films import read_films
from tasks.ingest.lines import Lines, index_lines
from tasks.ingest.ratings import read_ratings
from tasks.progress import progress
from tasks.store.artifacts import RawRatings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HashedSource:
    """A source with the hash of its bytes and its lines."""

    source: Source
    sha256: str
    lines: Lines

    @property
    def identity(self) -> dict[str, str]:
        """What the fingerprint depends on."""
        return {
            "name": self.source.file.name,
            "relation": self.source.format.relation,
            "layout": self.source.format.producer,
            "sha256": self.sha256,
        }


def hash_sources(sources: Iterable[Source]) -> list[HashedSource]:
    """Hash the sources; of identical files, keep the first.

    Raises SourceError where a file is larger than a run can take, or a quote is not closed.
    """
    found: dict[tuple[str, str], HashedSource] = {}
    for source in sources:
        known = source.format
        if known.separator == "":
            check_parquet(source.file, known.relation)
        strict = known.quoted and known.separator == "," and known.relation == "ratings"
        sha256, lines = index_lines(source.file, quoted=known.quoted, strict=strict)
        check_rows(source.file.name, known.relation, lines.count)
        found.setdefault((sha256, known.relation), HashedSource(source, sha256, lines))
    return list(found.values())


def gather(sources: list[HashedSource], draft: Path, *, as_of: date | None) -> dict[str, Any]:
    """Write ratings, films and rejects into `draft`; return the metadata.

    Only ratings of days before `as_of` are kept.
    """
    films, rejects, counts = [], [], []
    with _Writer(draft / "ratings.parquet", "ratings") as ratings:
        for number, hashed in enumerate(sources):
            file, known = hashed.source.file, hashed.source.format
            log.info("%s: %s in the format of %s", file.name, known.relation, known.producer)
            if known.relation == "films":
                table, bad = read_films(hashed.source, number)
                films.append(table)
                rejects.append(bad)
                counts.append({"rows": len(table), "rejected": len(bad), "later": 0})
            else:
                counts.append(_write_ratings(hashed, number, ratings, rejects, as_of))
    _require_ratings(sources, counts, as_of)
    for name, tables in (("films", films), ("rejects", rejects)):
        columns = list(RawRatings.tables[name].columns)
        pl.concat(tables).select(columns).write_parquet(draft / f"{name}.parquet")
    return {
        "layout": sources[0].source.format.producer,
        "sources": [hashed.identity | count for hashed, count in zip(sources, counts, strict=True)],
    }


def _write_ratings(
    hashed: HashedSource,
    number: int,
    ratings: "_Writer",
    rejects: list[pl.DataFrame],
    as_of: date | None,
) -> dict[str, int]:
    """Write a source's ratings; count rows, rejects, and ratings not before `as_of`."""
    rows = rejected = later = last = 0
    with progress("ingest", hashed.lines.count, "lines") as bar:
        for batch in read_ratings(hashed.source, number, hashed.lines):
            typed = batch.ratings
            known = typed.filter(pl.col("rated_at").dt.date() < as_of) if as_of else typed
            ratings.write(known)
            rejects.append(batch.rejects)
            rows, rejected = rows + len(known), rejected + len(batch.rejects)
            later += len(typed) - len(known)
            bar.update(batch.last_line - last)
            last = batch.last_line
    if last < hashed.lines.last_row and last:
        raise SourceError(
            f"{hashed.source.file.name} has rows up to line {hashed.lines.last_row}, but "
            f"only those up to line {last} can be parsed: check for an unclosed quote after it"
        )
    return {"rows": rows, "rejected": rejected, "later": later}


def _require_ratings(
    sources: list[HashedSource], counts: list[dict[str, int]], as_of: date | None
) -> None:
    """Raise SourceError where there is not one rating."""
    found = [
        (hashed.source.file.name, count)
        for hashed, count in zip(sources, counts, strict=True)
        if hashed.source.format.relation == "ratings"
    ]
    if not any(count["rows"] + count["rejected"] for _, count in found):
        names = ", ".join(name for name, _ in found)
        if later := sum(count["later"] for _, count in found):
            raise SourceError(f"{names}: all {later} ratings are from {as_of} or later")
        raise SourceError(f"{names}: there are no ratings behind the header")


class _Writer:
    """Appends batches to a table of RawRatings, a row group each."""

    def __init__(self, file: Path, table: str) -> None:
        names = {"float": "float32", "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC")}
        columns = RawRatings.tables[table].columns.items()
        self.schema = pa.schema([(n, names.get(kind, kind)) for n, (kind, _) in columns])
        self.writer = pq.ParquetWriter(file, self.schema, compression="lz4")

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def write(self, batch: pl.DataFrame) -> None:
        """Append the rows, if any."""
        if len(batch):
            columns = batch.select(self.schema.names).to_arrow()
            self.writer.write_table(columns.cast(self.schema))

"""Brings all sources of a night into one table of ratings, one of films and one of rejects."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.detect_format import Source
from tasks.ingest.download import SourceError
from tasks.ingest.films import read_films
from tasks.ingest.lines import Lines, read_through
from tasks.ingest.ratings import read_ratings
from tasks.progress import progress
from tasks.store.artifacts import RawRatings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Told:
    """A source with the hash of its bytes, how many lines it has, and how they are parted."""

    source: Source
    sha256: str
    lines: Lines

    @property
    def identity(self) -> dict[str, str]:
        """What makes it the same source again."""
        return {
            "name": self.source.file.name,
            "relation": self.source.format.relation,
            "layout": self.source.format.producer,
            "sha256": self.sha256,
        }


def told(sources: Iterable[Source]) -> list[Told]:
    """The sources with their hashes; a file that is there twice counts once."""
    found: dict[tuple[str, str], Told] = {}
    for source in sources:
        sha256, lines = read_through(source.file, quoted=source.format.quoted)
        found.setdefault((sha256, source.format.relation), Told(source, sha256, lines))
    return list(found.values())


def gather(sources: list[Told], draft: Path, *, as_of: date | None) -> dict[str, Any]:
    """Write ratings, films and rejects into `draft`; return the notes.

    Of ratings, only those of days before `as_of` are taken.
    """
    films, rejects, counts = [], [], []
    with _Writer(draft / "ratings.parquet", "ratings") as ratings:
        for number, of in enumerate(sources):
            log.info("%s: %s as %s has them", of.source.file.name, *list(of.identity.values())[1:3])
            if of.source.format.relation == "films":
                table, bad = read_films(of.source, number)
                films.append(table)
                rejects.append(bad)
                counts.append({"rows": len(table), "rejected": len(bad), "later": 0})
            else:
                counts.append(_ratings(of, number, ratings, rejects, as_of))
    _some_ratings(sources, counts, as_of)
    for name, tables in (("films", films), ("rejects", rejects)):
        columns = list(RawRatings.tables[name].columns)
        pl.concat(tables).select(columns).write_parquet(draft / f"{name}.parquet")
    return {
        "layout": sources[0].source.format.producer,
        "sources": [of.identity | count for of, count in zip(sources, counts, strict=True)],
    }


def _ratings(
    of: Told, number: int, ratings: "_Writer", rejects: list[pl.DataFrame], as_of: date | None
) -> dict[str, int]:
    """Write a source's ratings; count what came, was rejected, and is later than is known."""
    rows = rejected = later = last = 0
    with progress("ingest", of.lines.count, "lines") as bar:
        for batch in read_ratings(of.source, number, of.lines):
            typed = batch.ratings
            known = typed.filter(pl.col("rated_at").dt.date() < as_of) if as_of else typed
            ratings.write(known)
            rejects.append(batch.rejects)
            rows, rejected = rows + len(known), rejected + len(batch.rejects)
            later += len(typed) - len(known)
            bar.update(batch.last_line - last)
            last = batch.last_line
    if last < of.lines.last_row and last:
        raise SourceError(
            f"{of.source.file.name} has rows up to line {of.lines.last_row}, but only those up to "
            f"line {last} can be told apart: see whether a quote is left open after it"
        )
    return {"rows": rows, "rejected": rejected, "later": later}


def _some_ratings(sources: list[Told], counts: list[dict[str, int]], as_of: date | None) -> None:
    """SourceError where there is not one rating."""
    found = [
        (of.source.file.name, count)
        for of, count in zip(sources, counts, strict=True)
        if of.source.format.relation == "ratings"
    ]
    if not any(count["rows"] + count["rejected"] for _, count in found):
        names = ", ".join(name for name, _ in found)
        if later := sum(count["later"] for _, count in found):
            raise SourceError(f"{names}: all {later} ratings are from {as_of} or later")
        raise SourceError(f"{names}: there are no ratings behind the header")


class _Writer:
    """A table of RawRatings that grows by batches, a row group each."""

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
        """Append the rows, where there are any."""
        if len(batch):
            columns = batch.select(self.schema.names).to_arrow()
            self.writer.write_table(columns.cast(self.schema))

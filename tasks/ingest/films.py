"""Reads films; a line that cannot be typed becomes a reject."""

import csv
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tasks.ingest.detect_format import Source
from tasks.ingest.download import SourceError
from tasks.ingest.sources import GENRES_100K, Format
from tasks.store.artifacts import RawRatings

log = logging.getLogger(__name__)
YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$")  # (1995), and (2006-2007) for a series
POLARS = {"int32": pl.Int32, "int16": pl.Int16, "uint16": pl.UInt16, "uint32": pl.UInt32}
LARGEST_ID = 2**31 - 1


def read_films(source: Source, number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(films, rejects), in file order, with the columns of RawRatings; `source` is `number`.

    Appends the year to titles without one where the file has a column of years.
    """
    films: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    rows = _read_parquet(source) if source.format.separator == "" else _read_text(source)
    for line, row in rows:
        place = {"source": number, "line": line}
        if error := _find_error(row):
            rejects.append({"relation": "films", **place, "rule": "typed", "detail": error})
        else:
            films.append(_to_film(row, source.format) | place)
    return _table("films", films), _table("rejects", rejects)


def _read_text(source: Source) -> Iterator[tuple[int, dict[str, str | None]]]:
    """(line, fields by name) of each row behind the header; the name "" has a surplus field."""
    known = source.format
    lines = _decode(source.file).splitlines(keepends=True)
    rows: Iterator[tuple[int, list[str]]]
    if len(known.separator) > 1:
        rows = ((n, line.rstrip("\r\n").split(known.separator)) for n, line in enumerate(lines, 1))
    else:
        rows = _parse_csv(source, lines)
    names = list(known.fields) or next(rows)[1]
    theirs = {theirs: ours for ours, theirs in known.columns.items()}
    for line, fields in rows:
        if not any(fields):
            continue
        row: dict[str, Any] = {theirs.get(n, n): f for n, f in zip(names, fields, strict=False)}
        if len(fields) > len(names):
            row[""] = fields[-1]
        yield line, row


def _parse_csv(source: Source, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    known = source.format
    reader = csv.reader(
        lines,
        delimiter=known.separator,
        quoting=csv.QUOTE_MINIMAL if known.quoted else csv.QUOTE_NONE,
    )
    before = 0
    try:
        for fields in reader:
            yield before + 1, fields
            before = reader.line_num
    except csv.Error as error:
        raise SourceError(
            f"{source.file.name}, line {reader.line_num}: {error}; check for an unclosed quote"
        ) from None


def _decode(file: Path) -> str:
    """The text, as UTF-8 or else as Latin-1, the encoding of the older data sets."""
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        log.info("%s is not UTF-8: read as Latin-1", file.name)
        return data.decode("latin-1")


def _read_parquet(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    columns = [pl.col(theirs).alias(ours) for ours, theirs in source.format.columns.items()]
    table = (
        pl.scan_parquet(source.file, glob=False)
        .select(columns)
        .unique(maintain_order=True)
        .collect()
    )
    yield from enumerate(table.iter_rows(named=True), start=2)


def _find_error(row: dict[str, Any]) -> str | None:
    """Why a row cannot be typed as a film; None where it can."""
    if "" in row:
        return "too many fields"
    missing = [name for name in ("film_id", "title") if row.get(name) in (None, "")]
    if "film_id" not in missing and not _is_id(row["film_id"]):
        missing = ["film_id", *missing]
    if missing:
        return f"no {', '.join(missing)} can be read: {' '.join(map(str, row.values()))[:120]}"
    if "\n" in str(row["title"]).strip():
        return "the title spans several lines: check for an unclosed quote"
    return None


def _is_id(value: object) -> bool:
    text = str(value).strip()
    return re.fullmatch(r"[+-]?\d+", text) is not None and abs(int(text)) <= LARGEST_ID


def _to_film(row: dict[str, Any], known: Format) -> dict[str, Any]:
    title = str(row["title"]).strip()
    own_year = str(row.get("year") or "").strip()
    year = match[1] if (match := YEAR.search(title)) else None
    if year is None and re.fullmatch(r"\d{4}", own_year):
        year, title = own_year, f"{title} ({own_year})"
    return {
        "film_id": int(row["film_id"]),
        "title": title,
        "year": None if year is None else int(year),
        "genres": _genres(row, known),
    }


def _genres(row: dict[str, Any], known: Format) -> str:
    if known.producer == "ml-100k":
        return "|".join(genre for genre in GENRES_100K[1:] if row.get(genre) == "1")
    genres = str(row.get("genres") or "").strip()
    if genres == "(no genres listed)":
        return ""
    return genres.replace(known.genre_separator, "|")


def _table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = RawRatings.tables[name].columns
    schema = {column: POLARS.get(kind, pl.String) for column, (kind, _) in columns.items()}
    return pl.DataFrame(rows, schema=schema, orient="row")

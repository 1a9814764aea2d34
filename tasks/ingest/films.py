"""Reads films; a line that cannot be typed becomes a reject."""

import ast
import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tasks.download import SourceError
from tasks.ingest.detect_format import Source
from tasks.ingest.formats import GENRES_100K, Format
from tasks.ingest.parquet_types import ParquetColumns
from tasks.plain_text import MAX_LENGTH, escape_control
from tasks.store.artifacts import RawRatings

log = logging.getLogger(__name__)
YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)\s*$")  # (1995), and (2006-2007) for a series
POLARS = {"int32": pl.Int32, "int16": pl.Int16, "uint16": pl.UInt16, "uint32": pl.UInt32}
LARGEST_ID = 2**31 - 1
ERROR = "error"  # key of a row that has another number of fields than the header
NO_GENRE = ("", "(no genres listed)", "nan", "none", "null")


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
            detail = escape_control(error)
            rejects.append({"relation": "films", **place, "rule": "typed", "detail": detail})
        else:
            films.append(_to_film(row, source.format) | place)
    return _table("films", films), _table("rejects", rejects)


def _read_text(source: Source) -> Iterator[tuple[int, dict[str, str | None]]]:
    """(line, fields by our names) of each row behind the header.

    A row of CSV that ends before the last needed column may be a title cut by a line end.
    """
    known = source.format
    lines = io.StringIO(_decode(source.file), newline="")
    rows: Iterator[tuple[int, list[str]]]
    if len(known.separator) > 1:
        rows = ((n, line.rstrip("\r\n").split(known.separator)) for n, line in enumerate(lines, 1))
    else:
        rows = _parse_csv(source, lines)
    names = list(known.fields) or next(rows)[1]
    theirs = {theirs: ours for ours, theirs in known.columns.items()}
    needed = max(map(names.index, theirs), default=0) + 1 if known.separator == "," else 0
    for line, fields in rows:
        if not any(fields):
            continue
        row: dict[str, Any] = {theirs.get(n, n): f for n, f in zip(names, fields, strict=False)}
        if any(fields[len(names) :]):
            row[ERROR] = "too many fields"
        elif len(fields) < needed:
            row[ERROR] = "too few fields"
        yield line, row


def _parse_csv(source: Source, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
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
    """The text as UTF-8, else Windows-1252, else Latin-1, which decodes any bytes.

    The older data sets are in Latin-1. Windows-1252 differs from it in 0x80 to 0x9F only, which
    are punctuation there and control characters in Latin-1.
    """
    data = file.read_bytes()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            log.info("%s is not in %s", file.name, encoding)
    return data.decode("latin-1")


def _read_parquet(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    columns, theirs = ParquetColumns(source.file), source.format.columns
    table = pl.scan_parquet(source.file, glob=False).select(
        film_id=columns.integer(theirs["film_id"]),
        title=columns.text(theirs["title"]).str.strip_chars().str.head(MAX_LENGTH + 1),
        genres=columns.text(theirs["genres"]).str.head(csv.field_size_limit()),
    )
    rows = table.unique(maintain_order=True).collect().iter_rows(named=True)
    yield from enumerate(rows, start=2)


def _find_error(row: dict[str, Any]) -> str | None:
    """Why a row cannot be typed as a film; None where it can."""
    if ERROR in row:
        return f"{row.pop(ERROR)}: {' '.join(map(str, row.values()))[:120]}"
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
    # Python converts no 5,000 digits.
    return re.fullmatch(r"[+-]?\d{1,100}", text) is not None and abs(int(text)) <= LARGEST_ID


def _to_film(row: dict[str, Any], known: Format) -> dict[str, Any]:
    title = str(row["title"]).strip()
    own_year = str(row.get("year") or "").strip()
    year = match[1] if (match := YEAR.search(title)) else None
    if year is None and re.fullmatch(r"\d{4}", own_year):
        year, title = own_year, f"{title} ({own_year})"
    return {
        "film_id": int(row["film_id"]),
        "title": title[: MAX_LENGTH + 1],  # longer than allowed is what validation finds
        "year": None if year is None else int(year),
        "genres": _genres(row, known)[: MAX_LENGTH + 1],
    }


def _genres(row: dict[str, Any], known: Format) -> str:
    if known.producer == "ml-100k":
        return "|".join(genre for genre in GENRES_100K[1:] if row.get(genre) == "1")
    genres = str(row.get("genres") or "").strip()
    if genres.startswith(("[", "(")):
        parts = _names_in_list(genres)
    else:
        separators = (known.genre_separator, "|", ";", ",", " / ")
        parts = genres.split(next((s for s in separators if s in genres), "|"))
    words = (" ".join(part.split()) for part in parts)  # a line end would be one of the prompt
    named = (word for word in words if word.lower() not in NO_GENRE)
    return "|".join(dict.fromkeys(named))  # named twice, a film would count twice in its genre


def _names_in_list(text: str) -> list[str]:
    """The genres of a JSON list or Python tuple of names or {"name": ...}; else the text itself."""
    try:
        items = ast.literal_eval(text)
        names = [item["name"] if isinstance(item, dict) else item for item in items]
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        return [text]
    return names if all(isinstance(name, str) for name in names) else [text]


def _table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns = RawRatings.tables[name].columns
    schema = {column: POLARS.get(kind, pl.String) for column, (kind, _) in columns.items()}
    return pl.DataFrame(rows, schema=schema, orient="row")

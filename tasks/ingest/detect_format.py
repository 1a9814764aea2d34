"""Detects the format of a file from its name and header."""

import csv
import fnmatch
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.download import SourceError
from tasks.ingest.sources import FORMATS, MOVIELENS, MOVIES, Format

HEAD = 1 << 16  # bytes that are read for the header
MAGIC_BYTES = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK": "zip"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz")
MILLISECONDS = 10**11  # as seconds, the year 5138


@dataclass(frozen=True)
class Source:
    """A file and its format."""

    file: Path
    format: Format


@dataclass(frozen=True)
class Head:
    """The header of a file and its first row; empty lists where there is none."""

    names: list[str]
    first: list[str]


def detect_sources(files: Iterable[Path], origin: str) -> list[Source]:
    """The sources among these files, ratings before films; a file may be both.

    Raises SourceError where ratings or films are missing; `origin` names the data set.
    """
    files = sorted(files)
    sources = [source for file in files if file.is_file() for source in detect_formats(file)]
    for relation, columns in (("ratings", MOVIELENS), ("films", MOVIES)):
        if not any(source.format.relation == relation for source in sources):
            raise SourceError(
                f"no {relation} in {origin}: it holds {_describe(files)}; "
                f"{relation} have the columns {', '.join(columns.values())}"
            )
    return sorted(sources, key=lambda s: (s.format.relation == "films", s.file.name))


def detect_formats(file: Path) -> list[Source]:
    """The sources in a file: ratings, films, both or none."""
    candidates = [known for known in FORMATS if fnmatch.fnmatch(file.name, known.files)]
    if not candidates:
        return []
    head = read_head(file, candidates[0].separator)
    found = {known.relation: known for known in reversed(candidates) if _matches(file, known, head)}
    return [Source(file, known) for known in found.values()]


def read_head(file: Path, separator: str) -> Head:
    """The first two lines as fields. Raises SourceError where the file cannot be read as text."""
    if file.suffix == ".parquet":
        return _parquet_head(file)
    try:
        with file.open("rb") as opened:
            start = opened.read(HEAD)
    except OSError as error:
        raise SourceError(f"{file.name} cannot be read: {error.strerror}") from None
    for magic, name in MAGIC_BYTES.items():
        if start.startswith(magic):
            raise SourceError(f"{file.name} is {name}, not text in UTF-8: convert it")
    if b"\r" in start and b"\n" not in start:
        raise SourceError(f"{file.name} ends its lines by carriage returns: convert them to \\n")
    lines = start.decode("utf-8-sig", errors="replace").splitlines()
    if len(separator) > 1:
        rows = [line.split(separator) for line in lines[:2]]
    else:
        try:
            rows = list(itertools.islice(csv.reader(lines, delimiter=separator), 2))
        except csv.Error as error:
            raise SourceError(f"{file.name} has no readable header: {error}") from None
    return Head(*rows, *([[]] * (2 - len(rows))))


def _parquet_head(file: Path) -> Head:
    try:
        return Head(list(pq.read_schema(file).names), [])
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{file.name} is no whole Parquet file: {error}") from None


def _matches(file: Path, known: Format, head: Head) -> bool:
    if known.fields:
        return True
    needed = known.columns.values()
    if not set(needed) <= set(head.names):
        return False
    if duplicates := [name for name in needed if head.names.count(name) > 1]:
        raise SourceError(f'{file.name}: two columns are called "{duplicates[0]}": keep one')
    if known.relation == "films" or known.separator == "":
        return True
    return (known.time == "text") == _has_text_times(file, head, known.columns["rated_at"])


def _has_text_times(file: Path, head: Head, column: str) -> bool:
    """Whether times are dates as text. Raises SourceError where they are in milliseconds."""
    value = dict(zip(head.names, head.first, strict=False)).get(column, "")
    if value.isdecimal() and int(value) >= MILLISECONDS:
        raise SourceError(
            f'{file.name}: column "{column}" is in milliseconds ({value}): divide it by 1000'
        )
    return "-" in value[1:] or ":" in value


def _describe(files: Sequence[Path]) -> str:
    """The files for an error message, with the columns of those that have a header."""
    return "; ".join(_describe_file(file) for file in files) or "nothing"


def _describe_file(file: Path) -> str:
    if file.is_dir():
        return f"{file.name} (a folder)"
    if not file.exists():
        return f"{file.name} (a link to nowhere)"
    if file.suffix in COMPRESSED:
        return f"{file.name} (packed: unpack it)"
    if not file.stat().st_size:
        return f"{file.name} (empty)"
    if file.suffix not in (".csv", ".parquet", ".inter", ".item"):
        return file.name
    names = read_head(file, "\t" if file.suffix in (".inter", ".item") else ",").names
    return f"{file.name} ({', '.join(names)})"[:300]

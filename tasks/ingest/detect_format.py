"""Detects the format of a file from its name and header."""

import fnmatch
import logging
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import polars as pl

from tasks.download import SourceError
from tasks.ingest.bounds import check_link
from tasks.ingest.formats import FORMATS, MOVIELENS, MOVIES, Format
from tasks.ingest.heads import SAMPLE, Head, UnreadableError, read_head

log = logging.getLogger(__name__)
SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t", ".parquet": ""}
NEEDED = re.compile("rating|movie|film", re.IGNORECASE)  # in the name of an unreadable file
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz")
MILLISECONDS = 10**11  # as seconds, the year 5138
LONGEST_TIME = 20  # digits
UNITS = (("nanoseconds", 10**9), ("microseconds", 10**6), ("milliseconds", 10**3))


@dataclass(frozen=True)
class Source:
    """A file and its format."""

    file: Path
    format: Format


def detect_sources(files: Iterable[Path], origin: str) -> list[Source]:
    """The sources among these files, ratings before films; a file may be both.

    Raises SourceError where ratings or films are missing; `origin` names the data set.
    """
    files = sorted(file for file in files if not file.name.startswith("."))
    sources: list[Source] = []
    unreadable: list[tuple[Path, UnreadableError]] = []
    for file in files:
        try:
            sources += detect_formats(file) if file.is_file() else []
        except UnreadableError as error:
            unreadable.append((file, error))
    for file, reason in unreadable:
        if len({source.format.relation for source in sources}) < 2 or NEEDED.search(file.name):
            raise reason
        log.warning("%s: ignored, ratings and films are in other files", reason)
    if len(names := [s.file.name for s in sources if s.format.relation == "ratings"]) > 1:
        log.warning(
            "ratings are merged from %s: if they overlap, name a folder with one of them",
            ", ".join(names),
        )
    for relation, columns in (("ratings", MOVIELENS), ("films", MOVIES)):
        if not any(source.format.relation == relation for source in sources):
            raise SourceError(
                f"no {relation} in {origin}: it holds {_describe(files)}; "
                f"{relation} have the columns {', '.join(columns.values())}"
            )
    return sorted(sources, key=lambda s: (s.format.relation == "films", s.file.name))


def is_known(file: PurePath) -> bool:
    """Whether the name is that of a known format."""
    return bool(_candidates(file))


def detect_formats(file: Path) -> list[Source]:
    """The sources in a file: ratings, films, both or none.

    Raises SourceError where it is a link to a file elsewhere.
    """
    candidates = _candidates(file)
    if not candidates:
        return []
    check_link(file)
    head = read_head(file, candidates[0].separator)
    found = {known.relation: known for known in reversed(candidates) if _matches(file, known, head)}
    return [Source(file, known) for known in found.values()]


def _candidates(file: PurePath) -> list[Format]:
    return [known for known in FORMATS if fnmatch.fnmatch(file.name.lower(), known.files)]


def _matches(file: Path, known: Format, head: Head) -> bool:
    if known.fields:
        return True
    needed = known.columns.values()
    if not set(needed) <= set(head.names):
        return False
    if duplicates := [name for name in needed if head.names.count(name) > 1]:
        raise SourceError(f'{file.name}: two columns are called "{duplicates[0]}": keep one')
    if known.relation == "films":
        return True
    column = known.columns["rated_at"]
    if known.separator == "":
        _check_unit(file, column, _sample_integers(file, column))
        return True
    return (known.time == "text") == _has_text_times(file, head, column)


def _has_text_times(file: Path, head: Head, column: str) -> bool:
    """Whether most times are dates as text. Raises SourceError where they are in milliseconds."""
    values = head.values(column)
    _check_unit(file, column, [_to_integer(value) for value in values])
    dates = [value for value in values if re.search(r"\d[-:/]", value)]
    return len(dates) > len(values) / 2


def _to_integer(value: str) -> int:
    """0 for what is no number of seconds: Python converts no 5,000 digits."""
    return int(value) if value.isdecimal() and len(value) <= LONGEST_TIME else 0


def _sample_integers(file: Path, column: str) -> list[int]:
    """The first values of a Parquet column of numbers; none of another type."""
    values = pl.scan_parquet(file, glob=False).select(column).head(SAMPLE).collect()[column]
    numbers = values.cast(pl.Float64) if values.dtype.is_numeric() else pl.Series(dtype=pl.Float64)
    return [int(value) for value in numbers.drop_nulls() if math.isfinite(value)]


def _check_unit(file: Path, column: str, seconds: Sequence[int]) -> None:
    """Raise SourceError where most times are too large for seconds."""
    large = [value for value in seconds if value >= MILLISECONDS]
    if len(large) > len(seconds) / 2:
        unit, factor = next(u for u in UNITS if large[0] >= MILLISECONDS * u[1] // 1000)
        raise SourceError(
            f'{file.name}: column "{column}" is in {unit} ({large[0]}): divide it by {factor}'
        )


def _describe(files: Sequence[Path]) -> str:
    """The files for an error message, with the columns of those that have a header."""
    return "; ".join(_describe_file(file) for file in files) or "nothing"


def _describe_file(file: Path) -> str:
    if file.is_dir():
        return f"{file.name} (a folder)"
    if not file.exists():
        return f"{file.name} (a link to nowhere)"
    suffix = file.suffix.lower()
    if suffix in COMPRESSED:
        return f"{file.name} (packed: unpack it)"
    if not file.stat().st_size:
        return f"{file.name} (empty)"
    if suffix not in SEPARATORS:
        return file.name
    names = read_head(file, SEPARATORS[suffix]).names
    plain = (name == name.strip() and name.isprintable() for name in names)
    shown = (name if ok else repr(name) for name, ok in zip(names, plain, strict=True))
    return f"{file.name} ({', '.join(shown)})"[:300]

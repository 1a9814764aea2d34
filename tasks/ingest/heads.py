"""Reads the header and the first rows of a file."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.download import SourceError

HEAD = 1 << 16  # bytes that are read for the header and the sample
SAMPLE = 100  # rows that decide how times are read
MAGIC_BYTES = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x1f\x8b": "gzip", b"PK": "zip"}


class UnreadableError(SourceError):
    """A file has no readable header, so that it is unknown whether the data set needs it."""


@dataclass(frozen=True)
class Head:
    """The header of a file and its first rows; empty where there are none."""

    names: list[str]
    sample: list[list[str]]

    def values(self, column: str) -> list[str]:
        """The values of a column in the sample that are not blank."""
        place = self.names.index(column)
        found = (row[place].strip() for row in self.sample if len(row) > place)
        return [value for value in found if value]


def read_head(file: Path, separator: str) -> Head:
    """The first lines as fields. Raises SourceError where the file cannot be read as text."""
    if separator == "":
        return _parquet_head(file)
    try:
        with file.open("rb") as opened:
            start = opened.read(HEAD)
    except OSError as error:
        raise UnreadableError(f"{file.name} cannot be read: {error.strerror}") from None
    for magic, name in MAGIC_BYTES.items():
        if start.startswith(magic):
            raise UnreadableError(f"{file.name} is {name}, not text in UTF-8: convert it")
    if b"\r" in start and b"\n" not in start:
        raise UnreadableError(
            f"{file.name} ends its lines by carriage returns: convert them to \\n"
        )
    lines = io.StringIO(start.decode("utf-8-sig", errors="replace"), newline="").readlines()
    lines = lines[: SAMPLE + 1]
    if len(separator) > 1:
        rows = [line.rstrip("\r\n").split(separator) for line in lines]
    else:
        try:
            rows = list(csv.reader(lines, delimiter=separator))
        except csv.Error as error:
            raise UnreadableError(f"{file.name} has no readable header: {error}") from None
    return Head(rows[0] if rows else [], rows[1:])


def _parquet_head(file: Path) -> Head:
    try:
        return Head(list(pq.read_schema(file).names), [])
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"{file.name} is no whole Parquet file: {error}") from None

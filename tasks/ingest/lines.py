"""Reads a file once for its hash and its lines, and knows which line a row begins in."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.ingest.download import SourceError

BLOCK = 1 << 23
LONGEST = 100  # lines of one row; past that, a quote was left open
SHOWN = 120  # characters of a line that are told


@dataclass(frozen=True)
class Lines:
    """How many lines a file has, and which of them (the first being 1) go on a quoted field."""

    count: int
    inner: NDArray[np.int64]

    @property
    def last_row(self) -> int:
        """The line in which the last row begins; 0 for Parquet, which has no lines."""
        line = self.count
        inner = set(self.inner[-LONGEST:].tolist())
        while line in inner:
            line -= 1
        return line

    def of_rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The line in which each of these rows begins, the first being row 1."""
        before = self.inner - np.arange(1, len(self.inner) + 1)  # rows that have begun by then
        return numbers + np.searchsorted(before, numbers, side="left")


def read_through(file: Path, *, quoted: bool) -> tuple[str, Lines]:
    """The file's SHA-256, and its lines.

    Raises SourceError where a quote is left open, with the line that it stands in.
    """
    digest, count, is_open, last = hashlib.sha256(), 0, False, b"\n"
    inner = [np.empty(0, np.int64)]
    text = file.suffix != ".parquet"
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
            last = block[-1:]
            if text and quoted and (is_open or b'"' in block):
                found, is_open = _inside(block, is_open)
                inner.append(found + count + 2)
            count += block.count(b"\n") * text
    lines = Lines(count + (text and last != b"\n"), np.concatenate(inner))
    if line := _left_open(lines, is_open):
        raise SourceError(
            f"{file.name}, line {line}: the quote that opens here is not closed: close it, or "
            "take it away"
        )
    return digest.hexdigest(), lines


def _inside(block: bytes, is_open: bool) -> tuple[NDArray[np.int64], bool]:
    """Which of the block's newlines (the first being 0) are quoted, and whether its end is."""
    symbols = np.frombuffer(block, np.uint8)
    parity = np.cumsum(symbols == ord('"'), dtype=np.uint8) & 1
    ends = parity[symbols == ord("\n")] ^ is_open
    return np.flatnonzero(ends), bool(parity[-1] ^ is_open)


def _left_open(lines: Lines, is_open: bool) -> int | None:
    """The line of a quote that is closed nowhere, or only LONGEST lines later."""
    runs = np.split(lines.inner, np.flatnonzero(np.diff(lines.inner) > 1) + 1)
    if is_open:
        goes_on = len(runs[-1]) and runs[-1][-1] >= lines.count
        return int(runs[-1][0]) - 1 if goes_on else lines.count
    longest = max(runs, key=len)
    return int(longest[0]) - 1 if len(longest) > LONGEST else None


class LineReader:
    """What stands in some lines of a file, asked for from its beginning to its end."""

    def __init__(self, file: Path) -> None:
        self.opened = file.open(encoding="utf-8", errors="replace", newline="\n")
        self.read = 0

    def __enter__(self) -> "LineReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def told(self, wanted: set[int]) -> dict[int, str]:
        """The beginning of each wanted line, none of which lies before one asked for earlier."""
        found = {}
        while wanted and self.read < max(wanted):
            line = self.opened.readline()
            self.read += 1
            if self.read in wanted:
                found[self.read] = line.strip()[:SHOWN]
        return found

"""Hashes a file and maps its rows to its lines, in one pass."""

import hashlib
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.download import SourceError
from tasks.plain_text import escape_control

BLOCK = 1 << 23
MAX_LINES_PER_ROW = 100  # longer rows mean an unclosed quote
EXCERPT_LENGTH = 120  # characters of a line in an error


@dataclass(frozen=True)
class Lines:
    """The number of lines of a file, and those (from 1) that continue a quoted field."""

    count: int
    continued: NDArray[np.int64]

    @property
    def last_row(self) -> int:
        """The line in which the last row begins; 0 for Parquet, which has no lines."""
        line = self.count
        continued = set(self.continued[-MAX_LINES_PER_ROW:].tolist())
        while line in continued:
            line -= 1
        return line

    def of_rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The line in which each of these rows (from 1) begins."""
        before = self.continued - np.arange(1, len(self.continued) + 1)  # rows begun by then
        return numbers + np.searchsorted(before, numbers, side="left")


def index_lines(file: Path, *, quoted: bool, strict: bool) -> tuple[str, Lines]:
    """The file's SHA-256 and its lines. Raises SourceError where a quote is not closed.

    With `strict`, also where a quote is inside a field: Polars loses rows behind it.
    """
    digest, count, is_open, last = hashlib.sha256(), 0, False, b"\n"
    continued = [np.empty(0, np.int64)]
    text = file.suffix.lower() != ".parquet"
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
            checked = last + block
            if opened.tell() == len(block) and block.startswith(BOM_UTF8):
                checked = checked.replace(BOM_UTF8, b"\n\n\n", 1)  # it is before the first field
            if strict and (quote := _find_inner_quote(checked)) is not None:
                line = count + 1 + block[:quote].count(b"\n")
                raise SourceError(
                    f"{file.name}, line {line}: a quote inside a field: remove it, or double it "
                    "and quote the field"
                )
            last = block[-1:]
            if text and quoted and (is_open or b'"' in block):
                found, is_open = _quoted_newlines(block, is_open)
                continued.append(found + count + 2)
            count += block.count(b"\n") * text
    lines = Lines(count + (text and last != b"\n"), np.concatenate(continued))
    if opening := _unclosed_quote(lines, is_open):
        raise SourceError(
            f"{file.name}, line {opening}: the quote that opens here is not closed: close or "
            "remove it"
        )
    return digest.hexdigest(), lines


def _find_inner_quote(text: bytes) -> int | None:
    """The place of the first quote with neither a field's start before it nor its end behind."""
    if b'"' not in text:
        return None
    symbols = np.frombuffer(text + b"\n", np.uint8)
    quotes = np.flatnonzero(symbols[1:] == ord('"')) + 1
    before, behind = symbols[quotes - 1], symbols[quotes + 1]
    inner = quotes[~np.isin(before, list(b',\n"')) & ~np.isin(behind, list(b',\r\n"'))]
    return int(inner[0]) - 1 if len(inner) else None


def _quoted_newlines(block: bytes, is_open: bool) -> tuple[NDArray[np.int64], bool]:
    """Indices of the block's quoted newlines, and whether a quote is open at its end."""
    symbols = np.frombuffer(block, np.uint8)
    parity = np.cumsum(symbols == ord('"'), dtype=np.uint8) & 1
    ends = parity[symbols == ord("\n")] ^ is_open
    return np.flatnonzero(ends), bool(parity[-1] ^ is_open)


def _unclosed_quote(lines: Lines, is_open: bool) -> int | None:
    """The line of a quote that is not closed within MAX_LINES_PER_ROW lines, if any."""
    runs = np.split(lines.continued, np.flatnonzero(np.diff(lines.continued) > 1) + 1)
    if is_open:
        continues = len(runs[-1]) and runs[-1][-1] >= lines.count
        return int(runs[-1][0]) - 1 if continues else lines.count
    longest = max(runs, key=len)
    return int(longest[0]) - 1 if len(longest) > MAX_LINES_PER_ROW else None


class LineReader:
    """Reads chosen lines of a file, in one pass over ascending requests."""

    def __init__(self, file: Path) -> None:
        self.opened = file.open(encoding="utf-8", errors="replace", newline="\n")
        self.read = 0

    def __enter__(self) -> "LineReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def read_lines(self, numbers: set[int]) -> dict[int, str]:
        """Excerpts by line number; every number is larger than those of earlier calls."""
        found = {}
        while numbers and self.read < max(numbers):
            line = self.opened.readline()
            self.read += 1
            if self.read in numbers:
                found[self.read] = escape_control(line.strip()[:EXCERPT_LENGTH])
        return found

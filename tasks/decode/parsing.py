"""Parses lists that were generated as free text, each line from its right end.

Titles hold commas (27 % of the original's answer lines), ratings and genres do not.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
from rapidfuzz import fuzz, process

from tasks.titles import make_key

LINE = re.compile(r"^(?P<title>.*?)(?:, (?P<genres>[^,]*))?, Rating:? (?P<rating>\d(?:\.\d)?)$")
NEAR = 85  # similarity of keys in percent: one letter of eight


class ParsedLine(NamedTuple):
    """A line of a list; `error` is None where nothing is wrong."""

    title: str
    film_id: int | None
    rating: float | None
    error: str | None


@dataclass(frozen=True)
class TitleIndex:
    """Films by their title as prompts spell it, and the keys of all titles."""

    by_title: dict[str, list[int]]
    keys: list[str]

    @classmethod
    def from_lines(cls, films: pl.DataFrame, rating_prefix: str) -> "TitleIndex":
        """From film_id and the lines that end in `, Genres, Rating: `."""
        by_title: dict[str, list[int]] = {}
        for film_id, line in films.select("film_id", "line").iter_rows():
            title = line.removesuffix(rating_prefix).rpartition(", ")[0]
            by_title.setdefault(title, []).append(film_id)
        return cls(by_title, [make_key(title) for title in by_title])

    def has_similar(self, title: str) -> bool:
        """Whether a film's key is that of the title, but for a typing error."""
        key = make_key(title)
        return process.extractOne(key, self.keys, scorer=fuzz.ratio, score_cutoff=NEAR) is not None


def parse_list(
    text: str, index: TitleIndex, eligible: Collection[int], length: int
) -> list[ParsedLine]:
    """Parse the first `length` lines of an answer.

    Among films that share a title, the first that is eligible and not yet in the list is taken.
    """
    lines = [line for line in text.split("\n")[:-1] if line.strip()]
    rest = text.rpartition("\n")[2].strip()
    parsed: list[ParsedLine] = []
    named: set[int] = set()
    for line in lines[:length]:
        entry = _parse(line.strip(), index, eligible, named)
        named |= {entry.film_id} if entry.film_id is not None else set()
        parsed.append(entry)
    if rest and len(parsed) < length:
        parsed.append(ParsedLine(rest, None, None, "cut off"))
    return parsed or [ParsedLine("", None, None, "no text")]


def _parse(line: str, index: TitleIndex, eligible: Collection[int], named: set[int]) -> ParsedLine:
    match = LINE.match(line)
    if not match:
        return ParsedLine(line, None, None, "no rating")
    title, rating = match["title"].strip(), float(match["rating"])
    if not title:
        return ParsedLine(title, None, rating, "no title")
    films = index.by_title.get(title)
    if films is None:
        error = "near title" if index.has_similar(title) else "unknown title"
        return ParsedLine(title, None, rating, error)
    free = [film for film in films if film in eligible and film not in named]
    if free:
        return ParsedLine(title, free[0], rating, None)
    error = "repeated" if films[0] in named else "seen or too new"
    return ParsedLine(title, films[0], rating, error)

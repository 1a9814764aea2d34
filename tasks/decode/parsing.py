"""Reads lists that were written freely, each line from its right end, and names what is wrong.

Titles hold commas (27 % of the original's answer lines), ratings and genres do not.
"""

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from tasks.titles import key_of

LINE = re.compile(r"^(?P<title>.*?)(?:, (?P<genres>[^,]*))?, Rating:? (?P<rating>\d(?:\.\d)?)$")
NEAR = 0.85  # similarity of titles, by difflib


class Entry(NamedTuple):
    """A line as it was read; `failure` is None where nothing is wrong."""

    title: str
    film_id: int | None
    rating: float | None
    failure: str | None


@dataclass(frozen=True)
class Catalogue:
    """Films by title as prompts word it, and by its key."""

    by_title: dict[str, list[int]]
    by_key: dict[str, list[int]]

    @classmethod
    def of(cls, films: pl.DataFrame, rating_prefix: str) -> "Catalogue":
        """From the lines that end in `, Genres, Rating: `."""
        by_title: dict[str, list[int]] = {}
        by_key: dict[str, list[int]] = {}
        for film_id, line in films.select("film_id", "line").iter_rows():
            title = line.removesuffix(rating_prefix).rpartition(", ")[0]
            by_title.setdefault(title, []).append(film_id)
            by_key.setdefault(key_of(title), []).append(film_id)
        return cls(by_title, by_key)


def parse_list(text: str, catalogue: Catalogue, may: Collection[int], length: int) -> list[Entry]:
    """The first lines of an answer. `may` are the films that the user may be told of.

    A film that shares its title with another is taken for the one that may be named.
    """
    lines = [line for line in text.split("\n")[:-1] if line.strip()]
    rest = text.rpartition("\n")[2].strip()
    entries: list[Entry] = []
    named: set[int] = set()
    for line in lines[:length]:
        entry = _parse(line.strip(), catalogue, may, named)
        named |= {entry.film_id} if entry.film_id is not None else set()
        entries.append(entry)
    if rest and len(entries) < length:
        entries.append(Entry(rest, None, None, "cut off"))
    return entries or [Entry("", None, None, "no text")]


def _parse(line: str, catalogue: Catalogue, may: Collection[int], named: set[int]) -> Entry:
    found = LINE.match(line)
    if not found:
        return Entry(line, None, None, "no rating")
    title, rating = found["title"].strip(), float(found["rating"])
    if not title:
        return Entry(title, None, rating, "no title")
    films = catalogue.by_title.get(title)
    if films is None:
        near = difflib.get_close_matches(key_of(title), catalogue.by_key, n=1, cutoff=NEAR)
        return Entry(title, None, rating, "near title" if near else "unknown title")
    free = [film for film in films if film in may and film not in named]
    if free:
        return Entry(title, free[0], rating, None)
    return Entry(title, films[0], rating, "repeated" if films[0] in named else "seen or too new")

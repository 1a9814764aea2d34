"""Understands film titles as people type them: any case, articles anywhere, years left out."""

import difflib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

ByKey = dict[str, list[dict[str, Any]]]
ARTICLES = "the|an|a|les|le|la|los|las|el|il|der|die|das"
TAIL = re.compile(rf"^(.*), ({ARTICLES})$", re.IGNORECASE)
HEAD = re.compile(rf"^({ARTICLES}) (.+)$", re.IGNORECASE)
YEAR = re.compile(r"\s*\((\d{4})\)\s*$")


class Understood(NamedTuple):
    """What was typed, and the film that it was taken for."""

    typed: str
    film_id: int
    title: str
    rating: float


class TitleError(ValueError):
    """What was typed names no film, or is not of the form Title=rating."""


def understand(
    typed: Sequence[str], films: pl.DataFrame, low: float, high: float
) -> list[Understood]:
    """Films and ratings of texts such as `toy story=5`; of films that fit, the most rated.

    `films` has film_id, title and count. A title that fits none is taken for the nearest one.
    Raises TitleError where nothing is near, a rating is missing or outside of low to high, or two
    texts mean one film.
    """
    by_key: ByKey = {}
    for film in films.sort("count", "film_id", descending=[True, False]).iter_rows(named=True):
        by_key.setdefault(key_of(film["title"]), []).append(film)
    found: dict[int, Understood] = {}
    for text in typed:
        one = _understand(text, by_key, low, high)
        if one.film_id in found:
            raise TitleError(f'"{text}" and "{found[one.film_id].typed}" both mean {one.title}')
        found[one.film_id] = one
    return list(found.values())


def key_of(title: str) -> str:
    """`The Usual Suspects` and `Usual Suspects, The (1995)` have one key: usual suspects."""
    plain = YEAR.sub("", title.strip()).casefold()
    plain = re.sub(r"\s*\([^)]*\)", "", plain)  # other names, in brackets
    plain = TAIL.sub(r"\1", plain)
    plain = HEAD.sub(r"\2", plain)
    return " ".join(re.findall(r"\w+", plain.replace("&", " and ")))


def _understand(
    text: str, by_key: dict[str, list[dict[str, Any]]], low: float, high: float
) -> Understood:
    title, equals, value = text.rpartition("=")
    try:
        rating = float(value)
    except ValueError:
        rating = float("nan")
    if not equals or not low <= rating <= high:
        raise TitleError(
            f'"{text}" does not end in a rating from {low} to {high}: write "Toy Story (1995)=5"'
        )
    key = key_of(title)
    near = [key] if key in by_key else difflib.get_close_matches(key, by_key, n=3, cutoff=0.6)
    if not near:
        raise TitleError(f'no film is called anything like "{title}"')
    if near[0] != key and difflib.SequenceMatcher(None, key, near[0]).ratio() < 0.8:
        names = ", ".join(by_key[k][0]["title"] for k in near)
        raise TitleError(f'no film is called "{title}": did you mean {names}?')
    year = YEAR.search(title)
    films = by_key[near[0]]
    same_year = [film for film in films if year and f"({year[1]})" in film["title"]]
    film = (same_year or films)[0]
    return Understood(text, film["film_id"], film["title"], rating)

"""Matches film titles as people type them: any case, articles anywhere, years left out."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl
from rapidfuzz import fuzz, process

Film = dict[str, Any]
FRONT = "the|an|a|les|le|la|los|las|el|il|der|das"  # without "die": Die Hard is not Hard
TAIL = re.compile(rf"^(.*), ({FRONT}|die)$")
HEAD = re.compile(rf"^({FRONT}) (.+)$")
YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
OTHER_NAMES = re.compile(r"(?<=\S)\s*\([^)]*\)")  # `Postino, Il (Postman, The)`
ACCENTS = re.compile("[\u0300-\u036f]")
# Similarity in percent, 100 * 2 * longest common subsequence / letters of both. With one typing
# error 100 % of MovieLens' titles of six letters or more reach MATCH, with two 93 %.
MATCH, SUGGEST = 80, 60


class TitleMatch(NamedTuple):
    """A typed text, and the film and rating that it was taken for."""

    typed: str
    film_id: int
    title: str
    rating: float


class TitleError(ValueError):
    """A typed text that names no film, or is not of the form Title=rating."""


def match_titles(
    typed: Sequence[str], films: pl.DataFrame, low: float, high: float
) -> list[TitleMatch]:
    """Match texts such as `toy story=5` to films; the most rated of those that fit.

    `films` has film_id, title and count. A title that fits none is taken for the nearest one.
    Raises TitleError where no title is near, a rating is missing or outside of low to high, or two
    texts mean one film.
    """
    by_key: dict[str, list[Film]] = {}
    for film in films.sort("count", "film_id", descending=[True, False]).iter_rows(named=True):
        by_key.setdefault(make_key(film["title"]), []).append(film)
    matches: dict[int, TitleMatch] = {}
    for text in typed:
        title, rating = _parse(text, low, high)
        film = _find(title, by_key)
        match = TitleMatch(text, film["film_id"], film["title"], rating)
        if other := matches.get(match.film_id):
            raise TitleError(f'"{text}" and "{other.typed}" both mean {match.title}')
        matches[match.film_id] = match
    return list(matches.values())


def make_key(title: str) -> str:
    """`The Usual Suspects` and `Usual Suspects, The (1995)` have one key: usual suspects.

    Without accents, year, other names in brackets, article and punctuation; a title of nothing but
    punctuation is its own key.
    """
    plain = ACCENTS.sub("", unicodedata.normalize("NFKD", title)).casefold().strip()
    plain = TAIL.sub(r"\2 \1", OTHER_NAMES.sub("", YEAR.sub("", plain)))
    plain = unicodedata.normalize("NFC", HEAD.sub(r"\2", plain).replace("&", " and "))
    if not any(c.isalnum() for c in plain):
        return plain or title.strip()
    return " ".join("".join(c if _is_word(c) else " " for c in plain).split())


def _is_word(character: str) -> bool:
    """Letters, digits, and marks, which are the vowels of some scripts."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _parse(text: str, low: float, high: float) -> tuple[str, float]:
    title, _, value = text.rpartition("=")
    try:
        rating = float(value)
    except ValueError:
        rating = float("nan")
    if not title.strip() or not low <= rating <= high:
        raise TitleError(
            f'"{text}" is no title with a rating from {low} to {high}: write "Toy Story (1995)=5"'
        )
    return title, rating


def _find(title: str, by_key: dict[str, list[Film]]) -> Film:
    """The film of that year, else of exactly that title, else the most rated."""
    key = make_key(title)
    films = by_key.get(key) or _find_similar(title, key, by_key)
    year, exact = YEAR.search(title), title.strip().casefold()
    return max(
        films,
        key=lambda film: (
            bool(year and f"({year[1]})" in film["title"]),
            YEAR.sub("", film["title"]).strip().casefold() == exact,
        ),
    )


def _find_similar(title: str, key: str, by_key: dict[str, list[Film]]) -> list[Film]:
    """The films of the nearest key; one with other numbers is only suggested: 2 is no typo of 3."""
    near = process.extract(key, by_key.keys(), scorer=fuzz.ratio, limit=3, score_cutoff=SUGGEST)
    if not near:
        raise TitleError(f'no film is called anything like "{title}"')
    best, score, _ = near[0]
    if score < MATCH or re.findall(r"\d+", best) != re.findall(r"\d+", key):
        names = ", ".join(by_key[other][0]["title"] for other, *_ in near)
        raise TitleError(f'no film is called "{title}": did you mean {names}?')
    return by_key[best]

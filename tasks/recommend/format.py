"""Words an answer for people and for programs."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from tasks.store.artifacts import Recommendations, SplitRatings, ValidatedRatings


@dataclass(frozen=True)
class Film:
    """One line of the answer."""

    film_id: int
    title: str
    genres: str
    rating: float  # expected
    low: float  # of the interval that holds 80 % of the ratings
    high: float
    because: list[dict[str, Any]]  # own films, by title, and the stars that each adds


@dataclass(frozen=True)
class Advice:
    """What was understood, and the films."""

    asker: int
    understood: list[dict[str, Any]]
    films: list[Film]

    @property
    def heading(self) -> str:
        """Who is told, and what was taken for what."""
        if not self.understood:
            return f"for user {self.asker}"
        told = "; ".join(f"{one['title']}: {one['rating']:g}" for one in self.understood)
        return f"for one who rated {told}"

    def rows(self) -> list[dict[str, str]]:
        """As a table of words, in which two genres and a line a reason are enough."""
        return [
            {
                "film": film.title,
                "genres": ", ".join(film.genres.split("|")[:2]),
                "expected": f"{film.rating:.1f} ({film.low:.1f} to {film.high:.1f})",
                "because of": "\n".join(f"+{b['stars']:.2f} {b['title']}" for b in film.because),
            }
            for film in self.films
        ]

    def json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def advice_of(found: Recommendations, asked: SplitRatings, ratings: ValidatedRatings) -> Advice:
    """Join the tables of an answer with the films' titles and genres."""
    films = {row["film_id"]: row for row in ratings.scan("films").collect().iter_rows(named=True)}
    predicted = {
        row["film_id"]: row for row in found.scan("ratings").collect().iter_rows(named=True)
    }
    reasons = json.loads((found.path / "reasons.json").read_text())
    listed = found.scan("lists").sort("rank").collect()["film_id"]
    notes, titles = asked.metadata, [film["title"] for film in films.values()]
    return Advice(
        asker=notes["asker"],
        understood=notes["understood"],
        films=[
            Film(
                film_id=film,
                title=films[film]["title"],
                genres=films[film]["genres"],
                rating=predicted[film]["mean"],
                low=predicted[film]["pi80_low"],
                high=predicted[film]["pi80_high"],
                because=[
                    {"title": _title(reason["line"], titles), "stars": reason["stars"]}
                    for reason in reasons[str(film)]
                ],
            )
            for film in listed
        ],
    )


def _title(line: str, titles: list[str]) -> str:
    """Of the film that a line of a prompt is about."""
    return max((title for title in titles if line.startswith(f"{title}, ")), key=len, default=line)

"""Formats recommendations for people and for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.plain_text import escape_control
from tasks.store.artifacts import Recommendations, SplitRatings, ValidatedRatings
from tasks.templates import film_texts


@dataclass(frozen=True)
class RecommendedFilm:
    """One film of the list; `reasons` are films that the person rated, with the stars each adds."""

    film_id: int
    title: str
    genres: str
    expected: float  # stars
    pi80_low: float  # of the 80 % prediction interval
    pi80_high: float
    p_like: float  # probability of 4 stars or more
    reasons: list[dict[str, Any]]


@dataclass(frozen=True)
class Recommendation:
    """The user, or None; the typed ratings with the films they were taken for; and the list."""

    user: int | None
    typed: list[dict[str, Any]]
    films: list[RecommendedFilm]

    @property
    def heading(self) -> str:
        """`for user 1, with Toy Story (1995): 1 instead of 4`."""
        rated = "; ".join(
            f"{one['title']}: {one['rating']:g}"
            + (f" instead of {one['replaces']:g}" if one["replaces"] is not None else "")
            for one in self.typed
        )
        if self.user is None:
            return f"for a person who rated {rated}"
        return f"for user {self.user}" + (f", with {rated}" if rated else "")

    def rows(self) -> list[dict[str, str]]:
        """As a table of texts, with at most two genres and one line a reason, controls escaped."""
        return [
            {
                "film": escape_control(film.title),
                "genres": escape_control(", ".join(film.genres.split("|")[:2])),
                "expected": f"{film.expected:.1f} ({film.pi80_low:.1f} to {film.pi80_high:.1f})",
                "liked": f"{film.p_like:.0%}",
                "because of": "\n".join(
                    f"+{r['stars']:.2f} {escape_control(r['title'])}" for r in film.reasons
                ),
            }
            for film in self.films
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def format_recommendation(
    recommendations: Recommendations, request: SplitRatings, ratings: ValidatedRatings
) -> Recommendation:
    """Join the tables with the films' titles and genres."""
    table = ratings.scan("films").collect()
    films = {row["film_id"]: row for row in table.iter_rows(named=True)}
    predictions = recommendations.scan("ratings").collect()
    predicted = {row["film_id"]: row for row in predictions.iter_rows(named=True)}
    reasons = json.loads((recommendations.path / "reasons.json").read_text())
    titles = dict(zip(film_texts(table), table["title"], strict=True))
    ranked = recommendations.scan("lists").sort("rank").collect()["film_id"]
    return Recommendation(
        user=request.metadata["user"],
        typed=request.metadata["typed"],
        films=[
            RecommendedFilm(
                film_id=film,
                title=films[film]["title"],
                genres=films[film]["genres"],
                expected=predicted[film]["mean"],
                pi80_low=predicted[film]["pi80_low"],
                pi80_high=predicted[film]["pi80_high"],
                p_like=predicted[film]["p_like"],
                reasons=[
                    {"title": _find_title(reason["line"], titles), "stars": reason["stars"]}
                    for reason in reasons[str(film)]
                ],
            )
            for film in ranked
        ],
    )


def _find_title(line: str, titles: Mapping[str, str]) -> str:
    """The title of the film that a prompt's line is about, by the longest text it starts with."""
    ends = [i for i in range(len(line)) if line.startswith(", ", i)]
    return next((titles[line[:end]] for end in reversed(ends) if line[:end] in titles), line)

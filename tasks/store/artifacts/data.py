"""Ratings from the source to the folds."""

from datetime import date

from tasks.store.artifacts.artifact import Artifact, Table

RATING = {
    "user_id": ("int32", "who rated"),
    "film_id": ("int32", "what was rated"),
    "rating": ("float", "stars, 0.5 to 5"),
    "rated_at": ("timestamp[us, tz=UTC]", "when"),
}

FILM = {
    "film_id": ("int32", "the source's id"),
    "title": ("string", "with the year in brackets where it is known: Toy Story (1995)"),
    "year": ("int16", "of release; null where the source names none"),
    "genres": ("string", "joined by |; empty where none is listed"),
}


ORIGIN = {
    "source": ("uint16", "index into the manifest's metadata.sources"),
    "line": ("uint32", "line of that file, the header being line 1"),
}


class RawRatings(Artifact):
    """Typed ratings and films of the source; lines that could not be typed are in rejects."""

    top_level = "data"

    @property
    def as_of(self) -> date | None:
        """Only ratings of days before this one are in; None where all are."""
        as_of = self.manifest["recipe"]["as_of"]
        return None if as_of is None else date.fromisoformat(as_of)

    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a rating of the source, in file order",
            RATING | ORIGIN,
        ),
        "films": Table(
            "films.parquet",
            "one row a film of the source",
            FILM | ORIGIN,
        ),
        "rejects": Table(
            "rejects.parquet",
            "one row a line that could not be typed",
            {
                "relation": ("string", "ratings or films"),
                **ORIGIN,
                "rule": ("string", "why, by name"),
                "detail": ("string", "what was found"),
            },
        ),
    }


class ValidatedRatings(Artifact):
    """Ratings that passed validation, and quarantined rows. `metadata.scale` lists the values."""

    top_level = "data"
    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a (user, film), sorted by user_id, rated_at, film_id",
            RATING,
        ),
        "films": Table("films.parquet", "one row a film, sorted by film_id", FILM),
        "quarantine": Table(
            "quarantine.parquet",
            "one row a source row that broke a rule",
            {
                "relation": ("string", "ratings or films"),
                "source": ("string", "name of the source file"),
                "line": ("uint32", "line of that file, the header being line 1"),
                "rule": ("string", "the rule it broke"),
                "detail": ("string", "what was found"),
            },
        ),
    }


class SplitRatings(Artifact):
    """Every valid rating with its fold and role."""

    top_level = "data"
    tables = {
        "ratings": Table(
            "ratings.parquet",
            "one row a rating, sorted by user_id, position",
            RATING
            | {
                "position": ("int32", "place in the user's history, oldest first, from 0"),
                "fold": ("string", "train, validation, test, or unused"),
                "role": (
                    "string",
                    "context: shown to every later fold; target: predicted in its own",
                ),
                "cold": ("bool", "no rating of this film precedes the fold's cut"),
            },
        )
    }

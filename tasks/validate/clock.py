"""Reduces the clock to what it decides about the data: its newest rating and latest year."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from tasks.store.artifacts import RawRatings

AHEAD = timedelta(days=1)  # for clocks that are wrong
YEARS_AHEAD = 9  # films are announced that long before
FIRST_YEAR = 1870


class Bounds(NamedTuple):
    """The newest rating and the latest year that are not from the future.

    They are the same on every day until a rating or a film that was from the future no longer is:
    then the data are validated again.
    """

    newest_rating: datetime | None
    latest_year: int

    @property
    def recipe(self) -> dict[str, Any]:
        """For the fingerprint."""
        newest = self.newest_rating and self.newest_rating.isoformat()
        return {"newest_rating": newest, "latest_year": self.latest_year}


def find_bounds(raw: RawRatings, now: datetime) -> Bounds:
    """What is known at a moment: a rating is valid up to a day after it, a film up to nine years.

    Without a rating that is valid, `newest_rating` is None.
    """
    rated_at, year = pl.col("rated_at"), pl.col("year")
    ratings = raw.scan("ratings").filter(rated_at <= now + AHEAD).select(rated_at.max())
    films = raw.scan("films").filter(year <= now.year + YEARS_AHEAD).select(year.max())
    latest = films.collect().item()
    return Bounds(ratings.collect().item(), FIRST_YEAR if latest is None else int(latest))

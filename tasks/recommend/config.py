"""A request for recommendations."""

import datetime as dt
from typing import Self

import pydantic


class RecommendRequest(pydantic.BaseModel, frozen=True, extra="forbid"):
    """A user of the data, ratings typed by hand such as "Toy Story (1995)=5", or both."""

    user: int | None = None
    """A user of the data."""
    ratings: tuple[str, ...] = ()
    """Ratings typed by hand, such as `Toy Story (1995)=5`; they go over the user's own."""
    at: dt.datetime
    """The moment of the request, with its time zone."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    reasons: int = pydantic.Field(2, ge=0)
    """Films of the user's history named as reasons beside each film."""

    @pydantic.model_validator(mode="after")
    def _refuse_nobody(self) -> Self:
        if self.user is None and not self.ratings:
            raise ValueError('nobody to recommend to: name a user, or ratings ("Heat (1995)=4")')
        return self

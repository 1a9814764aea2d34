"""Settings of the lists that are served to everyone."""

from typing import Literal

import pydantic


class Serving(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Whose lists are made each night, and what must hold before they replace the last ones."""

    nightly: bool = True
    """Make and serve everyone's lists in each nightly run, after its adapter was decided on."""
    list_length: int = pydantic.Field(10, ge=1)
    """Films in each list."""
    active_days: int | None = pydantic.Field(None, ge=0)
    """Serve only users who rated in the last days of the data; null: all."""
    min_full_share: float = pydantic.Field(0.995, ge=0, le=1)
    """Least share of the users with full lists."""
    max_film_share: float = pydantic.Field(0.5, gt=0, le=1)
    """Largest share of the lists that may name one film."""
    min_overlap: float = pydantic.Field(0.3, ge=0, le=1)
    """Alert where the lists' rank-biased overlap with the last ones is less; they are served."""
    sinks: tuple[Literal["parquet", "csv"], ...] = ("parquet", "csv")
    """Files that the lists are written to, beside the database."""
    key_value: str | None = None
    """Name of an installed entry point that stores each user's list under a key."""

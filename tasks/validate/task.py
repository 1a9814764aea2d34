"""Door: raw ratings in, trusted ratings and a quarantine out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
from prefect import task

from tasks.artifacts import RawRatings, TrustedRatings
from tasks.store import Store


class Validate(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How much may be wrong before the night stops."""

    most_set_aside: float = pydantic.Field(0.05, ge=0, le=1)  # share of a relation's rows


@task
def validate_ratings(raw: RawRatings, *, config: Validate, store: Store) -> TrustedRatings:
    """Hold every row to the rules; set aside what breaks one, or stop the night."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.validate.sift import sift

        return raw.notes | sift(raw, draft, now=datetime.now(UTC), config=config)

    return store.build(TrustedRatings, recipe=config, parents=[raw], write=write)

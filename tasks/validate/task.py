"""Door: raw ratings in, trusted ratings and a quarantine out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import RawRatings, TrustedRatings
from tasks.store import Store
from tasks.validate.config import Validate

__all__ = ["Validate", "validate_ratings"]


@task
def validate_ratings(raw: RawRatings, *, config: Validate, store: Store) -> TrustedRatings:
    """Hold every row to the rules; set aside what breaks one, or stop the night."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.validate.sift import sift

        return raw.notes | sift(raw, draft, now=datetime.now(UTC), config=config)

    return store.build(TrustedRatings, recipe=config, parents=[raw], write=write)

"""Task: raw ratings to validated ratings and a quarantine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task

from tasks.store.artifacts import RawRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.clock import find_bounds
from tasks.validate.config import Validate
from tasks.validate.since_last import find_previous, warn_of_changes

__all__ = ["Validate", "validate_ratings"]


@task
def validate_ratings(
    raw: RawRatings, *, config: Validate, store: Store, now: datetime | None = None
) -> ValidatedRatings:
    """Quarantine every row that violates a rule; fail where too many do.

    A rating that is from the future at `now`, by default this moment, is valid once it no longer
    is. What the ratings lack since the last run is logged.
    """
    bounds = find_bounds(raw, now or datetime.now(UTC))

    def write(draft: Path) -> dict[str, Any]:
        from tasks.validate.validate_tables import validate_tables

        return raw.metadata | validate_tables(
            raw, draft, bounds=bounds, max_quarantined=config.max_quarantined
        )

    recipe = config.model_dump(mode="json") | bounds.recipe
    ratings = store.build(ValidatedRatings, recipe=recipe, parents=[raw], write=write)
    if previous := find_previous(ratings, store):
        warn_of_changes(ratings, previous)
    return ratings

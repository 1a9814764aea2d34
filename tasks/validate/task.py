"""Door: raw ratings in, trusted ratings and a quarantine out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task

from tasks.store.artifacts import RawRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.config import Validate

__all__ = ["Validate", "validate_ratings"]


@task
def validate_ratings(raw: RawRatings, *, config: Validate, store: Store) -> ValidatedRatings:
    """Hold every row to the rules; set aside what breaks one, or stop the night."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.validate.validate_tables import sift

        before = last_night(store, raw.metadata["dataset"])
        now = datetime.now(UTC)
        return raw.metadata | sift(raw, draft, now=now, config=config, before=before)

    return store.build(ValidatedRatings, recipe=config, parents=[raw], write=write)


def last_night(store: Store, dataset: str) -> dict[str, Any] | None:
    """What was noted of this data set when it was last validated; None where it never was."""
    for manifest in store.manifests(ValidatedRatings):
        notes: dict[str, Any] = manifest["metadata"]
        if notes.get("dataset") == dataset and "by_star" in notes:
            return notes
    return None

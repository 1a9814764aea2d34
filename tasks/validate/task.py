"""Task: raw ratings to validated ratings and a quarantine."""

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
    """Quarantine every row that violates a rule; fail where too many do."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.validate.validate_tables import validate_tables

        return raw.metadata | validate_tables(
            raw,
            draft,
            now=datetime.now(UTC),
            max_quarantined=config.max_quarantined,
            previous=previous_validation(store, raw.metadata["dataset"]),
        )

    return store.build(ValidatedRatings, recipe=config, parents=[raw], write=write)


def previous_validation(store: Store, dataset: str) -> dict[str, Any] | None:
    """Metadata of this data set's latest validation; None where there is none."""
    for manifest in store.manifests(ValidatedRatings):
        metadata: dict[str, Any] = manifest["metadata"]
        if metadata.get("dataset") == dataset and "rating_histogram" in metadata:
            return metadata
    return None

"""Task: a data set to typed ratings and films."""

from datetime import date
from pathlib import Path
from typing import Any

import pydantic
from prefect import task
from prefect.client.schemas.objects import State

from tasks.download import UnreachableError
from tasks.ingest.detect_format import detect_sources
from tasks.ingest.gather import gather, hash_sources
from tasks.ingest.incoming import incoming_sources
from tasks.ingest.resolve_source import resolve_source
from tasks.store.artifacts import RawRatings
from tasks.store.store import Store


class Ingest(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which data set, and up to which day."""

    data: str = "ml-100k-wheel"
    """Name of a known data set, or path of a folder, zip or file."""
    as_of: date | None = None
    """Take only ratings of days before this one; null: all."""


def is_unreachable(_task: object, _run: object, state: State[RawRatings]) -> bool:
    """Retry only where a server did not answer."""
    return isinstance(state.result(raise_on_failure=False), UnreachableError)


@task(retries=2, retry_delay_seconds=10, retry_condition_fn=is_unreachable)
def ingest_ratings(*, config: Ingest, store: Store) -> RawRatings:
    """Read a data set and the files in data/incoming into typed columns.

    Incoming files (CSV or Parquet, ratings or films) are part of every later run; duplicates of a
    file count once.
    """
    data = store.root / "data"
    dataset, files = resolve_source(config.data, data / "raw")
    sources = hash_sources(
        [*detect_sources(files, config.data), *incoming_sources(data / "incoming")]
    )

    def write(draft: Path) -> dict[str, Any]:
        return {"dataset": dataset} | gather(sources, draft, as_of=config.as_of)

    recipe = {
        "dataset": dataset,
        "sources": [source.identity for source in sources],
        "as_of": config.as_of and config.as_of.isoformat(),
    }
    return store.build(RawRatings, recipe=recipe, write=write)

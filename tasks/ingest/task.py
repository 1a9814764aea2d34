"""Door: a source in, typed ratings and films out."""

from datetime import date
from pathlib import Path
from typing import Any

import pydantic
from prefect import task
from prefect.client.schemas.objects import State

from tasks.ingest.detect_format import recognised
from tasks.ingest.download import UnreachableError
from tasks.ingest.gather import gather, told
from tasks.ingest.incoming import arrived
from tasks.ingest.resolve_source import located
from tasks.store.artifacts import RawRatings
from tasks.store.store import Store


class Ingest(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which data: a name of the catalogue or a local path, and up to which day it is known."""

    data: str = "ml-100k-wheel"
    """Name of a known data set, or path of a folder, zip or file."""
    as_of: date | None = None
    """Take only ratings of days before this one; null: all."""


def may_come_back(_task: object, _run: object, state: State[RawRatings]) -> bool:
    """Only what the outside world refused is tried again."""
    return isinstance(state.result(raise_on_failure=False), UnreachableError)


@task(retries=2, retry_delay_seconds=10, retry_condition_fn=may_come_back)
def ingest_ratings(*, config: Ingest, store: Store) -> RawRatings:
    """Find the data, with what has come in since, and bring it into typed columns.

    Files in data/incoming (CSV or Parquet, ratings or films) belong to every night from the one
    on that first finds them; one that lies there twice counts once.
    """
    data = store.root / "data"
    dataset, files = located(config.data, data / "raw")
    sources = told([*recognised(files, config.data), *arrived(data / "incoming")])

    def write(draft: Path) -> dict[str, Any]:
        return {"dataset": dataset} | gather(sources, draft, as_of=config.as_of)

    recipe = {
        "dataset": dataset,
        "sources": [source.identity for source in sources],
        "as_of": str(config.as_of),
    }
    return store.build(RawRatings, recipe=recipe, write=write)

"""Door: a source in, typed ratings and films out."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pydantic
from prefect import task
from prefect.client.schemas.objects import State

from tasks.artifacts import RawRatings
from tasks.ingest.fetch import UnreachableError, located
from tasks.ingest.read import read_films, read_ratings, recognised
from tasks.ingest.sources import LAYOUTS
from tasks.store import Store


class Ingest(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which data: a name of the catalogue or a local folder, and up to which day it is known."""

    data: str = "ml-100k-wheel"
    as_of: date | None = None


def may_come_back(_task: object, _run: object, state: State[RawRatings]) -> bool:
    """Only what the outside world refused is tried again."""
    return isinstance(state.result(raise_on_failure=False), UnreachableError)


@task(retries=2, retry_delay_seconds=10, retry_condition_fn=may_come_back)
def ingest_ratings(*, config: Ingest, store: Store) -> RawRatings:
    """Find the data and bring it into typed columns."""
    dataset, folder = located(config.data, store.root / "data" / "raw")
    layout_name, files = recognised(folder)
    sources = [
        {"name": file.name, "sha256": _sha256(file)} for file in (files["ratings"], files["films"])
    ]

    def write(draft: Path) -> dict[str, Any]:
        layout = LAYOUTS[layout_name]
        ratings = read_ratings(files["ratings"], layout, source=0)
        films = read_films(files["films"], layout, source=1)
        kept = ratings.rows
        if config.as_of:
            kept = kept.filter(pl.col("rated_at").dt.date() < config.as_of)
        for name, table in (
            ("ratings", kept),
            ("films", films.rows),
            ("rejects", pl.concat([ratings.rejects, films.rejects])),
        ):
            columns = list(RawRatings.tables[name].columns)
            table.select(columns).write_parquet(draft / f"{name}.parquet")
        stars = kept["rating"].unique().to_list()
        whole = all(value == int(value) for value in stars)
        scale = [1.0, 2.0, 3.0, 4.0, 5.0] if whole else [half / 2 for half in range(1, 11)]
        return {
            "dataset": dataset,
            "layout": layout_name,
            "sources": sources,
            "scale": scale,
        }

    recipe = {"dataset": dataset, "sources": sources, "as_of": str(config.as_of)}
    return store.build(RawRatings, recipe=recipe, write=write)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

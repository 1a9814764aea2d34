"""What every artifact has: a folder, a manifest, a cost, and tables with promised columns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl

from tasks.store.checksum import parse_json


@dataclass(frozen=True)
class Table:
    """The Parquet files of one relation: `columns` maps a name to (Arrow type, meaning)."""

    files: str
    grain: str
    columns: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Artifact:
    """A finished folder of the store. `cache_hit` says whether this run found it or built it."""

    path: Path
    fingerprint: str
    cache_hit: bool = field(default=False, compare=False)

    top_level: ClassVar[Literal["data", "artifacts"]]
    tables: ClassVar[Mapping[str, Table]] = {}

    @classmethod
    def kind(cls) -> str:
        """The folder name: `ValidatedRatings` lives under `validated-ratings`."""
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")

    @property
    def manifest(self) -> dict[str, Any]:
        """What was built from what: recipe, code, parents, rows, files, metadata.

        Raises ValueError where it is damaged.
        """
        return parse_json((self.path / "manifest.json").read_bytes())

    @property
    def metadata(self) -> dict[str, Any]:
        """What the stage noted about this build."""
        return dict(self.manifest["metadata"])

    @property
    def cost(self) -> dict[str, float]:
        """Measured when it was built: seconds, cpu_seconds, peak_bytes, bytes, rows."""
        return dict(json.loads((self.path / "cost.json").read_text()))

    def files(self, table: str) -> list[Path]:
        """The Parquet files of one of its tables, in order."""
        return sorted(self.path.glob(self.tables[table].files))

    def scan(self, table: str) -> pl.LazyFrame:
        """One of its tables as a lazy frame, in stored order."""
        return pl.scan_parquet(self.files(table), glob=False)

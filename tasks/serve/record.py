"""What is known of each night's lists: which were served or refused, and their figures."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from tasks.serve.figures import Figures


@dataclass(frozen=True)
class Serve:
    """Lists that were served, or refused: fingerprints of lists, champion and ratings."""

    served_at: datetime
    lists: str
    champion: str
    data: str
    dataset: str
    refused: str | None  # by which guard rails
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """As JSON values: the manifest of what is served."""
        return vars(self) | {
            "served_at": self.served_at.isoformat(),
            "figures": self.figures.to_json(),
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> "Serve":
        """What `to_json` wrote."""
        fields = {name: manifest[name] for name in cls.__dataclass_fields__}
        fields["served_at"] = datetime.fromisoformat(fields["served_at"])
        return cls(**fields | {"figures": Figures(**fields["figures"])})


def insert_serve(db: duckdb.DuckDBPyConnection, serve: Serve) -> None:
    """Insert a row of `serves`, unless it is there: a rerun records what a killed run has not."""
    query = "select 1 from serves where lists = ? and served_at = ?"
    if db.execute(query, [serve.lists, serve.served_at]).fetchone() is None:
        flat = {k: v for k, v in vars(serve).items() if k != "figures"} | serve.figures.to_json()
        columns, values = ", ".join(flat), ", ".join("?" * len(flat))
        db.execute(f"insert into serves ({columns}) values ({values})", list(flat.values()))

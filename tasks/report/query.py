"""Queries the metrics database for the page."""

from typing import Any

import duckdb

Row = dict[str, Any]


def fetch_rows(db: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:  # noqa: ANN401
    """The rows of a query, each as a dictionary by column."""
    found = db.execute(query, list(values))
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

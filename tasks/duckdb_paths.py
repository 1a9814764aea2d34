"""Writes paths so that DuckDB takes them literally."""

import glob
from pathlib import Path


def escape_glob(path: Path) -> str:
    """The path as a pattern that matches it alone: for a bound argument of `read_parquet`."""
    return glob.escape(str(path))


def literal_path(path: Path) -> str:
    """The same as an SQL string: for views and queries, which cannot bind arguments.

    SQLAlchemy, through which Great Expectations queries, would bind `:name`.
    """
    return "'" + escape_glob(path).replace("'", "''").replace(":", "[:]") + "'"


def quote(path: Path | str) -> str:
    """A path as a literal, for statements that take no parameter."""
    return "'" + str(path).replace("'", "''") + "'"

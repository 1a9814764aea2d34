"""Asks the metric file, read-only: `python -m flows.sql "select ..."`, or line by line."""

import sys

import duckdb
from rich.console import Console
from rich.table import Table

from flows.settings import the_store
from tasks.metrics_db import open_readonly
from tasks.publish.task import metric_file
from tasks.store.remote.errors import RemoteError


def show(db: duckdb.DuckDBPyConnection, query: str) -> None:
    """Print what a query answers, or what is wrong with it."""
    try:
        found = db.execute(query)
    except duckdb.Error as error:
        print(f"error: {error}", file=sys.stderr)
        return
    answered(found)


def answered(found: duckdb.DuckDBPyConnection) -> None:
    """Print the rows of an answer as a table, at least 100 columns wide."""
    table = Table(
        *[column[0] for column in found.description or []],
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for row in found.fetchall():
        table.add_row(*map(_told, row))
    Console(width=max(100, Console().width)).print(table, highlight=False)


def _told(value: object) -> str:
    """Numbers to four places, and nothing where nothing is."""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)


def main() -> None:
    """Answer the query that was given, or every line until the end of input."""
    try:
        with open_readonly(metric_file(the_store())) as db:
            if len(sys.argv) > 1 and sys.argv[1]:
                return show(db, " ".join(sys.argv[1:]))
            print("views, read-only; end with ctrl-d:")
            show(db, "select view_name from duckdb_views() where not internal order by view_name")
            for line in sys.stdin:
                if line.strip():
                    show(db, line)
    except (FileNotFoundError, RemoteError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

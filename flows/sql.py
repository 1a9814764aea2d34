"""Prints what SQL answers: queries of the metrics database, read-only, and named reports."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb
from rich.console import Console
from rich.table import Table

from flows.errors import CommandError
from flows.settings import open_store
from flows.tables import plain
from tasks import metrics_db
from tasks.metrics_db import VIEWS, open_readonly
from tasks.metrics_location import fetch_published, metrics_path
from tasks.plain_text import escape_control


def run_query(query: str) -> None:
    """Print what one query answers. Raises duckdb.Error where it cannot be run."""
    with _open_without_files() as db:
        print_rows(db.execute(query))


def run_lines(lines: Iterable[str]) -> None:
    """Run a query a line, after the names of the views; errors are printed, and the next is run."""
    with _open_without_files() as db:
        print("views, read-only; end with ctrl-d:")
        for query in (VIEWS, *filter(str.strip, lines)):
            try:
                print_rows(db.execute(query))
            except duckdb.Error as error:
                print("error:", escape_control(" ".join(str(error).split())), file=sys.stderr)


def run_report(name: str, parameters: dict[str, str]) -> None:
    """Print a report of sql/reports.

    Raises KeyError where it, or a parameter, does not exist; CommandError where a value is of the
    wrong type.
    """
    store = open_store()
    fetch_published(store, parameters.get("run_id"))
    with open_readonly(metrics_path(store)) as db:
        try:
            print_rows(metrics_db.run_report(db, name, parameters))
            _name_missing(db, parameters.get("run_id"))
        except duckdb.ConversionException as error:
            typed = " ".join(f"{parameter}={value}" for parameter, value in parameters.items())
            reason = str(error).splitlines()[0].removeprefix("Conversion Error: ")
            raise CommandError(f'report "{name}" with {typed}: {reason}') from None


def _name_missing(db: duckdb.DuckDBPyConnection, run_id: str | None) -> None:
    """Say which rows of the report's run, the newest by default, can no longer be read."""
    found = db.execute(
        "select run_id, string_agg(relation, ', ' order by relation) from missing_files "
        "where run_id = coalesce(?, (select arg_max(run_id, run_at) from runs)) group by run_id",
        [run_id],
    ).fetchone()
    if found:
        print(
            f"run {found[0]}: its {found[1]} are in files that are not in this store: gc deletes "
            "them with the run, its figures over everyone stay",
            file=sys.stderr,
        )


@contextmanager
def _open_without_files() -> Iterator[duckdb.DuckDBPyConnection]:
    """The metrics for typed SQL, which can open no file, not even the database's to overwrite it.

    `enable_external_access` alone still lets `copy` write to the database's own path. Such queries
    cannot spill to disk, and fail where memory is not enough; reports can.
    """
    with open_readonly(metrics_path(open_store())) as db:
        db.execute("set disabled_filesystems = 'LocalFileSystem'")
        db.execute("set lock_configuration = true")
        yield db


def print_reports() -> None:
    """Print the name of each report, with the question that it answers."""
    for name, question in metrics_db.list_reports().items():
        print(f"{name:<15} {question}")


def print_rows(rows: duckdb.DuckDBPyConnection | None) -> None:
    """Print a table that is at least 100 columns wide; nothing for a query without a statement."""
    if rows is None:  # `;`, or only a comment: DuckDB's type stubs do not know of it
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in rows.description or []:
        table.add_column(plain(column[0]))
    for row in rows.fetchall():
        table.add_row(*map(plain, row))
    Console(width=max(100, Console().width)).print(table, highlight=False)

"""Commands that read the metrics database."""

import sys
from typing import Annotated

from cyclopts import Parameter

from flows.commands.app import app, examples, user_error
from flows.errors import CommandError


@app.command(help_epilogue=examples('sql "select * from latest"'))
def sql(query: Annotated[str, Parameter(allow_leading_hyphen=True)] = "") -> None:
    """Query the metrics database, read-only; without a query, one from each line of the input."""
    import duckdb

    from flows.sql import run_lines, run_query

    with user_error(duckdb.Error):
        run_query(query) if query else run_lines(sys.stdin)


@app.command(help_epilogue=examples("reports user user=196"))
def reports(name: str = "", *parameters: str) -> None:
    """Run a report of sql/reports; without a name, list them."""
    from flows.sql import print_reports, run_report

    if not name:
        print_reports()
        return
    if wrong := [parameter for parameter in parameters if "=" not in parameter]:
        raise CommandError(f"a parameter is typed as name=value, and {wrong[0]} is not")
    pairs = [parameter.split("=", 1) for parameter in parameters]
    with user_error(KeyError):
        run_report(name, dict(pairs))

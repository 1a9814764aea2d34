"""Runs a file of sql/reports by name: `python -m flows.reports user user=196`; or lists them."""

import sys

from flows.settings import the_store
from flows.sql import answered
from tasks.metrics_db import list_reports, open_readonly, run_report
from tasks.publish.task import metric_file
from tasks.store.remote.errors import RemoteError


def main() -> None:
    """Answer the report that is named, or say what there is to ask."""
    name, *given = [told for told in sys.argv[1:] if told] or [""]
    if not name:
        for known, question in list_reports().items():
            print(f"{known:<15} {question}")
        return
    try:
        parameters = dict(told.split("=", 1) for told in given)
        with open_readonly(metric_file(the_store())) as db:
            answered(run_report(db, name, parameters))
    except ValueError:
        sys.exit(f"error: parameters are told as name=value, and these are not: {' '.join(given)}")
    except (KeyError, FileNotFoundError, RemoteError) as error:
        sys.exit(f"error: {error.args[0]}")


if __name__ == "__main__":
    main()

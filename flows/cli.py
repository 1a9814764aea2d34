"""The command line, `advisor` or `python -m flows`.

Every error is one line on stderr and exit status 1.
"""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn

from cyclopts import CycloptsError

from flows.commands import champions, films, queries, runs, upkeep  # noqa: F401  # register theirs
from flows.commands.app import app, user_error
from flows.errors import ROOT, error_message
from tasks.plain_text import escape_control
from tasks.store.private import UMASK


def run_command() -> None:
    """Raises CommandError where what was typed is no command."""
    with user_error(CycloptsError):
        app(sys.argv[1:], exit_on_error=False, print_error=False)


def main() -> NoReturn:
    """Run the command that was typed, and end the process with an error in one line."""
    os.chdir(ROOT)  # where Prefect finds its settings
    # jsonschema would compile its 38 grammars, half of the time in which Prefect is loaded; no
    # schema of ours has a format that they check.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    os.umask(UMASK)
    if error := error_message(run_command):
        print("error:", escape_control(error, keep="\n"), file=sys.stderr)
    with suppress(BrokenPipeError):
        if console := sys.modules.get("flows.console"):
            console.send_log()  # while a server that Prefect has started still runs
    # Prefect keeps frames that hold DuckDB's types: taken down with them, the interpreter would
    # list two screens of leaks.
    atexit._run_exitfuncs()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if error else 0)

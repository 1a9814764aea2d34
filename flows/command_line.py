"""What the commands of flows that take a profile have in common."""

import argparse
import atexit
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import httpx

from flows.console import quiet
from flows.settings import ROOT, SettingsError


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The arguments that say with which settings, and on which data."""
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--data", help="a name of the catalogue, or a local path")
    parser.add_argument(
        "--changes", type=json.loads, default={}, help="settings over the profile's, as JSON"
    )


def run_and_leave(run: Callable[[], object]) -> NoReturn:
    """Run a flow and end the process, with what went wrong in one line."""
    quiet()
    if wrong := told(run):
        print(f"error: {wrong}", file=sys.stderr)
    # Prefect keeps frames that hold DuckDB's types: taken down with them, the interpreter would
    # list two screens of leaks.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if wrong else 0)


def told(run: Callable[[], object]) -> str | None:
    """What went wrong in one line, with the file that has the rest."""
    try:
        run()
    except SettingsError as error:
        return str(error)
    except httpx.ConnectError as error:
        return (
            f"the Prefect server is gone ({error}): start it again, then the night, which goes on"
        )
    except Exception as error:
        return f"{error}\n(where: {kept(traceback.format_exc())})"
    return None


def kept(trace: str) -> str:
    """The file that has the rest, or why there is none: the disk may be what went wrong."""
    file = ROOT / ".prefect" / "last-error.txt"
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(trace)
    except OSError as error:
        return f"not kept, {error.strerror}"
    return str(file.relative_to(ROOT))

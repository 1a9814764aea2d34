"""The application that the commands belong to, what they share, and their errors in one line.

Prefect is imported by the commands that run.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from flows.errors import ROOT, CommandError
from flows.overrides import Profile, parse, with_data
from tasks.plain_text import escape_control

try:
    STARTED_IN = Path.cwd()
except FileNotFoundError:
    sys.exit("error: the folder that this was started in is gone: cd to one that exists")


def examples(*commands: str) -> str:
    """Commands for the end of a help text."""
    return "\n".join(["Examples:", *(f"  advisor {command}" for command in commands)])


app = App(
    name="advisor",
    help="Train a language model on film ratings, evaluate it, and ask it for films.",
    version_flags=[],
    help_format="plaintext",
    result_action="return_value",
)
app.register_install_completion_command()


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """Settings and data of a run."""

    profile: Profile = "laptop"
    """A file of flows/profiles."""
    data: str | None = None
    """A data source by name, such as ml-100k-wheel, or a local path."""
    set: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """A setting over the profile's, such as split.ties=film; may be repeated."""

    @property
    def overrides(self) -> dict[str, Any]:
        """Nested settings over the profile's."""
        path = STARTED_IN / (self.data or "")
        elsewhere = self.data and STARTED_IN != ROOT and path.exists()
        return with_data(parse(self.set), str(path) if elsewhere else self.data)


@contextmanager
def print_cancelled() -> Iterator[None]:
    """A run that had nothing to do is no error: print why, and end with exit status 0.

    Raises CommandError where it ended as TimedOut.
    """
    from prefect.exceptions import CancelledRun, FailedRun

    from tasks.store.store import StoreBusyError

    try:
        yield
    except (CancelledRun, StoreBusyError) as reason:
        print("cancelled:", escape_control(str(reason)))
    except FailedRun as failed:
        raise CommandError(failed) from None


@contextmanager
def user_error(*kinds: type[Exception]) -> Iterator[None]:
    """Errors that what was typed explains."""
    try:
        yield
    except kinds as error:
        raise CommandError(error.args[0] if isinstance(error, KeyError) else error) from None


def prepare_prefect() -> None:
    """Before a flow: what it prints, and who may use the server that Prefect starts for it."""
    from flows.server_access import protect_temporary_server

    configure_logging()
    protect_temporary_server()


def configure_logging(level: int = logging.INFO) -> None:
    from flows.console import configure_logging

    configure_logging(level)

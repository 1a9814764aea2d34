"""Ends a flow run with a state that says why: another run holds the store, or it took too long."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prefect import State
from prefect.states import Cancelled, Failed
from prefect.utilities.timeout import timeout

from flows.retries import may_pass
from tasks.store.store import StoreBusyError

R = TypeVar("R")
PAUSE = 60  # seconds before the second attempt
log = logging.getLogger(__name__)


class RunTimeoutError(TimeoutError):
    """A run took longer than its profile allows. The message says how long that is."""


@contextmanager
def time_limit(hours: float) -> Iterator[None]:
    """Raises RunTimeoutError in what runs within it, after so many hours."""
    try:
        with timeout(seconds=hours * 3600, timeout_exc_type=RunTimeoutError):
            yield
    except RunTimeoutError:
        raise RunTimeoutError(
            f"not done within {hours:g} hours (timeout_hours): the next run continues"
        ) from None


def attempt(work: Callable[[], R]) -> R | State[R]:
    """What the work returns, or the state Cancelled (the store is busy) or TimedOut.

    It is done a second time where something outside of this machine did not answer.
    """
    try:
        try:
            return work()
        except Exception as error:
            if not may_pass(error):
                raise
            log.warning("%s: trying again in %d s", error, PAUSE)
        time.sleep(PAUSE)
        return work()
    except StoreBusyError as busy:
        return Cancelled(message=str(busy))
    except RunTimeoutError as error:
        return Failed(name="TimedOut", message=str(error))

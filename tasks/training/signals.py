"""Defers SIGTERM, so that the current step is finished and saved before the process ends."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def defer_sigterm() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM has arrived; on exit it takes effect.

    Python delivers signals to the main thread only: in another thread nothing is deferred.
    """
    received = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda: received
    finally:
        signal.signal(signal.SIGTERM, previous)
        if received:
            os.kill(os.getpid(), signal.SIGTERM)

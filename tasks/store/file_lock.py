"""Locks on files: one process at a time; a wait says for whom, and ends in an error."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

DAY = 24 * 3600.0  # seconds; by then the next nightly run is due

log = logging.getLogger(__name__)


class StoreBusyError(Exception):
    """Another process holds the lock. The message names it."""


@contextmanager
def file_lock(path: Path, holder: str, *, timeout: float = DAY) -> Iterator[None]:
    """Hold the lock `path`, a file that names its holder, within this machine.

    Waits up to `timeout` seconds, then raises StoreBusyError. The kernel releases the lock when
    its holder dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(path)
    try:
        acquired = lock.acquire(timeout=0)
    except Timeout:
        busy = f"{path.read_text()} holds {path}"
        if not timeout:
            raise StoreBusyError(busy) from None
        log.info("%s: waiting up to %.0f min for its end", busy, timeout / 60)
        try:
            acquired = lock.acquire(timeout=timeout)
        except Timeout:
            raise StoreBusyError(busy) from None
    with acquired:
        since = f"since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        path.write_text(f"{holder} (process {os.getpid()} on {socket.gethostname()}, {since})")
        yield

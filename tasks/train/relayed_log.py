"""Passes the log of a training process on to that of its launcher, which a person reads."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

log = logging.getLogger(__name__)


def log_to(file: Path) -> None:
    """Write the log of this process's stages to a file, a line with its level each."""
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(levelno)d %(message)s"))
    logger = logging.getLogger("tasks")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


@contextmanager
def relayed(file: Path) -> Iterator[None]:
    """Within it, log what another process writes by `log_to`, on a machine that shares the file."""
    ended = threading.Event()

    def follow() -> None:
        place, last = 0, False
        while not last:
            last = ended.wait(1)
            place += _log_lines(file, place)

    # With the context: by it Prefect knows of which run a line is.
    follower = threading.Thread(target=copy_context().run, args=(follow,), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _log_lines(file: Path, place: int) -> int:
    """Log the whole lines after so many bytes; return how many bytes they have."""
    if not file.exists():
        return 0
    with file.open("rb") as written:
        written.seek(place)
        lines, _, _ = written.read().rpartition(b"\n")
    for line in lines.decode(errors="replace").split("\n") if lines else []:
        level, _, text = line.partition(" ")
        log.log(int(level) if level.isdigit() else logging.INFO, "%s", text if text else line)
    return len(lines) + 1 if lines else 0

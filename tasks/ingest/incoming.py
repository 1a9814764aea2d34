"""Finds the files that were added to the folder of incoming data."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from tasks.download import SourceError
from tasks.ingest.detect_format import Source, detect_formats

log = logging.getLogger(__name__)
REST = 10.0  # seconds without a change after which a file counts as complete
ATTEMPTS = 6


def incoming_sources(folder: Path, rest: float = REST) -> list[Source]:
    """The sources in `folder`, by name; hidden files and Markdown are ignored.

    Files that were changed within `rest` seconds are waited for, up to a minute. Those that are
    still being written are left for the next run.

    Raises SourceError where a file is neither ratings nor films, or a link to a file elsewhere.
    """
    if not folder.is_dir():
        return []
    named = [f for f in sorted(folder.iterdir()) if f.name[0] != "." and f.suffix != ".md"]
    sources = []
    for file in _at_rest(named, rest):
        found = detect_formats(file) if file.is_file() else []
        if not found:
            raise SourceError(
                f"incoming file {file.name} is neither ratings nor films: see their columns in "
                "data/README.md, or remove the file"
            )
        sources += found
    return sources


def _at_rest(files: Sequence[Path], rest: float) -> list[Path]:
    """The files that do not change any more."""
    seen: dict[Path, tuple[int, int]] = {}
    moving = [file for file in files if not _is_at_rest(file, seen, rest)]
    for _ in range(ATTEMPTS):
        if not moving:
            return list(files)
        log.info("waiting %.0f s: is %s complete?", rest, ", ".join(f.name for f in moving))
        time.sleep(rest)
        moving = [file for file in moving if not _is_at_rest(file, seen, rest)]
    for file in moving:
        log.warning("incoming file %s is still being written: left for the next run", file.name)
    return [file for file in files if file not in moving]


def _is_at_rest(file: Path, seen: dict[Path, tuple[int, int]], rest: float) -> bool:
    """Whether it last changed `rest` seconds ago by the clock, or not since the last look."""
    info = file.lstat()
    state = info.st_size, info.st_mtime_ns
    unchanged = seen.get(file) == state
    seen[file] = state
    return unchanged or info.st_mtime < time.time() - rest

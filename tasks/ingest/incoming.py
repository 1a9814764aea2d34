"""Finds the files that were added to the folder of incoming data."""

from pathlib import Path

from tasks.download import SourceError
from tasks.ingest.detect_format import Source, detect_formats


def incoming_sources(folder: Path) -> list[Source]:
    """The sources in `folder`, by name; hidden files and Markdown are ignored.

    Raises SourceError where a file is neither ratings nor films.
    """
    if not folder.is_dir():
        return []
    sources = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix == ".md":
            continue
        found = detect_formats(file) if file.is_file() else []
        if not found:
            raise SourceError(
                f"incoming file {file.name} is neither ratings nor films: see their columns in "
                "data/README.md, or remove the file"
            )
        sources += found
    return sources

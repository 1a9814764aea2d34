"""What has come in beside the main data: files that somebody dropped into one folder."""

from pathlib import Path

from tasks.ingest.detect_format import Source, sources_of
from tasks.ingest.download import SourceError


def arrived(folder: Path) -> list[Source]:
    """The sources in `folder`, by name; hidden files are not yet there.

    Raises SourceError where a file is neither ratings nor films.
    """
    if not folder.is_dir():
        return []
    sources = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.suffix == ".md":
            continue
        found = sources_of(file) if file.is_file() else []
        if not found:
            raise SourceError(
                f"{file.name} among what came in is neither ratings nor films: see which columns "
                "they have in data/README.md, or take it away"
            )
        sources += found
    return sources

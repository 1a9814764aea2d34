"""The project's SQL: one file a relation."""

from collections.abc import Iterator
from pathlib import Path

SQL = Path(__file__).resolve().parents[2] / "sql"


def statements(*folders: str) -> Iterator[tuple[Path, str]]:
    """The files below these folders of sql/, with their text, in order of their names."""
    for folder in folders:
        for file in sorted(SQL.glob(f"{folder}/*.sql")):
            yield file, file.read_text()


def bare(text: str) -> str:
    """A statement without its semicolon, fit to stand in brackets."""
    return text.rstrip().removesuffix(";")

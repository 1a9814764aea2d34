"""Reads the SQL of metrics and slices: one file defines one."""

from collections.abc import Iterator
from pathlib import Path

SQL = Path(__file__).resolve().parents[2] / "sql"


def read_statements(*folders: str) -> Iterator[tuple[Path, str]]:
    """Each file below these folders of sql/ with its text, in order of their names."""
    for folder in folders:
        for file in sorted(SQL.glob(f"{folder}/*.sql")):
            yield file, file.read_text()


def without_semicolon(text: str) -> str:
    """A statement that can stand in brackets."""
    return text.rstrip().removesuffix(";")

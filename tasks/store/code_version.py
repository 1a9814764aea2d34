"""Tells whether a room would still do what it did: a hash of its files and of what they import."""

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What a finished folder does not depend on: how it is stored, named and shown, and who made it.
BYSTANDERS = {"executor", "progress", "store"}


def code_version(function: Callable[..., object]) -> str:
    """The hash (16 hex digits) of the room that defines `function` and of what it imports."""
    return _hash_of(Path(inspect.getfile(inspect.unwrap(function))).resolve())


@cache
def _hash_of(file: Path) -> str:
    digest = hashlib.sha256()
    for member in sorted(_closure(file)):
        digest.update(f"{_name(member)}\0".encode())
        digest.update(member.read_bytes())
    return digest.hexdigest()[:16]


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else file.name


def _closure(file: Path) -> set[Path]:
    """Every project file whose text can change what `file` does."""
    seen: set[Path] = set()
    queue = list(_neighbours(file))
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue += [found for found in _imports(current) if found not in seen]
    return seen


def _neighbours(file: Path) -> list[Path]:
    """All source files of the room that `file` stands in; the file alone outside of a room."""
    in_room = file.is_relative_to(ROOT / "tasks") and file.parent != ROOT / "tasks"
    return list(file.parent.rglob("*.py")) if in_room else [file]


@cache  # most rooms import the same files, and parsing is what takes time
def _imports(file: Path) -> list[Path]:
    return list(_imported(ast.parse(file.read_bytes())))


def _imported(module: ast.Module) -> Iterator[Path]:
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            path = ROOT.joinpath(*parts).with_suffix(".py")
            if path.is_file() and parts[0] == "tasks" and parts[1] not in BYSTANDERS:
                yield path

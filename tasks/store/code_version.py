"""Hashes the code that decides what a stage writes: a change of it rebuilds the artifact.

The version of a function covers the definitions of its own module that it names, and all of every
module that is imported on the way. It is taken from syntax trees, so docstrings, comments and
formatting do not count. Templates and SQL statements that the code names do.
"""

import ast
import hashlib
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# No figure depends on these: they store, distribute, display, time or describe a result.
IGNORED = (
    "tasks.store.",
    "tasks.executor.",
    "tasks.progress.",
    "tasks.train.card.",
    "tasks.train.relayed_log.",
    "tasks.training.throughput.",
)
DATA_FILE = re.compile(r"\w[\w*/-]*\.(html|sql)")  # a name, or a pattern such as views/*.sql


class Code(NamedTuple):
    """The hash of some code, and the project files that it imports or names."""

    digest: str
    files: tuple[Path, ...]


def code_version(function: Callable[..., object]) -> str:
    """The version (16 hex digits) of a function, or of the one that it is defined in."""
    function = inspect.unwrap(function)
    file = Path(inspect.getfile(function)).resolve()
    return version_of(file, function.__qualname__.split(".")[0], ROOT)


@cache
def version_of(file: Path, name: str, root: Path) -> str:
    """The version of what a file of the project at `root` defines by a name."""
    entry = _read_code(_reached_statements(ast.parse(file.read_bytes()), name), file, root)
    digests: dict[Path, str] = {}
    queue = [*entry.files]
    while queue:
        if (current := queue.pop()) not in digests:
            digests[current], files = _read_file(current, root)
            queue += files
    combined = hashlib.sha256(entry.digest.encode())
    for path, digest in sorted(digests.items()):
        combined.update(f"{path.relative_to(root)} {digest}\n".encode())
    return combined.hexdigest()[:16]


def _reached_statements(module: ast.Module, name: str) -> list[ast.stmt]:
    """What a definition names at the top level of its module, directly or not.

    Statements that define nothing run whenever the module is imported, so they count as well; and
    all do where nothing has that name.
    """
    body = [single for statement in module.body for single in _split_import(statement)]
    definitions: dict[str, list[int]] = defaultdict(list)
    for place, statement in enumerate(body):
        for defined in _defined_names(statement) or {""}:
            definitions[defined].append(place)
    if name not in definitions:
        return body
    reached: set[int] = set()
    queue = [*definitions[""], *definitions[name]]
    while queue:
        if (place := queue.pop()) not in reached:
            reached.add(place)
            names = {node.id for node in ast.walk(body[place]) if isinstance(node, ast.Name)}
            queue += [at for used in names for at in definitions.get(used, ())]
    return [body[place] for place in sorted(reached)]


def _split_import(statement: ast.stmt) -> list[ast.stmt]:
    """One statement for each imported name: the others are of other definitions."""
    match statement:
        case ast.Import(names):
            return [ast.Import([alias]) for alias in names]
        case ast.ImportFrom(module, names, level):
            return [ast.ImportFrom(module, [alias], level) for alias in names]
    return [statement]


def _defined_names(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return {name}
        case ast.Import([alias]) | ast.ImportFrom(_, [alias]):
            return {alias.asname or alias.name.split(".")[0]}
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in stored if isinstance(node.ctx, ast.Store)}


@cache  # most stages import the same files
def _read_file(file: Path, root: Path) -> Code:
    if file.suffix != ".py":
        return Code(hashlib.sha256(file.read_bytes()).hexdigest(), ())
    return _read_code(ast.parse(file.read_bytes()).body, file, root)


def _read_code(statements: list[ast.stmt], file: Path, root: Path) -> Code:
    tree = ast.Module(statements, type_ignores=[])
    files: set[Path] = set()
    for node in ast.walk(tree):
        files.update(_named_files(node, file, root))
        if isinstance(body := getattr(node, "body", None), list):
            body[:] = [child for child in body if not _is_docstring(child)]
    return Code(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted(files)))


def _is_docstring(node: ast.stmt) -> bool:
    """Any string that is a statement: attributes have docstrings as well."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _named_files(node: ast.AST, file: Path, root: Path) -> Iterator[Path]:
    """The modules that a node imports, or names for another process; the data files it names."""
    match node:
        case ast.ImportFrom(str(module), names):
            modules = [module, *(f"{module}.{alias.name}" for alias in names)]
        case ast.Import(names):
            modules = [alias.name for alias in names]
        case ast.Constant(str(text)) if DATA_FILE.fullmatch(text):
            yield from file.parent.glob(text)
            yield from (root / "sql").rglob(text)
            return
        case ast.Constant(str(text)):
            modules = [text]
        case _:
            return
    for module in modules:
        if module.startswith("tasks.") and not f"{module}.".startswith(IGNORED):
            path = root.joinpath(*module.split("."))
            yield from filter(Path.is_file, (path.with_suffix(".py"), path / "__init__.py"))

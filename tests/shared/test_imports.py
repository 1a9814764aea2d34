"""What may import what, where import-linter's contracts in pyproject.toml do not reach."""

import ast
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = packages_distributions()
MODULES = sorted(
    str(file.relative_to(ROOT)) for file in (ROOT / "tasks").rglob("*.py") if file.name != "task.py"
)


def imported_packages(file: Path) -> set[str]:
    """Top-level names of all that a file imports, at its top and inside functions."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    ]
    return {module.split(".")[0] for module in modules}


def required_distributions(distribution: str) -> set[str]:
    """A distribution and all that it requires, extras aside."""
    found, queue = set(), [distribution]
    while queue:
        if (current := queue.pop().lower().replace("_", "-")) not in found:
            found.add(current)
            try:
                lines = requires(current) or []
            except PackageNotFoundError:  # of another platform
                continue
            needs = map(Requirement, lines)
            queue += [n.name for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]
    return found


def needs_prefect(package: str) -> bool:
    return any("prefect" in required_distributions(name) for name in DISTRIBUTIONS.get(package, ()))


def test_a_package_that_reexports_prefect_is_recognised():
    assert needs_prefect("prefect")
    assert not needs_prefect("distributed")


def test_no_module_but_the_tasks_imports_prefect_or_a_package_that_requires_it():
    importers: dict[str, list[str]] = {}
    for module in MODULES:
        for package in imported_packages(ROOT / module):
            importers.setdefault(package, []).append(module)
    assert {package: importers[package] for package in importers if needs_prefect(package)} == {}

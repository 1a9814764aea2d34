"""Writes the data dictionary: every column of every table, from where it is defined.

`python -m tasks.data_dictionary` rewrites data/README.md and artifacts/README.md.
"""

import re
from pathlib import Path

from tasks.metrics_db import SQL
from tasks.store import artifacts
from tasks.store.artifacts import Artifact

ROOT = Path(__file__).resolve().parents[1]
HEADER = ("| column | type | meaning |", "|---|---|---|")
COLUMN = r"\s*(\w+) ([a-z]+(?:\[\])?)[^-]*(?:-- (.*))?"  # name, type, meaning
HEADS = {
    "data": """# data/

Rows: what was fetched (`raw/`), and what is rebuilt from it. Nothing here is edited by hand, and
all but `raw/` may be deleted: the next night builds it again.

Each folder below is one kind of artifact, each folder in it one build, named by its fingerprint:
what it was made of, by which settings and which code. Beside its tables it holds `manifest.json`
(recipe, parents, rows, the hash of every file) and `cost.json` (what building it cost).
""",
    "artifacts": """# artifacts/

What runs make: models, predictions, scores, reports, and `metrics.duckdb`, which keeps what was
published of every run. Folders are laid out as under `data/`.
""",
}


def dictionary(home: str) -> str:
    """The README of `data` or of `artifacts`."""
    kinds = [kind for kind in vars(artifacts).values() if _is_kind(kind) and kind.top_level == home]
    parts = [HEADS[home], *map(_kind, kinds)]
    return "\n".join([*parts, *([_warehouse()] if home == "artifacts" else [])])


def _is_kind(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Artifact) and value is not Artifact


def _kind(kind: type[Artifact]) -> str:
    lines = [f"## {kind.kind()}", "", (kind.__doc__ or "").strip(), ""]
    for table in kind.tables.values():
        lines += [
            f"`{table.files}`: {table.grain}.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {type_} | {told} |" for name, (type_, told) in table.columns.items()]
        lines += [""]
    return "\n".join(lines)


def _warehouse() -> str:
    """The tables and views of the metric file, from the statements that make them.

    A column that a statement says nothing of means what it means in the artifact it comes from.
    """
    lines = ["## metrics.duckdb", ""]
    for file in [*sorted(SQL.glob("migrations/*.sql")), *sorted(SQL.glob("views/*.sql"))]:
        text = file.read_text()
        if "create or replace view" in text:
            first = text.splitlines()[0].removeprefix("-- ")
            lines += [f"View `{first.split(':')[0]}`:{first.split(':', 1)[1]}", ""]
        for table, body in re.findall(r"create table (\w+) \((.*?)\n\);", text, re.DOTALL):
            lines += [f"Table `{table}`:", "", *HEADER]
            rows = [re.match(COLUMN, row) for row in body.strip().splitlines()]
            columns = [row.groups() for row in rows if row and row[1] != "primary"]
            meanings = _meanings({name for name, _, _ in columns})
            lines += [f"| {n} | {t} | {told or meanings.get(n, '')} |" for n, t, told in columns]
            lines += [""]
    return "\n".join(lines)


def _meanings(columns: set[str]) -> dict[str, str]:
    """Of the artifacts' table that has most of these columns, the latest such."""
    tables = [t for k in vars(artifacts).values() if _is_kind(k) for t in k.tables.values()]
    nearest = max(reversed(tables), key=lambda table: len(columns & set(table.columns)))
    return {"run_id": "which run", **{n: told for n, (_, told) in nearest.columns.items()}}


def main() -> None:
    """Rewrite both files."""
    for home in HEADS:
        (ROOT / home / "README.md").write_text(dictionary(home))


if __name__ == "__main__":
    main()

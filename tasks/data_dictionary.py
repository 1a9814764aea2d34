"""Writes the data dictionary: every column of every table, with its type and meaning.

`python -m tasks.data_dictionary` rewrites data/README.md and artifacts/README.md.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.metrics_db import atomic_update
from tasks.store.artifacts import KINDS, Artifact

ROOT = Path(__file__).resolve().parents[1]
HEADS = {
    "data": """# data/

Rows: downloaded sources (`raw/`), and what is rebuilt from them. Nothing here is edited by hand.
Everything but `raw/` may be deleted: the next run builds it again.

Each folder is one kind of artifact. Each folder in it is one build, named by its fingerprint: a
hash of its inputs, settings and code. Beside its tables it holds `manifest.json` (recipe, parents,
rows, the hash of every file) and `cost.json` (what building it cost).
""",
    "artifacts": """# artifacts/

Models, predictions, scores and reports, and `metrics.duckdb` with the published rows of every run.
Folders are laid out as under `data/`.

What is small is in tables of `metrics.duckdb`, for ever. Predictions, lists, films, the quarantine
and figures by slice are views over the files of each run (`published_files`), named relative to the
folder that holds `data/` and `artifacts/`: open the database there, or `set file_search_path` to
that folder; `advisor sql` and reports find them from anywhere. gc deletes the files with the run,
and `missing_files` names it. The folders `none` hold files without rows, for the views' sake.
""",
}
COLUMNS = """
select c.table_name, coalesce(v.comment, t.comment), v.view_name is not null, c.column_name,
    lower(c.data_type), c.comment
from duckdb_columns() as c
left join duckdb_tables() as t using (table_name)
left join duckdb_views() as v on v.view_name = c.table_name
where not c.internal
order by v.view_name is not null, c.table_name, c.column_index
"""
Column = tuple[str, str, str]  # name, type, meaning


def dictionary(top_level: str) -> str:
    """The README of `data` or of `artifacts`."""
    kinds = [kind for kind in KINDS if kind.top_level == top_level]
    lines = [HEADS[top_level], *(line for kind in kinds for line in _kind(kind))]
    return "\n".join([*lines, *(_metrics_database() if top_level == "artifacts" else [])])


def metrics_columns() -> dict[tuple[str, str], list[Column]]:
    """The columns of each relation of a new metrics database, by its heading and meaning."""
    relations: dict[tuple[str, str], list[Column]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        atomic_update(Path(folder) / "metrics.duckdb") as db,
    ):
        for name, about, is_view, *column in db.execute(COLUMNS).fetchall():
            heading = f"{'View' if is_view else 'Table'} `{name}`", about
            relations.setdefault(heading, []).append((column[0], column[1], column[2]))
    return relations


def _kind(kind: type[Artifact]) -> Iterator[str]:
    yield from (f"## {kind.kind()}", "", (kind.__doc__ or "").strip(), "")
    for table in kind.tables.values():
        yield from (f"`{table.files}`: {table.grain}.", "")
        yield from _table((name, *column) for name, column in table.columns.items())


def _metrics_database() -> Iterator[str]:
    yield from ("## metrics.duckdb", "")
    for (name, about), columns in metrics_columns().items():
        yield from (f"{name}: {about}.", "")
        yield from _table(columns)


def _table(columns: Iterable[Column]) -> Iterator[str]:
    yield from ("| column | type | meaning |", "|---|---|---|")
    for name, type_, meaning in columns:
        yield f"| {name} | {type_} | {(meaning or '').replace('|', chr(92) + '|')} |"
    yield ""


def main() -> None:
    """Rewrite both files."""
    for top_level in HEADS:
        (ROOT / top_level / "README.md").write_text(dictionary(top_level))


if __name__ == "__main__":
    main()

"""The data dictionary names every column that exists, with a meaning."""

import re
from pathlib import Path

import duckdb
import pytest

from tasks.data_dictionary import HEADS, ROOT, dictionary
from tasks.metrics_db import atomic_update
from tasks.store.artifacts import KINDS


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, str | None]]:
    """(relation, column, type, comment) of a metrics database without a run."""
    path = tmp_path_factory.mktemp("metrics") / "metrics.duckdb"
    with atomic_update(path):
        pass
    query = "select table_name, column_name, lower(data_type), comment from duckdb_columns()"
    with duckdb.connect(str(path), read_only=True) as db:
        return db.execute(f"{query} where not internal").fetchall()


def rows(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(relation or file, column) to (type, meaning), as a reader of the page finds them."""
    found, relation = {}, ""
    for line in text.splitlines():
        if heading := re.match(r"(?:Table |View )?`([^`]+)`: ", line):
            relation = heading[1]
        elif cell := re.match(r"\| (?!column )([a-z]\w*) \| (.+?) \| (.*) \|$", line):
            found[relation, cell[1]] = (cell[2], cell[3])
    return found


@pytest.mark.parametrize("top_level", HEADS)
def test_the_data_dictionary_is_up_to_date(top_level: str):
    written = (ROOT / top_level / "README.md").read_text()
    assert written == dictionary(top_level), "run `make dictionary`"


def test_every_column_of_a_metrics_database_has_a_meaning_and_is_listed(metrics: list):
    assert not [(relation, name) for relation, name, _, comment in metrics if not comment]
    page = rows((ROOT / "artifacts" / "README.md").read_text())
    for relation, name, type_, comment in metrics:
        assert page[relation, name] == (type_, comment.replace("|", "\\|"))


def test_every_relation_of_a_metrics_database_has_a_meaning(tmp_path: Path):
    with atomic_update(tmp_path / "metrics.duckdb") as db:
        query = "select {0}_name from duckdb_{0}s() where not internal and comment is null"
        assert not [
            *db.sql(query.format("table")).fetchall(),
            *db.sql(query.format("view")).fetchall(),
        ]


def test_every_column_of_every_artifact_has_a_meaning_and_is_listed():
    columns = [(k, t, c) for k in KINDS for t in k.tables.values() for c in t.columns.items()]
    assert len(columns) > 50
    pages = {name: (ROOT / name / "README.md").read_text() for name in HEADS}
    for kind, table, (name, (type_, meaning)) in columns:
        assert meaning, f"{kind.__name__}: {name}"
        section = pages[kind.top_level].split(f"## {kind.kind()}\n")[1].split("\n## ")[0]
        assert rows(section)[table.files, name] == (type_, meaning.replace("|", "\\|"))

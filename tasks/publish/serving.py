"""Finds the champion that serves: that of one data set and one recipe of the split.

`serving` has the runs that were chosen for their data set and split. The first run with a champion
is chosen by itself; from then on only a person chooses, so that a trial on other data or with
another split never changes what users get.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from tasks.metrics_db import atomic_update, find_champion, open_readonly
from tasks.metrics_location import metrics_location, migrated_metrics
from tasks.store.artifacts import Adapter, SplitRatings
from tasks.store.remote.errors import ConflictError
from tasks.store.store import Store, StoreError


class ChampionRow(NamedTuple):
    """A champion, what it is comparable on, and whether it is the one that serves."""

    adapter: str
    dataset: str
    protocol: str
    split_recipe: str
    serves: bool


def find_serving_champion(store: Store) -> Adapter:
    """The champion of the data set and split that serve, downloaded where it is not here.

    Raises FileNotFoundError where there is no champion yet, StoreError where it is missing or
    corrupt.
    """
    return store.find(Adapter, find_champion(migrated_metrics(store)))


def hash_recipe(recipe: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the settings of a split, whatever data it was made from."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def metrics_with_recipes(store: Store) -> Path:
    """The metrics database, in which runs of an earlier version got the recipe of their split.

    A run whose split is gone keeps the protocol's name: it may have had any recipe of that name.
    Where another machine publishes meanwhile, they get it the next time.
    """
    path = migrated_metrics(store)
    if path.exists() and (recipes := _unnamed_recipes(path, store)):
        with suppress(ConflictError), atomic_update(*metrics_location(store)) as db:
            db.executemany("update runs set split_recipe = ? where run_id = ?", recipes)
    return path


def _unnamed_recipes(path: Path, store: Store) -> list[tuple[str, str]]:
    """The recipe's hash and the run, of runs that lack it and whose split is known."""
    with open_readonly(path) as db:
        splits = db.execute(
            "select run_id, fingerprint from runs join stages using (run_id) "
            "where split_recipe = protocol and kind = ?",
            [SplitRatings.kind()],
        ).fetchall()
    found = []
    for run_id, fingerprint in splits:
        with suppress(StoreError):
            recipe = store.read_manifest(SplitRatings, fingerprint)["recipe"]
            found.append((hash_recipe(recipe), run_id))
    return found


def begin_serving(db: duckdb.DuckDBPyConnection, run_id: str, at: datetime) -> None:
    """Let the data set and split of a run serve, unless others do."""
    if db.execute("select 1 from serving").fetchone() is None:
        db.execute("insert into serving values (?, ?)", [at, run_id])


def read_champions(store: Store) -> list[ChampionRow]:
    """The champion of each data set and split, the one that serves first.

    Raises FileNotFoundError where nothing was published yet.
    """
    with open_readonly(migrated_metrics(store)) as db:
        return list_champions(db)


def list_champions(db: duckdb.DuckDBPyConnection) -> list[ChampionRow]:
    """The champion of each data set and split, the one that serves first."""
    columns = ", ".join(ChampionRow._fields)
    rows = db.execute(f"select {columns} from champion order by serves desc, decided_at desc")
    return [ChampionRow(*row) for row in rows.fetchall()]


def choose_serving(
    db: duckdb.DuckDBPyConnection, dataset: str, split: str, at: datetime
) -> ChampionRow:
    """Let a data set and a split serve from now on; return their champion.

    `split` is the protocol's name, the beginning of the recipe's hash, or empty. Raises LookupError
    where not exactly one of those with a champion fits.
    """
    known = list_champions(db)
    fitting = [
        row
        for row in known
        if row.dataset == dataset and (split == row.protocol or row.split_recipe.startswith(split))
    ]
    if len(fitting) != 1:
        there_are = "; ".join(f"{c.dataset} {c.protocol} ({c.split_recipe})" for c in known)
        raise LookupError(
            f'{len(fitting)} champions are of "{f"{dataset} {split}".strip()}": '
            f"there are {there_are or 'none'}"
        )
    (chosen,) = fitting
    run = db.execute("select run_id from champion where adapter = ?", [chosen.adapter]).fetchone()
    db.execute("insert into serving values (?, ?)", [at, *(run or ())])
    return chosen._replace(serves=True)

"""Assigns a fold and a role to every rating, a batch of users at a time, and finds cold films."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from tasks.split.check_folds import FoldContents
from tasks.split.protocols import Split
from tasks.store.artifacts import RATING, ValidatedRatings
from tasks.user_batches import iter_user_batches

COLUMNS = [*RATING, "position", "fold", "role", "cold"]


def assign_folds(draft: Path, ratings: ValidatedRatings, config: Split) -> dict[str, Any]:
    """Write ratings.parquet; return the manifest's metadata.

    Raises DegenerateSplitError where nothing is left to train on or to evaluate. Which films are
    cold is known only after the last user, so batches are first spilled to disk.
    """
    assign = config.make_assigner(ratings.scan("ratings"))
    spill = draft / "spill"
    spill.mkdir()
    known: dict[str, set[int]] = {"train": set(), "validation": set()}
    counts: dict[str, int] = {}
    files: list[Path] = []
    contents = FoldContents()
    for users in iter_user_batches(ratings.files("ratings"), [*RATING]):
        assigned = assign(users).select(COLUMNS[:-1])
        for fold, films in known.items():
            films.update(assigned.filter(pl.col("fold") == fold)["film_id"].unique())
        for fold, role, rows in assigned.group_by("fold", "role").len().iter_rows():
            counts[f"{fold} {role}"] = counts.get(f"{fold} {role}", 0) + rows
        contents.add(assigned)
        files.append(spill / f"{len(files)}.arrow")
        assigned.write_ipc(files[-1])
    contents.check(config.name, config.remedy)
    _write(files, _cold(**known), draft / "ratings.parquet")
    shutil.rmtree(spill)
    source = ratings.metadata
    return {
        "dataset": source["dataset"],
        "scale": source["scale"],
        "protocol": config.name,
        "ratings": dict(sorted(counts.items())),
    }


def _cold(train: set[int], validation: set[int]) -> pl.Expr:
    """Whether the film has no rating in the folds before: train, and for test also validation.

    False in the train fold.
    """
    film, fold = pl.col("film_id"), pl.col("fold")
    in_train, in_both = (
        pl.Series(sorted(films), dtype=pl.Int32).implode() for films in (train, train | validation)
    )
    new = pl.when(fold == "test").then(~film.is_in(in_both)).otherwise(~film.is_in(in_train))
    return pl.when(fold == "train").then(False).otherwise(new).alias("cold")


def _write(files: list[Path], cold: pl.Expr, path: Path) -> None:
    """Write the batches as one file; fold and role are dictionary-encoded strings."""
    writer: pq.ParquetWriter | None = None
    for file in files:
        batch = pl.scan_ipc(file, glob=False).with_columns(cold).collect()
        table = batch.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(
            path, table.schema, store_schema=False, use_dictionary=["fold", "role"]
        )
        writer.write_table(table, row_group_size=len(table))
        file.unlink()
    assert writer, "a split without users is degenerate"
    writer.close()

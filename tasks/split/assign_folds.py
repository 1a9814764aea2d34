"""Marks all histories, a range of users at a time, and says which films came unheard-of."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from tasks.split.protocols import Split
from tasks.store.artifacts import RATING, ValidatedRatings
from tasks.user_batches import whole_users

COLUMNS = [*RATING, "position", "fold", "role", "cold"]


def write_histories(draft: Path, ratings: ValidatedRatings, config: Split) -> dict[str, Any]:
    """Write ratings.parquet; return the notes for the manifest.

    Whether a film is cold is known when all users are marked, so marked users wait on the disk.
    """
    mark = config.marker(ratings.scan("ratings"))
    waiting = draft / "waiting"
    waiting.mkdir()
    known: dict[str, set[int]] = {"train": set(), "validation": set()}
    counts: dict[str, int] = {}
    files: list[Path] = []
    for users in whole_users(ratings.files("ratings"), [*RATING]):
        marked = mark(users).select(COLUMNS[:-1])
        for fold, films in known.items():
            films.update(marked.filter(pl.col("fold") == fold)["film_id"].unique())
        for fold, part, rows in marked.group_by("fold", "role").len().iter_rows():
            counts[f"{fold} {part}"] = counts.get(f"{fold} {part}", 0) + rows
        files.append(waiting / f"{len(files)}.arrow")
        marked.write_ipc(files[-1])
    _write(files, _cold(**known), draft / "ratings.parquet")
    shutil.rmtree(waiting)
    notes = ratings.metadata
    told = {"dataset": notes["dataset"], "scale": notes["scale"], "protocol": config.name}
    return told | {"ratings": dict(sorted(counts.items()))}


def _cold(train: set[int], validation: set[int]) -> pl.Expr:
    """Whether no rating of the film lies in what the rating's fold may know of the folds before.

    The train fold knows itself, validation knows train, and test knows both.
    """
    film, fold = pl.col("film_id"), pl.col("fold")
    trained, both = (
        pl.Series(sorted(films), dtype=pl.Int32).implode() for films in (train, train | validation)
    )
    new = pl.when(fold == "test").then(~film.is_in(both)).otherwise(~film.is_in(trained))
    return pl.when(fold == "train").then(False).otherwise(new).alias("cold")


def _write(files: list[Path], cold: pl.Expr, path: Path) -> None:
    """Folds and parts go out as dictionaries, and come back as the strings that they are."""
    writer: pq.ParquetWriter | None = None
    for file in files:
        marked = pl.read_ipc(file).with_columns(cold)
        table = marked.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(
            path, table.schema, store_schema=False, use_dictionary=["fold", "role"]
        )
        writer.write_table(table, row_group_size=len(table))
        file.unlink()
    if writer is None:
        raise ValueError("no ratings to split: see what validation set aside")
    writer.close()

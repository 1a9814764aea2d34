"""Keeps ratings on disk as arrays, in shards of whole users, for repeated reading."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays

Ints = NDArray[np.int64]
ON_DISK = {"user": np.int32, "film": np.int32, "rating": np.float32, "fold": np.int8}
IN_MEMORY = {"user": np.int64, "film": np.int64, "rating": np.float64, "fold": np.int64}
NAMES = [field.name for field in dataclasses.fields(RatingArrays)]


@dataclasses.dataclass(frozen=True)
class UserShards:
    """The ratings of all users in `count` shards."""

    folder: Path
    count: int

    @classmethod
    def write(cls, folder: Path, tables: Iterable[pl.DataFrame], film_ids: Ints) -> "UserShards":
        """Write one shard a table; a film's number is its place in `film_ids`."""
        folder.mkdir()
        count = 0
        for count, table in enumerate(tables, 1):
            for name, values in vars(_to_arrays(table, film_ids)).items():
                np.save(
                    folder / f"{count - 1}-{name}.npy",
                    values.astype(ON_DISK.get(name, values.dtype)),
                )
        return cls(folder, count)

    def __iter__(self) -> Iterator[RatingArrays]:
        return map(self.read, range(self.count))

    def read(self, shard: int) -> RatingArrays:
        """The ratings of one shard."""
        loaded = {name: np.load(self.folder / f"{shard}-{name}.npy") for name in NAMES}
        return RatingArrays(
            **{name: v.astype(IN_MEMORY.get(name, v.dtype)) for name, v in loaded.items()}
        )


def _to_arrays(table: pl.DataFrame, film_ids: Ints) -> RatingArrays:
    return RatingArrays(
        user=table["user_id"].to_numpy().astype(np.int64),
        film=np.searchsorted(film_ids, table["film_id"].to_numpy()).astype(np.int64),
        rating=table["rating"].to_numpy().astype(np.float64),
        time=table["rated_at"].to_physical().to_numpy().astype(np.int64),
        fold=table["fold"].cast(pl.Enum(FOLDS)).to_physical().to_numpy().astype(np.int64),
        target=(table["role"] == "target").to_numpy(),
        log_prior=_log_priors(table),
    )


def _log_priors(table: pl.DataFrame) -> NDArray[np.float32]:
    """The column `log_prior` as [ratings, values], nulls as NaN; without it [ratings, 0]."""
    if "log_prior" not in table.columns:
        return np.zeros((len(table), 0), np.float32)
    known = table["log_prior"].is_not_null().to_numpy()
    values = table["log_prior"].drop_nulls().explode().to_numpy()
    rows = np.full((len(table), len(values) // max(1, known.sum())), np.nan, np.float32)
    rows[known] = values.reshape(-1, rows.shape[1])
    return rows

"""Keeps ratings on disk as arrays, in shards of whole users, for repeated reading."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays

NAMES = [field.name for field in dataclasses.fields(RatingArrays)]


@dataclasses.dataclass(frozen=True)
class UserShards:
    """The ratings of all users in `count` shards."""

    folder: Path
    count: int

    @classmethod
    def write(
        cls, folder: Path, tables: Iterable[pl.DataFrame], film_ids: NDArray[np.integer]
    ) -> "UserShards":
        """Write one shard a table; a film's number is its place in `film_ids`."""
        folder.mkdir()
        count = 0
        for count, table in enumerate(tables, 1):
            for name, values in vars(_to_arrays(table, film_ids)).items():
                np.save(folder / f"{count - 1}-{name}.npy", values)
        return cls(folder, count)

    def __iter__(self) -> Iterator[RatingArrays]:
        return map(self.read, range(self.count))

    def read(self, shard: int) -> RatingArrays:
        """The ratings of one shard, read-only: what is not used of them is not read."""
        files = {name: self.folder / f"{shard}-{name}.npy" for name in NAMES}
        return RatingArrays(
            **{name: np.asarray(np.load(file, mmap_mode="r")) for name, file in files.items()}
        )


def _to_arrays(table: pl.DataFrame, film_ids: NDArray[np.integer]) -> RatingArrays:
    film = pc.index_in(table["film_id"].to_arrow(), pa.array(film_ids, pa.int32()))
    return RatingArrays(
        user=table["user_id"].to_numpy().astype(np.int32),
        film=film.to_numpy(),
        rating=table["rating"].to_numpy().astype(np.float64),
        time=table["rated_at"].to_physical().to_numpy().astype(np.int64),
        fold=table["fold"].cast(pl.Enum(FOLDS)).to_physical().to_numpy().astype(np.int8),
        target=(table["role"] == "target").to_numpy(),
        log_prior=_log_priors(table),
    )


def _log_priors(table: pl.DataFrame) -> NDArray[np.float32]:
    """The column of arrays `log_prior` as [ratings, values], nulls as NaN; else [ratings, 0]."""
    if "log_prior" not in table.columns:
        return np.zeros((len(table), 0), np.float32)
    return table["log_prior"].to_numpy()

"""Keeps ratings on the disk as arrays, a group of users at a time, to be read again and again."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.rating_arrays import FOLDS, RatingArrays

Ints = NDArray[np.int64]
SMALL = {"user": np.int32, "film": np.int32, "rating": np.float32, "fold": np.int8}


@dataclasses.dataclass(frozen=True)
class Groups:
    """The ratings of all users in `number` groups of whole users."""

    folder: Path
    number: int

    @classmethod
    def write(cls, folder: Path, tables: Iterable[pl.DataFrame], film_ids: Ints) -> "Groups":
        """Lay down histories, a table a group; a film is told by its place in `film_ids`."""
        folder.mkdir()
        number = 0
        for number, table in enumerate(tables, 1):
            for name, values in vars(as_rows(table, film_ids)).items():
                np.save(
                    folder / f"{number - 1}-{name}.npy",
                    values.astype(SMALL.get(name, values.dtype)),
                )
        return cls(folder, number)

    def __iter__(self) -> Iterator[RatingArrays]:
        return map(self.rows, range(self.number))

    def rows(self, group: int) -> RatingArrays:
        """One group as it was laid down."""
        wide = {"user": np.int64, "film": np.int64, "rating": np.float64, "fold": np.int64}
        names = [field.name for field in dataclasses.fields(RatingArrays)]
        loaded = {name: np.load(self.folder / f"{group}-{name}.npy") for name in names}
        return RatingArrays(
            **{name: v.astype(wide.get(name, v.dtype)) for name, v in loaded.items()}
        )


def as_rows(table: pl.DataFrame, film_ids: Ints) -> RatingArrays:
    """SplitRatings as arrays."""
    return RatingArrays(
        user=table["user_id"].to_numpy().astype(np.int64),
        film=np.searchsorted(film_ids, table["film_id"].to_numpy()).astype(np.int64),
        rating=table["rating"].to_numpy().astype(np.float64),
        time=table["rated_at"].to_physical().to_numpy().astype(np.int64),
        fold=table["fold"].cast(pl.Enum(FOLDS)).to_physical().to_numpy().astype(np.int64),
        target=(table["role"] == "target").to_numpy(),
    )

"""Sums of every metric by user, for each predictor and each part of each slice.

Whatever is a mean over ratings, or over lists, is known from these sums; so are its intervals.
Values are whole millionths: sums of integers, which the order that threads give them cannot change.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.score.relations import blocks
from tasks.score.slices import film_slices
from tasks.score.statements import bare, statements
from tasks.score.values import MILLION, Metric, Summed, block_sums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """A part of a slice: `count` [users], and `totals` [users, width], in millionths.

    All are whole numbers, far below 2^53: their sums, also over resamples, are exact.
    """

    slice: str
    part: str
    count: Floats
    totals: dict[tuple[str, Metric], Floats] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return 1 + sum(metric.width for _, metric in self.totals)

    def columns(self) -> Floats:
        """[users, width]: the count, then the totals in their order."""
        return np.concatenate([self.count[:, None], *self.totals.values()], axis=1)

    def put(self, predictor: str, metrics: list[Metric], sums: Ints, first: int) -> None:
        """Take in [users, 1 + widths] of the users from `first` on: the count, then the sums."""
        at = np.s_[first : first + len(sums)]
        self.count[at] = sums[:, 0]
        column = 1
        for metric in metrics:
            key = predictor, metric
            if key not in self.totals:
                self.totals[key] = np.zeros((len(self.count), metric.width))
            self.totals[key][at] = sums[:, column : column + metric.width]
            column += metric.width


def rating_parts(db: duckdb.DuckDBPyConnection, users: Ints) -> list[Part]:
    """The sums of what is told of single ratings; blocks are worked off by two threads."""
    parts: dict[tuple[str, str], Part] = {}
    predictors = db.execute("select distinct predictor from all_ratings order by 1").fetchall()
    names = [str(name) for (name,) in predictors]
    films, slices = db.sql("select film_id from film_facts").pl()["film_id"], film_slices(db)

    def work(block: tuple[int, int]) -> list[Summed]:
        with db.cursor() as own:
            return list(block_sums(own, block, names, films.to_numpy(), slices))

    with ThreadPoolExecutor(2) as threads:
        for made in threads.map(work, blocks(db)):
            for told in made:
                first = int(np.searchsorted(users, told.users[0]))
                for label, sums in zip(told.slice.labels, told.sums, strict=True):
                    if sums[:, 0].any():
                        key = told.slice.name, label
                        part = parts.setdefault(key, Part(*key, np.zeros(len(users))))
                        part.put(told.predictor, told.metrics, sums, first)
    return _by_user(db, parts.pop(("everyone", "all")), users) + list(parts.values())


def list_parts(db: duckdb.DuckDBPyConnection, users: Ints) -> list[Part]:
    """The sums of what is told of whole lists."""
    whole = Part("everyone", "all", np.ones(len(users)))
    for file, text in statements("metrics/lists"):
        table = db.sql(f"select * from ({bare(text)}) order by predictor, k, user_id").pl()
        for (predictor, k), rows in table.group_by("predictor", "k", maintain_order=True):
            total = np.zeros((len(users), 1))
            value = rows["value"].cast(pl.Float64).to_numpy()
            total[np.searchsorted(users, rows["user_id"]), 0] = np.rint(value * MILLION)
            metric = Metric(file.stem, int(str(k)))
            whole.totals[str(predictor), metric] = total
    return _by_user(db, whole, users) if whole.totals else []


def _by_user(db: duckdb.DuckDBPyConnection, whole: Part, users: Ints) -> list[Part]:
    """The parts of the slices of users: the whole, with the other users left out."""
    made = []
    for file, text in statements("slices/users"):
        table = db.sql(f"select * from ({bare(text)}) order by part, user_id").pl()
        for (name,), rows in table.group_by("part", maintain_order=True):
            inside = np.isin(users, rows["user_id"]).astype(np.float64)
            totals = {key: total * inside[:, None] for key, total in whole.totals.items()}
            made.append(Part(file.stem, str(name), whole.count * inside, totals))
    return made

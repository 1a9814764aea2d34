"""Sums of every metric by user, for each predictor and each part of each slice, in DuckDB.

Whatever is a mean over ratings, or over lists, is known from these sums; so are its intervals.
Values are whole millionths: sums of integers, which the order that threads give them cannot change.
"""

from dataclasses import dataclass, field

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.score.relations import MissingPredictionError, blocks, predict
from tasks.score.statements import statements

Floats = NDArray[np.float64]
MILLION = 1_000_000
BINS = 10


@dataclass(frozen=True)
class Metric:
    """A file of sql/metrics. Its figure is (sum / count) ** power, or, where its values come in
    bins, the sum of the bins' absolute sums, by the count.
    """

    name: str
    k: int | None = None
    power: float = 1.0
    binned: bool = False

    @property
    def width(self) -> int:
        """How many sums it is made of."""
        return BINS if self.binned else 1


@dataclass(frozen=True)
class Part:
    """A part of a slice: `count` [users], and `totals` [users, width], in millionths.

    All are whole numbers, far below 2^53: their sums, also over resamples, are exact.
    """

    slice: str
    part: str
    count: Floats
    totals: dict[tuple[str, Metric], Floats] = field(default_factory=dict)

    def put(
        self, predictor: str, metrics: list[Metric], rows: pl.DataFrame, at: NDArray[np.intp]
    ) -> None:
        """Take in what `_sums` gives of the users at these places."""
        self.count[at] = rows["n"].to_numpy()
        for metric in metrics:
            empty = np.zeros((len(self.count), metric.width))
            columns = rows.select(f"{metric.name}_{i}" for i in range(metric.width))
            found = columns.fill_null(0).cast(pl.Float64).to_numpy()
            self.totals.setdefault((predictor, metric), empty)[at] = found


def rating_parts(db: duckdb.DuckDBPyConnection, users: NDArray[np.int32]) -> list[Part]:
    """The sums of what is told of single ratings."""
    parts: dict[tuple[str, str], Part] = {}
    predictors = db.execute("select distinct predictor from all_ratings order by 1").fetchall()
    slices = ["everyone", *(file.stem for file, _ in statements("slices/targets"))]
    for _ in blocks(db):
        _slice_block(db)
        for (predictor,) in predictors:
            predict(db, predictor)
            metrics = _value_block(db, predictor)
            for slice_ in slices:
                table = _sums(db, slice_, metrics)
                for (name,), rows in table.group_by("part", maintain_order=True):
                    key = slice_, str(name)
                    part = parts.setdefault(key, Part(*key, np.zeros(len(users))))
                    at = np.searchsorted(users, rows["user_id"])
                    part.put(predictor, metrics, rows, at)
    return _by_user(db, parts.pop(("everyone", "all")), users) + list(parts.values())


def list_parts(db: duckdb.DuckDBPyConnection, users: NDArray[np.int32]) -> list[Part]:
    """The sums of what is told of whole lists."""
    whole = Part("everyone", "all", np.ones(len(users)))
    for file, text in statements("metrics/lists"):
        table = db.sql(f"select * from ({_bare(text)}) order by predictor, k, user_id").pl()
        for (predictor, k), rows in table.group_by("predictor", "k", maintain_order=True):
            total = np.zeros((len(users), 1))
            value = rows["value"].cast(pl.Float64).to_numpy()
            total[np.searchsorted(users, rows["user_id"]), 0] = np.rint(value * MILLION)
            metric = Metric(file.stem, int(str(k)))
            whole.totals[str(predictor), metric] = total
    return _by_user(db, whole, users) if whole.totals else []


def _by_user(db: duckdb.DuckDBPyConnection, whole: Part, users: NDArray[np.int32]) -> list[Part]:
    """The parts of the slices of users: the whole, with the other users left out."""
    made = []
    for file, text in statements("slices/users"):
        table = db.sql(f"select * from ({_bare(text)}) order by part, user_id").pl()
        for (name,), rows in table.group_by("part", maintain_order=True):
            inside = np.isin(users, rows["user_id"]).astype(np.float64)
            totals = {key: total * inside[:, None] for key, total in whole.totals.items()}
            made.append(Part(file.stem, str(name), whole.count * inside, totals))
    return made


def _slice_block(db: duckdb.DuckDBPyConnection) -> None:
    """Lay the target slices' parts beside the block's targets, in their order."""
    sides = [
        f"positional join (select part as {file.stem} from ({_bare(text)}))"
        for file, text in statements("slices/targets")
    ]
    db.execute(f"""
        create or replace table sliced as
        select * from (select user_id, 'all' as everyone from targets) {" ".join(sides)}""")


def _value_block(db: duckdb.DuckDBPyConnection, predictor: str) -> list[Metric]:
    """Lay the predictor's metrics beside the block's slices; return those that it has.

    Raises MissingPredictionError where a metric has no value for some of the ratings only.
    """
    metrics, sides = [], []
    for file, text in statements("metrics/ratings"):
        of = {row[0] for row in db.execute(f"describe {_bare(text)}").fetchall()}
        power = db.execute(f"select power from ({_bare(text)}) limit 1") if "power" in of else None
        exponent = float(power.fetchall()[0][0]) if power else 1.0
        metrics.append(Metric(file.stem, power=exponent, binned="bin" in of))
        bin_ = f", bin as {file.stem}_bin" if "bin" in of else ""
        sides.append(f"""positional join (
            select cast(round(value * {MILLION}) as bigint) as {file.stem}{bin_}
            from ({_bare(text)}))""")
    db.execute(f"create or replace table valued as select * from sliced {' '.join(sides)}")
    counts = ", ".join(f"count({metric.name})" for metric in metrics)
    n, *have = db.execute(f"select count(*), {counts} from valued").fetchall()[0]
    for metric, valued in zip(metrics, have, strict=True):
        if 0 < valued < n:
            raise MissingPredictionError(
                f"{predictor} has {metric.name} for {valued} of {n} ratings"
            )
    return [metric for metric, valued in zip(metrics, have, strict=True) if valued]


def _sums(db: duckdb.DuckDBPyConnection, slice_: str, metrics: list[Metric]) -> pl.DataFrame:
    """One row a part and user: `n`, and the sum of each metric, or of each of its bins."""
    sums = [
        f"sum({m.name}) filter ({m.name}_bin = {i}) as {m.name}_{i}" if m.binned else
        f"sum({m.name}) as {m.name}_{i}"
        for m in metrics for i in range(m.width)
    ]  # fmt: skip
    is_list = db.execute(f"select typeof({slice_}) like '%[]' from valued limit 1").fetchall()[0][0]
    rows = f"(select * replace (unnest({slice_}) as {slice_}) from valued)" if is_list else "valued"
    return db.sql(f"""
        select {slice_} as part, user_id, count(*) as n, {", ".join(sums)}
        from {rows} group by part, user_id order by part, user_id""").pl()


def _bare(text: str) -> str:
    """A statement without its semicolon, fit to stand in brackets."""
    return text.rstrip().removesuffix(";")

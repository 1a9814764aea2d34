"""The ratings of a split as arrays, and what is known before each of them."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.affinity import unit_rows
from tasks.features.behaviour import History, Questions
from tasks.features.stretches import FOLDS, Stretches, number_stretches
from tasks.store.artifacts import RatingPriors, SplitRatings, ValidatedRatings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RatedFilms:
    """Ratings as indices: of users and films, in ascending order of their ids, and in the scale."""

    table: pl.DataFrame  # of the split, sorted by user and position
    films: pl.DataFrame  # of the catalogue
    user: Ints
    film: Ints
    code: Ints
    users: Ints  # ids
    scale: Floats

    @classmethod
    def load(
        cls, split: SplitRatings, ratings: ValidatedRatings, of_users: Ints | None = None
    ) -> "RatedFilms":
        """Read the used ratings of a split; all films of the catalogue have an index.

        `of_users` are ids; None: of all users.
        """
        used = split.scan("ratings").filter(pl.col("fold") != "unused")
        if of_users is not None:
            ids = pl.Series(of_users, dtype=pl.Int32)
            used = used.filter(pl.col("user_id").is_in(ids.implode()))
        table = used.collect()
        films = ratings.scan("films").collect()
        users, user = np.unique(table["user_id"].to_numpy(), return_inverse=True)
        scale = np.asarray(ratings.metadata["scale"])
        return cls(
            table=table,
            films=films,
            user=user,
            film=np.searchsorted(films["film_id"].to_numpy(), table["film_id"].to_numpy()),
            code=np.searchsorted(scale, table["rating"].to_numpy()),
            users=users,
            scale=scale,
        )

    @property
    def time(self) -> Ints:
        """Of each rating, in microseconds."""
        return self.table["rated_at"].to_physical().to_numpy()

    def expected(self, priors: RatingPriors) -> Floats:
        """What the machine expected of each rating: [ratings, values], NaN where nothing."""
        key, log_p = ["user_id", "film_id"], pl.col("machine_log_p")
        fitted = priors.scan("priors").select(*key, log_p.list.to_array(len(self.scale))).collect()
        joined = self.table.join(fitted, on=key, how="left", maintain_order="left")
        return np.exp(joined["machine_log_p"].to_numpy().astype(np.float64))

    def periods(self, years: int) -> Ints:
        """Of so many years each, the period of every film's release, from 0: [films]."""
        period = self.films["year"].cast(pl.Int64) // years
        return np.unique(period.fill_null(-1).to_numpy(), return_inverse=True)[1]

    def number_stretches(self, parts: int, split: SplitRatings) -> Stretches:
        """Stretches by position in each history; by time where the split is by time, or given."""
        by_time = split.metadata["protocol"].startswith(("global-time", "given"))
        return number_stretches(self.table, parts, by_time=by_time)

    def history(self, p: Floats, *, with_test: bool = False) -> History:
        """With the residuals of `p` [ratings, values]; of test targets only `with_test`."""
        test = ((self.table["fold"] == "test") & (self.table["role"] == "target")).to_numpy()
        hidden = test & (not with_test)
        genres = self.films["genres"].str.split("|").list.unique()
        names = sorted(genres.explode().drop_nulls().unique())
        has = np.array([genres.list.contains(name).to_numpy() for name in names], np.float64).T
        return History(
            film=self.film,
            time=self.time,
            residual=np.where(hidden, np.nan, self.scale[self.code] - p @ self.scale),
            year=self.films["year"].cast(pl.Float64).to_numpy(),
            genres=unit_rows(has),
        )

    def questions(self, p: Floats, stretches: Stretches, horizon: int) -> Questions:
        """Every rating as a question to what is known before it.

        A fold's targets are all predicted from what precedes the first of them. So ratings of a
        history are predicted from up to `horizon` - 1 ratings before them: trees learn from the
        like.
        """
        place = pl.int_range(pl.len()).over("user_id")
        rows = self.table.with_row_index("row").with_columns(
            pl.col("row").cast(pl.Int64), place=place
        )
        target, back = pl.col("role") == "target", pl.col("place") % horizon
        first_target = pl.col("row").filter(target).min().over("user_id", "fold")
        before = pl.col("row") - pl.min_horizontal("place", back)
        end = rows.select(pl.when(target).then(first_target).otherwise(before)).to_series()
        return self._questions(p, stretches, end.to_numpy())

    def questions_in_time(self, p: Floats, stretches: Stretches) -> Questions:
        """Every rating as a question at its own time: what its user rated before is known, in any
        fold, to show and not to learn from.

        So are the histories of CoLLM's split (Zhang et al., 2023, arXiv 2310.19488).
        """
        rows = self.table.with_row_index("row").select(pl.col("row", "user_id", "rated_at"))
        end = rows.select(pl.col("row").min().over("user_id", "rated_at").cast(pl.Int64))
        return self._questions(p, stretches, end.to_series().to_numpy())

    def _questions(self, p: Floats, stretches: Stretches, end: Ints) -> Questions:
        count = np.zeros(len(self.film), np.int64)
        for stretch in stretches.predicted:
            rows = stretches.number == stretch
            count[rows] = self.count_films(stretches.known(stretch))[self.film[rows]]
        start = np.searchsorted(self.user, self.user)
        return Questions(self.film, start, end, self.time, p, count)

    def count_films(self, known: NDArray[np.bool_]) -> Ints:
        """How often each film of the catalogue was rated: [films]."""
        return np.bincount(self.film[known], minlength=len(self.films))


def users_of_fit(priors: RatingPriors) -> Ints:
    """Ids of the users that a prior was fitted on, ascending."""
    users: Ints = np.load(priors.path / "users.npz")["users"]
    return users


def known_to_fold(table: pl.DataFrame, fold: str) -> NDArray[np.bool_]:
    """The ratings that a fold may learn from: those of earlier folds, and its own context."""
    earlier = pl.col("fold").is_in(FOLDS[: FOLDS.index(fold)])
    own = (pl.col("fold") == fold) & (pl.col("role") == "context")
    return table.select(earlier | own).to_series().to_numpy()

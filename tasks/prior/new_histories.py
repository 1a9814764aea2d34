"""Predicts candidates for histories that have grown, or begun, since the prior was fitted.

The films' vectors are those of the fit; each user's is found from all that is known of the user
now. A rating that is new to the fit is expected from the user's vector of the fit, which knows
nothing of it; where the fit has not seen the user, from all of the user's other ratings.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.factors import Factors
from tasks.features.fold_in import fold_in
from tasks.features.histories import RatedFilms, known_to_fold, users_of_fit
from tasks.prior.candidates import add_histories, add_stretch, list_films, predict_fold
from tasks.prior.chain import as_table
from tasks.prior.vectors import Vectors
from tasks.store.artifacts import Candidates, RatingPriors, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
THREADS = 2  # most of the work is numpy's and scipy's, which let other threads run
USERS = 8192  # at once
KEY = ["user_id", "film_id"]


def write_priors_of_new_histories(
    draft: Path,
    priors: RatingPriors,
    fitted_on: ValidatedRatings,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    earlier: RatingPriors | None,
) -> dict[str, Any]:
    """Write priors.parquet of the candidates and of ratings that are new to the fit.

    vectors.npz keeps the vectors of the fit's users, each with a hash of the ratings it was found
    from: where `earlier` has the same, it is taken from there. Users are taken in blocks, which
    bounds the memory.
    """
    users = candidates.scan("candidates").select(pl.col("user_id").unique().sort()).collect()
    factors = Factors.load(priors.path / "factors-test.safetensors")
    films = ratings.scan("films").select("film_id").collect()["film_id"].to_numpy()
    vectors = Vectors(_of_catalogue(factors, fitted_on, films), films, earlier)
    of_fit = RatedFilms.load(split, ratings, users_of_fit(priors))
    count = of_fit.count_films(known_to_fold(of_fit.table, "test"))
    del of_fit
    tables = []
    for first in range(0, len(users), USERS):
        block = users["user_id"][first : first + USERS]
        rated = RatedFilms.load(split, ratings, block.to_numpy())
        listed = list_films(candidates).filter(pl.col("user_id").is_in(block.implode())).collect()
        tables.append(_predict_block(rated, listed, fitted_on, vectors, count, priors))
    vectors.save(draft)
    pl.concat(tables).write_parquet(draft / "priors.parquet")
    return priors.metadata


def _predict_block(
    rated: RatedFilms,
    listed: pl.DataFrame,
    fitted_on: ValidatedRatings,
    vectors: Vectors,
    count: Ints,
    priors: RatingPriors,
) -> pl.DataFrame:
    """The table of some users' candidates and new ratings; `rated` are these users'."""
    fitted_users = users_of_fit(priors)
    in_fit = np.isin(rated.users, fitted_users)
    own = _contexts(rated)
    found, left_out = _fold_in_users(vectors, rated, own, in_fit)
    parts = [_expect_grown(vectors.factors, fitted_users, rated, fitted_on)]
    parts += [(rows, p) for rows, p in zip(own, left_out, strict=True) if p is not None]
    new, p_new = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    expected = rated.expected(priors)
    expected[new] = p_new
    listed = add_histories(listed, rated.table)
    last = rated.table["rated_at"].gather(listed["end"] - 1)
    listed = listed.with_columns(time=last)  # as a target follows its user's history
    factors, history = replace(vectors.factors, users=found), rated.history(expected)
    p, prior = predict_fold(listed, "test", factors, rated.users, rated, history, count, priors)
    rows = [
        listed.select("fold", *KEY),
        rated.table[new].select(pl.lit("test").alias("fold"), *KEY),
    ]
    table = add_stretch(pl.concat(rows), priors)
    return as_table(table, np.concatenate([p, p_new]), np.concatenate([prior, p_new]))


def _of_catalogue(factors: Factors, fitted_on: ValidatedRatings, wanted: Ints) -> Factors:
    """The factors with the films of another catalogue; one that is new has the mean vector."""
    ids = fitted_on.scan("films").select("film_id").collect()["film_id"].to_numpy()
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    vectors = factors.films[:, place]
    vectors[:, ids[place] != wanted] = factors.films.mean(1, keepdims=True)
    return replace(factors, films=vectors)


def _contexts(rated: RatedFilms) -> list[Ints]:
    """The rows of each user's ratings."""
    rows = np.flatnonzero((rated.table["role"] == "context").to_numpy())
    number = np.arange(len(rated.users))
    start, end = (np.searchsorted(rated.user[rows], number, side) for side in ("left", "right"))
    return [rows[s:e] for s, e in zip(start, end, strict=True)]


def _fold_in_users(
    vectors: Vectors, rated: RatedFilms, own: list[Ints], in_fit: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], list[Floats | None]]:
    """A vector for each user [samples, users, rank + 1], and what each unseen one's ratings are
    expected to be by the others.
    """

    def find(place: int) -> tuple[NDArray[np.float32], Floats | None]:
        film, code = rated.film[own[place]], rated.code[own[place]]
        if in_fit[place]:
            return vectors.find(film, code), None
        posterior = fold_in(vectors.factors, film, code)
        return posterior.draw(seed=0), posterior.leave_one_out()

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(find, range(len(own))))
    return np.stack([vector for vector, _ in found], axis=1), [p for _, p in found]


def _expect_grown(
    factors: Factors, fitted_users: NDArray, rated: RatedFilms, fitted_on: ValidatedRatings
) -> tuple[Ints, Floats]:
    """Rows of users of the fit that it has not seen, and what it expects there."""
    of_fit = pl.col("user_id").is_in(pl.Series(fitted_users, dtype=pl.Int32).implode())
    rows = rated.table.with_row_index("row").lazy().filter(of_fit, pl.col("role") == "context")
    rows = rows.join(fitted_on.scan("ratings"), on=KEY, how="anti", maintain_order="left")
    new = rows.select("row").collect()["row"].to_numpy().astype(np.int64)
    place = np.searchsorted(fitted_users, rated.users[rated.user[new]])
    return new, factors.probabilities(place, rated.film[new])

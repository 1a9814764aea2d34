"""Predicts candidates for histories that have grown, or begun, since the prior was fitted.

The films' vectors are those of the fit; each user's is found from all that is known of the user
now. A rating that the fit has not seen is expected from the user's vector of the fit, which knows
nothing of it, so that no rating has a part in its own prior.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.features.factors import Factors
from tasks.features.fold_in import fold_in
from tasks.features.histories import RatedFilms
from tasks.prior.candidates import add_histories, add_stretch, predict_fold
from tasks.prior.chain import write_table
from tasks.store.artifacts import Candidates, RatingPriors, SplitRatings, ValidatedRatings

Floats = NDArray[np.float64]
VECTORS = "vectors.npz"
THREADS = 2  # most of the work is numpy's and scipy's, which let other threads run
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

    vectors.npz keeps each user's vector with a hash of the ratings it was found from: where
    `earlier` has the same, it is taken from there.
    """
    rated = RatedFilms.load(split, ratings)
    fitted = _of_catalogue(
        Factors.load(priors.path / "factors-test.safetensors"), fitted_on, rated.films
    )
    new = _new_ratings(rated, fitted_on, candidates)
    p_new = _expect_new(fitted, np.load(priors.path / "users.npz")["users"], rated, new)
    expected = rated.expected(priors)
    expected[new] = p_new
    listed = add_histories(candidates, rated.table)
    last = rated.table["rated_at"].gather(listed["end"] - 1)
    listed = listed.with_columns(time=last)  # as a target follows its user's history
    users = listed["user_id"].unique().sort().to_numpy()
    factors = _fold_in_users(fitted, users, rated, earlier, draft / VECTORS)
    p, prior = predict_fold(listed, "test", factors, users, rated, rated.history(expected), priors)
    rows = [
        listed.select("fold", *KEY),
        rated.table[new].select(pl.lit("test").alias("fold"), *KEY),
    ]
    table = add_stretch(pl.concat(rows), priors)
    write_table(draft, table, np.concatenate([p, p_new]), np.concatenate([prior, p_new]))
    return priors.metadata


def _of_catalogue(factors: Factors, fitted_on: ValidatedRatings, films: pl.DataFrame) -> Factors:
    """The factors with the films of another catalogue; one that is new has the mean vector."""
    ids = fitted_on.scan("films").select("film_id").collect()["film_id"].to_numpy()
    wanted = films["film_id"].to_numpy()
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    vectors = factors.films[:, place]
    vectors[:, ids[place] != wanted] = factors.films.mean(1, keepdims=True)
    return replace(factors, films=vectors)


def _new_ratings(
    rated: RatedFilms, fitted_on: ValidatedRatings, candidates: Candidates
) -> NDArray[np.int64]:
    """Rows of the candidates' users that the fit has not seen."""
    rows = rated.table.with_row_index("row").lazy().filter(pl.col("role") == "context")
    rows = rows.join(fitted_on.scan("ratings"), on=KEY, how="anti")
    rows = rows.join(candidates.scan("candidates"), on="user_id", how="semi")
    return rows.select("row").collect()["row"].sort().to_numpy().astype(np.int64)


def _expect_new(
    factors: Factors, users: NDArray, rated: RatedFilms, new: NDArray[np.int64]
) -> Floats:
    """By the users' vectors of the fit; someone new has the mean vector."""
    mean = factors.users.mean(1, keepdims=True)
    known = replace(factors, users=np.concatenate([factors.users, mean], axis=1))
    wanted = rated.users[rated.user[new]]
    place = np.minimum(np.searchsorted(users, wanted), len(users) - 1)
    return known.probabilities(np.where(users[place] == wanted, place, len(users)), rated.film[new])


def _fold_in_users(
    factors: Factors,
    users: NDArray,
    rated: RatedFilms,
    earlier: RatingPriors | None,
    kept: Path,
) -> Factors:
    """The factors with a vector for each of these users in place of the fitted ones."""
    rows = np.flatnonzero((rated.table["role"] == "context").to_numpy())
    start, end = (
        np.searchsorted(rated.users[rated.user[rows]], users, side) for side in ("left", "right")
    )
    own = [rows[s:e] for s, e in zip(start, end, strict=True)]
    ids = rated.films["film_id"].to_numpy()
    hashes = np.array([_hash(ids[rated.film[r]], rated.code[r]) for r in own], "S64")
    found = _read_vectors(earlier)

    def find(place: int) -> NDArray[np.float32]:
        if (vector := found.get(hashes[place])) is not None:
            return vector
        return fold_in(factors, rated.film[own[place]], rated.code[own[place]], seed=0)

    with ThreadPoolExecutor(THREADS) as pool:
        vectors = np.stack(list(pool.map(find, range(len(users)))), axis=1)
    np.savez(kept, hashes=hashes, vectors=vectors)
    return replace(factors, users=vectors)


def _read_vectors(earlier: RatingPriors | None) -> dict[bytes, NDArray[np.float32]]:
    """Vectors [samples, rank + 1] by the hash of the ratings that they were found from."""
    if earlier is None:
        return {}
    read = np.load(earlier.path / VECTORS)
    return dict(zip(read["hashes"], read["vectors"].swapaxes(0, 1), strict=True))


def _hash(film_ids: NDArray, code: NDArray) -> str:
    content = np.stack([film_ids, code]).astype(np.int64)
    return hashlib.sha256(content.tobytes()).hexdigest()

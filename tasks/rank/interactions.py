"""Interaction matrices from the ratings that a fold may use, and similarities of films."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tasks.liked import known_to

Floats = NDArray[np.float64]
FILMS = 1024  # at once: bounds the memory


def select_known(ratings: pl.LazyFrame, fold: str, *columns: str) -> pl.DataFrame:
    """These columns of the ratings of earlier folds, and of this fold's context."""
    return ratings.filter(known_to(fold)).select(columns).collect()


def select_most_rated(known: pl.DataFrame, most: int) -> pl.DataFrame:
    """film_id, ascending, first_rated_at and count of the `most` films with most ratings."""
    films = known.group_by("film_id").agg(first_rated_at=pl.col("rated_at").min(), count=pl.len())
    films = films.sort("count", "film_id", descending=[True, False]).head(most)
    return films.sort("film_id")


def build_interactions(known: pl.DataFrame, users: pl.Series, films: pl.DataFrame) -> csr_array:
    """[users, films]: 1 where a user has rated a film. Both are sorted by id."""
    rows = known.select("user_id", "film_id").join(films, on="film_id", how="semi")
    rows = rows.filter(pl.col("user_id").is_in(users.implode()))
    user = np.searchsorted(users.to_numpy(), rows["user_id"].to_numpy())
    film = np.searchsorted(films["film_id"].to_numpy(), rows["film_id"].to_numpy())
    return csr_array((np.ones(len(rows)), (user, film)), shape=(len(users), len(films)))


def count_cooccurrences(known: pl.DataFrame, films: pl.DataFrame) -> Floats:
    """[films, films]: how many users have rated both; on the diagonal, how many that one.

    From sparse products, whose time grows with the squares of the users' ratings: of all pairs of
    films and users, few are rated. Sums of whole numbers are exact in any order.
    """
    by_user = build_interactions(known, known["user_id"].unique().sort(), films)
    by_film, counts = by_user.T.tocsr(), np.empty((len(films), len(films)))
    for first in range(0, len(films), FILMS):
        counts[first : first + FILMS] = (by_film[first : first + FILMS] @ by_user).toarray()
    return counts


def compute_recency_similarity(
    known: pl.DataFrame, candidates: pl.DataFrame, films: pl.DataFrame, latest: int
) -> pl.Series:
    """For each candidate (user_id, film_id): its cosines with the user's `latest` films, summed.

    This is item-kNN with all neighbours (Sarwar et al., 2001, WWW) on the end of a history.
    """
    if candidates.is_empty():
        return pl.Series(dtype=pl.Float64)
    similarity = _cosines(count_cooccurrences(known, films))
    film_ids, users = films["film_id"].to_numpy(), candidates["user_id"].unique().sort()
    last = known.filter(pl.col("user_id").is_in(users.implode())).join(
        films, on="film_id", how="semi"
    )
    last = last.sort("user_id", "position").group_by("user_id", maintain_order=True).tail(latest)
    user = np.searchsorted(users.to_numpy(), last["user_id"].to_numpy())
    place = last.select(pl.int_range(pl.len()).over("user_id")).to_series().to_numpy()
    newest = np.full((len(users), latest), -1)  # films by index; -1: none
    newest[user, place] = np.searchsorted(film_ids, last["film_id"].to_numpy())
    newest = newest[np.searchsorted(users.to_numpy(), candidates["user_id"].to_numpy())]
    film = np.searchsorted(film_ids, candidates["film_id"].to_numpy())
    cosines = np.where(newest < 0, 0.0, similarity[film[:, None], newest])
    return pl.Series(cosines.sum(1), dtype=pl.Float64)


def count_recent_ratings(
    known: pl.DataFrame, candidates: pl.DataFrame, films: pl.DataFrame, days: int
) -> pl.Series:
    """How often each candidate (film_id) was rated in so many days before its `moment`.

    Moments behind the last known rating count as that: of films nobody rates since, the last days
    are what is recent.
    """
    ids, rows = films["film_id"].to_numpy(), known.select("film_id", "rated_at")
    rows = rows.join(films, on="film_id", how="semi")
    second = rows["rated_at"].dt.epoch("s").to_numpy()
    if not len(second) or candidates.is_empty():
        return pl.Series(np.zeros(len(candidates)))
    start, end = second.min(), second.max() + 1
    span = end - start + 1  # films one behind the other on one axis
    ratings = np.sort(np.searchsorted(ids, rows["film_id"].to_numpy()) * span + second - start)
    film = np.searchsorted(ids, candidates["film_id"].to_numpy()) * span
    until = np.clip(candidates["moment"].dt.epoch("s").to_numpy(), start, end) - start
    since = np.maximum(until - days * 86_400, 0)
    counts = np.searchsorted(ratings, film + until) - np.searchsorted(ratings, film + since)
    return pl.Series(counts.astype(np.float64))


def _cosines(counts: Floats) -> Floats:
    """Cosine similarity of films from their co-occurrences, in place; 0 with themselves."""
    norm = np.sqrt(np.diag(counts))
    counts /= norm[:, None]
    counts /= norm
    np.fill_diagonal(counts, 0.0)
    return counts

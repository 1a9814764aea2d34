"""Decides which films may be recommended to a user: known at the time, and not yet rated."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

HIDDEN = {"validation": ["validation", "test"], "test": ["test"]}  # targets unknown to a fold


def eligible_films(
    users: NDArray[np.integer], fold: str, split: pl.LazyFrame, films: pl.DataFrame
) -> NDArray[np.bool_]:
    """[users, films]: whether a film's first rating precedes the user's first target, and the user
    has not rated it.

    The targets of this and of later folds do not count as rated. `films` has film_id, ascending,
    and first_rated_at.
    """
    rows = split.filter(pl.col("user_id").is_in(users.tolist())).collect()
    is_target = pl.col("role") == "target"
    cuts = rows.filter(is_target, pl.col("fold") == fold).group_by("user_id")
    cut = pl.DataFrame({"user_id": users}).join(
        cuts.agg(cut=pl.col("rated_at").min()), on="user_id", how="left", maintain_order="left"
    )["cut"]
    known = films["first_rated_at"].to_physical().fill_null(np.iinfo(np.int64).max).to_numpy()
    eligible = known <= cut.to_physical().to_numpy()[:, None]
    rated = rows.filter(~(is_target & pl.col("fold").is_in(HIDDEN[fold])))
    rated = rated.join(films, on="film_id", how="semi")  # a catalogue may omit rare films
    order = np.argsort(users)
    user = order[np.searchsorted(users[order], rated["user_id"].to_numpy())]
    film = np.searchsorted(films["film_id"].to_numpy(), rated["film_id"].to_numpy())
    eligible[user, film] = False
    return eligible

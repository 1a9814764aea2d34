"""Which films a user may be told of: known at the time, and not yet rated by that user."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

LATER = {"validation": ["validation", "test"], "test": ["test"]}


def news_for(
    users: NDArray[np.integer], fold: str, histories: pl.LazyFrame, films: pl.DataFrame
) -> NDArray[np.bool_]:
    """[users, films]: whether a film was known before the user's first target, and not yet seen.

    Seen is what the user rated, but for the targets of this and later folds. `films` has
    film_id, ascending, and first_rated_at.
    """
    rows = histories.filter(pl.col("user_id").is_in(users.tolist())).collect()
    is_target = pl.col("role") == "target"
    cuts = rows.filter(is_target, pl.col("fold") == fold).group_by("user_id")
    cut = pl.DataFrame({"user_id": users}).join(
        cuts.agg(cut=pl.col("rated_at").min()), on="user_id", how="left", maintain_order="left"
    )["cut"]
    known = films["first_rated_at"].to_physical().fill_null(np.iinfo(np.int64).max).to_numpy()
    news = known <= cut.to_physical().to_numpy()[:, None]
    seen = rows.filter(~(is_target & pl.col("fold").is_in(LATER[fold])))
    seen = seen.join(films, on="film_id", how="semi")  # a catalogue may leave rare ones out
    order = np.argsort(users)
    user = order[np.searchsorted(users[order], seen["user_id"].to_numpy())]
    film = np.searchsorted(films["film_id"].to_numpy(), seen["film_id"].to_numpy())
    news[user, film] = False
    return news

"""Door: trusted ratings in, histories out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.split.protocols import LeaveLast, Split
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store

__all__ = ["LeaveLast", "Split", "split_ratings"]


@task
def split_ratings(ratings: ValidatedRatings, *, config: Split, store: Store) -> SplitRatings:
    """Mark every rating of every user as context (shown) or target (to be guessed)."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.split.assign_folds import write_histories

        return write_histories(draft, ratings, config)

    return store.build(SplitRatings, recipe=config, parents=[ratings], write=write)

"""Door: trusted ratings in, histories out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Histories, TrustedRatings
from tasks.split.protocols import LeaveLast, Split
from tasks.store import Store

__all__ = ["LeaveLast", "Split", "split_histories"]


@task
def split_histories(ratings: TrustedRatings, *, config: Split, store: Store) -> Histories:
    """Mark every rating of every user as context (shown) or target (to be guessed)."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.split.histories import write_histories

        return write_histories(draft, ratings, config)

    return store.build(Histories, recipe=config, parents=[ratings], write=write)

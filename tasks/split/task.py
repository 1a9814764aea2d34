"""Task: validated ratings to folds and roles."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.split.given import GivenFolds
from tasks.split.protocols import LeaveLast, Split
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store

__all__ = ["GivenFolds", "LeaveLast", "Split", "split_ratings"]


@task
def split_ratings(ratings: ValidatedRatings, *, config: Split, store: Store) -> SplitRatings:
    """Assign every rating to a fold, as context (shown) or target (predicted)."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.split.assign_folds import assign_folds

        return assign_folds(draft, ratings, config)

    recipe = config.recipe if isinstance(config, GivenFolds) else config
    return store.build(SplitRatings, recipe=recipe, parents=[ratings], write=write)

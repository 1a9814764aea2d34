"""Task: predictions and lists in, metrics with intervals out."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from tasks.executor import open_executor
from tasks.score.config import Score
from tasks.score.statements import SQL, statements
from tasks.store.artifacts import (
    RankedLists,
    RatingPredictions,
    Scores,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def score(
    split: SplitRatings,
    ratings: ValidatedRatings,
    predictions: Sequence[RatingPredictions],
    lists: Sequence[RankedLists],
    *,
    config: Score,
    store: Store,
) -> Scores:
    """Take every metric of every predictor on the test fold, with intervals and differences."""

    def write(draft: Path) -> dict[str, object]:
        from tasks.score.measure import measure
        from tasks.score.sums import Asked

        asked = Asked(split, ratings, tuple(predictions), tuple(lists), config)
        with open_executor(2, config.cluster, store, parents) as workers:
            return measure(draft, asked, workers)

    parents = [split, ratings, *predictions, *lists]
    texts = {str(file.relative_to(SQL)): text for file, text in statements("metrics/*", "slices/*")}
    return store.build(
        Scores,
        recipe=config.model_dump(mode="json") | {"statements": texts},
        parents=parents,
        write=write,
    )

"""Task: predictions and lists in, metrics with intervals out."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from tasks.executor import open_executor
from tasks.liked import DEFAULT_RULE, Liked
from tasks.score.config import Score
from tasks.score.halves import Half
from tasks.score.statements import SQL, read_statements
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
    liked: Liked = DEFAULT_RULE,
    half: Half | None = None,
    store: Store,
) -> Scores:
    """Compute every metric of every predictor on the test fold, with intervals and differences.

    Of all users with test targets, or of one half.

    Raises MissingPredictionError where a predictor lacks a target, or a list for a user.
    """

    def write(draft: Path) -> dict[str, object]:
        from tasks.score.measure import measure
        from tasks.score.sums import ScoreInputs

        inputs = ScoreInputs(split, ratings, tuple(predictions), tuple(lists), config, liked, half)
        with open_executor(2, config.dask_address, store, parents) as executor:
            return measure(draft, inputs, executor)

    parents = [split, ratings, *predictions, *lists]
    files = read_statements("metrics/*", "slices/*")
    texts = {str(file.relative_to(SQL)): text for file, text in files}
    return store.build(
        Scores,
        recipe=config.model_dump(mode="json")
        | {"liked": liked.model_dump(), "half": half, "statements": texts},
        parents=parents,
        write=write,
    )

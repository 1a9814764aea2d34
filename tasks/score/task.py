"""Door: predictions in, metrics with intervals out."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task

from tasks.artifacts import Histories, Predictions, Scores, TrustedRatings
from tasks.score.config import Score
from tasks.score.statements import SQL, statements
from tasks.store import Store


@task
def score(
    histories: Histories,
    ratings: TrustedRatings,
    predictions: Sequence[Predictions],
    *,
    config: Score,
    store: Store,
) -> Scores:
    """Take every metric of every predictor on the test fold, with intervals and differences."""

    def write(draft: Path) -> dict[str, object]:
        from tasks.score.measure import measure

        return measure(draft, histories, ratings, predictions, config)

    texts = {str(file.relative_to(SQL)): text for file, text in statements("metrics/*", "slices/*")}
    return store.build(
        Scores,
        recipe=config.model_dump(mode="json") | {"statements": texts},
        parents=[histories, ratings, *predictions],
        write=write,
    )

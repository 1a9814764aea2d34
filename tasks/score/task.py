"""Door: predictions in, metrics with intervals out."""

from collections.abc import Sequence
from pathlib import Path

import pydantic
from prefect import task

from tasks.artifacts import Histories, Predictions, Scores, TrustedRatings
from tasks.score.statements import SQL, statements
from tasks.store import Store


class Score(pydantic.BaseModel, frozen=True, extra="forbid"):
    """List lengths, and how the intervals are drawn."""

    ks: tuple[int, ...] = (5, 10)
    resamples: int = pydantic.Field(2000, ge=100)
    seed: int = 0


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

    texts = {str(file.relative_to(SQL)): text for file, text in statements("metrics/*", "slices")}
    return store.build(
        Scores,
        recipe=config.model_dump(mode="json") | {"statements": texts},
        parents=[histories, ratings, *predictions],
        write=write,
    )

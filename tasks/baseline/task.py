"""Door: histories in, the predictions of every baseline out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Histories, Predictions, TrustedRatings
from tasks.baseline.config import Baseline
from tasks.store import Store


@task
def predict_baselines(
    histories: Histories, ratings: TrustedRatings, *, config: Baseline, store: Store
) -> Predictions:
    """Guess every validation and test target by each baseline, from the folds before it."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.guesses import write_guesses

        return write_guesses(draft, histories, ratings, config)

    return store.build(Predictions, recipe=config, parents=[histories, ratings], write=write)

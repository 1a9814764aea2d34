"""Door: histories in, the predictions of every baseline out."""

from pathlib import Path
from typing import Any

import pydantic
from prefect import task

from tasks.artifacts import Histories, Predictions, TrustedRatings
from tasks.store import Store


class Baseline(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How strongly the biases are damped, in ratings; how long the lists are."""

    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(20, ge=0)
    sweeps: int = pydantic.Field(20, ge=1)
    list_length: int = pydantic.Field(10, ge=1)


@task
def predict_baselines(
    histories: Histories, ratings: TrustedRatings, *, config: Baseline, store: Store
) -> Predictions:
    """Guess every validation and test target by each baseline, from the folds before it."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.guesses import write_guesses

        return write_guesses(draft, histories, ratings, config)

    return store.build(Predictions, recipe=config, parents=[histories, ratings], write=write)

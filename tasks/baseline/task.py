"""Doors: the predictions of every baseline, and their blend with the language model's."""

from collections.abc import Sequence
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

    recipe = config.model_dump(mode="json", exclude={"blended", "ridge"})
    return store.build(Predictions, recipe=recipe, parents=[histories, ratings], write=write)


@task
def blend_predictions(
    histories: Histories, predictions: Sequence[Predictions], *, config: Baseline, store: Store
) -> Predictions:
    """Blend what the members say of the test targets, as the validation targets weigh them."""
    recipe = {"blended": config.blended, "ridge": config.ridge}

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.blend import write_blend

        return write_blend(draft, histories, predictions, config.blended, config.ridge)

    return store.build(Predictions, recipe=recipe, parents=[histories, *predictions], write=write)

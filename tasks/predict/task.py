"""Task: adapter, base and prompts in, predicted ratings out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.predict.config import Predict
from tasks.readout.config import Inference
from tasks.store.artifacts import Adapter, Base, Prompts, RatingPredictions, SplitRatings
from tasks.store.store import Store


@task
def predict_ratings(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    *,
    config: Predict,
    inference: Inference,
    store: Store,
    calibrated_by: RatingPredictions | None = None,
) -> RatingPredictions:
    """Predict a distribution for every target of the prompts.

    Distributions are calibrated on the validation fold, or with the calibration of `calibrated_by`,
    since candidates have no true ratings.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.pipeline import write_predictions

        with open_executor(1, inference.dask_address, store, inputs) as executor:
            return write_predictions(
                draft, adapter, base, prompts, split, config, inference, calibrated_by, executor
            )

    inputs = [adapter, base, prompts, split]
    parents = [*inputs, *([calibrated_by] if calibrated_by else [])]
    recipe = config.model_dump(mode="json") | {"inference": inference.model_dump(mode="json")}
    return store.build(
        RatingPredictions, recipe=recipe, parents=parents, write=write, resumable=True
    )

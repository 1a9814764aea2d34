"""Door: an adapter over its base, prompts and histories in, predictions out."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts
from tasks.predict.config import Predict
from tasks.store import Store


@task
def predict(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    histories: Histories,
    *,
    config: Predict,
    store: Store,
    calibrated: Predictions | None = None,
) -> Predictions:
    """A distribution for every asked rating, and a list of films for every user of the test fold.

    Distributions are calibrated on the validation fold, or as `calibrated` was: candidates that
    nobody has rated cannot tell.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.night import predict_all

        return predict_all(draft, adapter, base, prompts, histories, config, calibrated)

    parents = [adapter, base, prompts, histories, *([calibrated] if calibrated else [])]
    return store.build(Predictions, recipe=config, parents=parents, write=write, resumable=True)

"""Task: base and prompts in, seconds and memory of the long stages out."""

import logging
import platform
from pathlib import Path
from typing import Any

from prefect import task

from tasks.forecast.config import Forecast, Plan, Served
from tasks.progress import duration
from tasks.readout.config import Inference
from tasks.store.artifacts import Base, Prompts, SplitRatings, StageForecast
from tasks.store.store import Store
from tasks.training.config import Lora, Objective, TrainingConfig

log = logging.getLogger(__name__)


@task
def forecast_stages(
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    *,
    lora: Lora,
    objective: Objective,
    fit: TrainingConfig,
    inference: Inference,
    config: Forecast,
    plan: Plan,
    served: Served,
    store: Store,
) -> StageForecast:
    """Try the base on this machine for some seconds; log hours and memory of each long stage."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.forecast.measure import measure
        from tasks.forecast.stages import count_served

        everyone = count_served(split, served)
        return measure(
            draft, base, prompts, lora, objective, fit, inference, config, plan, everyone
        )

    recipe = {
        "lora": lora.model_dump(mode="json"),
        "objective": objective.model_dump(mode="json"),
        "fit": fit.model_dump(mode="json"),
        "inference": inference.model_dump(mode="json"),
        **config.model_dump(mode="json"),
        **plan._asdict(),
        **served._asdict(),
        "machine": platform.node(),
    }
    made = store.build(StageForecast, recipe=recipe, parents=[base, prompts, split], write=write)
    log.info("on %s, the stages of the language model will take about", made.metadata["device"])
    for row in made.scan("stages").collect().to_dicts():
        log.info(
            "  %-30s %10s  %9s examples  %5.1f GB",
            row["stage"], duration(row["seconds"]), f"{row['examples']:,}", row["peak_bytes"] / 1e9,
        )  # fmt: skip
    return made

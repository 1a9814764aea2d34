"""Settings of the train stage."""

import pydantic

from tasks.executor import DaskAddress
from tasks.training.config import Lora, Objective, TrainingConfig


class Train(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The adapter, what it learns for, and for how long."""

    lora: Lora = Lora()
    objective: Objective = Objective(vocab_ce=0.0, scale_ce=1.0, mse=1.0, answer_ce=0.2)
    fit: TrainingConfig = TrainingConfig(
        epochs=0.5, tokens_per_step=2048, learning_rate=5e-4, validate_steps=100
    )
    warm_start: bool = False
    """Start from the adapter of this base, data set and split whose data end last before these."""
    processes: int = pydantic.Field(1, ge=1)
    """Data-parallel training processes, each with its share of every step."""
    dask_address: DaskAddress = None
    """Dask scheduler whose workers do the work; null: this machine."""

"""What can be set about the adapter's training."""

import pydantic

from tasks.executor import Address
from tasks.training.config import Fit, Lora, Objective


class Train(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The adapter, what it learns for, and for how long."""

    lora: Lora = Lora()
    objective: Objective = Objective(rating=0.0, scale=1.0, squared=1.0, answer=0.2)
    fit: Fit = Fit(epochs=0.5, step_tokens=2048, learning_rate=5e-4, validate_steps=100)
    warm_start: bool = False
    """Start from the newest adapter of this base that was trained on other prompts."""
    processes: int = pydantic.Field(1, ge=1)
    """Data-parallel training processes, each with its share of every step."""
    cluster: Address = None
    """Dask scheduler whose workers do the work; null: this machine."""

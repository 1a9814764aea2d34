"""What can be set about the adapter's training."""

import pydantic

from tasks.model.recipes import Fit, Lora, Objective


class Train(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The adapter, what it learns for, and for how long."""

    lora: Lora = Lora()
    objective: Objective = Objective()
    fit: Fit = Fit()
    processes: int = pydantic.Field(1, ge=1)  # on one machine, each with its share of every step

"""Settings of the baseline room."""

import pydantic


class Baseline(pydantic.BaseModel, frozen=True, extra="forbid"):
    """How strongly the biases are damped, in ratings; how long the lists are."""

    item_damping: float = pydantic.Field(2, ge=0)
    user_damping: float = pydantic.Field(20, ge=0)
    sweeps: int = pydantic.Field(20, ge=1)
    list_length: int = pydantic.Field(10, ge=1)

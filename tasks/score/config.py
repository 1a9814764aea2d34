"""Settings of the score room."""

import pydantic

from tasks.executor import Address


class Score(pydantic.BaseModel, frozen=True, extra="forbid"):
    """List lengths, who is compared with all others, and how the intervals are drawn."""

    ks: tuple[int, ...] = (5, 10)
    compared: tuple[str, ...] = ("llm", "ranked", "blend")
    resamples: int = pydantic.Field(2000, ge=100)
    seed: int = 0
    cluster: Address = None  # whose workers share the ratings
